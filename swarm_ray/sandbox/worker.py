"""The child's step interpreter: one run frame in, one result frame out.

Decides in which order steps run and what each is given. It runs inside the sandbox, after
confinement and before any tenant code; it never retries and never decides what a failure means.
"""

from __future__ import annotations

from time import process_time_ns

from swarm_ray.sandbox import gates
from swarm_ray.sandbox.channel import Channel
from swarm_ray.sandbox.executors import executor
from swarm_ray.sandbox.failures import InputError, StructuralError, failed
from swarm_ray.sandbox.skill_context import Attempt, Context

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import Any

    Tasks = dict[str, dict[str, Any]]
    Knowledge = dict[str, str]


class Worker:
    """Interprets the tasks of one bundle.

    Args:
        tasks: `linked.json`'s tasks.
        knowledge: texts of the bundle, by name.
    """

    def __init__(self, tasks: Tasks, knowledge: Knowledge) -> None:
        self._tasks = tasks
        self._knowledge = knowledge

    def serve(self, channel: Channel, tmp: str) -> bool:
        """Answer one run frame; False, and nothing answered, when the host is gone."""
        frame = channel.read()
        if frame is None:
            return False
        began_ns = process_time_ns()
        result = self._attempt(channel, frame, tmp)
        result["cpu_us"] = (process_time_ns() - began_ns) // 1000
        try:
            channel.write(result)
        except (TypeError, ValueError, RecursionError) as error:
            message = f"the output is not JSON: {error}"
            channel.write(failed(InputError(message, code="skill.result_not_json")))
        except InputError as error:
            channel.write(failed(error))
        return True

    def _attempt(self, channel: Channel, frame: dict[str, Any], tmp: str) -> dict[str, Any]:
        try:
            output = self._run(channel, frame, tmp)
        except BaseException as error:  # noqa: BLE001 - whatever a skill raises is its result
            return failed(error)
        return {"frame": "result", "status": "ok", "output": output}

    def _run(self, channel: Channel, frame: dict[str, Any], tmp: str) -> Any:
        if frame.get("frame") != "run":
            raise StructuralError("the first frame must be `run`", code="worker.no_run_frame")
        name = str(frame.get("task"))
        attempt = Attempt(channel, frame, tmp, self._task(name).get("delegate") or {})
        return self.run_task(attempt, name, frame.get("inputs") or {}, 0)

    def _task(self, name: str) -> dict[str, Any]:
        task = self._tasks.get(name)
        if task is None:
            raise StructuralError(f"the bundle has no task {name!r}", code="worker.unknown_task")
        return task

    def run_task(self, attempt: Attempt, name: str, inputs: dict[str, Any], depth: int) -> Any:
        """Run the steps of a task in order and return its declared output.

        Raises:
            Failure: a step failed, a gate does not hold, or the task is not well formed.
        """
        task = self._task(name)
        wanted = task.get("knowledge") or ()
        knowledge = {each: self._knowledge[each] for each in wanted}
        outputs: dict[str, Any] = {}
        for step in task["steps"]:
            given = _given(step, inputs, outputs)
            ctx = Context(attempt, knowledge, depth, self.run_task)
            ctx.with_ = step.get("with") or {}
            output = executor(step["kind"])(step, given, ctx)
            if step.get("gate"):
                values = {"input": given, "output": output, "inputs": inputs}
                gates.check(step["gate"], step["name"], values)
            outputs[step["output"]] = output
        if task["output"] not in outputs:
            raise StructuralError(
                f"no step of task {name!r} yields its output {task['output']!r}",
                code="worker.no_output",
            )
        return outputs[task["output"]]


def _given(step: dict[str, Any], inputs: dict[str, Any], outputs: dict[str, Any]) -> dict[str, Any]:
    names = step.get("input")
    if names is None:
        return inputs
    given = {}
    for name in names:
        if name in outputs:
            given[name] = outputs[name]
        elif name in inputs:
            given[name] = inputs[name]
        else:
            raise StructuralError(
                f"step {step['name']!r} needs {name!r}, which no earlier step yields",
                code="worker.unknown_input",
            )
    return given
