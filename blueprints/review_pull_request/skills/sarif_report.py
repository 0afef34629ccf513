"""The review as SARIF 2.1.0: decides how findings appear to tools that read that format.

Source of the structure: OASIS, "Static Analysis Results Interchange Format (SARIF) 2.1.0".
"""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from verdict import why

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {"blocker": "error", "major": "error", "minor": "warning", "note": "note"}


def sarif_log(review: Mapping[str, Any]) -> dict[str, Any]:
    """Return the SARIF log of a review."""
    rules = sorted({row["rule"] for row in review["findings"]})
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "swarm_ray review_pull_request",
                        "semanticVersion": "1.0.0",
                        "rules": [_rule(rule) for rule in rules],
                    }
                },
                "automationDetails": {"id": f"review_pull_request/{review['change']['range']}"},
                "columnKind": "unicodeCodePoints",
                "results": [_result(row, rules) for row in review["findings"]],
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {"level": "note", "message": {"text": note}} for note in review["notes"]
                        ],
                    }
                ],
                "properties": {"verdict": review["verdict"], "stats": review["stats"]},
            }
        ],
    }


def _rule(rule: str) -> dict[str, Any]:
    return {"id": rule, "name": rule, "shortDescription": {"text": why(rule)}}


def _result(row: Mapping[str, Any], rules: list[str]) -> dict[str, Any]:
    mark = "\0".join((row["rule"], row["file"], row["message"], row["evidence"]))
    return {
        "ruleId": row["rule"],
        "ruleIndex": rules.index(row["rule"]),
        "level": _LEVELS[row["severity"]],
        "rank": {"blocker": 100.0, "major": 75.0, "minor": 40.0, "note": 10.0}[row["severity"]],
        "message": {"text": row["message"]},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(row["file"]), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": max(int(row["line"]), 1)},
                }
            }
        ],
        "partialFingerprints": {
            "swarmRayFinding/v1": hashlib.sha256(mark.encode()).hexdigest()[:32]
        },
        "properties": {"severity": row["severity"], "side": row["side"], "uses": row["uses"]},
    }
