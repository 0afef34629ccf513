"""The state of one linking: what is known so far, what was found wrong, what came out.

Decides nothing about a definition; it keeps the flaws in one place and answers the questions that
every linking module asks (is this knowledge there, does this schema hold, is this gate sound).
"""

from collections.abc import Mapping
from typing import Any

from swarm_ray.definition.flaws import Flaw, suggest
from swarm_ray.definition.gates import check_gate
from swarm_ray.definition.load import Document, Source
from swarm_ray.definition.model import InputType, Step
from swarm_ray.definition.serving import ModelCapabilities, Serving, Unserved, serve
from swarm_ray.definition.shapes import Input, Schema, read_input, schema_error, value_error
from swarm_ray.definition.skills import Skills

Path = tuple[str | int, ...]


class Linking:
    """Collects flaws, tasks, contexts and notes while a definition is linked."""

    def __init__(
        self,
        source: Source,
        models: ModelCapabilities | None,
        effects: Mapping[str, Schema] | None,
        *,
        sites: bool,
    ) -> None:
        self.source = source
        self.models = models
        self.effects = effects
        self.sites = sites
        self.flaws: list[Flaw] = list(source.flaws)
        self.notes: list[str] = []
        self.tasks: dict[str, dict[str, Any]] = {}
        self.contexts: dict[str, dict[str, Any]] = {}
        self.swarms: dict[str, dict[str, Any]] = {}
        self.knowledge: set[str] = set()
        self.used_sentences: set[str] = set()
        self.skills = Skills(source.files)
        bindings = source.bindings.model if source.bindings else None
        self.actions = dict(bindings.actions) if bindings else {}
        self.preload = tuple(sorted(set(bindings.preload))) if bindings else ()
        self._libraries = frozenset(name.split(".")[0] for name in self.preload)
        self._files = source.files.names()

    def flaw(
        self, document: Document[Any], code: str, message: str, *path: str | int, hint: str = ""
    ) -> None:
        """Keep a flaw at the line of a path."""
        self.flaws.append(document.flaw(code, message, *path, hint=hint))

    def serving(self, document: Document[Any], step: Step, path: Path) -> Serving | None:
        """Return who carries out a step; None, with the flaw kept, when nobody can."""
        bound = self.actions.get(step.action) if step.action else None
        if bound is not None and step.action:
            self.used_sentences.add(step.action)
        found = serve(step, bound, self.models)
        if isinstance(found, Unserved):
            key_name = "uses" if step.uses or bound else "action"
            at, key = self.place(document, step, path, key_name)
            self.flaw(at, found.code, found.message, *key, hint=found.hint)
            return None
        self._check_settings(document, step, found, path)
        return found

    def place(
        self, document: Document[Any], step: Step, path: Path, key: str
    ) -> tuple[Document[Any], Path]:
        """Return where a setting of a step is written: on the step itself or in its binding."""
        bindings = self.source.bindings
        bound = step.action in self.actions and not (step.uses or step.effect)
        if bindings is None or not bound or {key, f"{key}_"} & step.model_fields_set:
            return document, (*path, key)
        return bindings, ("actions", step.action or "", key)

    def skill(self, document: Document[Any], uses: str, kind: str, *path: str | int) -> None:
        """Check that `module:function` can be called as a skill, merge or reduce function."""
        if problem := self.skills.check(uses, kind, self._libraries):
            code, message, hint = problem
            self.flaw(document, code, message, *path, hint=hint)

    def knows(self, document: Document[Any], names: list[str], *path: str | int) -> list[str]:
        """Check knowledge names; return them without repetition."""
        for index, name in enumerate(names):
            file = f"knowledge/{name}.md"
            if file in self._files:
                self.knowledge.add(name)
                if not _is_text(self.source.files.read(file)):
                    message, hint = f"{file} is not UTF-8 text", "save the file as UTF-8"
                    self.flaw(document, "definition.not_utf8", message, *path, index, hint=hint)
                continue
            there = [
                file.removeprefix("knowledge/").removesuffix(".md")
                for file in self._files
                if file.startswith("knowledge/")
            ]
            message = f"there is no knowledge/{name}.md"
            hint = suggest(name, there)
            self.flaw(document, "definition.unknown_knowledge", message, *path, index, hint=hint)
        return list(dict.fromkeys(names))

    def schema(self, document: Document[Any], schema: Schema | None, *path: str | int) -> None:
        """Check that an inline JSON Schema is one."""
        if schema is not None and (problem := schema_error(schema)):
            hint = "schemas are JSON Schema, draft 2020-12"
            self.flaw(document, "definition.invalid_schema", problem, *path, hint=hint)

    def gate(
        self,
        document: Document[Any],
        text: str | None,
        inputs: Mapping[str, Any],
        output_schema: Schema | None,
        *path: str | int,
    ) -> None:
        """Check a gate expression."""
        if text is None:
            return
        if problem := check_gate(text, frozenset(inputs), output_schema):
            code, message, hint = problem
            self.flaw(document, code, message, *path, hint=hint)

    def inputs(
        self, document: Document[Any], declared: Mapping[str, InputType], key: str
    ) -> dict[str, Input]:
        """Return declared inputs, each schema and default checked."""
        found: dict[str, Input] = {}
        for name, written in declared.items():
            entry = read_input(written)
            found[name] = entry
            if problem := schema_error(entry.schema):
                hint = "write a type name or a JSON Schema"
                self.flaw(document, "definition.invalid_schema", problem, key, name, hint=hint)
            elif not entry.required and (wrong := value_error(entry.default, entry.schema)):
                message = f"the default of {name!r} does not match its type: {wrong}"
                hint = "correct the default or the type"
                self.flaw(document, "definition.bad_default", message, key, name, hint=hint)
        return found

    def _check_settings(
        self, document: Document[Any], step: Step, found: Serving, path: Path
    ) -> None:
        settings = found.settings
        if found.kind == "skill":
            at, key = self.place(document, step, path, "uses")
            self.skill(at, found.uses, "skill", *key)
        at, key = self.place(document, step, path, "output_schema")
        self.schema(at, settings.output_schema, *key)
        if settings.output_schema is None or schema_error(settings.output_schema):
            return
        at, key = self.place(document, step, path, "examples")
        for index, example in enumerate(settings.examples):
            if wrong := value_error(example.output, settings.output_schema):
                message = f"example {index + 1} does not match the output schema: {wrong}"
                hint = "correct the example or the schema"
                self.flaw(at, "definition.example_mismatch", message, *key, index, hint=hint)


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
