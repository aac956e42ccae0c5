"""Looking for something in a past release: in what its records say, and in all the output that they name.

- Hits come in the order of the log, or against it, each window of records as soon as it was read; no more is held.
- ASCII letters of either case match. Text that crosses from one record's output into the next belongs to the next, also
  where the next begins another segment.
- Output that is shown is this record's, and hashes as it says; other bytes are an error and not a hit.
- What lies together is read together: a record costs a look at its line, and output what reading it costs.
- It can be given up at any megabyte, and says how far it is.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sealwright_stages.events import Stage
from sealwright_stages.log.entries import Entry
from sealwright_stages.review.index import changed
from sealwright_stages.review.meaning import Kind, Meaning, Severity
from sealwright_stages.review.output import LONGEST, Output
from sealwright_stages.review.past import Past

_LONGEST_LINE = 1024
_PLACE = re.compile(
    rb'\{"boot":"[0-9a-f]{8}","ch":"[DE]","k":"data","len":([0-9]+),"n":[0-9]+,"off":([0-9]+),"s":"([^"]+)","seg":"([^"]+)"'
)  # of a line that was audited, and is read again as it stood then
_RECORDS = 8192
_BYTES = 16 << 20
_RUN = 1 << 18  # what stays in the cache of a processor is read twice as fast as a megabyte

Words = Callable[[Entry], str]
"""What a record says, in words."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for: a text, and whose, how grave and of which kind the record is; what is left out matches all."""

    text: str = ""
    component: str = ""
    stage: Stage | None = None
    least: Severity = Severity.INFO
    kind: Kind | None = None

    @property
    def in_output(self) -> bool:
        """Whether output may match."""
        return bool(self.text) and self.least is Severity.INFO and self.kind in (None, Kind.OUTPUT)

    def fits(self, what: Meaning) -> bool:
        """Whether a record is of those that are looked for, whatever it says."""
        return (
            self.component in ("", what.component)
            and self.stage in (None, what.stage)
            and what.severity >= self.least
            and self.kind in (None, what.kind)
        )


@dataclass(frozen=True)
class Hit:
    """A record that was found: what it means, and the lines of its output that have the text."""

    entry: Entry
    meaning: Meaning
    lines: tuple[bytes, ...] = ()


def _never() -> bool:
    return False


def hits(
    past: Past, wanted: Wanted, words: Words, span: tuple[int, int], stop: Callable[[], bool] = _never
) -> Iterator[Hit]:
    """What is found from the first record of `span` to its last, both included; backwards if that comes before it.

    Raises:
        LogError: the log, or output that was found, is another than was audited.
    """
    with Output(past) as output:
        search = Search(past, wanted, words, output, stop)
        for n in search.numbers(span):
            yield search.hit(n)


