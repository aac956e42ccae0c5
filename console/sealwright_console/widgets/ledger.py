"""A list of rows that may have several lines each, with a cursor; only the visible lines are ever rendered.

- The cursor stays on its key while rows come, go and change their order.
- Rows without a key are headings: the cursor never stands on them.
- A line that is too long ends in an ellipsis.
- The text of a search is underlined, wherever it can be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from sealwright_console.lines import Line, Row, cut, plain, wrap
from sealwright_console.widgets.rows import GUTTER, Rows

Place = str | int
"""Where something is in a list: the key of its row, or the number of its line where rows have none."""
EDGES = GUTTER + 2
"""Cells of the window that no line may use: the cursor's, one that stays free, and the scrollbar's."""


def has(row: Row, needle: str) -> bool:
    """Whether a row has a text, in any case."""
    wanted = needle.casefold()
    return any(wanted in plain(line).casefold() for line in row.lines)


class Ledger(Rows):
    """Rows with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("home", "end(0)", "First", show=False, tooltip="the first row"),
        Binding("end", "end(-1)", "Last", show=False, tooltip="the last row"),
    ]

    class Moved(Message):
        """The cursor stands on another key."""

        def __init__(self, ledger: Ledger, key: str) -> None:
            """Say which ledger and which key."""
            super().__init__()
            self.ledger = ledger
            self.key = key

    class Chosen(Moved):
        """The person clicked the selected row; the enter key is the screen's."""

    def __init__(self, *, wrapped: bool = False, id: str | None = None) -> None:
        """Make an empty one; `wrapped` folds long lines instead of cutting them."""
        super().__init__(id=id)
        self._wrapped = wrapped
        self._rows: list[Row] = []
        self._keys: list[str] = []
        self._flat: list[tuple[str, Line, bool]] = []
        self._first_line: dict[str, int] = {}
        self.key = ""
        self.needle = self._underlined = ""

    def show(self, rows: Sequence[Row]) -> None:
        """Show these rows; the cursor stays on its key, or goes to the nearest place."""
        rows = list(rows)
        if self.needle != self._underlined:
            self._underlined = self.needle
            self.refresh()
        if rows == self._rows:
            return
        place = self._keys.index(self.key) if self.key in self._keys else 0
        seen = self._in_sight()
        self._rows = rows
        self._keys = [row.key for row in rows if row.key]
        self._lay_out()
        for line, (old, new) in enumerate(zip_longest(seen, self._in_sight()), self.scroll_offset.y):
            if old != new:
                self.refresh_line(line)
        if self.key not in self._first_line:
            self._go(self._keys[min(place, len(self._keys) - 1)] if self._keys else "")

    def _in_sight(self) -> list[tuple[str, Line, bool]]:
        top = self.scroll_offset.y
        return self._flat[top : top + self.size.height]

    def _lay_out(self) -> None:
        width = self.room
        self._flat, self._first_line = [], {}
        if not self._wrapped and all(len(row.lines) == 1 for row in self._rows):  # a table, which may be long
            self._flat = [(row.key, row.lines[0], True) for row in self._rows]
            self._first_line = {row.key: line for line, row in enumerate(self._rows) if row.key}
            self.virtual_size = Size(self.size.width, len(self._flat))
            return
        for row in self._rows:
            if row.key:
                self._first_line.setdefault(row.key, len(self._flat))
            lines = (piece for line in row.lines for piece in wrap(line, width)) if self._wrapped else row.lines
            self._flat += [(row.key, line, number == 0) for number, line in enumerate(lines)]
        self.virtual_size = Size(self.size.width, len(self._flat))

    def on_resize(self, event: Resize) -> None:
        """Fold the lines anew."""
        self._lay_out()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render the line at `y` of the window."""
        number = y + self.scroll_offset.y
        if not 0 <= number < len(self._flat):
            return self.nothing()
        key, line, first = self._flat[number]
        selected = bool(key) and key == self.key
        edge = (">" if first else "|") if selected else " "
        line = line if self._wrapped else cut(line, self.room)
        return self.strip(line, edge, selected=selected, needle=self.needle)

    def action_move(self, step: int) -> None:
        """Go to the row `step` further."""
        if not self._keys:
            self.scroll_relative(y=step, animate=False)
            return
        place = self._keys.index(self.key) + step if self.key in self._keys else 0
        self._go(self._keys[min(max(place, 0), len(self._keys) - 1)])
        self._reveal()

    def action_page(self, pages: int) -> None:
        """Go a window further."""
        if not self._keys:
            self.scroll_relative(y=pages * self.size.height, animate=False)
            return
        goal = self._first_line.get(self.key, 0) + pages * self.size.height
        nearest = min(self._keys, key=lambda key: abs(self._first_line[key] - goal))
        if nearest == self.key:  # a row taller than the window
            self.scroll_relative(y=pages * self.size.height, animate=False)
            return
        self._go(nearest)
        self._reveal()

    def action_end(self, place: int) -> None:
        """Go to the first or the last row."""
        if self._keys:
            self._go(self._keys[place])
            self._reveal()
        if place:
            self.scroll_end(animate=False)
        else:
            self.scroll_home(animate=False)

    def selected_text(self) -> str:
        """The selected row in full, as plain text."""
        lines = [line for row in self._rows if row.key == self.key for line in row.lines] if self.key else []
        return "\n".join(plain(line).rstrip() for line in lines)

    @property
    def place(self) -> Place:
        """Where the cursor stands; the line at the top where there is none."""
        return self.key or self.scroll_offset.y

    def places(self, needle: str) -> list[Place]:
        """Where a text is, in any case; all places if it is empty."""
        if self._keys:
            return [row.key for row in self._rows if row.key and has(row, needle)]
        wanted = needle.casefold()
        return [n for n, (_, line, _) in enumerate(self._flat) if wanted in plain(line).casefold()]

    def go_to(self, place: Place) -> None:
        """Put the cursor there, or that line at the top."""
        if isinstance(place, str):
            self.select(place)
        else:
            self.scroll_to(y=place, animate=False, force=True, immediate=True)

    def select(self, key: str, *, top: bool = False) -> None:
        """Put the cursor on `key` if it is there; with `top` it is the first line of the window, if it can be."""
        if key in self._first_line:
            self._go(key)
            if top:
                self.scroll_to(y=max(0, self._first_line[key] - 1), animate=False, force=True)
            else:
                self._reveal()

    def on_click(self, event: Click) -> None:
        """Select the row under the mouse; a click on the selected one chooses it."""
        number = event.y + self.scroll_offset.y
        key = self._flat[number][0] if 0 <= number < len(self._flat) else ""
        if key and key == self.key:
            self.post_message(self.Chosen(self, key))
        elif key:
            self._go(key)

    def _go(self, key: str) -> None:
        if key != self.key:
            self._refresh_row(self.key)
            self._refresh_row(key)
            self.key = key
            self.post_message(self.Moved(self, key))

    def _refresh_row(self, key: str) -> None:
        """Paint a row anew, whose mark at the edge changes; what is out of sight is not painted."""
        first = self._first_line.get(key)
        if first is not None:
            after = next((n for n in range(first, len(self._flat)) if self._flat[n][0] != key), len(self._flat))
            self.refresh_lines(first, after - first)

    def _reveal(self) -> None:
        first = self._first_line.get(self.key)
        if first is None:
            return
        height = sum(1 for entry in self._flat[first : first + self.size.height] if entry[0] == self.key)
        above = 1 if first > 0 and not self._flat[first - 1][0] else 0
        self.scroll_to_region(Region(0, first - above, 1, height + above), animate=False, force=True)
