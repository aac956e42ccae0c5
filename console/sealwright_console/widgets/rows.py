"""A list of lines with a cursor, of which only those in the window are ever rendered; ledger and record list are two.

- The line under the cursor is marked by a shape at its edge, not by colour alone.
- The scrollbar has a column of its own, and one free column beside it.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual

from sealwright_console.lines import Line
from sealwright_console.theme import content

_KEPT = 512
GUTTER = 2
"""Cells of the cursor's edge."""


class Rows(ScrollView, can_focus=True):
    """Lines with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False, tooltip="select the next row"),
        Binding("up,k", "move(-1)", "Up", show=False, tooltip="select the row before"),
        Binding("pagedown", "page(1)", "Page down", show=False, tooltip="a window further"),
        Binding("pageup", "page(-1)", "Page up", show=False, tooltip="a window back"),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--cursor"}
    DEFAULT_CSS = """
    Rows { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; overflow-x: hidden; }
    Rows .rows--cursor { background: $cursor-row; }
    Rows:ansi .rows--cursor { text-style: bold; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        """Make one that has painted nothing yet."""
        super().__init__(id=id)
        self._painted: dict[tuple[Line, str, Style, int, str], Strip] = {}

    @property
    def room(self) -> int:
        """Cells that a line may have beside the cursor's edge, the scrollbar and what is free."""
        return max(1, self.scrollable_content_region.width - GUTTER - 1)

    def strip(self, line: Line, edge: str, *, selected: bool, needle: str = "") -> Strip:
        """A line as it is painted, with a shape at its edge, and `needle` underlined wherever it is.

        Most of a window is as it was when the cursor moves, so what was painted is kept.
        """
        style = self.get_visual_style("rows--cursor") if selected else self.visual_style
        key = line, edge, style, self.size.width, f"{self.app.theme} {needle}"
        strip = self._painted.get(key)
        if strip is None:
            if len(self._painted) >= _KEPT:
                self._painted.clear()
            strip = self._painted[key] = self._paint(line, edge, style, needle)
        return strip

    def _paint(self, line: Line, edge: str, style: Style, needle: str) -> Strip:
        text = content(line)
        if needle:
            for hit in re.finditer(re.escape(needle), text.plain, re.IGNORECASE):
                text = text.stylize("bold underline", *hit.span())
        whole = type(text).assemble((f"{edge} ", "bold $primary"), text)
        strips = Visual.to_strips(self, whole, max(self.size.width, whole.cell_length), 1, style)
        return (strips[0] if strips else Strip([])).adjust_cell_length(self.size.width, style.rich_style)

    def nothing(self) -> Strip:
        """What is painted where no line is."""
        return Strip.blank(self.size.width, self.rich_style)

    @abstractmethod
    def action_move(self, step: int) -> None:
        """Go some rows further."""

    @abstractmethod
    def action_page(self, pages: int) -> None:
        """Go some windows further."""
