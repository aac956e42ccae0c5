"""Lines of a fixed number in a frameless part of the screen, drawn without laying anything out anew."""

from __future__ import annotations

from textual.strip import Strip
from textual.visual import Visual
from textual.widget import Widget

from sealwright_console.lines import Line
from sealwright_console.theme import content


class Pane(Widget):
    """Shows as many of its lines as it has room for."""

    DEFAULT_CSS = "Pane { height: 1fr; width: 1fr; }"

    def __init__(self, *, id: str | None = None) -> None:
        """Make an empty one."""
        super().__init__(id=id)
        self.lines: tuple[Line, ...] = ()
        self.build = ""

    def show(self, build: str, lines: tuple[Line, ...]) -> None:
        """Show these lines, which are about `build`."""
        if (build, lines) != (self.build, self.lines):
            self.build, self.lines = build, lines
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Render line `y`."""
        width, style = self.size.width, self.visual_style
        if y >= len(self.lines):
            return Strip.blank(width, style.rich_style)
        text = content(self.lines[y])
        strips = Visual.to_strips(self, text, max(width, text.cell_length), 1, style)
        strip = strips[0] if strips else Strip([])
        return strip.adjust_cell_length(width, style.rich_style)
