"""Signing: what exactly, by which keys; and the two fields that have to be typed.

- The button works only while `views.sign.armed` says so; enter in a field never signs.
- Another digest empties both fields: arming is per digest.
- Nothing is filled in beforehand, and pasting is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Input

from sealwright_console.feed import Feed
from sealwright_console.lines import Line, Part, Tone, wrap
from sealwright_console.screens.asking import AskScreen, TypedInput
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.sign import (
    answer_line,
    armed,
    digest_lines,
    digest_matches,
    digits_of,
    release_matches,
    request_lines,
    waiting_lines,
)
from sealwright_console.widgets.texts import Texts

_HINT = (
    "Compare the digest with another device, then type its first 8 digits and the release's name. "
    "The signer asks for itself, in its own way. What is published can't be taken back."
)


class SignScreen(ConsoleScreen):
    """The last yes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "app.focus_next", "Next field"),
        Binding("shift+tab", "app.focus_previous", "Field before", show=False),
    ]
    DEFAULT_CSS = """
    SignScreen #what { height: 1fr; padding: 0 1; }
    SignScreen #request { height: auto; text-wrap: wrap; }
    SignScreen #digest { height: auto; padding: 0 2; margin: 0 1; border: round $primary; }
    SignScreen #fields { grid-size: 3 2; grid-columns: 9 1fr 24; grid-rows: 1; height: 2; padding: 0 1; }
    SignScreen #fields Input { height: 1; border: none; }
    SignScreen #hint { height: auto; padding: 0 1; text-wrap: wrap; }
    SignScreen #answer { height: 1; padding: 0 1; }
    SignScreen #answer Button { margin-right: 2; }
    SignScreen .asleep { display: none; }
    """

    def __init__(self, feed: Feed) -> None:
        """Show what waits."""
        super().__init__(feed)
        self._digest = ""

    def body(self) -> Iterable[Widget]:
        """The request, the digest, the fields, the buttons."""
        with VerticalScroll(id="what"):
            yield Texts(id="request", classes="folded")
        yield Texts(id="digest")
        with Grid(id="fields"):
            yield Texts((Part("digits", Tone.DIM),))
            yield TypedInput(id="digits", max_length=12)
            yield Texts(id="digits-say")
            yield Texts((Part("release", Tone.DIM),))
            yield TypedInput(id="release", max_length=200)
            yield Texts(id="release-say")
        yield Texts((Part(_HINT, Tone.DIM),), id="hint", classes="folded")
        with Horizontal(id="answer"):
            yield Button("Sign", id="sign", variant="success", compact=True, disabled=True)
            yield Button("Refuse", id="refuse", variant="warning", compact=True)

    def show_state(self) -> None:
        """Show the request that waits, or why there is none."""
        super().show_state()
        request = self.feed.signing()
        digest = request.digest if request is not None else ""
        for name in ("#digest", "#fields", "#hint", "#answer"):
            self.query_one(name).set_class(request is None, "asleep")
        if digest != self._digest:
            self._digest = digest
            for field in self.query(TypedInput):
                field.value = ""
            if digest:
                self.query_one("#digits", TypedInput).focus()
        if request is None:
            self.say("#request", *self._folded(waiting_lines(self.feed.state)))
        else:
            self.say("#request", *self._folded(request_lines(request)))
            self.say("#digest", *digest_lines(request))
        self._judge()

    def _folded(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        return tuple(piece for line in lines for piece in wrap(line, self.room - 2))

    def _typed(self) -> tuple[str, str]:
        digits, release = (self.query_one(name, Input).value for name in ("#digits", "#release"))
        return digits, release

    def _judge(self) -> bool:
        digits, release = self._typed()
        request = self.feed.signing()
        good = armed(self.feed.state, request, digits, release)
        self.query_one("#sign", Button).disabled = not good
        if request is not None:
            digits_good, release_good = digest_matches(request, digits), release_matches(request, release)
            self.say("#digits-say", answer_line(digits_good, digits, "first 8 digits"))
            self.say("#release-say", answer_line(release_good, release, "name-version"))
        return good

    def on_input_changed(self, message: Input.Changed) -> None:
        """Judge at each key."""
        if self.whole:
            self._judge()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter goes on to the next field; it never signs."""
        self.focus_next()

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """Sign if armed at this very moment; refuse after one more question."""
        if message.button.id == "refuse":
            self.app.push_screen(_refusal(), self._refused)
        elif self._judge():
            digits, release = self._typed()
            self.feed.confirm_signing(digits_of(digits), release.strip())
            for field in self.query(TypedInput):
                field.value = ""

    def _refused(self, yes: bool | None) -> None:
        if yes and self.feed.signing() is not None:
            self.feed.refuse_signing()


def _refusal() -> AskScreen:
    question = (
        (Part("Refuse to sign?", Tone.HEAD),),
        (Part("The release stays sealed and unsigned. Running it again asks again."),),
    )
    return AskScreen(question, yes="Refuse", no="Go back")
