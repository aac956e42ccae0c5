"""Small windows that ask a question, and the input field that has to be typed into.

- `esc` means no: the window goes, and nothing happens.
- A `TypedInput` refuses pasted text: what is asked for must have been read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Key, Paste
from textual.screen import ModalScreen
from textual.widgets import Button, Input
from textual.widgets.button import ButtonVariant

from sealwright_console.lines import Line
from sealwright_console.widgets.texts import Texts

WINDOW_CSS = """
    align: center middle;
    & > #window {
        width: 74; max-width: 100%; height: auto; max-height: 100%; overflow-y: auto;
        padding: 1 2; background: $surface; border: solid $primary;
    }
    & Texts { height: auto; margin-bottom: 1; }
    & #buttons { height: auto; align-horizontal: right; }
    & Button { margin-left: 2; }
    & Input { background: $panel; }
"""


class TypedInput(Input):
    """An input field that takes keys only."""

    def on_paste(self, event: Paste) -> None:
        """Refuse."""
        event.prevent_default()
        event.stop()
        self.app.notify("pasting is refused here: please type it", markup=False, timeout=3)

    def action_paste(self) -> None:
        """Refuse."""


class DigitsInput(TypedInput):
    """A field for hex digits and blanks; the few other keys that mean something beside it go on to the screen."""

    HEX = frozenset("0123456789abcdefABCDEF ")
    PASSED_ON = frozenset({"g", "y", "G", "question_mark", "colon"})

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Whether it takes this key; the others are shown below as keys of the screen."""
        return character is not None and character in self.HEX

    async def _on_key(self, event: Key) -> None:
        if not event.is_printable or event.character in self.HEX:
            await super()._on_key(event)
            return
        event.prevent_default()
        if event.key not in self.PASSED_ON:
            event.stop()


class AskScreen(ModalScreen[bool]):
    """A question with yes and no; no is where the cursor stands."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "no", "No"),
        Binding("left,right", "app.focus_next", show=False),
    ]
    DEFAULT_CSS = f"AskScreen {{ {WINDOW_CSS} }}"

    def __init__(self, question: tuple[Line, ...], yes: str, no: str) -> None:
        """Ask `question`; `yes` and `no` are the words on the buttons."""
        super().__init__()
        self._question, self._yes, self._no = question, yes, no

    def compose(self) -> ComposeResult:
        """The question and two buttons."""
        with Vertical(id="window"):
            yield Texts(*self._question)
            with Horizontal(id="buttons"):
                yield Button(self._no, id="no", compact=True)
                yield Button(self._yes, id="yes", variant="warning", compact=True)

    def on_mount(self) -> None:
        """Stand on no."""
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """Give the answer."""
        self.dismiss(message.button.id == "yes")

    def action_no(self) -> None:
        """The answer is no."""
        self.dismiss(False)


class ChooseScreen(ModalScreen[str]):
    """A question with several answers; the cursor stands on the first, and `esc` gives none of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "none", "Back"),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]
    DEFAULT_CSS = f"ChooseScreen {{ {WINDOW_CSS} }}"

    def __init__(self, question: tuple[Line, ...], answers: Mapping[str, str], warning: str = "") -> None:
        """Ask `question`; `answers` are words on buttons by what they give, of which `warning` is one to think about."""
        super().__init__()
        self._question, self._answers, self._warning = question, answers, warning

    def compose(self) -> ComposeResult:
        """The question and its buttons."""
        with Vertical(id="window"):
            yield Texts(*self._question)
            with Horizontal(id="buttons"):
                for answer, label in self._answers.items():
                    yield Button(label, id=answer, variant=self._variant(answer), compact=True)

    def _variant(self, answer: str) -> ButtonVariant:
        return "warning" if answer == self._warning else "default"

    def on_mount(self) -> None:
        """Stand on the first."""
        self.query_one(f"#{next(iter(self._answers))}", Button).focus()

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """Give the answer."""
        self.dismiss(message.button.id or "")

    def action_none(self) -> None:
        """Give no answer."""
        self.dismiss("")
