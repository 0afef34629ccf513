"""Sites from a YAML or JSON file, in the solver's terms.

Decides how the solver's refusals are said to users: with the file, its line and the remedy.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from swarm_placement.errors import PlacementError
from swarm_placement.errors import UsageError as Refused
from swarm_placement.forms.files import SiteList, sites_from
from swarm_placement.model import Model
from swarm_placement.validation import site_doubts
from swarm_ray.definition.serving import ModelCapabilities, ModelCapability
from swarm_ray.definition.yaml_source import Text, read_text
from swarm_ray.engine.placing.demand import CODE, DEPTHS
from swarm_ray.errors import UsageError


def read_sites(path: Path) -> tuple[SiteList, tuple[str, ...]]:
    """Return the sites of a file, and what looks as if it were given in another unit.

    Raises:
        UsageError: `sites.unreadable`, `definition.*` for what is not YAML, `sites.refused` with
            file, line and remedy for everything that the solver refuses.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(
            "sites.unreadable",
            f"{path} cannot be read: {error.strerror}",
            hint="give a YAML file of sites; docs/formats/sites.md describes it",
        ) from error
    text = read_text(str(path), data)
    if text.flaws:
        flaw = text.flaws[0]
        raise UsageError(flaw.code, f"{flaw.file}:{flaw.line}: {flaw.message}", hint=flaw.hint)
    with refusals(text):
        found = sites_from(text.value)
    doubts = site_doubts(found.sites, found.models, found.links)
    return found, tuple(f"{path}: {doubt}" for doubt in doubts)


def capabilities(sites: SiteList) -> ModelCapabilities:
    """Return what the models of the sites can do, for linking; plain code is no model."""
    return ModelCapabilities(tuple(_capability(one) for one in sites.models if one.name != CODE))


def _capability(model: Model) -> ModelCapability:
    level = model.capabilities.get
    depth = max(
        (word for word in DEPTHS if DEPTHS[word] <= level("reasoning_depth", 1.0)),
        key=DEPTHS.__getitem__,
    )
    return ModelCapability(
        model.name,
        depth,
        level("code_generation", 0.0) >= 1,
        int(level("context_tokens", 0.0)),
        level("structured_output", 0.0) >= 1,
    )


@contextmanager
def refusals(text: Text | None = None) -> Iterator[None]:
    """Say in our terms what the solver refuses; with the line when it is about a file.

    Raises:
        UsageError: `sites.refused`.
    """
    try:
        yield
    except PlacementError as error:
        place = f"{text.file}:{text.line(*_path(error.field))}: " if text is not None else ""
        field = f"{error.field}: " if error.field else ""
        hint = error.hint if isinstance(error, Refused) else "report this with the file of sites"
        raise UsageError(
            "sites.refused",
            f"{place}{field}{error.message}",
            hint=hint,
            field=error.field,
            reason=error.code,
        ) from error


def _path(field: str) -> tuple[str | int, ...]:
    """Return `sites[3].slots` as ("sites", 3, "slots")."""
    parts = field.replace("[", ".").replace("]", "").split(".")
    return tuple(int(part) if part.isdecimal() else part for part in parts if part)
