"""Gate expressions (CEL), checked before anything runs.

Decides whether an expression can be parsed, names only what a gate may see, and can become true.
Never evaluates a gate of a run; the executor of the step does.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from swarm_ray.definition.shapes import fields_of

VISIBLE: Final = ("input", "output", "inputs")
MAX_GATE_CHARACTERS: Final = 2_000
_MACRO_NAME: Final = re.compile(r"\.(?:all|exists|exists_one|map|filter)\(\s*([A-Za-z_]\w*)\s*,")
_FIELD: Final = re.compile(r"(?<![\w.])(inputs|output)\.([A-Za-z_]\w*)(?!\w*\s*\()")


def check_gate(
    text: str, inputs: frozenset[str], output_schema: Mapping[str, Any] | None
) -> tuple[str, str, str] | None:
    """Return (code, message, hint) of the first thing wrong with a gate, None if it holds.

    Codes: `definition.gate_unparsable`, `definition.gate_unknown_name`,
    `definition.gate_unsatisfiable`, `definition.gate_not_boolean`.
    """
    # The extension takes 0.14 s to load and most definitions have no gate.
    import cel

    if len(text) > MAX_GATE_CHARACTERS:
        return "definition.gate_unparsable", "the gate is too long", "shorten the expression"
    try:
        program = cel.compile(text)
    except ValueError as error:
        first = str(error).splitlines()[0]
        return "definition.gate_unparsable", first, "gates are written in CEL"
    return _unknown(text, program.variables(), inputs, output_schema) or _constant(program)


def names_of(text: str) -> frozenset[str]:
    """Return the names that an expression refers to; none if it cannot be parsed."""
    import cel  # as above

    try:
        names = cel.compile(text).variables()
    except ValueError:
        return frozenset()
    return frozenset(names) - set(_MACRO_NAME.findall(text))


def nested_macro(text: str) -> bool:
    """Say whether an expression loops within a loop: its time would grow with a power of a list's
    length. A bracket within a text counts as one; that errs on the safe side."""
    for found in _MACRO_NAME.finditer(text):
        depth, end = 1, found.end()
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        if _MACRO_NAME.search(text, found.end(), end):
            return True
    return False


def _unknown(
    text: str, names: list[str], inputs: frozenset[str], schema: Mapping[str, Any] | None
) -> tuple[str, str, str] | None:
    code = "definition.gate_unknown_name"
    for name in set(names) - set(VISIBLE) - set(_MACRO_NAME.findall(text)):
        return code, f"the gate refers to {name!r}", f"a gate sees {', '.join(VISIBLE)}"
    for whole, field in _FIELD.findall(text):
        known = inputs if whole == "inputs" else frozenset(fields_of(schema))
        if known and field not in known:
            return code, f"{whole} has no field {field!r}", f"known: {', '.join(sorted(known))}"
    return None


def _constant(program: Any) -> tuple[str, str, str] | None:
    """Evaluate with nothing known: an answer then does not depend on the run."""
    try:
        answer = program.execute({})
    except (RuntimeError, TypeError, ValueError):
        return None
    if answer is False:
        return (
            "definition.gate_unsatisfiable",
            "the gate is false whatever the step yields",
            "compare a field of `output`",
        )
    if answer is not True:
        return "definition.gate_not_boolean", f"the gate yields {answer!r}", "yield true or false"
    return None
