"""What a run yielded: its output, and every item in input order with outcome and cost.

Decides how the fold of a log and the bodies that it names become plain values. A body that was
deleted since reads as None. Values here hold no connection: they survive pickle and the cluster.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from swarm_ray.client.artifacts import Artifact, artifacts_in
from swarm_ray.client.following import Bodies
from swarm_ray.engine.views import AttemptView, RunView, SwarmView

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """What work cost, failed attempts and sub-agents included, each once.

    `cost_microusd` is money in micro-USD, `cpu_us` and `work_us` are processor and working time
    in microseconds, `attempts` counts every try.
    """

    attempts: int = 0
    tokens: int = 0
    cost_microusd: int = 0
    cpu_us: int = 0
    work_us: int = 0
    sub_agents: int = 0

    @property
    def cost_usd(self) -> float:
        """Money in USD."""
        return self.cost_microusd / MICRO


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One item of a fan-out: what became of it and what all its attempts cost together.

    `status` is `ok`, `failed`, `skipped`, `cancelled`, `review` or `open`; `code` and `error` say
    why the last attempt failed; `duration_us` is that of the last attempt. `artifacts` are the
    files that the accepted attempt made; `handle.artifact(reference)` returns their bytes.
    """

    step: str
    ordinal: int
    status: str
    output: Any = None
    code: str = ""
    error: str = ""
    attempts: int = 0
    duration_us: int = 0
    tokens: int = 0
    cost_microusd: int = 0
    host: str = ""
    artifacts: tuple[Artifact, ...] = ()

    @property
    def cost_usd(self) -> float:
        """Money in USD."""
        return self.cost_microusd / MICRO


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a run, partial while the run goes on or when it did not end well.

    Iterating yields the items of all fan-outs in input order. `output` is the output of the
    process, `outputs` those of its steps by name. `cause` is the text of the error that ended the
    run, if there is one.
    """

    run: str
    process: str
    status: str
    output: Any = None
    outputs: Mapping[str, Any] = field(default_factory=dict)
    items: tuple[ItemResult, ...] = ()
    usage: Usage = Usage()
    cause: str = ""

    def __iter__(self) -> Iterator[ItemResult]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    @property
    def ok(self) -> list[ItemResult]:
        """Items with an accepted result."""
        return [item for item in self.items if item.status == "ok"]

    @property
    def failed(self) -> list[ItemResult]:
        """Items that were given up, or that no reaction decided about."""
        return [item for item in self.items if item.status in ("failed", "review", "open")]

    @property
    def skipped(self) -> list[ItemResult]:
        """Items that were skipped or cancelled."""
        return [item for item in self.items if item.status in ("skipped", "cancelled")]

    @property
    def cost_usd(self) -> float:
        """Money in USD."""
        return self.usage.cost_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {**asdict(self), "cost_usd": self.cost_usd}

    def to_arrow(self) -> "pa.Table":
        """Return one row per item as an Arrow table.

        Outputs that are objects become struct columns; outputs of mixed types become JSON text.
        """
        import pyarrow as pa

        columns: dict[str, Any] = {
            name: [getattr(item, name) for item in self.items] for name in _COLUMNS
        }
        outputs = [item.output for item in self.items]
        return pa.table(
            {
                **{name: pa.array(values, _arrow_type(name)) for name, values in columns.items()},
                "output": _output_column(outputs),
            }
        )

    def to_pandas(self) -> "pd.DataFrame":
        """Return one row per item as a data frame; outputs stay Python values.

        Raises:
            UsageError: `client.no_pandas` when pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            from swarm_ray.errors import UsageError

            raise UsageError(
                "client.no_pandas",
                "pandas is not installed",
                hint="pip install 'swarm-ray[notebook]', or use to_arrow()",
            ) from error
        names = (*_COLUMNS, "output")
        return pd.DataFrame(
            {name: [getattr(item, name) for item in self.items] for name in names},
            columns=list(names),
        )


_COLUMNS = (
    "step",
    "ordinal",
    "status",
    "code",
    "error",
    "attempts",
    "duration_us",
    "tokens",
    "cost_microusd",
    "host",
)
_TEXTS = frozenset({"step", "status", "code", "error", "host"})
_WORDS = {"done": "ok", "failed": "failed", "skipped": "skipped", "cancelled": "cancelled"}


