"""The command palette; a fast hand that leaves it while it still gathers does not end the console.

Textual's own (8.2.8) looks for its list after it was taken down, and what that raises ends the app.
"""

from __future__ import annotations

from textual.command import CommandList, CommandPalette


class Palette(CommandPalette):
    """Textual's palette, which may be left at any moment."""

    def _watch__list_visible(self) -> None:
        if self.query(CommandList):
            super()._watch__list_visible()
