"""The console over a past release: the same screens, and a cursor that takes all of them to any record.

- The keys of the cursor work on every screen, unless a field is being typed into or a window asks something.
- Where a screen has another use for `[` and `]`, that use goes first. `g` goes to a place here; `G` shows the gate.
- The log is read on between the keys, a millisecond at a time, while it is audited elsewhere.
- What no audit has said yes to looks like a claim: see `review_looks`.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from time import monotonic
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from sealwright_console.app import ConsoleApp
from sealwright_console.cursor import Cursor
from sealwright_console.feed import Feed
from sealwright_console.looks import Looks
from sealwright_console.review_looks import ClaimFilter
from sealwright_console.review_opening import Opening
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.widgets.timeline import Timeline

_MOVES = frozenset({"step", "leap", "minute", "turn_to", "place", "events", "diff"})
_LONG = 100_000
_BEFORE = "the weighty record before: gates, red, warned, stages, products"
_NEXT = "the next weighty record"


def _move(keys: str, action: str, name: str, what: str, *, first: bool = True) -> Binding:
    return Binding(keys, action, name, show=False, tooltip=what, priority=first)


class ReviewApp(ConsoleApp):
    """The console with a cursor."""

    MOVES = _MOVES
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "events", "Events", tooltip="the records of the log, with search and filters"),
        Binding(
            "g,at", "place", "Go to", key_display="g", priority=True, tooltip="go to a record's number or a time"
        ),
        Binding(
            "G", "gate", "Gate", key_display="G", show=False, tooltip="the gate: each reason why it was closed"
        ),
        _move("d", "diff", "Diff", "what changed since another release, or to it", first=False),
        _move("left", "step(-1)", "Record before", "a record back"),
        _move("right", "step(1)", "Next record", "a record further"),
        _move("shift+left", "leap(False)", "Weighty record before", _BEFORE),
        _move("shift+right", "leap(True)", "Next weighty record", _NEXT),
        _move("left_square_bracket", "leap(False)", "Weighty record before", _BEFORE, first=False),
        _move("right_square_bracket", "leap(True)", "Next weighty record", _NEXT, first=False),
        _move("comma,ctrl+left", "minute(False)", "Minute back", "a minute of the log back"),
        _move("full_stop,ctrl+right", "minute(True)", "Minute further", "a minute of the log further"),
        _move("home", "turn_to(False)", "First record", "the first record"),
        _move("end", "turn_to(True)", "Last record", "the end of the release"),
    ]

    def __init__(
        self,
        feed: Feed,
        cursor: Cursor,
        *,
        ascii_only: bool = False,
        theme: str = "",
        clock: Callable[[], float] = monotonic,
        looks: Looks | None = None,
    ) -> None:
        """Show `feed`, which stands where `cursor` does; the rest as for any console."""
        super().__init__(feed, ascii_only=ascii_only, theme=theme, clock=clock, looks=looks)
        self.cursor = cursor
        self._looked_proved = False
        self._last_filters = (ClaimFilter(self._is_proved), *self._last_filters)

    def _is_proved(self) -> bool:
        """Whether an audit said yes to the release on the screen, which may be another one to compare with."""
        shown = next((s.feed for s in reversed(self._screen_stack) if isinstance(s, ConsoleScreen)), self.feed)
        return bool(getattr(shown, "proved", False))

    def on_mount(self) -> None:
        """Read on, if there is more to read."""
        self._keep()  # the console's own handler runs besides
        opening = getattr(self.feed, "opening", None)
        if opening is not None:
            self.run_worker(self._read(opening), exit_on_error=True)

    async def _read(self, opening: Opening) -> None:
        while opening.read():
            await asyncio.sleep(0)
        self._keep()

    def _keep(self) -> None:
        """What was read of a long log stays: looking through it for rubbish takes a tenth of a second each time."""
        if self.cursor.past.size > _LONG:
            gc.freeze()

    def look(self) -> None:
        """Show what is new; all of it anew where it is proved by now."""
        super().look()
        if self.cursor.proved != self._looked_proved:
            self._looked_proved = self.cursor.proved
            for screen in self.screen_stack:
                for widget in (screen, *screen.query("*")):
                    widget.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key of the cursor while something is typed or asked."""
        if action in _MOVES:
            return isinstance(self.screen, ConsoleScreen) and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def on_timeline_chosen(self, message: Timeline.Chosen) -> None:
        """Go where the timeline was clicked."""
        self.cursor.go(message.n)
        self.look()

    def action_step(self, by: int) -> None:
        """Go to the next record, or the one before."""
        self.cursor.step(by)
        self.look()

    def action_leap(self, forward: bool) -> None:
        """Go to the next weighty record, or the one before."""
        self.cursor.leap(forward)
        self.look()

    def action_minute(self, forward: bool) -> None:
        """Go a minute further, or back."""
        self.cursor.minute(forward)
        self.look()

    def action_turn_to(self, last: bool) -> None:
        """Go to the last record, or the first."""
        self.cursor.go(self.cursor.last if last else 0)
        self.look()

    def action_log(self) -> None:
        """As in any console; but not of a release that is only compared with, which has no log screen here."""
        if isinstance(self.screen, ConsoleScreen) and self.screen.feed is not self.feed:
            self.notify("the log of this release is in its own review", markup=False, timeout=3)
        else:
            super().action_log()

    def action_place(self) -> None:
        """Ask for a record's number or a time, and go there."""
        from sealwright_console.screens.place import PlaceScreen  # noqa: PLC0415 - after the first paint

        self.push_screen(PlaceScreen(self.cursor), lambda _: self.look())

    def action_events(self) -> None:
        """Show the records around the cursor."""
        from sealwright_console.screens.events import EventsScreen  # noqa: PLC0415 - after the first paint

        self.open_screen(EventsScreen(self.feed, self.cursor))

    def action_diff(self) -> None:
        """Ask for another evidence folder, and compare with it."""
        from sealwright_console.screens.diff import open_diff  # noqa: PLC0415 - after the first paint

        open_diff(self)
