"""The lines of a log of any size, read by offset through a sparse index; no terminal in here.

- The segments of a stream count as one run of bytes; a line may cross from one into the next.
- The index has one number per 64 KiB block: how many lines end before it. A line is found inside its block.
- With a limit, what lies behind it is not there: no line of it, no part of a line, no hit.
- A line is read up to `CAP` bytes; what is longer says so, and costs no more.
- A file that shrinks or is gone reads as empty: the log view must not fall over its subject.
- Two threads may read; after closing, reading gives nothing.
- Searching is by bytes, without regard to ASCII case, in slices, and can be given up at any slice.
"""

from __future__ import annotations

import os
import re
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

BLOCK = 1 << 16
CAP = 4096
_SLICE = 1 << 20
_OVERLAP = 1 << 10


class LogText:
    """The lines of a stream's segments. Closing it lets go of the files."""

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        """Open `paths`, in their order; index nothing yet."""
        self._lock = threading.Lock()
        self._fds: list[int] = []
        self._starts: list[int] = []
        self._paths: list[Path] = []
        self._ends = array("Q")
        self._line_ends = 0
        self.indexed = 0
        self._limit: int | None = None
        self._limited: tuple[int, int] | None = None
        self._cache: tuple[int, bytes] = (-1, b"")
        self._last_newline = -1
        self.follow_files(paths)

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        with self._lock:
            while self._fds:
                os.close(self._fds.pop())
            self._starts = []

    def follow_files(self, paths: Sequence[Path]) -> None:
        """Open the segments of `paths` that are new; the ones before them are full by then."""
        for path in list(paths)[len(self._paths) :]:
            try:
                fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            except OSError:
                return
            self._starts.append(self.size)
            self._fds.append(fd)
            self._paths.append(path)

    @property
    def size(self) -> int:
        """Bytes that are there by now."""
        with self._lock:
            return self._starts[-1] + os.fstat(self._fds[-1]).st_size if self._fds else 0

    @property
    def trouble(self) -> str:
        """What is wrong with all of it; here nothing ever is."""
        return ""

    def limit_to(self, limit: int | None) -> None:
        """Show the first `limit` bytes only, or all."""
        self._limit = limit

    @property
    def _shown(self) -> int:
        return self.indexed if self._limit is None else min(self.indexed, self._limit)

    @property
    def lines(self) -> int:
        """Lines of the indexed part up to the limit; a last line without its end counts."""
        shown = self._shown
        if shown < self.indexed:
            if self._limited is None or self._limited[0] != shown:
                whole = shown == 0 or self.read(shown - 1, 1) == b"\n"
                self._limited = shown, self.line_at(shown) + (not whole)
            return self._limited[1]
        return self._line_ends + (1 if self.indexed > self._last_newline + 1 else 0)

    def extend(self, most: int = 64 << 20) -> bool:
        """Index up to `most` more bytes; False if there was nothing new."""
        goal = min(self.size, self.indexed + most)
        if goal <= self.indexed:
            return False
        while self.indexed < goal:
            if self.indexed % BLOCK == 0:
                self._ends.append(self._line_ends)
            want = min(goal, (self.indexed // BLOCK + 1) * BLOCK) - self.indexed
            chunk = self.read(self.indexed, want)
            if not chunk:
                return False
            self._line_ends += chunk.count(b"\n")
            newest = chunk.rfind(b"\n")
            if newest >= 0:
                self._last_newline = self.indexed + newest
            self.indexed += len(chunk)
        self._cache = (-1, b"")
        return True

    def read(self, offset: int, length: int) -> bytes:
        """Bytes from `offset` of the whole stream; fewer at its end."""
        out = b""
        while length > 0:
            chunk = self._read_one(offset, length)
            if not chunk:
                break
            out += chunk
            offset += len(chunk)
            length -= len(chunk)
        return out

    def _read_one(self, offset: int, length: int) -> bytes:
        with self._lock:  # a closed descriptor's number may be another file's by now
            number = bisect_right(self._starts, offset) - 1
            if number < 0:
                return b""
            if number + 1 < len(self._starts):
                length = min(length, self._starts[number + 1] - offset)
            return os.pread(self._fds[number], length, offset - self._starts[number])

    def line(self, number: int) -> tuple[bytes, bool]:
        """Line `number` (from 0) without its end, and whether it was cut at `CAP`."""
        start = self._start_of(number)
        if start is None:
            return b"", False
        data = self.read(start, min(CAP + 1, self._shown - start))
        end = data.find(b"\n")
        if end >= 0:
            return data[:end], False
        return data[:CAP], len(data) > CAP

    def line_at(self, offset: int) -> int:
        """The number of the line that the byte at `offset` belongs to."""
        block = min(offset, max(0, self.indexed - 1)) // BLOCK
        if not self._ends:
            return 0
        within = offset - block * BLOCK
        return self._ends[block] + self._block(block)[:within].count(b"\n")

    def find(
        self, needle: str, line: int, forward: bool = True, stop: Callable[[], bool] = lambda: False
    ) -> int | None:
        """The next line after `line` (or before it) that has `needle`, around the end if need be.

        Args:
            needle: text to look for; ASCII letters of either case match.
            line: where the person stands; -1 to look from the beginning.
            forward: downwards, or else upwards.
            stop: asked between slices; True gives up.
        """
        end = self._shown
        if not needle or end == 0:
            return None
        pattern = re.compile(re.escape(needle.encode("utf-8", "surrogateescape")), re.IGNORECASE)
        here = 0 if line < 0 else self._start_of(line if not forward else line + 1)
        here = end if here is None else min(here, end)
        spans = ((here, end), (0, here)) if forward else ((0, here), (here, end))
        for low, high in spans:
            for offset, data in self._slices(low, high, forward):
                if stop():
                    return None
                found = [match.start() for match in pattern.finditer(data)]
                if found:
                    return self.line_at(offset + (found[0] if forward else found[-1]))
        return None

    def _slices(self, low: int, high: int, forward: bool) -> Iterator[tuple[int, bytes]]:
        starts = range(low, high, _SLICE)
        for start in starts if forward else reversed(starts):
            yield start, self.read(start, min(_SLICE + _OVERLAP, high - start))

    def _start_of(self, number: int) -> int | None:
        if number <= 0:
            return 0 if self.indexed else None
        if number > self._line_ends or number >= self.lines:
            return None
        block = bisect_left(self._ends, number) - 1
        skip = number - self._ends[block]
        data = self._block(block)
        at = -1
        for _ in range(skip):
            at = data.find(b"\n", at + 1)
        return block * BLOCK + at + 1

    def _block(self, block: int) -> bytes:
        held = self._cache
        if held[0] != block:
            held = self._cache = (block, self.read(block * BLOCK, BLOCK))
        return held[1]
