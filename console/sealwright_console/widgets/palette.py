"""The command palette; a fast hand that leaves it, or pages in it, while it still gathers does not end the console.

Textual's own (8.2.8) looks for its list after it was taken down, and pages in one that has no lines yet; what these
raise ends the app.
"""

from __future__ import annotations

from textual.command import CommandList, CommandPalette


class Palette(CommandPalette):
    """Textual's palette, which may be left at any moment."""

    def _watch__list_visible(self) -> None:
        if self.query(CommandList):
            super()._watch__list_visible()

    def _action_command_list(self, action: str) -> None:
        if any(found._index_to_line for found in self.query(CommandList)):
            super()._action_command_list(action)
