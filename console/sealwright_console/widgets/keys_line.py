"""The last line of every screen: its keys, two cells between them, as many as there is room for; help and quit always."""

from __future__ import annotations

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.events import Resize
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

_GAP = 2
_KEPT = ("app.keys", "app.leave", "keys", "leave")


class KeysLine(Footer):
    """Textual's footer, spaced so that a key belongs to its own word; the palette is not in it."""

    DEFAULT_CSS = """
    KeysLine { padding: 0 1; }
    KeysLine.-compact FooterKey { margin: 0 2 0 0; }
    """

    def __init__(self) -> None:
        """Compact."""
        super().__init__(compact=True, show_command_palette=False)
        self._room = 0

    def compose(self) -> ComposeResult:
        """The keys that have room, none in part; what is left out is told by help."""
        self._room = self.app.size.width - 2
        keys = [each for each in super().compose() if isinstance(each, FooterKey)]
        for key in reversed(keys[:]):
            if sum(map(_cells, keys)) - _GAP > self._room and key.action not in _KEPT:
                keys.remove(key)
        yield from keys

    def on_resize(self, event: Resize) -> None:
        """There may be room for others."""
        if self._room != self.app.size.width - 2:
            self.call_after_refresh(self.recompose)


def _cells(key: FooterKey) -> int:
    return cell_len(key.key_display) + 1 + cell_len(key.description) + _GAP
