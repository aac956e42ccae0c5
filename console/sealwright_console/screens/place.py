"""The window in which a person says where a review goes: a record's number or a time."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from sealwright_console.cursor import Cursor
from sealwright_console.lines import Part, Tone
from sealwright_console.screens.asking import WINDOW_CSS
from sealwright_console.widgets.texts import Texts


class PlaceScreen(ModalScreen[None]):
    """Moves the cursor; `esc` leaves it where it is."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss", "Stay")]
    DEFAULT_CSS = f"PlaceScreen {{ {WINDOW_CSS} }}"

    def __init__(self, cursor: Cursor) -> None:
        """Ask where `cursor` shall go."""
        super().__init__()
        self._cursor = cursor

    def compose(self) -> ComposeResult:
        """The question, a field, and what is wrong with what was typed."""
        with Vertical(id="window"):
            yield Texts((Part("Go to which record, or to which time (UTC)?", Tone.HEAD),), id="question")
            yield Input(id="place", placeholder=f"0 to {self._cursor.last:,}, or 12:39:00", compact=True)
            yield Texts(id="wrong", classes="folded")

    def on_mount(self) -> None:
        """Begin with the field."""
        self.query_one(Input).focus()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Go there, or say why not."""
        try:
            self._cursor.typed(message.value)
        except ValueError as error:
            self.query_one("#wrong", Texts).show((Part(str(error), Tone.WARNED),))
        else:
            self.dismiss(None)
