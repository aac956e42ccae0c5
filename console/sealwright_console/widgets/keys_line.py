"""The last line of every screen: its keys, two cells between them."""

from __future__ import annotations

from textual.widgets import Footer


class KeysLine(Footer):
    """Textual's footer, spaced so that a key belongs to its own word; the palette is not in it."""

    DEFAULT_CSS = """
    KeysLine { padding: 0 1; }
    KeysLine.-compact FooterKey { margin: 0 2 0 0; }
    """

    def __init__(self) -> None:
        """Compact."""
        super().__init__(compact=True, show_command_palette=False)
