"""The table of components, kept from one look to the next: what did not change is not made again.

- What a fold changes it replaces, so a component changed if it, or an item of it, is another object than at the look
  before. Finding that out costs one comparison of addresses for each; making a row costs a thousand times that.
- A row is made for a component that is in the table, and again only when what it says, or its width, has changed.
- How long a build may still take stands in no state: of what runs, that is asked at each look.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import compress, starmap, zip_longest
from operator import attrgetter, is_not
from typing import Any, TypeVar

from sealwright_console.figures import clock
from sealwright_console.lines import Row
from sealwright_console.views.header import SEVERITY, worst
from sealwright_console.views.overview import (
    Order,
    Table,
    columns,
    facts_of,
    items_of,
    sentence,
    table_head,
    table_row,
)
from sealwright_stages.events import Stage
from sealwright_stages.live import build_name
from sealwright_stages.state import Component, Item, State
from sealwright_stages.verdict import Status

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class _Entry:
    """What a row is made of; `ahead` is how long its build may still take."""

    name: str
    status: Status
    green: int
    total: int
    told: str
    updated: str
    rank: int
    place: int = 0
    """When it was declared, among the others; the later, the lower."""
    ahead: str = ""

    @property
    def said(self) -> str:
        return f"{self.told}, {self.ahead}" if self.ahead and self.status is Status.RUNNING else self.told

    def has(self, needle: str) -> bool:
        return needle.casefold() in f"{self.name} {self.status.value} {self.said}".casefold()


_KEYS: dict[Order, Callable[[_Entry], Any]] = {
    Order.SEVERITY: attrgetter("rank", "name"),
    Order.NAME: attrgetter("name"),
    Order.TIME: attrgetter("updated", "place"),
}


class Roll:
    """Rows of one release, which may be looked at with other wishes each time."""

    def __init__(self) -> None:
        """Nothing was looked at yet."""
        self._items: list[Item] = []
        self._components: list[Component] = []
        self._entries: dict[str, _Entry] = {}
        self._rows: dict[str, Row] = {}
        self._running: dict[str, str] = {}
        self._counts: Counter[Status] = Counter()
        self._stage: Stage | None = None
        self._widths = (0, 0)
        self._longest = 0
        self._sorted: list[_Entry] = []
        self._order: Order | None = None
        self._table: tuple[str, Table] | None = None
        self.made = 0
        """How many rows were made so far."""

    def table(
        self,
        state: State,
        width: int,
        needle: str = "",
        stage: Stage | None = None,
        left: Callable[[str], str] = lambda name: "",
        order: Order = Order.SEVERITY,
    ) -> Table:
        """A row of `width` cells for each component that has the needle in its name, its status or its sentence.

        `left` says how long its build may still take.
        """
        changed = self._changed(state)
        if stage is not self._stage:
            self._stage, self._table, changed = stage, None, list(state.components)
            for kept in (self._entries, self._rows, self._counts, self._running, self._sorted):
                kept.clear()
        for name in dict.fromkeys(changed):
            self._take(state, name)
        self._ask(left)
        widths = columns(self._longest, width)
        if widths != self._widths:
            self._widths, self._table = widths, None
            self._rows.clear()
        if order is not self._order:
            self._order, self._table = order, None
            self._sorted.clear()
        if self._table is None or self._table[0] != needle:
            self._table = needle, self._made(state, needle, order)
        return self._table[1]

    def _changed(self, state: State) -> list[str]:
        """The names of what is another object than before, or is gone."""
        items, components = list(state.items.values()), list(state.components.values())
        changed = [item.component for item in _others(self._items, items)]
        changed += [component.name for component in _others(self._components, components)]
        if len(components) != len(self._components):
            self._longest = max(map(len, state.components), default=0)
        self._items, self._components = items, components
        return changed

    def _take(self, state: State, name: str) -> None:
        old = self._entries.get(name)
        new = _entry(state, name, self._stage)
        if new is not None:
            place = old.place if old else -len(self._entries)
            new = replace(new, place=place, ahead=self._running.get(name, ""))
        self._turn(name, old, new)

    def _ask(self, left: Callable[[str], str]) -> None:
        """Ask of what runs how long it may still take."""
        for name, known in self._running.items():
            ahead = left(name) or left(build_name(name, second=True))
            if ahead != known:
                self._running[name] = ahead
                self._turn(name, self._entries[name], replace(self._entries[name], ahead=ahead))

    def _turn(self, name: str, old: _Entry | None, new: _Entry | None) -> None:
        """Put an entry in the place of another one."""
        if old == new:
            return
        self._table = None
        self._rows.pop(name, None)
        self._sorted.clear()
        if old is not None:
            self._counts[old.status] -= 1
            del self._entries[name]
        if new is None or new.status is not Status.RUNNING:
            self._running.pop(name, None)
        if new is not None:
            self._counts[new.status] += 1
            self._entries[name] = new
            if new.status is Status.RUNNING:
                self._running.setdefault(name, "")

    def _made(self, state: State, needle: str, order: Order) -> Table:
        if not self._sorted:
            self._sorted = sorted(self._entries.values(), key=_KEYS[order], reverse=order is Order.TIME)
        shown = [entry for entry in self._sorted if entry.has(needle)] if needle else self._sorted
        rows = tuple(self._rows.get(entry.name) or self._row(state, entry) for entry in shown)
        return Table(table_head(self._widths), rows, +self._counts)

    def _row(self, state: State, entry: _Entry) -> Row:
        self.made += 1
        facts = facts_of(items_of(state, entry.name, self._stage), self._widths)
        done = f"{entry.green}/{entry.total}"
        told = (entry.name, entry.status, done, entry.said, clock(entry.updated), facts, self._widths)
        row = self._rows[entry.name] = table_row(*told)
        return row


def _others(before: list[Kind], now: list[Kind]) -> Iterator[Kind]:
    """What was replaced, and what it was replaced by; what came, and what is gone."""
    for old, new in compress(zip_longest(before, now), starmap(is_not, zip_longest(before, now))):
        yield from (each for each in (old, new) if each is not None)


def _entry(state: State, name: str, stage: Stage | None) -> _Entry | None:
    """What there is to say of a component; None if nothing is to be checked of it."""
    items = items_of(state, name, stage)
    if not items:
        return None
    status = worst(items)
    green = sum(item.green for item in items)
    return _Entry(
        name,
        status,
        green,
        len(items),
        sentence(items, status),
        state.updated.get(name, ""),
        SEVERITY.index(status),
    )


def component_table(
    state: State,
    width: int,
    needle: str = "",
    stage: Stage | None = None,
    left: Callable[[str], str] = lambda name: "",
    order: Order = Order.SEVERITY,
) -> Table:
    """The table of one look."""
    return Roll().table(state, width, needle, stage, left, order)
