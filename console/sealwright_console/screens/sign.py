"""Signing: what exactly, by which keys; the two fields that have to be typed; and what came of it.

- The button works only while `views.sign.armed` says so, at the moment when it is pressed; enter in a field never signs.
- Another question or another digest empties both fields: arming is per question. A question is answered once.
- Nothing is filled in beforehand, and pasting is refused.
- A key that leaves a field does so at once, so that the one typed after it goes where it was meant to.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, VerticalScroll
from textual.events import Key
from textual.widget import Widget
from textual.widgets import Button, Input

from sealwright_console.feed import Feed, SigningRequest
from sealwright_console.lines import Line, Part, Tone
from sealwright_console.screens.asking import AskScreen, DigitsInput, TypedInput
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.views.header import signed_live
from sealwright_console.views.request import Groups, copied, digest_lines, request_lines, said_lines, thing_lines
from sealwright_console.views.sign import (
    answer_line,
    armed,
    asleep,
    digest_matches,
    digits_of,
    release_matches,
    waiting_lines,
)
from sealwright_console.views.signers import (
    after_lines,
    check_lines,
    copied_commands,
    outcome_line,
    signer_lines,
    work_lines,
)
from sealwright_console.widgets.careful import CarefulButton
from sealwright_console.widgets.texts import Texts
from sealwright_stages.finish import digest_over
from sealwright_stages.verdict import Status

_HINT = "Compare it on a second device. What is published can't be taken back."


class SignScreen(ConsoleScreen):
    """The last yes."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "go(1)", "Next field", priority=True, tooltip="the next field or button"),
        Binding(
            "shift+tab", "go(-1)", "Field before", show=False, priority=True, tooltip="the field or button before"
        ),
        Binding(
            "enter",
            "leave_field",
            "Next field",
            show=False,
            priority=True,
            tooltip="from the digits to the name, and never to a button",
        ),
        Binding("g", "groups", "Groups", tooltip="digits in fours, in eights, or together"),
        Binding("y", "copy", "Copy", tooltip="copy the digests, or the commands, as they are typed"),
        Binding("G", "app.gate", "Gate", show=False, tooltip="the gate"),
        Binding("up,pageup", "scroll(-1)", "Scroll up", show=False, tooltip="what stands above"),
        Binding("down,pagedown", "scroll(1)", "Scroll down", show=False, tooltip="what stands below"),
    ]
    DEFAULT_CSS = """
    SignScreen #what { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    SignScreen #request { height: auto; }
    SignScreen #digest { height: auto; padding: 0 1; background: $surface; }
    SignScreen #fields { grid-size: 3 2; grid-columns: 9 1fr 24; grid-rows: 1; height: 2; padding: 0 1; }
    SignScreen #fields Input { height: 1; border: none; padding: 0; }
    SignScreen #hint { height: 1; padding: 0 1; }
    SignScreen #answer { height: 1; padding: 0 1; }
    SignScreen #answer Button { margin-right: 2; }
    SignScreen #why { width: 1fr; height: 1; }
    SignScreen .asleep { display: none; }
    """

    def __init__(self, feed: Feed) -> None:
        """Show what waits."""
        super().__init__(feed)
        self._question = (0, "")
        self._answered = (0, "")
        self._groups = Groups.FOUR

    def body(self) -> Iterable[Widget]:
        """What is signed, the digest, the fields, the buttons."""
        with VerticalScroll(id="what", can_focus=False):
            yield Texts(id="request")
        yield Texts(id="digest")
        with Grid(id="fields"):
            yield Texts((Part("digits", Tone.DIM),))
            yield DigitsInput(id="digits", max_length=12)
            yield Texts(id="digits-say")
            yield Texts((Part("release", Tone.DIM),))
            yield TypedInput(id="release", max_length=200)
            yield Texts(id="release-say")
        yield Texts((Part(_HINT, Tone.DIM),), id="hint")
        with Horizontal(id="answer"):
            yield CarefulButton("Sign", id="sign", variant="success")
            yield CarefulButton("Refuse", id="refuse", variant="warning")
            yield Texts(id="why")

    @property
    def request(self) -> SigningRequest | None:
        """The question that waits, unless it was answered here."""
        request = self.feed.signing()
        return None if request is None or (request.number, request.digest) == self._answered else request

    @property
    def keyring(self) -> Path | None:
        """The keyring's folder, where it is known."""
        keys = self.feed.places.keys
        return keys.parent if keys is not None else None

    def show_state(self) -> None:
        """Show the question that waits, or what came of it, or why there is none."""
        super().show_state()
        request = self.request
        question = (request.number, request.digest) if request is not None else (0, "")
        for name in ("#fields", "#hint", "#answer"):
            self.query_one(name).set_class(request is None, "asleep")
        if question != self._question:
            self._question = question
            self._empty()
            self.set_focus(self.query_one("#digits") if request is not None else None)
            self.query_one("#what").scroll_home(animate=False)
        digest = self._digest(request)
        self.query_one("#digest").set_class(not digest, "asleep")
        if digest:
            self.say("#digest", *digest_lines(digest, self._groups, self.room))
        self.say("#request", *(self._asked(request) if request is not None else self._told()))
        self._judge()

    def _digest(self, request: SigningRequest | None) -> str:
        """The digest to look at: of the question, and while the signer is at work, since its key may show it."""
        finish = self.feed.finish
        at_work = signed_live(finish) is Status.RUNNING and self.feed.finished is None
        return request.digest if request is not None else digest_over(finish.things) if at_work else ""

    def _empty(self) -> None:
        for field in self.query(TypedInput):
            field.value = ""

    @property
    def _width(self) -> int:
        """Cells of a line beside the scrollbar."""
        return self.room - 2

    def _asked(self, request: SigningRequest) -> tuple[Line, ...]:
        state, finish, width = self.feed.state, self.feed.finish, self._width
        first = request_lines(request, state, finish, self._groups, width)
        behind = said_lines(request, state, finish, self._groups, width)
        return (*first, *signer_lines(finish, width), *behind)

    def _told(self) -> tuple[Line, ...]:
        """After the answer: the outcome, who has signed, what was done, what was checked, what to do."""
        state, finish, width, cursor = self.feed.state, self.feed.finish, self._width, self.feed.cursor
        if not state.sealed or not (finish.things or finish.checks or finish.signers):
            return waiting_lines(state, width, cursor.signed if cursor is not None else None)
        lines = [outcome_line(finish, self.feed.title)]
        if finish.final:
            lines += [*signer_lines(finish, width), *check_lines(finish, width)]
            lines += [*after_lines(finish, self.keyring, width), (), *work_lines(finish, width)]
        else:
            lines += [*work_lines(finish, width), *signer_lines(finish, width), *check_lines(finish, width)]
            lines += after_lines(finish, self.keyring, width)
        return (*lines, *thing_lines(finish.things, (), self._groups, width))

    def waits(self) -> tuple[str, ...]:
        """Nothing elsewhere: the question stands here."""
        return ()

    def _typed(self) -> tuple[str, str]:
        digits, release = (self.query_one(name, Input).value for name in ("#digits", "#release"))
        return digits, release

    def _judge(self) -> bool:
        digits, release = self._typed()
        request, state = self.request, self.feed.state
        good = armed(state, request, digits, release)
        self.query_one("#sign", CarefulButton).wake(good)
        self.query_one("#refuse", CarefulButton).wake(request is not None)
        if request is not None:
            digits_good, release_good = digest_matches(request, digits), release_matches(request, release)
            self.say("#digits-say", answer_line(digits_good, digits, "first 8 digits"))
            self.say("#release-say", answer_line(release_good, release, "name-version"))
            why, tone = asleep(state, request), Tone.FAILED
            if not why:
                why, tone = ("armed: tab to Sign, then enter", Tone.PASSED) if good else ("", Tone.DIM)
            self.say("#why", (Part(why, tone),))
        return good

    def on_input_changed(self, message: Input.Changed) -> None:
        """Judge at each key."""
        if self.whole:
            self._judge()

    def on_key(self, event: Key) -> None:
        """A digit that no field has got belongs into the first one while a question waits; it never leads elsewhere."""
        if self.request is None or event.character not in DigitsInput.HEX:
            return
        event.stop()
        field = self.query_one("#digits", DigitsInput)
        self.set_focus(field)
        field.insert_text_at_cursor(str(event.character))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter is a field's only in a field; digits have groups only where there are some."""
        if action == "leave_field":
            return isinstance(self.focused, TypedInput)
        if action == "go":
            return self.request is not None
        if action == "groups":
            return self.request is not None or bool(self.feed.finish.things)
        return super().check_action(action, parameters)

    def action_go(self, way: int) -> None:
        """Go to the next field or button, or to the one before.

        Which button comes after the name is known once the name's field has got all that was typed into it.
        """
        release = self.query_one("#release", TypedInput)
        if way > 0 and self.focused is release:
            release.call_later(self._past_the_name)
        elif way > 0:
            self.focus_next()
        else:
            self.focus_previous()

    def _past_the_name(self) -> None:
        if self.whole and self.request is not None and self.focused is self.query_one("#release"):
            self.set_focus(self.query_one("#sign" if self._judge() else "#refuse"))

    def action_leave_field(self) -> None:
        """Enter goes on from the digits to the name, and never to a button."""
        self.set_focus(self.query_one("#release"))  # at once: `focus` is for later

    def action_groups(self) -> None:
        """Show digits in the next kind of groups."""
        self._groups = self._groups.following
        self.show_state()

    def action_scroll(self, way: int) -> None:
        """Scroll what is signed."""
        what = self.query_one("#what", VerticalScroll)
        what.scroll_relative(y=way * max(1, what.size.height - 2), animate=False)

    def copied(self) -> str:
        """The digests while they are asked for, the commands once they help."""
        request, finish = self.request, self.feed.finish
        if request is not None:
            return copied(request.things, request.digest)
        if finish.checks:
            return copied_commands(finish, self.keyring)
        return copied(finish.things, digest_over(finish.things)) if finish.things else ""

    def on_button_pressed(self, message: Button.Pressed) -> None:
        """Sign if armed at this very moment; refuse after one more question."""
        self.feed.poll()
        self.show_state()
        request = self.request
        if request is None:
            return
        if message.button.id == "refuse":
            self.app.push_screen(_refusal(), lambda yes: self._refused(bool(yes), request))
        elif self._judge():
            digits, release = self._typed()
            self._answered = (request.number, request.digest)
            self.feed.confirm_signing(digits_of(digits), release.strip())
            self.show_state()

    def _refused(self, yes: bool, asked: SigningRequest) -> None:
        if yes and self.request == asked:
            self._answered = (asked.number, asked.digest)
            self.feed.refuse_signing()
            self.show_state()


def _refusal() -> AskScreen:
    question = (
        (Part("Refuse to sign?", Tone.HEAD),),
        (Part("The release stays sealed and unsigned. Running it again asks again."),),
    )
    return AskScreen(question, yes="Refuse", no="Go back")
