"""Starting runs and finding them again: `run`, `map`, `attach`, `runs`.

Decides that a definition is loaded, linked and packed here, its inputs completed and checked, all
before any cluster is touched. The run's id is minted here, so that a repeated call after a lost
answer changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarm_ray.client.archive import resolve_run
from swarm_ray.client.convergence import Rule, as_definition
from swarm_ray.client.handle import RunHandle
from swarm_ray.client.items import empty_items, read_items
from swarm_ray.client.session import Session, current_session
from swarm_ray.config import Settings
from swarm_ray.definition.bundle import Bundle, pack
from swarm_ray.definition.find import find_blueprint
from swarm_ray.definition.link import link
from swarm_ray.definition.linked import Linked
from swarm_ray.definition.load import load_process
from swarm_ray.definition.python_api import ITEMS, map_process
from swarm_ray.definition.serving import ModelCapabilities, ModelCapability
from swarm_ray.effects.supervising import TOOLS
from swarm_ray.engine.inputs import complete_inputs
from swarm_ray.errors import UsageError
from swarm_ray.ports.clock import SystemClock
from swarm_ray.values.ids import RANDOM_BYTES, uuid7


@dataclass(frozen=True, slots=True)
class Launch:
    """A process that is ready to run: linked, its inputs complete and checked."""

    linked: Linked
    inputs: Mapping[str, Any]
    bundle: Bundle | None = None

    def start(self, session: Session) -> RunHandle:
        """Open the run; durable on return."""
        bundle = self.bundle or pack(self.linked)
        clock = SystemClock()
        run_id = uuid7(clock.now_us() // 1000, clock.random(RANDOM_BYTES))
        session.service().open_run(run_id, bundle.data, bundle.digest, self.inputs)
        return RunHandle(run_id, session.service)


def link_process(
    name: str | Path,
    settings: Settings,
    *,
    without_bindings: bool = False,
    offered: ModelCapabilities | None = None,
) -> Linked:
    """Find, load and link a definition under the models that are configured, and under those that
    sites offer when the items are to be placed over sites.

    Raises:
        UsageError: `definition.*`; a flawed definition lists every flaw with file and line.
    """
    source = load_process(find_blueprint(name), without_bindings=without_bindings)
    models = offered.models if offered is not None else ()
    if settings.model_url and settings.model_name:
        models = (*models, ModelCapability(settings.model_name))
    known = ModelCapabilities(models) if models else None
    return link(source, models=known, effects=TOOLS, sites=offered is not None)


def complete_launch(
    linked: Linked, inputs: Mapping[str, Any] | None = None, items: Any = None
) -> Launch:
    """Complete the inputs of a linked process; `items` become the input that the first fan-out
    goes over.

    Raises:
        UsageError: `run.unknown_input`, `run.missing_input`, `run.bad_input`,
            `run.no_item_input`, `items.*`, `items.empty` also for an input that a fan-out
            goes over.
    """
    given = dict(inputs or {})
    if items is not None:
        name = item_input(linked)
        given[name] = read_items(items)
    _refuse_empty(linked, given)
    declared = {name: entry.to_record() for name, entry in linked.inputs.items()}
    return Launch(linked, complete_inputs(declared, given))


def _refuse_empty(linked: Linked, given: Mapping[str, Any]) -> None:
    """Refuse an empty input set however it was given; a process may declare one as its default."""
    for step in linked.plan.steps:
        if step.fan_out is not None and given.get(step.fan_out.over) == []:
            raise empty_items(f"the input {step.fan_out.over!r}")


def item_input(linked: Linked) -> str:
    """Return the input that the first fan-out over an input goes over.

    Raises:
        UsageError: `run.no_item_input`.
    """
    for step in linked.plan.steps:
        if step.fan_out is not None and step.fan_out.over in linked.inputs:
            return step.fan_out.over
    raise UsageError(
        "run.no_item_input",
        f"no fan-out of {linked.plan.process} goes over an input of the process",
        hint="its items are made by an earlier step; set the inputs of that step, or plan with --assume",
    )


def run(
    name: str | Path,
    inputs: Mapping[str, Any] | None = None,
    *,
    items: Any = None,
    isolation: str = "",
    without_bindings: bool = False,
) -> RunHandle:
    """Start a process and return its handle at once.

    Args:
        name: name of a shipped blueprint, a folder with `process.yaml`, or a process file.
        inputs: values of the declared inputs; relative paths count from here.
        items: input set of the first fan-out, as for `map`.
        isolation: sandbox driver of a cluster that this call starts; `none` must be said.
        without_bindings: ignore `bindings.yaml`, so that a model carries out the sentences.

    Raises:
        UsageError: what is wrong with the definition or the inputs; nothing was started.
        ContainmentError: `containment.nested_swarm` inside a worker.
    """
    session = current_session()
    session.isolate(isolation)
    linked = link_process(name, session.settings, without_bindings=without_bindings)
    return complete_launch(linked, inputs, items).start(session)


def map(  # noqa: A001  # the word of the SDK: swarm.map(function, items)
    function: Callable[..., Any],
    items: Any,
    *,
    concurrency: int = 8,
    deadline: str = "",
    item_deadline: str = "",
    convergence: Rule | None = None,
    budget: Mapping[str, Any] | None = None,
    retry: Mapping[str, Any] | None = None,
    output_schema: Mapping[str, Any] | None = None,
    key: str = "",
    isolation: str = "",
) -> RunHandle:
    """Run `function(item)` or `function(item, ctx)` over items, each in a sandbox of its own.

    The function travels as source text with what it names; it reaches no network, no file and no
    variable of this program. Returns at once.

    Args:
        function: a plain function of JSON values.
        items: list, iterator, Arrow table, data frame, or path of a `.jsonl`, `.json`, `.csv`,
            `.parquet`, `.arrow` or `.feather` file; one element or row is one item.
        concurrency: how many attempts run at once.
        deadline: of the whole swarm, like `30s`; a part of it is kept for convergence.
        item_deadline: of one attempt.
        convergence: `Collect`, `Merge`, `Reduce`, `Vote` or `Custom`; all results as a list by default.
        budget: `{"tokens": 200000, "usd": 1.5}`; never overshot.
        retry: `{"max_attempts": 3, "initial_interval": "500ms", ...}`.
        output_schema: JSON Schema that each output must match.
        key: field that identifies an item; two items with the same value are refused.
        isolation: sandbox driver of a cluster that this call starts.

    Raises:
        UsageError: what is wrong with the function, the items or a limit; nothing was started.
        ContainmentError: `containment.nested_swarm` inside a worker.
    """
    session = current_session()
    session.isolate(isolation)
    mapped = map_process(
        function,
        concurrency=concurrency,
        deadline=deadline,
        item_deadline=item_deadline,
        convergence=as_definition(convergence) if convergence is not None else None,
        budget=budget,
        retry=retry,
        output_schema=output_schema,
    )
    launch = Launch(mapped.linked, {ITEMS: read_items(items, key=key)}, mapped.bundle)
    return launch.start(session)


def attach(run_id: str) -> RunHandle:
    """Return the handle of a run that exists; the last eight digits of its id are enough.

    Raises:
        UsageError: `run.unknown` with near matches, `run.ambiguous`.
    """
    session = current_session()
    return RunHandle(resolve_run(run_id, session.service().runs()), session.service)


def runs() -> list[RunHandle]:
    """Return the handles of all runs, oldest first."""
    session = current_session()
    return [RunHandle(one, session.service) for one in session.service().runs()]
