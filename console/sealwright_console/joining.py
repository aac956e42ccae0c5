"""The command that joins evidence of several builders of one release.

- It says who has the same bytes, file by file where somebody has not; the exit code is 0 for a final release alone.
- Written is what is final, and nothing else.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealwright_console.complaints import print_json
from sealwright_console.reviewing import add_reviewer, reviewer_of
from sealwright_console.sanitise import clean
from sealwright_stages.errors import Exit

if TYPE_CHECKING:
    from sealwright_stages.join.join import Joined
    from sealwright_stages.join.write import Landed

_EPILOG = """EVIDENCE is an evidence folder, a publication, a folder NAME/VERSION of a site or git working tree (all who
published there), or a joined release. Persons are counted over all builders; a builder is a log and a person of its own."""


def add_joining(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to the command line's parser."""
    join = commands.add_parser(
        "join", help="evidence of several builders: who has the same bytes, and is it final", epilog=_EPILOG
    )
    join.add_argument("evidence", type=Path, nargs="+", metavar="EVIDENCE")
    add_reviewer(join, "the products lie elsewhere: compare their SHA-256 as the logs have them")
    join.add_argument(
        "--builders",
        type=_builders,
        default=0,
        metavar="N",
        help="how many must agree, if more than the manifest says",
    )
    join.add_argument("--to", type=_folder, metavar="DIR", help="write the joined release there, if it is final")
    join.add_argument("--json", action="store_true")
    join.set_defaults(run=_join)


def _builders(words: str) -> int:
    if not words.isascii() or not words.isdigit() or not 1 <= int(words[:9]) <= 1000:
        raise argparse.ArgumentTypeError("it is a number from 1 to 1000")
    return int(words[:9])


def _folder(words: str) -> Path:
    if not words:
        raise argparse.ArgumentTypeError("it is empty, and no folder is meant by that")
    return Path(words)


def _join(options: argparse.Namespace) -> int:
    from sealwright_stages.join.join import join  # noqa: PLC0415 - quick help needs none of this

    reviewer = reviewer_of(options)
    joined, landed = join(options.evidence, reviewer, options.builders), None
    if options.to is not None and joined.agreed is not None:
        from sealwright_stages.join.write import write  # noqa: PLC0415

        landed = write(joined, options.to, reviewer)
    if options.json:
        print_json(_as_json(joined, landed))
    else:
        from sealwright_console.join_text import lines  # noqa: PLC0415

        print("\n".join(lines(joined)))
        if landed is not None:
            print(f"{'joined' if landed.new else 'already joined'}: {clean(str(landed.path))}")
            print(f"{landed.files:,} files; SHA-256 of the list of them:\n  {landed.sha256}")
        elif options.to is not None:
            print(f"nothing was written to {clean(str(options.to))}")
    return int(Exit.DONE if joined.agreed is not None else Exit.CLOSED)


def _as_json(joined: Joined, landed: Landed | None) -> dict[str, object]:
    from sealwright_stages.join.report import FORMAT, builder_told, differing  # noqa: PLC0415

    judged, needs, compared = joined.judged, joined.judged.needs, joined.compared
    final = joined.agreed is not None
    value: dict[str, object] = {
        "format": FORMAT,
        "verdict": "final" if final else "contradiction" if judged.contradiction else "not-final",
        "final": final,
        "provided": joined.provided if final else "",
        "sha256sums": joined.agreed.sums if joined.agreed else "",
        "needed": {"persons": max(needs.persons, needs.own), "builders": needs.builders},
        "releases": [
            {"release": r.name, "version": r.version, "manifest": r.manifest_sha256, "policy": r.policy_sha256}
            for r in judged.releases
        ],
        "groups": [
            {
                "sha256sums": group.sums,
                "names": [builder.name for builder in joined.sharing(group.sums)],
                "builders": group.alike,
                "persons": sorted(group.signers),
                "counts": group in judged.counting and group.enough(needs),
            }
            for group in judged.groups
        ],
        "builders": [
            {**builder_told(builder), "evidence": [entry.source.said for entry in builder.copies]}
            for builder in joined.builders
        ],
        "aside": [{"evidence": each.said, "because": each.because} for each in joined.asides],
        "contradict_themselves": sorted(judged.faithless),
        "products": compared.products,
        "same": compared.same,
        "differences": [differing(joined, each) for each in compared.differences],
        "more_differences": compared.more,
    }
    if landed is not None:
        files = {"files": landed.files, "sha256": landed.sha256}
        value["written"] = {"path": str(landed.path), "new": landed.new, **files}
    return value
