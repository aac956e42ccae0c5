"""The window in which a person waives a warning: by name, with a reason, for these very bytes."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from sealwright_console.figures import grouped
from sealwright_console.lines import Line, Part, Tone, labelled, mark, wrap
from sealwright_console.screens.asking import WINDOW_CSS
from sealwright_console.widgets.texts import Texts
from sealwright_stages.state import Item
from sealwright_stages.verdict import Status

SHORTEST_REASON = 8
"""Characters below which a reason is none."""
_WIDTH = 68
"""Cells inside the window."""


class WaiveScreen(ModalScreen[tuple[str, str] | None]):
    """Gives (person, reason), or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "no", "Don't waive")]
    DEFAULT_CSS = f"WaiveScreen {{ {WINDOW_CSS} & Input {{ margin-bottom: 1; }} & Texts.label {{ margin: 0; }} }}"

    def __init__(self, item: Item) -> None:
        """Ask about this item's warning."""
        super().__init__()
        self._item = item

    def compose(self) -> ComposeResult:
        """The warning, two fields, two buttons."""
        item = self._item
        lines: list[Line] = [
            (Part("WAIVE A WARNING", Tone.HEAD),),
            (),
            (mark(Status.WARNED), Part(f" {item.component}: {item.title}", Tone.WARNED)),
            *wrap(labelled("why", item.reason, indent=2), _WIDTH),
            labelled("sha256", grouped(item.subject_sha256[:32]), indent=2),
            labelled("", grouped(item.subject_sha256[32:]), indent=2),
            *wrap(labelled("holds", "for these bytes and this policy only; goes into the log", indent=2), _WIDTH),
        ]
        with Vertical(id="window"):
            yield Texts(*lines)
            yield Texts((Part("your name, as the policy knows you", Tone.DIM),), classes="label")
            yield Input(id="person", compact=True)
            yield Texts(
                (Part(f"why this is acceptable, in {SHORTEST_REASON} letters or more", Tone.DIM),), classes="label"
            )
            yield Input(id="reason", compact=True)
            with Horizontal(id="buttons"):
                yield Button("Don't waive", id="no", compact=True)
                yield Button("Waive", id="yes", variant="warning", compact=True, disabled=True)

    def on_mount(self) -> None:
        """Begin with the name."""
        self.query_one("#person", Input).focus()

    def _typed(self) -> tuple[str, str]:
        person, reason = (self.query_one(name, Input).value.strip() for name in ("#person", "#reason"))
        return person, reason

    def on_input_changed(self, message: Input.Changed) -> None:
        """Both fields are needed."""
        person, reason = self._typed()
        self.query_one("#yes", Button).disabled = not person or len(reason) < SHORTEST_REASON

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter goes on to the next field; it never waives."""
        self.focus_next()

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """Give the answer."""
        self.dismiss(self._typed() if message.button.id == "yes" else None)

    def action_no(self) -> None:
        """Nothing is waived."""
        self.dismiss(None)
