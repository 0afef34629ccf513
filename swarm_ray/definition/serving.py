"""How a step finds its executor: its own `uses:`, the bindings, or a model.

Decides who carries out a sentence and with which settings; a sentence that nobody can carry out
is a flaw, never a stub. Never looks inside the executor.
"""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from swarm_ray.definition.flaws import suggest
from swarm_ray.definition.model import ModelRequirements, Served, Step

ExecutorKind = Literal["extract", "template", "lint", "ast", "embed-classify", "model"]
EXECUTORS: Final[tuple[str, ...]] = get_args(ExecutorKind)
_DEPTHS: Final = ("shallow", "moderate", "deep")


@dataclass(frozen=True, slots=True)
class ModelCapability:
    """What one configured model can do."""

    name: str
    reasoning_depth: Literal["shallow", "moderate", "deep"] = "moderate"
    code_generation: bool = True
    context_tokens: int = 128_000
    structured_output: bool = True

    def meets(self, needs: ModelRequirements) -> bool:
        """Tell whether the model does at least what is needed."""
        depth = needs.reasoning_depth or "shallow"
        return (
            _DEPTHS.index(self.reasoning_depth) >= _DEPTHS.index(depth)
            and (self.code_generation or not needs.code_generation)
            and self.context_tokens >= needs.context_tokens
            and (self.structured_output or not needs.structured_output)
        )


@dataclass(frozen=True, slots=True)
class ModelCapabilities:
    """The models behind the configured endpoint."""

    models: tuple[ModelCapability, ...]

    def serve(self, needs: ModelRequirements | None) -> bool:
        """Tell whether some model meets the requirements."""
        return any(model.meets(needs or ModelRequirements()) for model in self.models)


@dataclass(frozen=True, slots=True)
class Serving:
    """Who carries out a step: the kind of executor, its name, and the settings that hold."""

    kind: str
    uses: str
    settings: Served


@dataclass(frozen=True, slots=True)
class Unserved:
    """Why nobody can carry out a step."""

    code: str
    message: str
    hint: str


def serve(step: Step, bound: Served | None, models: ModelCapabilities | None) -> Serving | Unserved:
    """Return who carries out a step: `uses:` or `effect:` on it, its binding, or a model.

    Codes: `definition.step_kind`, `definition.unknown_executor`, `definition.unserved_action`.
    """
    if bound is None or step.uses or step.effect:
        settings: Served = step
    else:
        settings = _overlaid(step, bound)
    if settings.uses and settings.effect:
        return Unserved(
            "definition.step_kind",
            f"{step.name!r} has both `uses:` and `effect:`",
            "an effect is a step of its own; keep one of the two",
        )
    if settings.effect:
        return Serving("effect", settings.effect, settings)
    if settings.uses is None or settings.uses == "model":
        return _by_model(step, settings, models)
    if ":" in settings.uses:
        return Serving("skill", settings.uses, settings)
    if settings.uses in EXECUTORS:
        return Serving(settings.uses, "", settings)
    return Unserved(
        "definition.unknown_executor",
        f"{settings.uses!r} is neither module:function nor an executor",
        suggest(settings.uses, EXECUTORS),
    )


def _overlaid(step: Step, bound: Served) -> Served:
    """The binding's settings with whatever the step itself says on top."""
    own = step.model_fields_set & set(Served.model_fields)
    update = {name: getattr(step, name) for name in own}
    update["knowledge"] = list(dict.fromkeys([*step.knowledge, *bound.knowledge]))
    return bound.model_copy(update=update)


def _by_model(step: Step, settings: Served, models: ModelCapabilities | None) -> Serving | Unserved:
    needs = settings.requires.model if settings.requires else None
    if models is not None and models.serve(needs):
        return Serving("model", "", settings)
    what = f"nothing can carry out {step.action or step.name!r}"
    if models is None:
        return Unserved(
            "definition.unserved_action",
            f"{what}: no binding, and no model endpoint is configured",
            "bind the sentence in bindings.yaml, add `uses:`, or configure a model endpoint",
        )
    return Unserved(
        "definition.unserved_action",
        f"{what}: no configured model meets its `requires: {{model: ...}}`",
        "relax the requirement or configure a stronger model",
    )
