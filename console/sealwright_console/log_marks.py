"""Lines of a log that speak of errors and of warnings: how many there are, and where the next one is.

- A line of errors has `error:` in either case, or make's `*** [`; one of warnings has `warning:`.
- They are counted while the log is indexed, never by a second reading: one number per block, whatever the log says.
- A line counts once in each block in which it has such a mark, so one of many megabytes counts more than once.
- A mark that crosses from one block into the next belongs to the next.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from sealwright_console.log_search import Read

BLOCK = 1 << 16
ERRORS = (b"error:", b"*** [")
WARNINGS = (b"warning:",)
_MANY = 64
"""Places at which the last bytes of a mark were found, until the rest of a block is looked at line by line: a log that is
full of them must not cost much more than any other."""
_QUICK = 3
"""The last bytes of a mark are looked for first, since short texts are found faster; see `log_search`."""


class Marks:
    """The lines of one kind, in blocks of a log that is known from `begin` on."""

    def __init__(self, needles: tuple[bytes, ...], begin: int = 0) -> None:
        """Know of none; a line is one of these if it has one of `needles`, which are lower case."""
        self.count = 0
        self._needles = needles
        self._overlap = max(map(len, needles)) - 1
        self._begin = self._open = begin
        self._before = array("Q")
        self._newest = -1
        self._carry = b""

    def take(self, offset: int, lower: bytes) -> None:
        """Count what follows at `offset`, in lower case; it lies in one block and begins where the last one ended."""
        block, within = divmod(offset - self._begin, BLOCK)
        if not within:
            self._before.append(self.count)
            self._newest = -1
        fresh = self._lines(self._carry + lower, offset, len(self._carry), self._begin + block * BLOCK, self._open)
        fresh = {line for line in fresh if line > self._newest}
        self.count += len(fresh)
        self._newest = max(fresh, default=self._newest)
        newline = lower.rfind(b"\n")
        if newline >= 0:
            self._open = offset + newline + 1
        self._carry = (self._carry + lower)[-self._overlap :]

    def until(self, read: Read, end: int) -> int:
        """How many there are before `end`, which is known."""
        block = (end - self._begin) // BLOCK
        if block >= len(self._before):
            return self.count
        floor = self._begin + block * BLOCK
        start = max(self._begin, floor - self._overlap)
        data = read(start, end - start).lower()
        return self._before[block] + len(self._lines(data, floor, floor - start, floor, floor))

    def after(self, read: Read, offset: int, end: int) -> int | None:
        """Where the first mark is that begins at `offset` or later and ends before `end`."""
        block = max(0, offset - self._begin) // BLOCK
        while block < len(self._before):
            floor = self._begin + block * BLOCK
            if self._in(block):
                start = max(self._begin, offset, floor - self._overlap)
                data = read(start, min(floor + BLOCK, end) - start).lower()
                hits = [place for needle in self._needles if (place := data.find(needle)) >= 0]
                if hits:
                    return start + min(hits)
            done = self._at(block + 1)
            if done == self.count:
                return None
            block = bisect_right(self._before, done) - 1
        return None

    def before(self, read: Read, offset: int) -> int | None:
        """Where the last mark is that ends before `offset`, which is known."""
        block = min((offset - 1 - self._begin) // BLOCK, len(self._before) - 1)
        while block >= 0:
            floor = self._begin + block * BLOCK
            if self._in(block):
                start = max(self._begin, floor - self._overlap)
                data = read(start, min(floor + BLOCK, offset) - start).lower()
                hits = [place for needle in self._needles if (place := data.rfind(needle)) >= 0]
                if hits:
                    return start + max(hits)
            block = bisect_left(self._before, self._before[block]) - 1
        return None

    def length_at(self, read: Read, offset: int) -> int:
        """How many bytes the mark has that begins at `offset`."""
        data = read(offset, self._overlap + 1).lower()
        return next((len(needle) for needle in self._needles if data.startswith(needle)), 0)

    def _at(self, block: int) -> int:
        return self._before[block] if block < len(self._before) else self.count

    def _in(self, block: int) -> int:
        return self._at(block + 1) - self._at(block)

    def _lines(self, data: bytes, offset: int, carried: int, floor: int, open_line: int) -> set[int]:
        """Where the lines begin, or their block does, that have a mark which ends at `offset` or later.

        `data` begins `carried` bytes before `offset`, in a line that begins at `open_line`.
        """
        lines: set[int] = set()
        for needle in self._needles:
            tail = needle[-_QUICK:]
            ahead = len(needle) - len(tail)
            place, looked = data.find(tail, ahead), 0
            while place >= 0:
                looked += 1
                if looked > _MANY:  # by now what is carried lies behind
                    found = _by_line(data, needle, place - ahead)
                    lines.update(
                        max(floor, open_line if start < 0 else start + offset - carried) for start in found
                    )
                    break
                seek = place + 1
                if place + len(tail) > carried and data.startswith(needle, place - ahead):
                    newline = data.rfind(b"\n", 0, place)
                    lines.add(max(floor, open_line if newline < 0 else newline + 1 + offset - carried))
                    rest = data.find(b"\n", place)
                    if rest < 0:
                        break
                    seek = rest + ahead
                place = data.find(tail, seek)
        return lines


def _by_line(data: bytes, needle: bytes, begin: int) -> Iterator[int]:
    """Where in `data` the lines begin that have `needle` at `begin` or later; -1 for one that begins before `data`."""
    start = data.rfind(b"\n", 0, begin) + 1 or -1
    for line in data[begin:].split(b"\n"):
        if needle in line:
            yield start
        begin += len(line) + 1
        start = begin
