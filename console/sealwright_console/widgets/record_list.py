"""The told records of a log, one a line, with the cursor of the review; only what is in the window is read.

- Which records are listed is a list of numbers; a line is read and put into words when it is rendered.
- The line under the cursor is marked by a shape at its edge. If the cursor stands on a record that is not listed, that
  is the last listed one before it, and the shape is another.
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
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from sealwright_console.lines import Line, Part, Tone
from sealwright_console.theme import content
from sealwright_console.views.past import record_row
from sealwright_stages.errors import LogError
from sealwright_stages.review.past import Past


class RecordList(ScrollView, can_focus=True):
    """A window onto the records."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown,space", "page(1)", "Page down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"record-list--cursor"}
    DEFAULT_CSS = """
    RecordList { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    RecordList .record-list--cursor { background: $cursor-row; }
    """

    class Moved(Message):
        """The person wants to go to a record."""

        def __init__(self, n: int) -> None:
            """Say which."""
            super().__init__()
            self.n = n

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
            return Strip.blank(self.size.width, self.rich_style)
        selected = place == self._place
        exact = selected and self._past.index.told[self._chosen[place]] == self._n
        style = self.get_visual_style("record-list--cursor") if selected else self.visual_style
        text = content(self._row(self._chosen[place], self.size.width))
        edge = ">" if exact else "|" if selected else " "
        whole = type(text).assemble((f"{edge} ", "bold $primary"), text)
        strips = Visual.to_strips(self, whole, max(self.size.width, whole.cell_length), 1, style)
        return (strips[0] if strips else Strip([])).adjust_cell_length(self.size.width, style.rich_style)

    def _make_row(self, number: int, width: int) -> Line:
        try:
            return record_row(self._past, number, width)
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
        """Go to the record under the mouse."""
        self._go(event.y + self.scroll_offset.y)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self.list_all(self._chosen)
        self.stand_on(self._n)

    def _go(self, place: int) -> None:
        if self._chosen:
            place = min(max(0, place), len(self._chosen) - 1)
            self.post_message(self.Moved(self._past.index.told[self._chosen[place]]))
