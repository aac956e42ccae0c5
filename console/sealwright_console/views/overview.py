"""The table of components: the worst first, each with the one sentence that matters now.

- At 80 cells it says what decides: status, component, checks, what happens. Time, version and signer come with room.
- Version and signer are those of the log: the tag or version that was fetched, and whose good signature was found.
- Counts are of components, each by its worst item.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from rich.cells import cell_len

from sealwright_console.figures import progress
from sealwright_console.lines import MARKS, Line, Part, Row, Tone, few, fit, tone_of, word, wrap
from sealwright_console.views.header import SEVERITY, shown_status, worst
from sealwright_stages.events import Stage
from sealwright_stages.state import Item, State
from sealwright_stages.verdict import Status

_GAP = "  "
_STATUS, _CHECKS, _TIME = 9, 6, 8
_FACT = 14
"""Cells of a version or a signer's name."""
_NAME = (12, 18, 24)
"""Cells of a component's name: at least, and at most without and with much room."""
_WITH_TIME, _WITH_VERSION, _WITH_SIGNER = 90, 104, 116
"""From so many cells on there is room for these columns."""
_SIGNED = ("good signature by ", ".dsc signed by ")
"""How the reason of a signature that has passed begins; see `verify.settle` and `verify.source_debian`."""
_INDEXED = re.compile(r" as in the InRelease of .{1,80} signed by ([0-9A-F]{40,64})\Z")
"""How it ends where the archive's own signature is all there is; see `verify.archive`."""
_EXPLAINED = (2, 3)
"""Lines at most for what is wrong, and for what to do."""


class Order(StrEnum):
    """By what the table is sorted."""

    SEVERITY = "severity"
    NAME = "name"
    TIME = "time"


@dataclass(frozen=True)
class Table:
    """The head and the rows that are shown, and how many components there are by status, shown or not."""

    head: Line
    rows: tuple[Row, ...]
    counts: Counter[Status]

    @property
    def total(self) -> int:
        """How many components there are."""
        return self.counts.total()


def items_of(state: State, name: str, stage: Stage | None = None) -> list[Item]:
    """A component's items, of one stage or of all, as declared."""
    component = state.components.get(name)
    items = [state.items[item] for item in component.items] if component is not None else []
    return [item for item in items if stage in (None, item.stage)]


def counts_line(
    state: State, table: Table, stage: Stage | None = None, needle: str = "", *, believed: bool = True
) -> Line:
    """`✗ 2 failed  ! 1 warned  … 3 running  ✓ 41 passed  of 47`; one calm sentence if all is green.

    What a log says that is not `believed` (now, or at all) is told as its word.
    """
    whose = f" in {stage}" if stage is not None else ""
    parts = [Part(f"{len(table.rows)} of {table.total} have “{needle}”{_GAP}")] if needle else []
    if table.total and table.counts[Status.PASSED] == table.total:
        count = sum(many for (each, _), many in state.counts.items() if stage in (None, each))
        waived = sum(item.waiver is not None and stage in (None, item.stage) for item in state.items.values())
        by = f", {waived} of them waived" if waived else ""
        counted = f"{table.total} components, {count} checks{by}"
        if not believed:
            return (*parts, Part(f"{MARKS[Status.PENDING]} as the log says{whose}: {counted}", Tone.DIM))
        return (*parts, Part(f"{MARKS[Status.PASSED]} all green{whose}: {counted}", Tone.PASSED))
    parts += [
        Part(f"{MARKS[status]} {table.counts[status]} {status.value}{_GAP}", tone_of(status))
        for status in SEVERITY
        if table.counts[status]
    ]
    return (*parts, Part(f"of {table.total}{whose}", Tone.DIM)) if table.total else ()


def empty_line(state: State, stage: Stage | None, needle: str) -> Line:
    """Why the table has no rows."""
    if needle:
        return (Part(f"No component has “{needle}” in its row. esc shows all.", Tone.DIM),)
    if stage is not None and state.components:
        return (Part(f"Nothing is to be checked in {stage}. 0 shows all stages.", Tone.DIM),)
    if state.last_n < 0:
        return (Part("The log has no record yet: the release is about to begin.", Tone.DIM),)
    return (Part("No component was declared yet: the manifest is being read.", Tone.DIM),)


def sentence(items: list[Item], status: Status) -> str:
    """What is to be said of a component, whose worst `status` this is: that item's reason, or what it does now."""
    if status is Status.PASSED:
        waived = sum(item.waiver is not None for item in items)
        return f"all passed, {waived} of them waived" if waived else "all passed"
    first = next((item for item in items if shown_status(item) is status), None)
    return f"{first.title}: {doing(first)}" if first is not None else "nothing was declared"


