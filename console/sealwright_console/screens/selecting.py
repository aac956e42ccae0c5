"""A text to be selected by hand where no clipboard took it: alone on its lines, and the mouse is the terminal's."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen

from sealwright_console.lines import Line, Part, Tone
from sealwright_console.widgets.texts import Texts

_MOUSE_OFF, _MOUSE_ON = "\x1b[?1000l\x1b[?1002l\x1b[?1003l", "\x1b[?1000h\x1b[?1003h"
_MOST = 2_000
"""Lines that are shown; longer texts are for `sealwright review --json` and the files of the log."""


class SelectScreen(ModalScreen[None]):
    """Shows one text from the left edge on."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,y", "back", "Back", key_display="esc")]
    DEFAULT_CSS = """
    SelectScreen { background: $background; }
    SelectScreen #why { height: auto; background: $panel; padding: 0 1; }
    SelectScreen #text { height: auto; text-wrap: wrap; }
    """

    def __init__(self, text: str, why: str) -> None:
        """Show `text`, and say `why`."""
        super().__init__()
        self._text, self._why = text, why

    def compose(self) -> ComposeResult:
        """Why, and the text."""
        yield Texts((Part(self._why, Tone.HEAD), Part("   esc goes back", Tone.DIM)), id="why")
        with VerticalScroll():
            yield Texts(*self._lines(), id="text")

    def _lines(self) -> list[Line]:
        lines = self._text.split("\n")
        more = len(lines) - _MOST
        shown: list[Line] = [(Part(line, limit=max(len(line), 1)),) for line in lines[:_MOST]]
        return [*shown, (Part(f"… {more:,} more lines", Tone.DIM),)] if more > 0 else shown

    def on_mount(self) -> None:
        """Let the terminal have its mouse."""
        self.query_one(VerticalScroll).focus()
        self._write(_MOUSE_OFF)

    def action_back(self) -> None:
        """Take it back, and go; an app that ends here leaves it to the shell as it should be."""
        self._write(_MOUSE_ON)
        self.dismiss(None)

    def _write(self, sequence: str) -> None:
        tell = getattr(self.app, "tell_terminal", None)
        if tell is not None:
            tell(sequence)
