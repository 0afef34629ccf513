"""Secrets on added lines: decides what looks like a credential, and hides it in all output.

Known token formats, private key blocks, and high-entropy values assigned to telling names. It
never shows more than the first four characters of what it found.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from apidiff import finding

LINE_LIMIT = 4000  # characters of one line that are searched; longer lines are data
_FORMATS = (
    ("secret.aws_key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("secret.github_token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{40,})\b")),
    ("secret.slack_token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("secret.google_key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("secret.stripe_key", re.compile(r"\b[sr]k_live_[0-9A-Za-z]{16,}\b")),
    ("secret.model_key", re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}\b")),
    ("secret.jwt", re.compile(r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}")),
    ("secret.url_password", re.compile(r"\b[a-z][a-z0-9+]{1,14}://[^\s:/@'\"]{1,64}:([^\s@/'\"{}$<>]{3,80})@")),
    ("secret.private_key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
)  # fmt: skip
_ASSIGNED = re.compile(
    r"""(?ix) (?:pass(?:word|wd|phrase)?|secret|token|api_?key|access_?key|private_?key|credential)
    \w{0,20} ["']? \s{0,8} (?:=|:|=>) \s{0,8} (["']) ([^"'\s]{6,200}) \1"""
)
_PLACEHOLDER = re.compile(
    r"(?i)example|changeme|placeholder|dummy|your[_-]|xxx|<|>|\$\{|%\(|\{\{|^test|redacted|\*\*\*"
)


def entropy_bits(text: str) -> float:
    """Return Shannon entropy in bits per character."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values()) if total else 0.0


def redact(secret: str) -> str:
    """Return what may be shown of a secret."""
    return f"{secret[:4]}… ({len(secret)} characters)"


def find_secrets(
    added: Iterable[tuple[int, str]], minimum_bits: float, minimum_length: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return findings and the found values.

    Args:
        added: (line number, text) of each added line.
        minimum_bits: entropy from which an assigned value counts as random.
        minimum_length: length from which it does; a password is told from 8 characters on.
    """
    found: list[dict[str, Any]] = []
    values: list[str] = []
    for line, whole in added:
        text = whole[:LINE_LIMIT]
        hits = [(rule, _value(m)) for rule, form in _FORMATS for m in form.finditer(text)]
        if not hits:
            hits = _assigned(text, minimum_bits, minimum_length)
        for rule, value in hits:
            if _PLACEHOLDER.search(value):
                continue
            name = rule.partition(".")[2].replace("_", " ")
            message = f"{name} committed in plain text; revoke it, then remove it"
            found.append(finding(rule, "blocker", line, message, redact(value)))
            values.append(value)
    return found, values


def _value(match: re.Match[str]) -> str:
    return match[1] if match.re.groups else match[0]


def _assigned(text: str, minimum_bits: float, minimum_length: int) -> list[tuple[str, str]]:
    hits = []
    for match in _ASSIGNED.finditer(text):
        name, value = match[0].lower(), match[2]
        mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        random = len(value) >= minimum_length and entropy_bits(value) >= minimum_bits and mixed
        password = name.startswith("pass") and len(value) >= 8 and mixed
        if random or password:
            hits.append(("secret.password" if password else "secret.assigned", value))
    return hits


def hide(findings: list[dict[str, Any]], values: list[str]) -> list[dict[str, Any]]:
    """Return the findings without any of the found values in their texts."""
    hidden = []
    for row in findings:
        clean = dict(row)
        for key in ("message", "evidence"):
            for value in values:
                if value not in redact(value):
                    clean[key] = clean[key].replace(value, redact(value))
        hidden.append(clean)
    return hidden