def doing(item: Item) -> str:
    """The item's reason once it has one; before, how far it is."""
    if item.status is Status.PENDING:
        return f"waits: {item.note}" if item.note else "waits"
    if item.status is Status.RUNNING:
        return " ".join(text for text in (progress(item.done, item.total), item.note) if text) or "runs"
    return item.reason


def version(items: list[Item]) -> str:
    """The tag or version that was fetched, as its evidence has it."""
    told = (_facts(item.evidence) for item in items if item.evidence)
    return next((fact for fact in told if fact), "-")


def signer(items: list[Item]) -> str:
    """Whose good signatures were found: persons, an uploader's key, or else the archive's."""
    passed = [item.reason for item in items if item.status is Status.PASSED]
    people = [reason.removeprefix(how) for reason in passed for how in _SIGNED if reason.startswith(how)]
    archive = [found[1] for found in map(_INDEXED.search, passed) if found]
    return ", ".join(dict.fromkeys(people or archive)) or "-"


def selected_lines(state: State, name: str, stage: Stage | None = None, width: int = 1000) -> tuple[Line, ...]:
    """What is wrong with the selected component, and what to do about it."""
    items = items_of(state, name, stage)
    status = worst(items)
    first = next((item for item in items if shown_status(item) is status), None)
    if first is None:
        return ()
    if status is Status.PASSED:
        return _explained("now", f"{name}: {sentence(items, status)}", width, 0)
    gone = f"; {first.gone} {'file' if first.gone == 1 else 'files'} DELETED" if first.deleted else ""
    others = sum(shown_status(item) is status for item in items) - 1
    more = f"; {others} more {status.value}" if others and status in (Status.FAILED, Status.WARNED) else ""
    step = first.next_step or "wait for it"
    return (
        *_explained("now", f"{name}: {first.title}: {doing(first)}{gone}{more}", width, 0),
        *_explained("next", step, width, 1),
    )


def _explained(label: str, text: str, width: int, which: int) -> tuple[Line, ...]:
    return few(wrap((Part(f"{label:<6}", Tone.DIM), Part(text)), width, hang=6), _EXPLAINED[which], width)


@lru_cache(maxsize=1 << 15)
def _facts(evidence: str) -> str:
    """The `ref` or `version` that evidence names, in short; empty if it names none."""
    try:
        value = json.loads(evidence)
    except (ValueError, RecursionError):
        return ""
    found = value.get("tag") or value.get("ref") or value.get("version") if isinstance(value, dict) else ""
    return found.removeprefix("refs/tags/").removeprefix("refs/heads/") if isinstance(found, str) else ""


def columns(longest: int, width: int) -> tuple[int, int]:
    """Cells of the longest name, as far as there is room for it, and of a row as a whole."""
    named = min(longest, _NAME[2 if width >= _WITH_TIME else 1])
    return max(_NAME[0], named), width


def facts_of(items: list[Item], widths: tuple[int, int]) -> tuple[str, str]:
    """Version and signer, where there is room for them."""
    return (version(items), signer(items)) if widths[1] >= _WITH_VERSION else ("", "")


def table_head(widths: tuple[int, int]) -> Line:
    """The names of the columns."""
    cells = _cells("  STATUS", "COMPONENT", "CHECKS", "NOW", "UPDATED", ("VERSION", "SIGNER"), widths)
    return (Part(_GAP.join(cell for cell in cells if cell), Tone.DIM),)


def _cells(
    status: str, name: str, count: str, said: str, updated: str, facts: tuple[str, str], widths: tuple[int, int]
) -> tuple[str, str, str, str, str]:
    """Status, name, facts with checks, sentence and time, each as wide as its columns; the time is empty without room.

    `widths` are the cells of the name, and of all together.
    """
    named, width = widths
    wide = width >= _WITH_TIME
    between = [fit(facts[0], _FACT)] if width >= _WITH_VERSION else []
    between += [fit(facts[1], _FACT)] if width >= _WITH_SIGNER else []
    between.append(fit(f"{count:>{_CHECKS}}", _CHECKS))
    middle = _GAP.join(between)
    room = width - _STATUS - named - cell_len(middle) - (_TIME if wide else 0) - len(_GAP) * (4 if wide else 3)
    return (
        fit(status, _STATUS),
        fit(name, named),
        middle,
        fit(said, max(1, room)),
        fit(updated, _TIME) if wide else "",
    )


def table_row(
    name: str, status: Status, count: str, said: str, updated: str, facts: tuple[str, str], widths: tuple[int, int]
) -> Row:
    """A row as wide as its columns."""
    shown, named, middle, what, time = _cells(word(status).text, name, count, said, updated, facts, widths)
    parts = (Part(shown, tone_of(status)), Part(named), Part(middle, Tone.DIM), Part(what), Part(time, Tone.DIM))
    gap = Part(_GAP)
    return Row(name, (tuple(cell for part in parts for cell in (part, gap) if part.text)[:-1],))
