"""All hits of a search through a past release, as they are found; and which of them is the next.

- The log is gone through once: from where the person stood to its end, then from its beginning to there.
- Which hit is the next is said as soon as it is certain: when no other could still be found before it.
- Only numbers are kept, as steps from where the search began. One thread runs it; any may ask.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from sealwright_console.words import record_line
from sealwright_stages.errors import LogError
from sealwright_stages.review.output import Output
from sealwright_stages.review.past import Past
from sealwright_stages.review.search import Hit, Search, Wanted


@dataclass(frozen=True)
class Next:
    """Whether the next hit is certain, and which record it is; None if there is none."""

    certain: bool
    n: int | None = None


class Hits:
    """A search through the records that there are when it is made."""

    def __init__(self, past: Past, wanted: Wanted, start: int) -> None:
        """Look for `wanted` from record `start` on, and around the end."""
        self.wanted = wanted
        self.done = False
        self.trouble: LogError | None = None
        self._past, self._size = past, max(1, past.size)
        self._start = min(max(0, start), self._size - 1)
        self._found = array("Q")
        self._search: Search | None = None

    def run(self, stop: Callable[[], bool]) -> None:
        """Search until all was gone through, or `stop` says so, or the log is another one than was audited."""
        try:
            with Output(self._past) as output:
                self._search = Search(self._past, self.wanted, record_line, output, stop)
                self._search.at = self._start
                for span in ((self._start, self._size - 1), (0, self._start - 1)):
                    for n in self._search.numbers(span) if span[0] <= span[1] else ():
                        self._found.append(self._step(n))
                self.done = not stop()
        except LogError as error:
            self.trouble = error

    def _step(self, n: int) -> int:
        """How far record `n` is from where the search began, in the order in which it goes."""
        return (n - self._start) % self._size

    def _record(self, step: int) -> int:
        return (step + self._start) % self._size

    @property
    def _seen(self) -> int:
        """The step up to which all was gone through."""
        if self.done or self._search is None:
            return self._size if self.done else 0
        return max(self._step(self._search.at), self._found[-1] if self._found else 0)

    @property
    def over(self) -> bool:
        """Whether nothing more will be found."""
        return self.done or self.trouble is not None

    @property
    def count(self) -> int:
        """How many were found so far."""
        return len(self._found)

    @property
    def share(self) -> float:
        """How much of the log was gone through."""
        return self._seen / self._size

    def rank(self, n: int) -> int:
        """Which of all hits record `n` is, in the order of the log, from 1; 0 if it is none, or not all are known."""
        at = bisect_left(self._found, self._step(n))
        if not self.done or at == len(self._found) or self._found[at] != self._step(n):
            return 0
        earlier = bisect_left(self._found, self._size - self._start)  # the first one before where it began
        return at - earlier + 1 if n < self._start else at + len(self._found) - earlier + 1

    def next(self, n: int, *, forward: bool, here: bool = False) -> Next:
        """The next hit after `n`, or before it, around the end; `here`: record `n` itself would do."""
        step = self._step(n)
        if forward:
            at = (bisect_left if here else bisect_right)(self._found, step)
            if at < len(self._found):
                return Next(certain=True, n=self._record(self._found[at]))
        else:
            at = bisect_left(self._found, step) - 1
            if at >= 0:
                return Next(certain=self.over or self._seen >= step, n=self._record(self._found[at]))
        if not self.over:
            return Next(certain=False)
        return Next(certain=True, n=self._record(self._found[0 if forward else -1]) if self._found else None)

    def hit(self, n: int) -> Hit:
        """What was found in record `n`.

        Raises:
            LogError: it is another one by now.
        """
        with Output(self._past) as output:
            return Search(self._past, self.wanted, record_line, output).hit(n)
