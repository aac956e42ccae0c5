"""`sealwright diff`: what changed between two releases, or between two builders of one, as text or as JSON.

- Differences are no error: 0 says that both sides are whole and were compared.
- A side that is not whole makes it 1, whatever else is asked; what is told of it then is told under a warning.
- With `--exit-code` any difference but in durations makes it 1 too, as git has it.
- The JSON is one object, the same for the same evidence; docs/reference/diff.md says what is in it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealwright_console.complaints import print_json
from sealwright_console.reviewing import add_reviewer, require_evidence, reviewer_of
from sealwright_stages.errors import Exit

if TYPE_CHECKING:
    from sealwright_stages.compare.both import Compared, Side
    from sealwright_stages.compare.difference import Change

_FORMAT = 1
_EPILOG = """exit codes: 0 both sides are whole, and were compared; 1 a side is not whole, or with --exit-code
something but durations differs; 2 usage"""


def add_diffing(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the command line's parser."""
    diff = commands.add_parser(
        "diff", help="what changed between two releases, or between two builders of one", epilog=_EPILOG
    )
    diff.add_argument("a", type=Path, metavar="EVIDENCE_A", help="the earlier one")
    diff.add_argument("b", type=Path, metavar="EVIDENCE_B", help="the later one")
    add_reviewer(diff)
    diff.add_argument("--json", action="store_true", help="one JSON object instead of text")
    diff.add_argument(
        "--exit-code", action="store_true", help="end with 1 if anything but durations differs, as git does"
    )
    diff.set_defaults(run=_diff)


def _diff(options: argparse.Namespace) -> int:
    from sealwright_console.diff_text import lines  # noqa: PLC0415 - quick help and errors need none of this
    from sealwright_stages.compare.both import compare_evidence  # noqa: PLC0415

    require_evidence(options.a, options.b)
    compared = compare_evidence(options.a, options.b, reviewer_of(options))
    if options.json:
        print_json(as_json(compared))
    else:
        for line in lines(compared):
            print(line)
    differs = compared.difference is not None and compared.difference.differs
    return int(Exit.DONE if compared.whole and not (options.exit_code and differs) else Exit.CLOSED)


def as_json(compared: Compared) -> dict[str, object]:
    """The comparison as JSON. Each list is sorted, and nothing of this machine or of now is in it but the two paths."""
    told: dict[str, object] = {
        "format": _FORMAT,
        "whole": compared.whole,
        "compared": compared.difference is not None,
        "a": _side(compared.a),
        "b": _side(compared.b),
        "left_out": list(compared.left_out),
    }
    difference = compared.difference
    if difference is None:
        return told
    return {
        **told,
        "same_release": difference.same_release,
        "differs": difference.differs,
        "alarms": [{"danger": alarm.danger.value, **_change(alarm.change)} for alarm in difference.alarms],
        "changes": [_change(change) for change in difference.changes],
        "same": {section.value: {"same": each.same, "of": each.of} for section, each in difference.same.items()},
        "unmoved": [{"component": component, "name": name} for component, name in difference.unmoved],
        "files": [
            {
                "component": each.component,
                "only_a": each.only_a,
                "only_b": each.only_b,
                "changed": each.changed,
                "changes": [_change(change) for change in each.changes],
            }
            for each in compared.files
        ],
    }


def _side(side: Side) -> dict[str, object]:
    return {
        "evidence": str(side.evidence),
        "release": side.release.name,
        "version": side.release.version,
        "passed": side.passed,
        "provided": side.provided,
        "findings": [{"ok": f.ok, "what": f.what, "detail": f.detail} for f in side.findings],
        "left_out": list(side.left_out),
        "sealed": side.sealed,
        "log_root": side.root,
        "records": side.records,
    }


def _change(change: Change) -> dict[str, object]:
    return {
        "section": change.section.value,
        "kind": change.kind,
        "component": change.component,
        "a_name": change.names[0],
        "b_name": change.names[1],
        "field": change.field,
        "a": change.before,
        "b": change.after,
    }
