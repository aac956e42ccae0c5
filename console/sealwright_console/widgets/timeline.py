"""The time of a past release, as every screen of a review shows it; a click takes the console there."""

from __future__ import annotations

from textual.events import Click
from textual.message import Message

from sealwright_console.cursor import Cursor
from sealwright_console.views.timeline import record_at, timeline
from sealwright_console.widgets.texts import Texts
from sealwright_stages.errors import LogError


class Timeline(Texts):
    """Shows where a cursor stands in time."""

    class Chosen(Message):
        """The person wants to go to a record."""

        def __init__(self, n: int) -> None:
            """Say which."""
            super().__init__()
            self.n = n

    def __init__(self, cursor: Cursor, *, long: bool = False) -> None:
        """Show the time of `cursor`'s past: in one line, or with its stages as bars with names."""
        super().__init__(classes="timeline")
        self._cursor, self._long = cursor, long

    def look(self, width: int) -> None:
        """Show where the cursor stands now, in lines of that width."""
        self.show(*timeline(self._cursor.past, self._cursor.state, width, long=self._long))

    def on_click(self, event: Click) -> None:
        """Go to what was clicked."""
        width = self.content_size.width
        try:
            n = record_at(self._cursor.past, event.x - self.gutter.left, width, long=self._long)
        except LogError:  # the cursor says so where it stands
            return
        if n is not None:
            self.post_message(self.Chosen(n))
