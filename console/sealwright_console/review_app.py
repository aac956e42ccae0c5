"""The console over a past release: the same screens, and a cursor that takes all of them to any record.

- The keys of the cursor work on every screen, unless a field is being typed into or a window asks something.
- Where a screen has another use for `[` and `]`, that use goes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import monotonic
from typing import ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from sealwright_console.app import ConsoleApp
from sealwright_console.cursor import Cursor
from sealwright_console.feed import Feed
from sealwright_console.screens.base import ConsoleScreen

_MOVES = frozenset({"step", "leap", "turn_to", "place", "events"})


class ReviewApp(ConsoleApp):
    """The console with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "events", "Events"),
        Binding("at", "place", "At", key_display="@"),
        Binding("left", "step(-1)", "Record before", show=False, priority=True),
        Binding("right", "step(1)", "Next record", show=False, priority=True),
        Binding("shift+left", "leap(False)", "Weighty record before", show=False, priority=True),
        Binding("shift+right", "leap(True)", "Next weighty record", show=False, priority=True),
        Binding("left_square_bracket", "leap(False)", "Weighty record before", show=False),
        Binding("right_square_bracket", "leap(True)", "Next weighty record", show=False),
        Binding("home", "turn_to(False)", "First record", show=False, priority=True),
        Binding("end", "turn_to(True)", "Last record", show=False, priority=True),
    ]

    def __init__(
        self,
        feed: Feed,
        cursor: Cursor,
        *,
        ascii_only: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Show `feed`, which stands where `cursor` does; the rest as for any console."""
        super().__init__(feed, ascii_only=ascii_only, clock=clock)
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

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The views and the places."""
        yield SystemCommand("Events", "the records of the log, with search and filters", self.action_events)
        yield SystemCommand("Go to", "a record's number or a time", self.action_place)
        yield SystemCommand("First record", "the beginning of the log", lambda: self.action_turn_to(False))
        yield SystemCommand("Last record", "the end of the log", lambda: self.action_turn_to(True))
        yield from super().get_system_commands(screen)
