"""The told records of a log, one a line, with the cursor of the review; only what is in the window is read.

- Which records are listed is a list of numbers; a line is read and put into words when it is rendered.
- If the cursor stands on a record that is not listed, the line under it is the last listed one before it, and the shape
  at its edge is another.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip

from sealwright_console.lines import Line, Part, Tone, cut
from sealwright_console.views.past import record_row
from sealwright_console.widgets.rows import Rows
from sealwright_stages.errors import LogError
from sealwright_stages.review.past import Past


class RecordList(Rows):
    """A window onto the records."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "page(1)", "Page down", show=False, tooltip="a window further"),
    ]

    class Moved(Message):
        """The person wants to go to a record."""

        def __init__(self, n: int) -> None:
            """Say which."""
            super().__init__()
            self.n = n

    class Chosen(Message):
        """The person clicked the record under the cursor; the enter key is the screen's."""

    def __init__(self, past: Past, *, id: str | None = None) -> None:
        """List nothing yet."""
        super().__init__(id=id)
        self._past = past
        self._chosen: Sequence[int] = ()
        self._n = 0
        self._row = lru_cache(maxsize=512)(self._make_row)

    def list_all(self, chosen: Sequence[int]) -> None:
        """List these told records."""
        self._chosen = chosen
        self.virtual_size = Size(self.size.width, len(chosen))
        self.refresh()

    def stand_on(self, n: int) -> None:
        """Show where the cursor stands, and keep that in sight."""
        self._n = n
        place, top, height = self._place, self.scroll_offset.y, max(1, self.size.height)
        if not top <= place < top + height:
            self.scroll_to(y=max(0, place - height // 2), animate=False, immediate=True, force=True)
        self.refresh()

    @property
    def _place(self) -> int:
        """The line of the last listed record up to the cursor; -1 if all come after it."""
        return bisect_right(self._chosen, self._past.index.told_until(self._n) - 1) - 1

    def render_line(self, y: int) -> Strip:
        """Render the line at `y` of the window."""
        place = y + self.scroll_offset.y
        if not 0 <= place < len(self._chosen):
            return self.nothing()
        selected = place == self._place
        exact = selected and self._past.index.told[self._chosen[place]] == self._n
        edge = ">" if exact else "|" if selected else " "
        return self.strip(self._row(self._chosen[place], self.room), edge, selected=selected)

    def _make_row(self, number: int, width: int) -> Line:
        try:
            return cut(record_row(self._past, number, width), width)
        except LogError as error:
            return (Part(f"✗ {error.what}: {error.because}", Tone.FAILED),)

    def action_move(self, step: int) -> None:
        """Go to the listed record that many lines further."""
        place = self._place
        here = place >= 0 and self._past.index.told[self._chosen[place]] == self._n
        self._go(place + step if here or step > 0 else place + step + 1)

    def action_page(self, pages: int) -> None:
        """Go a window further."""
        self._go(self._place + pages * max(1, self.size.height - 1))

    def on_click(self, event: Click) -> None:
        """Go to the record under the mouse; a click on the selected one chooses it."""
        place = event.y + self.scroll_offset.y
        if place == self._place:
            self.post_message(self.Chosen())
        elif place < len(self._chosen):
            self._go(place)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.list_all(self._chosen)
        self.stand_on(self._n)

    def _go(self, place: int) -> None:
        if self._chosen:
            place = min(max(0, place), len(self._chosen) - 1)
            self.post_message(self.Moved(self._past.index.told[self._chosen[place]]))
