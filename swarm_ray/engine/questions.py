"""Questions that wait for a person.

Decides which answers are admitted and when the default is taken. That a question is open, and what
follows from its answer, is decided by the machine of its run.
"""

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.errors import UsageError
from swarm_ray.values.codec import encode_json

if TYPE_CHECKING:
    from swarm_ray.engine.coordinator import Coordinator


@dataclass(slots=True)
class Questions:
    """What was asked in the runs of one coordinator, by run and question."""

    coordinator: "Coordinator"
    _asked: dict[tuple[str, str], cmd.Ask] = field(default_factory=dict)

    def ask(self, run: str, command: cmd.Ask) -> None:
        """Put a question; when it expires its default is the answer."""
        self._asked[run, command.question] = command
        if command.until_us:
            key = f"question:{command.question}"
            expire = partial(self._expire, run, command)
            self.coordinator.alarms.set(run, key, command.until_us, expire)

    def _expire(self, run: str, command: cmd.Ask) -> None:
        thread = self.coordinator.engine.threads.get(run)
        if thread is not None and command.question in thread.run.questions:
            answer = self.decision(run, command.question, command.default, "default", "")
            self.coordinator.post(run, answer)

    def decision(self, run: str, question: str, choice: str, by: str, reason: str) -> ev.Decided:
        """Return the event that answers a question.

        Raises:
            UsageError: `decide.unknown_question`, `decide.unknown_choice`.
        """
        asked = self._asked.get((run, question))
        open_now = self.coordinator.thread_of(run).questions
        if asked is None or question not in open_now:
            hint = f"it asks: {', '.join(sorted(open_now))}" if open_now else "nothing is asked now"
            raise UsageError(
                "decide.unknown_question", f"run {run} does not ask {question!r}", hint=hint
            )
        if choice not in asked.choices:
            raise UsageError(
                "decide.unknown_choice",
                f"{choice!r} is not a choice",
                hint=f"choose one of: {', '.join(asked.choices)}",
            )
        values = self.coordinator.values_of(run)
        outcome = values.put("choice", encode_json(choice), "output")
        words = values.put("reason", reason.encode(), "reason") if reason else ""
        return ev.Decided(question, choice, by, outcome, words)

    def forget(self, run: str) -> None:
        """A run is closed."""
        for key in [key for key in self._asked if key[0] == run]:
            del self._asked[key]
