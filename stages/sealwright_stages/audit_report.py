"""What an audit says to a machine: one JSON object whose form is documented and stays (docs/reference/audit-report.md).

- A key that is there keeps its meaning; new ones may come. `format` counts up if one ever changes.
- Whatever can't be told is an empty text, -1 or an empty object; there is no null.
"""

from __future__ import annotations

from sealwright_stages.audit import Audit
from sealwright_stages.findings import Finding

FORMAT = 1


def report(result: Audit) -> dict[str, object]:
    """The whole audit."""
    state, log, first = result.state, result.report, result.first
    checked = [finding for finding in result.findings if finding.ok != "unchecked"]
    return {
        "format": FORMAT,
        "verdict": "yes" if result.passed else "no",
        "passed": result.passed,
        "provided": result.provided,
        "release": state.release,
        "version": state.version,
        "first": told(first) if first is not None else {},
        "findings": [told(finding) for finding in checked],
        "not_checked": [
            {"what": finding.what, "detail": finding.detail}
            for finding in result.findings
            if finding.ok == "unchecked"
        ],
        "counts": {
            "records": log.records if log else 0,
            "bytes": log.data_bytes if log else 0,
            "runs": state.runs,
            "items": len(state.items),
            "components": len(state.components),
            "products": len(state.products),
            "waivers": len(state.waivers),
            **{f"findings_{ok}": sum(f.ok == ok for f in checked) for ok in ("good", "bad", "advice")},
        },
        "log": {
            "origin": log.checkpoint.origin if log else "",
            "root": log.checkpoint.root.hex() if log else "",
            "vkey": log.vkey if log else "",
        },
    }


def told(finding: Finding) -> dict[str, object]:
    """One finding."""
    words = {"ok": finding.ok, "rule": finding.rule, "what": finding.what, "detail": finding.detail}
    return {**words, "n": finding.n, "stream": finding.stream, "notes": list(finding.notes)}
