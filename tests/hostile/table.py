"""The whole table: every row at every door, and the verdicts as they come out, in Markdown.

`cd tests && python -m hostile.table` runs it all, about a quarter of a minute, and prints what it saw.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from hostile import rows_documents, rows_elsewhere, rows_git, rows_signatures
from hostile.doors import ALL, Row, judged
from hostile.pen import an_evil_world
from sealwright_stages.verdict import Passed, Verdict, Warned

ROWS: tuple[Row, ...] = (*rows_signatures.ROWS, *rows_git.ROWS, *rows_documents.ROWS)


def markdown(found: Mapping[tuple[Row, str], Verdict]) -> Iterator[str]:
    """A table of rows by doors; each cell is what the check said, with a mark where that was not wanted."""
    yield "| # | input | " + " | ".join(ALL) + " |"
    yield "|---|---|" + "---|" * len(ALL)
    for row in sorted(ROWS, key=lambda row: int(row.number)):
        cells = (_cell(row, door, found.get((row, door))) for door in ALL)
        yield f"| {row.number} | {row.name} | " + " | ".join(cells) + " |"
    yield ""
    yield "| # | input | wanted | tried in |"
    yield "|---|---|---|---|"
    for other in sorted(rows_elsewhere.ROWS, key=lambda row: int(row.number)):
        yield f"| {other.number} | {other.name} | {other.wanted} | `{other.test}` |"


def _cell(row: Row, door: str, verdict: Verdict | None) -> str:
    if verdict is None:
        return "-"
    colour = {Passed: "green", Warned: "yellow"}.get(type(verdict), "red")
    mark = "" if verdict.code == row.code(door) else f" **wanted {row.code(door)}**"
    return f"{colour}{'' if verdict.code == 'ok' else ' ' + verdict.code}{mark}"


def main() -> int:
    """Print the table; 1 if a verdict was not the wanted one."""
    with tempfile.TemporaryDirectory(prefix="sw-table-") as folder, an_evil_world(Path(folder)) as evil:
        found = {(row, door): judged(evil, row, door) for row in ROWS for door in row.doors}
    print("\n".join(markdown(found)))
    wrong = [row.number for (row, door), verdict in found.items() if verdict.code != row.code(door)]
    kinds = {Passed: 0, Warned: 0}
    for verdict in found.values():
        kinds[type(verdict)] = kinds.get(type(verdict), 0) + 1
    print(f"\n{len(found)} verdicts: " + ", ".join(f"{count} {kind.__name__}" for kind, count in kinds.items()))
    print(f"not as wanted: {', '.join(wrong) or 'none'}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
