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
        """Show these lines instead; without `layout` where they take as much room as those before.

        As many lines as before, none of which may be folded, take as much room: nothing is laid out anew for them.
        """
        if lines != self.lines:
            nowhere_folded = self.styles.text_wrap == "nowrap" and self.styles.width is None
            layout = layout and not (nowhere_folded and len(lines) == len(self.lines))
            self.lines = lines
            self.update(content(*lines), layout=layout)