def _arrow_type(name: str) -> Any:
    import pyarrow as pa

    return pa.string() if name in _TEXTS else pa.int64()


def _output_column(outputs: list[Any]) -> Any:
    import pyarrow as pa

    from swarm_ray.values.codec import encode_json

    try:
        return pa.array(outputs)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([encode_json(one).decode() for one in outputs], pa.string())


def usage_of(view: RunView) -> Usage:
    """Return what a run has cost so far."""
    return Usage(
        view.attempts, view.tokens, view.microusd, view.cpu_us, view.work_us, view.sub_agents
    )


def collect_result(view: RunView, bodies: Bodies) -> RunResult:
    """Return the result of a run as of `view`."""
    outputs = {
        name: bodies.value(commitment)
        for name, commitment in view.outputs.items()
        if commitment != view.output
    }
    output = bodies.value(view.output)
    outputs |= {name: output for name, one in view.outputs.items() if one and one == view.output}
    items = [item for swarm in view.fan_outs() for item in _items(swarm, bodies)]
    return RunResult(
        view.run,
        view.process,
        view.status,
        output,
        outputs,
        tuple(items),
        usage_of(view),
        cause_of(view, bodies),
    )


def _items(swarm: SwarmView, bodies: Bodies) -> list[ItemResult]:
    last: dict[int, AttemptView] = {}
    spent: dict[int, tuple[int, int, int]] = {}
    for one in swarm.attempts:
        before = last.get(one.item)
        taken = swarm.outputs.get(one.item)
        if before is None or not taken or before.output != taken:
            last[one.item] = one  # of copies, the one whose output was taken
        count, tokens, microusd = spent.get(one.item, (0, 0, 0))
        spent[one.item] = (count + 1, tokens + one.tokens, microusd + one.microusd)
    outputs = _outputs(swarm, bodies)
    failed = [i for i, one in last.items() if one.error and swarm.state_of(i) != "done"]
    errors = dict(zip(failed, bodies.texts([last[i].error for i in failed]), strict=True))
    artifacts = {
        item: artifacts_in(one.extras, bodies.value(one.extras))
        for item, one in last.items()
        if one.extras and swarm.state_of(item) == "done"
    }
    found: list[ItemResult] = []
    for ordinal in range(swarm.items):
        attempt = last.get(ordinal)
        count, tokens, microusd = spent.get(ordinal, (0, 0, 0))
        state = swarm.state_of(ordinal)
        lost = attempt is not None and state != "done"
        found.append(
            ItemResult(
                swarm.step,
                ordinal,
                _WORDS.get(state, "review" if state == "review" else "open"),
                outputs.get(ordinal),
                (attempt.code or swarm.codes.get(ordinal, "")) if attempt and lost else "",
                errors.get(ordinal, "") if lost else "",
                count,
                attempt.duration_us if attempt is not None else 0,
                tokens,
                microusd,
                attempt.host if attempt is not None else "",
                artifacts.get(ordinal, ()),
            )
        )
    return found


def _outputs(swarm: SwarmView, bodies: Bodies) -> dict[int, Any]:
    """Return the outputs by ordinal; a collected result holds them all in one body."""
    if swarm.strategy == "collect" and swarm.result:
        merged = bodies.value(swarm.result)
        if isinstance(merged, list) and len(merged) == len(swarm.accepted):
            return dict(zip(swarm.accepted, merged, strict=True))
    names = [swarm.outputs[ordinal] for ordinal in swarm.accepted]
    return dict(zip(swarm.accepted, bodies.values(names), strict=True))


def cause_of(view: RunView, bodies: Bodies) -> str:
    """Return the text of the error that ended a run, empty when no body tells it."""
    if not view.closed or view.status == "done":
        return ""
    for step, code, detail in reversed(view.refusals):
        if step == view.step and code == view.code:
            return bodies.text(detail)
    failed = [
        one
        for swarm in view.swarms
        if swarm.step == view.step
        for one in swarm.attempts
        if one.status != "ok" and one.error
    ]
    named = [one for one in failed if one.code == view.code] or failed
    return bodies.text(named[-1].error) if named else ""
