"""What all screens share: the heading, the stepper with the gate word, the notices and the keys.

- A screen shows the feed's state and nothing that it remembers itself, but for cursors and filters.
- `esc` goes back; it never ends, refuses or deletes anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.events import Click, Resize
from textual.screen import Screen
from textual.widget import Widget

from sealwright_console.feed import Feed
from sealwright_console.lines import Line, plain
from sealwright_console.views.header import heading_line, next_word, notice_lines, status_line
from sealwright_console.widgets.keys_line import KeysLine
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts

if TYPE_CHECKING:
    from sealwright_console.cursor import Cursor

NEEDS = (80, 24)
"""Columns and lines within which everything that a decision needs can be seen."""
CHANGING = frozenset({"retry", "retry_all", "waive"})
"""Actions that a past release doesn't offer."""


class ConsoleScreen(Screen[None]):
    """A screen over a feed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", tooltip="go back; it never ends, refuses or deletes anything"),
        Binding("y", "copy", "Copy", show=False, tooltip="copy the selected row in full"),
    ]
    DEFAULT_CSS = """
    ConsoleScreen #top { height: auto; background: $panel; padding: 0 1; }
    ConsoleScreen #title { height: auto; padding: 0 1; background: $surface; }
    ConsoleScreen #notices { height: auto; max-height: 2; padding: 0 1; background: $surface; }
    ConsoleScreen Texts { text-wrap: nowrap; text-overflow: ellipsis; }
    ConsoleScreen .folded { text-wrap: wrap; }
    ConsoleScreen Input > .input--placeholder { color: $dim; }
    """

    LONG_TIMELINE: ClassVar[bool] = False
    """Whether a review's timeline has its long form here."""

    def __init__(self, feed: Feed) -> None:
        """Show `feed`."""
        super().__init__()
        self.feed = feed

    def compose(self) -> ComposeResult:
        """Heading, body, notices, keys."""
        with Vertical(id="top"):
            yield Texts(id="heading")
            yield from self._timeline()
            yield Texts(id="steps")
        yield from self.body()
        yield from self.below()
        yield Texts(id="notices")
        yield KeysLine()

    def _timeline(self) -> Iterable[Widget]:
        if self.feed.cursor is not None:
            from sealwright_console.widgets.timeline import Timeline  # noqa: PLC0415 - a live release has none

            yield Timeline(self.feed.cursor, long=self.LONG_TIMELINE)

    def body(self) -> Iterable[Widget]:
        """The screen's own widgets."""
        return ()

    def below(self) -> Iterable[Widget]:
        """What stands between body and notices."""
        return ()

    def on_mount(self) -> None:
        """Show the state at once."""
        self.show_state()

    def on_screen_resume(self) -> None:
        """Catch up with what happened while another screen was on top."""
        if self.whole:
            self.show_state()

    def on_resize(self, event: Resize) -> None:
        """Lines are made for the width."""
        if self.whole:
            self.show_state()

    @property
    def whole(self) -> bool:
        """Whether its widgets stand; not so while it is being made or taken down."""
        return self.is_mounted and self.is_on_screen_stack and self.app.is_running

    @property
    def is_on_screen_stack(self) -> bool:
        """Whether it can come into sight again."""
        return self in self.app.screen_stack

    def say(self, selector: str, *lines: Line) -> None:
        """Show lines in the texts of that name; nothing if they are gone already."""
        for texts in self.query(selector).results(Texts):
            texts.show(*lines)

    @property
    def room(self) -> int:
        """Cells that a line of the body has, beside the edges."""
        return max(20, self.app.size.width - 2)

    def show_state(self) -> None:
        """Show the feed's state as it is now; the screens add their own part."""
        state = self.feed.state
        cursor = self.feed.cursor
        if cursor is None:
            self.say("#heading", heading_line(state, self.feed.title, self.room))
        else:
            self._show_past(cursor)
        signed = cursor.signed if cursor else None
        self.say("#steps", status_line(state, next_word(state), self.room, signed, self.feed.finish))
        self.show_notices()

    def _show_past(self, cursor: Cursor) -> None:
        from sealwright_console.views.past import past_heading  # noqa: PLC0415 - a live release has none
        from sealwright_console.widgets.timeline import Timeline  # noqa: PLC0415

        self.say("#heading", past_heading(cursor, self.feed.title, self.room))
        for each in self.query(Timeline):
            each.look(self.room)

    def on_click(self, event: Click) -> None:
        """A click on a stage is its number's key; one on the gate word is the gate's."""
        steps = self.query_one("#steps", Texts)
        if event.widget is not steps or not steps.lines:
            return
        told, at = plain(steps.lines[0]), event.screen_x - steps.region.x
        stages = list(re.finditer(r"(\d) \S [a-z-]+", told))
        for stage in stages:
            if stage.start() <= at < stage.end():
                self.app.call_later(self.app.run_action, f"stage({stage[1]})")
        if stages and at > stages[-1].end() and told[at:].strip():
            self.app.call_later(self.app.run_action, "gate")

    def show_notices(self) -> None:
        """Show how the log stands; what waits for the person comes first."""
        notices = list(self.feed.notices())
        if (size := self.app.size).width < NEEDS[0] or size.height < NEEDS[1]:
            notices.insert(1, f"needs {NEEDS[0]}x{NEEDS[1]}, has {size.width}x{size.height}")
        notices = [*self.waits(), *notices]
        ended = self.feed.state.ended
        if ended is not None and ended.because:
            mark = "✓" if ended.exit == 0 else "✗"
            notices.insert(
                0, f"{mark} {ended.because}; next: {ended.next}" if ended.next else f"{mark} {ended.because}"
            )
        self.say("#notices", *notice_lines(notices, self.room))

    def waits(self) -> tuple[str, ...]:
        """What waits for the person on another screen."""
        return ("! the signer waits for you: 5",) if self.feed.signing() is not None else ()

    def tick(self) -> None:
        """Called ten times a second, whether or not the state changed."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A past release offers no key that would change anything."""
        return not (self.feed.read_only and action in CHANGING)

    def action_back(self) -> None:
        """Go back to the screen below."""
        if len(self.app.screen_stack) > 2:
            self.app.pop_screen()

    @property
    def shown_component(self) -> str:
        """The component that the person looks at; empty if there is none."""
        return ""

    def copied(self) -> str:
        """What `y` puts on the clipboard: the selected row in full."""
        ledger = next(iter(self.query(Ledger)), None)
        return ledger.selected_text() if ledger is not None else ""

    def action_copy(self) -> None:
        """Copy the selected row."""
        self.app.copy_to_clipboard(self.copied())
