"""The table of components: the worst first, each with the one sentence that matters now."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sealwright_console.figures import clock, progress
from sealwright_console.lines import Line, Part, Row, Tone, fit, word
from sealwright_console.views.header import SEVERITY, shown_status, worst
from sealwright_stages.events import Stage
from sealwright_stages.live import build_name
from sealwright_stages.state import Item, State
from sealwright_stages.verdict import Status

NAME_WIDTH = 22
WIDE = 90
"""From this many cells on there is room for the column of times."""


def items_of(state: State, name: str, stage: Stage | None = None) -> list[Item]:
    """A component's items, of one stage or of all, as declared."""
    component = state.components.get(name)
    items = [state.items[item] for item in component.items] if component is not None else []
    return [item for item in items if stage in (None, item.stage)]


def component_rows(
    state: State,
    width: int,
    needle: str = "",
    stage: Stage | None = None,
    left: Callable[[str], str] = lambda name: "",
) -> list[Row]:
    """A row per component that has the needle in its name, its status or its sentence; the worst first.

    `left` says how long its build may still take.

    What a row shows decides the row, so rows that stay as they are cost nothing.
    """
    ranked: list[tuple[int, str, Row]] = []
    for name in state.components:
        items = items_of(state, name, stage)
        if not items:
            continue
        status, said = worst(items), sentence(items)
        if status is Status.RUNNING and (ahead := left(name) or left(build_name(name, second=True))):
            said = f"{said}, {ahead}"
        if needle and needle.casefold() not in f"{name} {status.value} {said}".casefold():
            continue
        green = sum(item.green for item in items)
        row = _row(name, status, f"{green}/{len(items)}", said, clock(state.updated.get(name, "")), width)
        ranked.append((SEVERITY.index(status), name, row))
    return [row for _, _, row in sorted(ranked, key=lambda entry: entry[:2])]


def columns(width: int) -> Line:
    """The table's head."""
    text = f"  {'STATUS':<10} {'COMPONENT':<{NAME_WIDTH}} {'CHECKS':>7}  WHAT"
    return (Part(fit(text, width - 9) + " UPDATED" if width >= WIDE else text, Tone.DIM),)


def sentence(items: list[Item]) -> str:
    """What is to be said of a component: its worst item's reason, or what it does now."""
    status = worst(items)
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


def selected_lines(state: State, name: str, stage: Stage | None = None) -> tuple[Line, ...]:
    """What is wrong with the selected component, and what to do about it."""
    items = items_of(state, name, stage)
    status = worst(items)
    first = next((item for item in items if shown_status(item) is status), None)
    if first is None:
        return ((Part("nothing is selected", Tone.DIM),), ())
    deleted = f" · {first.gone} file(s) DELETED" if first.deleted else ""
    what = f"{name} · {first.title}: {doing(first)}{deleted}"
    step = first.next_step or ("nothing to do" if status is Status.PASSED else "wait for it")
    return ((Part("now  ", Tone.DIM), Part(what)), (Part("next ", Tone.DIM), Part(step)))


@lru_cache(maxsize=1 << 14)
def _row(name: str, status: Status, count: str, said: str, updated: str, width: int) -> Row:
    parts = (word(status, 10), Part(f" {fit(name, NAME_WIDTH)} "), Part(f"{count:>7}  ", Tone.DIM))
    room = max(1, width - 2 - 10 - NAME_WIDTH - 2 - 9)
    if width < WIDE:
        return Row(name, ((*parts, Part(fit(said, room))),))
    return Row(name, ((*parts, Part(fit(said, room - 10)), Part(f"  {fit(updated, 8)}", Tone.DIM)),))
