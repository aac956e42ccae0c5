"""Looking for something in a past release: in what its records say, and in all the output that they name.

- Hits come in the order of the log, or against it, each as soon as it is found; nothing is collected.
- ASCII letters of either case match. Text that crosses from one record's output into the next belongs to the next;
  what crosses from one segment of 64 MiB into the next is not found.
- Output that is shown is this record's, and hashes as it says; other bytes are an error and not a hit.
- It can be given up at any record.
"""

from __future__ import annotations

import hashlib
import os
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.record import stream_name
from sealwright_stages.errors import LogError
from sealwright_stages.events import Stage
from sealwright_stages.log.entries import Entry, entry_of
from sealwright_stages.review.index import changed
from sealwright_stages.review.meaning import Meaning, Severity
from sealwright_stages.review.past import Past

_LONGEST = 1024
_PLACE = re.compile(
    rb',"k":"data","len":([0-9]+),"n":[0-9]+,"off":([0-9]+),"s":"([^"]+)","seg":"([^"]+)"'
)  # of a line that was audited, and is read again as it stood then
_OPEN = 64

Words = Callable[[Entry], str]
"""What a record says, in words."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for: a text, and whose and how grave the record is; what is left out matches all."""

    text: str = ""
    component: str = ""
    stage: Stage | None = None
    least: Severity = Severity.INFO

    @property
    def in_output(self) -> bool:
        """Whether output may match."""
        return bool(self.text) and self.least is Severity.INFO

    def fits(self, what: Meaning) -> bool:
        """Whether a record is of those that are looked for, whatever it says."""
        return (
            self.component in ("", what.component)
            and self.stage in (None, what.stage)
            and what.severity >= self.least
        )


@dataclass(frozen=True)
class Hit:
    """A record that was found: what it means, and the lines of its output that have the text."""

    entry: Entry
    meaning: Meaning
    lines: tuple[bytes, ...] = ()


def hits(
    past: Past,
    wanted: Wanted,
    words: Words,
    span: tuple[int, int],
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Hit]:
    """What is found from the first record of `span` to its last, both included; backwards if that comes before it.

    Raises:
        LogError: the log, or output that was found, is another than was audited.
    """
    with _Output(past.log) as output:
        if wanted.in_output:
            yield from _among_all(past, wanted, words, output, span, stop)
        else:
            yield from _among_told(past, wanted, words, span, stop)


def _among_told(
    past: Past, wanted: Wanted, words: Words, span: tuple[int, int], stop: Callable[[], bool]
) -> Iterator[Hit]:
    chosen = past.chosen(wanted.component, wanted.stage, wanted.least)
    needle = wanted.text.casefold()
    low = bisect_left(chosen, past.index.told_until(min(span) - 1))
    high = bisect_left(chosen, past.index.told_until(max(span)))
    for place in range(low, high) if span[0] <= span[1] else range(high - 1, low - 1, -1):
        if stop():
            return
        entry = past.told(chosen[place])
        if needle in words(entry).casefold():
            yield Hit(entry, past.meaning(chosen[place]))


def _among_all(
    past: Past,
    wanted: Wanted,
    words: Words,
    output: _Output,
    span: tuple[int, int],
    stop: Callable[[], bool],
) -> Iterator[Hit]:
    needle = wanted.text.casefold()
    raw = wanted.text.encode("utf-8", "surrogateescape").lower()
    fits: dict[bytes, bool] = {}
    lines = past.index.lines if span[0] <= span[1] else past.index.lines_back
    for n, line in lines(span[0]):
        if not min(span) <= n <= max(span) or stop():
            return
        if past.index.is_told(n):
            number = past.index.told_until(n) - 1
            what = past.meaning(number)
            if wanted.fits(what) and needle in words(entry := past.told(number)).casefold():
                yield Hit(entry, what)
            continue
        place = _PLACE.search(line)
        if place is None:
            raise changed(n)
        length, offset, stream, segment = place.groups()
        if stream not in fits:
            fits[stream] = wanted.fits(Meaning(*past.streams.get(stream.decode(), ("", None))))
        if fits[stream] and (found := output.lines(segment.decode(), int(offset), int(length), raw)):
            entry = entry_of(line)
            if output.sha256 != entry.body["sha256"]:
                raise changed(n)
            yield Hit(entry, Meaning(*past.streams.get(entry.stream, ("", None))), found)


class _Output:
    """Reads the output that records name; a few segments stay open."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._fds: dict[str, int] = {}
        self.sha256 = ""

    def __enter__(self) -> _Output:
        return self

    def __exit__(self, *error: object) -> None:
        while self._fds:
            os.close(self._fds.popitem()[1])

    def lines(self, segment: str, offset: int, length: int, needle: bytes) -> tuple[bytes, ...]:
        """The lines in which a match of `needle` (lower case) ends in these bytes; what is of them in these bytes.

        If there are any, `sha256` is that of these bytes.
        """
        before = min(offset, len(needle) - 1)
        data = self._read(segment, offset - before, before + length)
        lower = data.lower()
        found, at = [], lower.find(needle)
        while at >= 0:
            begin = max(data.rfind(b"\n", 0, at) + 1, at - _LONGEST, min(at, before))
            end = data.find(b"\n", at)
            end = min(len(data) if end < 0 else end, at + len(needle) + _LONGEST)
            found.append(data[begin:end])
            at = lower.find(needle, end)
        if found:
            self.sha256 = hashlib.sha256(memoryview(data)[before:]).hexdigest()
        return tuple(found)

    def _read(self, name: str, offset: int, length: int) -> bytes:
        try:
            if name not in self._fds:
                stream_name(name.removeprefix("data/").rpartition("/")[0])
                if len(self._fds) >= _OPEN:
                    os.close(self._fds.pop(next(iter(self._fds))))
                with layout.opened(self._log / name) as file:
                    self._fds[name] = os.dup(file.fileno())
            return os.pread(self._fds[name], length, offset)
        except (OSError, ValueError) as error:
            raise LogError(f"{name} can't be read", str(error), "audit the log again") from error
