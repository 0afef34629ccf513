"""Definition files to typed models, with every flaw located.

Decides whether the text of each file is a process, a task or bindings, and collects what is wrong
with them. Never follows a reference between files except to load the tasks that a process names.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from swarm_ray.definition.files import Files, FolderFiles
from swarm_ray.definition.flaws import Flaw, raise_flaws, suggest
from swarm_ray.definition.model import BindingsFile, ProcessFile, TaskFile
from swarm_ray.definition.yaml_source import Text, read_text
from swarm_ray.errors import UsageError

PROCESS_FILE: Final = "process.yaml"
BINDINGS_FILE: Final = "bindings.yaml"
_RANGE_TYPES: Final = frozenset(
    {
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "too_long",
        "too_short",
        "string_too_long",
        "string_too_short",
    }
)

_STAND_INS: Final[dict[str | int, int]] = {"concurrency": 1}
"""Values for required keys about which nothing else has a say."""
_NAMING: Final = frozenset({"name", "inputs", "input", "output", "steps", "task", "over"})
"""Keys whose names others refer to: without them, linking would find flaws that are none."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Document(Generic[M]):
    """A typed file and where each of its keys stands."""

    name: str
    text: Text
    model: M

    def flaw(self, code: str, message: str, *path: str | int, hint: str = "") -> Flaw:
        """Return a flaw located at the line of a path of keys."""
        return Flaw(self.text.file, self.text.line(*path), code, message, hint)


@dataclass(frozen=True, slots=True)
class Source:
    """All files of one definition, parsed.

    `broken` names tasks whose file exists but could not be read; their flaws are in `flaws`.
    """

    files: Files
    process: Document[ProcessFile]
    tasks: dict[str, Document[TaskFile]] = field(default_factory=dict)
    bindings: Document[BindingsFile] | None = None
    broken: frozenset[str] = frozenset()
    flaws: tuple[Flaw, ...] = ()


def load_process(path: Path | str, *, without_bindings: bool = False) -> Source:
    """Load a definition from its folder or its process file.

    Flaws are kept in the result and raised by `link` with those that it finds.

    Raises:
        UsageError: `definition.no_process`, `definition.malformed_yaml` and the like.
        StructuralError: `definition.flawed` when so much is wrong with the process file that it
            cannot be linked.
    """
    path = Path(path)
    folder, name = (path, PROCESS_FILE) if path.is_dir() else (path.parent, path.name)
    if not (folder / name).is_file():
        raise UsageError(
            "definition.no_process",
            f"there is no process file at {folder / name}",
            hint="name a folder that holds process.yaml, or the file itself",
            file=str(folder / name),
        )
    return load_files(FolderFiles(folder), name, without_bindings=without_bindings)


def load_files(files: Files, name: str = PROCESS_FILE, *, without_bindings: bool = False) -> Source:
    """Load a definition from any collection of files; errors as `load_process`."""
    flaws: list[Flaw] = []
    bindings = None
    if not without_bindings and BINDINGS_FILE in files.names():
        bindings = _document(files, BINDINGS_FILE, BindingsFile, flaws)
    process = _document(files, name, ProcessFile, flaws)
    if process is None:
        raise_flaws(flaws, about=files.shown(name))
        raise UsageError(
            "definition.no_process",
            "the process file holds no process",
            hint="begin it with `process: NAME`",
        )
    tasks: dict[str, Document[TaskFile]] = {}
    broken: set[str] = set()
    wanted = list(_named_by_process(process.model))
    while wanted:
        task = wanted.pop()
        if task in tasks or task in broken or f"{task}.yaml" not in files.names():
            continue
        document = _document(files, f"{task}.yaml", TaskFile, flaws)
        if document is None:
            broken.add(task)
            continue
        if document.model.task != task:
            message = f"the file of task {task!r} defines {document.model.task!r}"
            flaws.append(
                document.flaw(
                    "definition.task_name_mismatch",
                    message,
                    "task",
                    hint="the file name and `task:` must agree",
                )
            )
        tasks[task] = document
        wanted += [step.delegate.task for step in document.model.steps if step.delegate]
    return Source(files, process, tasks, bindings, frozenset(broken), tuple(flaws))


def _named_by_process(process: ProcessFile) -> Iterator[str]:
    for step in process.steps:
        if step.delegate:
            yield step.delegate.task
        if step.fan_out:
            yield step.fan_out.task
            if step.fan_out.convergence.task:
                yield step.fan_out.convergence.task


def _document(files: Files, name: str, kind: type[M], flaws: list[Flaw]) -> Document[M] | None:
    text = read_text(files.shown(name), files.read(name))
    flaws += text.flaws
    try:
        return Document(name, text, kind.model_validate(text.value))
    except ValidationError as error:
        details = error.errors(include_url=False)
        flaws += {_flaw(text, kind, detail) for detail in details}
        model = _mended(text.value, kind, [detail["loc"] for detail in details])
        return Document(name, text, model) if model is not None else None


def _mended(value: Any, kind: type[M], paths: Iterable[tuple[str | int, ...]]) -> M | None:
    """Return the model without the keys that do not hold, so that linking can find what else is
    wrong; None when something is missing then, or when a name is among them that others refer to.
    """
    mended = copy.deepcopy(value)
    for path in paths:
        at: Any = mended
        for part in path[:-1]:
            at = at[part] if _holds(at, part) else None
        key = path[-1]
        if not isinstance(at, dict) or key in _NAMING:
            return None
        at.pop(key, None)
        at |= {key: _STAND_INS[key]} if key in _STAND_INS else {}
    try:
        return kind.model_validate(mended)
    except ValidationError:
        return None


def _holds(value: Any, part: str | int) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _flaw(text: Text, kind: type[BaseModel], detail: ErrorDetails) -> Flaw:
    path = detail["loc"]
    line = text.line(*path)
    said = detail["msg"].removeprefix("Value error, ")
    key = ".".join(str(part) for part in path if not str(part).startswith(("dict[", "literal[")))
    match detail["type"]:
        case "extra_forbidden":
            code, message = "definition.unknown_key", f"the key {path[-1]!r} is not known here"
            hint = suggest(str(path[-1]), _siblings(kind, path))
        case "missing":
            code, message = "definition.missing_key", f"the key {path[-1]!r} is missing"
            hint = f"add {path[-1]!r} to this block"
        case kind_of if kind_of in _RANGE_TYPES or "out of range" in detail["msg"]:
            code = "definition.limit_out_of_range"
            message, hint = f"{key}: {said}", "choose a value within the limit"
        case _:
            code, message = "definition.wrong_value", f"{key}: {said}"
            hint = f"the value here is {str(detail['input'])[:60]!r}"
    return Flaw(text.file, line, code, message, hint)


def _siblings(kind: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Return the keys that are admitted beside the last part of the path."""
    at: Any = kind
    for part in path[:-1]:
        if isinstance(part, str) and at is not None:
            at = _field_model(at, part)
    return [info.alias or name for name, info in at.model_fields.items()] if at else []


def _field_model(kind: type[BaseModel], key: str) -> type[BaseModel] | None:
    for name, info in kind.model_fields.items():
        if key in (name, info.alias):
            return _model_in(info.annotation)
    # A key of a free mapping (a sentence, an input): stay at the model of its values.
    return kind


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if (found := _model_in(part)) is not None:
            return found
    return None
