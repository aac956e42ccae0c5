"""A few lines of text that change as the release does."""

from __future__ import annotations

from textual.widgets import Static

from sealwright_console.lines import Line
from sealwright_console.theme import content


class Texts(Static):
    """Shows lines; does nothing if they are the ones that stand there."""

    def __init__(self, *lines: Line, id: str | None = None, classes: str | None = None) -> None:
        """Begin with `lines`."""
        super().__init__(content(*lines), id=id, classes=classes, markup=False)
        self.lines: tuple[Line, ...] = lines

    def show(self, *lines: Line, layout: bool = True) -> None:
        """Show these lines instead; without `layout` where they take as much room as those before."""
        if lines != self.lines:
            self.lines = lines
            self.update(content(*lines), layout=layout)
