"""Where a review stands in its log, and how it goes elsewhere; no terminal in here.

- The state is that after the record under the cursor, and it changes only when the cursor does.
- What can't be read leaves the cursor where it is, and is told as long as the cursor stands there.
- As long as the log is being read, a cursor at its end goes with the end; one that was moved away stays.
- Nothing is proved, and so nothing is green, before an audit has said yes.
"""

from __future__ import annotations

from sealwright_stages.errors import LogError
from sealwright_stages.review.past import Past
from sealwright_stages.state import State
from sealwright_stages.verdict import Status


class Cursor:
    """A record of a past release, and the state after it."""

    def __init__(self, past: Past, n: int, signed: Status | None = None, *, proved: bool = False) -> None:
        """Stand on record `n`; `signed` is what an audit came to, which can't stand in a sealed log: passed by the keys
        that the reviewer named, warned by the folder's own alone, failed where it says no, running as long as it says
        nothing, none without signatures. `proved`: it said yes.

        Raises:
            LogError: the log is another one than was audited.
        """
        self.past = past
        self.n = n
        self.signed = signed
        self.proved = proved
        self.reading = False
        self.state: State = past.state(n)
        self.trouble = ""
        self.moves = 0
        self._at_end = n >= self.last

    @property
    def last(self) -> int:
        """The number of the last record, as far as the log was read."""
        return self.past.size - 1

    def go(self, n: int) -> None:
        """Go to record `n`, or as near as there is one."""
        n = min(max(0, n), self.last)
        self.moves += 1
        self.trouble = ""
        self._at_end = n == self.last
        if n == self.n:
            return
        try:
            self.state = self.past.state(n)
        except LogError as error:
            self.trouble = f"✗ {error.what}: {error.because}; next: {error.next_step}"
        else:
            self.n = n

    def keep_up(self) -> None:
        """Go with the end of a log that is being read, if the cursor stood there."""
        if self._at_end and self.n != self.last:
            self.go(self.last)

    def step(self, by: int) -> None:
        """Go some records further, or back."""
        self.go(self.n + by)

    def leap(self, forward: bool) -> None:
        """Go to the next weighty record, or the one before; to the end of the log if there is none."""
        found = self.past.next_weighty(self.n, forward)
        end = self.last if forward else 0
        self.go(end if found is None else found)

    def minute(self, forward: bool) -> None:
        """Go a minute of the log further, or back."""
        try:
            self.go(self.past.minute(self.n, forward))
        except LogError as error:
            self._tell(error)

    def to_moment(self, moment: int) -> None:
        """Go to the last record before `moment` (microseconds since 1970) has passed."""
        try:
            self.go(self.past.at_moment(moment))
        except LogError as error:
            self._tell(error)

    def typed(self, text: str) -> None:
        """Go where a person said.

        Raises:
            ValueError: that is no place; the sentence says why.
        """
        try:
            self.go(self.past.place(text))
        except LogError as error:
            self._tell(error)

    def output(self, stream: str) -> int:
        """How many bytes of a stream's output there were; none if that can't be read any more."""
        try:
            return self.past.output_until(stream, self.n)
        except LogError as error:
            self._tell(error)
            return 0

    @property
    def component(self) -> str:
        """The component that the record under the cursor belongs to; empty if it is nobody's, or can't be read."""
        past = self.past
        if past.index.is_told(self.n):
            return past.meaning(past.index.told_until(self.n) - 1).component
        try:
            return past.streams.get(past.entry(self.n).stream, ("", None))[0] if past.size else ""
        except LogError:
            return ""

    def _tell(self, error: LogError) -> None:
        self.trouble = f"✗ {error.what}: {error.because}; next: {error.next_step}"