class Search:
    """One search; `at` is the record up to which it has come."""

    def __init__(
        self, past: Past, wanted: Wanted, words: Words, output: Output, stop: Callable[[], bool] = _never
    ) -> None:
        """Look in `past`, and read its output by `output`; `stop` is asked often, and True ends it."""
        self.at = 0
        self._past, self._wanted, self._words, self._output, self._stop = past, wanted, words, output, stop
        self._text = wanted.text.casefold()
        self._needle = wanted.text.encode("utf-8", "surrogateescape").lower()
        self._fits: dict[bytes, bool] = {}

    def numbers(self, span: tuple[int, int]) -> Iterator[int]:
        """The numbers of the records that are found. Raises as `hits`."""
        return self._among_all(span) if self._wanted.in_output else self._among_told(span)

    def hit(self, n: int) -> Hit:
        """What was found in record `n`. Raises as `hits`."""
        if self._past.index.is_told(n):
            number = self._past.index.told_until(n) - 1
            return Hit(self._past.told(number), self._past.meaning(number))
        entry = self._past.entry(n)
        whose = Meaning(*self._past.streams.get(entry.stream, ("", None)))
        return Hit(entry, whose, self._lines(entry))

    def _among_told(self, span: tuple[int, int]) -> Iterator[int]:
        wanted, index = self._wanted, self._past.index
        chosen = self._past.chosen(wanted.component, wanted.stage, wanted.least, wanted.kind)
        low = bisect_left(chosen, index.told_until(min(span) - 1))
        high = bisect_left(chosen, index.told_until(max(span)))
        for place in range(low, high) if span[0] <= span[1] else range(high - 1, low - 1, -1):
            if self._stop():
                return
            self.at = index.told[chosen[place]]
            if not self._text or self._text in self._words(self._past.told(chosen[place])).casefold():
                yield self.at

    def _among_all(self, span: tuple[int, int]) -> Iterator[int]:
        forward = span[0] <= span[1]
        window = _Window(self)
        for n, line in (self._past.index.lines if forward else self._past.index.lines_back)(span[0]):
            if not min(span) <= n <= max(span):
                break
            if window.take(n, line):
                yield from window.found(forward)
                self.at, window = n, _Window(self)
            if self._stop():
                return
        yield from window.found(forward)

    def says(self, n: int) -> bool:
        """Whether told record `n` is one that is looked for."""
        number = self._past.index.told_until(n) - 1
        if number < 0 or self._past.index.told[number] != n:
            raise changed(n)
        if not self._wanted.fits(self._past.meaning(number)):
            return False
        return self._text in self._words(self._past.told(number)).casefold()

    def looks_in(self, stream: bytes) -> bool:
        """Whether the output of a stream is looked through."""
        if stream not in self._fits:
            whose = Meaning(*self._past.streams.get(stream.decode(), ("", None)))
            self._fits[stream] = self._wanted.fits(whose)
        return self._fits[stream]

    def matches(self, run: _Run) -> Iterator[int]:
        """The records of a run of output in which a match ends."""
        if self._stop():
            return
        before = self._output.before(run.stream, run.segment, run.begin, len(self._needle) - 1)
        data = (before + self._output.read(run.segment, run.begin, run.end - run.begin)).lower()
        size = len(self._needle)
        shift = run.begin - len(before)
        at = data.find(self._needle)
        while at >= 0:
            place = bisect_left(run.ends, at + size + shift)
            yield run.numbers[place]
            at = data.find(self._needle, run.ends[place] - shift - size + 1)

    def _lines(self, entry: Entry) -> tuple[bytes, ...]:
        """The lines of a record's output in which a match ends, with what of them comes before it as far as it matches."""
        own = self._output.of(entry)
        offset = int(entry.body["off"])
        head = self._output.before(entry.stream, entry.body["seg"], offset, len(self._needle) - 1)
        data = head + own
        lower = data.lower()
        found, at = [], lower.find(self._needle)
        while at >= 0:
            begin = max(data.rfind(b"\n", 0, at) + 1, at - _LONGEST_LINE, min(at, len(head)))
            end = data.find(b"\n", at)
            end = min(len(data) if end < 0 else end, at + len(self._needle) + _LONGEST_LINE)
            found.append(data[begin:end])
            at = lower.find(self._needle, end)
        return tuple(found)


@dataclass
class _Run:
    """Output of one stream that lies together: the records it is of, and where each of them ends."""

    stream: str
    segment: str
    begin: int
    end: int
    numbers: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


class _Window:
    """Records that are looked through together, in the order in which they are read, upwards or downwards."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._told: list[int] = []
        self._output: list[tuple[int, bytes, bytes, int, int]] = []
        self._records = self._bytes = 0

    def take(self, n: int, line: bytes) -> bool:
        """Take a record; says whether that is enough."""
        self._records += 1
        place = _PLACE.match(line)
        if place is None:
            self._told.append(n)
        elif self._search.looks_in(place[3]):
            length = int(place[1])
            if length > LONGEST:
                raise changed(n)
            self._output.append((n, place[3], place[4], int(place[2]), length))
            self._bytes += length
        return self._records >= _RECORDS or self._bytes >= _BYTES

    def found(self, forward: bool) -> list[int]:
        """What was found in them, in that order."""
        numbers = {n for n in self._told if self._search.says(n)}
        for run in self._runs(self._output if forward else self._output[::-1]):
            numbers.update(self._search.matches(run))
        return sorted(numbers, reverse=not forward)

    @staticmethod
    def _runs(output: list[tuple[int, bytes, bytes, int, int]]) -> Iterator[_Run]:
        runs: dict[bytes, _Run] = {}
        for n, stream, segment, offset, length in output:
            run = runs.get(segment)
            if run is None or run.end != offset or run.end - run.begin >= _RUN:
                if run is not None:
                    yield run
                run = runs[segment] = _Run(stream.decode(), segment.decode(), offset, offset)
            run.end += length
            run.numbers.append(n)
            run.ends.append(run.end)
        yield from runs.values()
