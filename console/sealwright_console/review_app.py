"""The console over a past release: the same screens, and a cursor that takes all of them to any record.

- The keys of the cursor work on every screen, unless a field is being typed into or a window asks something.
- Where a screen has another use for `[` and `]`, that use goes first.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from sealwright_console.app import ConsoleApp
from sealwright_console.cursor import Cursor
from sealwright_console.feed import Feed
from sealwright_console.looks import Looks
from sealwright_console.screens.base import ConsoleScreen

_MOVES = frozenset({"step", "leap", "turn_to", "place", "events"})
_BEFORE = "the weighty record before: gates, red, stages, products"
_NEXT = "the next weighty record"


class ReviewApp(ConsoleApp):
    """The console with a cursor."""

    MOVES = _MOVES
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "events", "Events", tooltip="the records of the log, with search and filters"),
        Binding("at", "place", "At", key_display="@", tooltip="go to a record's number or a time"),
        Binding("left", "step(-1)", "Record before", show=False, priority=True, tooltip="a record back"),
        Binding("right", "step(1)", "Next record", show=False, priority=True, tooltip="a record further"),
        Binding("shift+left", "leap(False)", "Weighty record before", show=False, tooltip=_BEFORE, priority=True),
        Binding("shift+right", "leap(True)", "Next weighty record", show=False, tooltip=_NEXT, priority=True),
        Binding("left_square_bracket", "leap(False)", "Weighty record before", show=False, tooltip=_BEFORE),
        Binding("right_square_bracket", "leap(True)", "Next weighty record", show=False, tooltip=_NEXT),
        Binding("home", "turn_to(False)", "First record", show=False, priority=True, tooltip="the first record"),
        Binding("end", "turn_to(True)", "Last record", show=False, priority=True, tooltip="the last record"),
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

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key of the cursor while something is typed or asked."""
        if action in _MOVES:
            return isinstance(self.screen, ConsoleScreen) and not isinstance(self.focused, Input)
        return super().check_action(action, parameters)

    def action_step(self, by: int) -> None:
        """Go to the next record, or the one before."""
        self.cursor.step(by)
        self.look()

    def action_leap(self, forward: bool) -> None:
        """Go to the next weighty record, or the one before."""
        self.cursor.leap(forward)
        self.look()

    def action_turn_to(self, last: bool) -> None:
        """Go to the last record, or the first."""
        self.cursor.go(self.cursor.last if last else 0)
        self.look()

    def action_place(self) -> None:
        """Ask for a record's number or a time, and go there."""
        from sealwright_console.screens.place import PlaceScreen  # noqa: PLC0415 - after the first paint

        self.push_screen(PlaceScreen(self.cursor), lambda _: self.look())

    def action_events(self) -> None:
        """Show the records around the cursor."""
        from sealwright_console.screens.events import EventsScreen  # noqa: PLC0415 - after the first paint

        self.open_screen(EventsScreen(self.feed, self.cursor))
