"""The lines of a log of any size, read by offset through a sparse index; no terminal in here.

- The segments of a stream count as one run of bytes; a line may cross from one into the next.
- The index has one number per 64 KiB block: how many lines end before it. A line is found inside its block. Lines of
  errors and of warnings are counted by the way; see `log_marks`.
- An index may begin in the midst of a log, at a line: so its end is there at once, with lines counted from there.
- With a limit, what lies behind it is not there: no line of it, no part of a line, no hit.
- A line is read up to `CAP` bytes; what is longer says so, and costs no more.
- A file that shrinks, is gone or can't be read reads as empty, and `trouble` says so: the log view must not fall over
  its subject, nor pass a part of it for the whole.
- Two threads may read; after closing, reading gives nothing.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sealwright_console.log_marks import BLOCK, ERRORS, WARNINGS, Marks
from sealwright_console.log_search import WINDOW, Needle, find

CAP = 4096
REFUSED = "NOT WHAT WAS RECORDED"
"""What is said of output that is not what a log names."""
_TAIL = 1 << 18
_PEEK = 1 << 14
_HELD = 4
"""Blocks whose bytes and line ends stay at hand: those that a window shows."""


class LogText:
    """The lines of a stream's segments, from `begin` on. Closing it lets go of the files."""

    def __init__(self, paths: Sequence[Path] = (), begin: int = 0) -> None:
        """Open `paths`, in their order; index nothing yet. `begin` is where a line begins."""
        self._lock = threading.Lock()
        self._fds: list[int] = []
        self._starts: list[int] = []
        self.paths: list[Path] = []
        self.begin = self.indexed = begin
        self._ends = array("Q")
        self._line_ends = 0
        self.errors, self.warnings = Marks(ERRORS, begin), Marks(WARNINGS, begin)
        self.limit: int | None = None
        self._trouble = ""
        self._limited: tuple[int, int] | None = None
        self._held: dict[int, tuple[bytes, array[int]]] = {}
        self._last_newline = begin - 1
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
        for path in list(paths)[len(self.paths) :]:
            try:
                fd = _opened(path)
            except OSError as error:
                self._trouble = f"{path.name} can't be read: {error.strerror or error}"
                return
            with self._lock:  # another thread may be reading
                self._starts.append(self._size())
                self._fds.append(fd)
                self.paths.append(path)
            self._trouble = ""

    @property
    def size(self) -> int:
        """Bytes that are there by now."""
        with self._lock:
            return self._size()

    def _size(self) -> int:
        return self._starts[-1] + os.fstat(self._fds[-1]).st_size if self._fds else 0

    @property
    def trouble(self) -> str:
        """What of it can't be read, and why; empty if all can."""
        return self._trouble

    def limit_to(self, limit: int | None) -> None:
        """Show the first `limit` bytes only, or all."""
        self.limit = limit

    @property
    def until(self) -> int:
        """Where what may be shown ends, indexed or not."""
        return self.size if self.limit is None else min(self.size, self.limit)

    @property
    def shown(self) -> int:
        """Where what is indexed and may be shown ends."""
        return self.indexed if self.limit is None else min(self.indexed, self.limit)

    def tail(self) -> int:
        """Where a line begins so near the end that all from there is read at once."""
        start = max(0, self.until - _TAIL)
        newline = self.read(start, _TAIL).find(b"\n") if start else -1
        return start + newline + 1 if newline >= 0 else start

    @property
    def lines(self) -> int:
        """Lines of the indexed part up to the limit; a last line without its end counts."""
        shown = self.shown
        if shown < self.indexed:
            if self._limited is None or self._limited[0] != shown:
                whole = shown <= self.begin or self.read(shown - 1, 1) == b"\n"
                self._limited = shown, self.line_at(shown) + (not whole)
            return self._limited[1]
        return self._line_ends + (1 if self.indexed > self._last_newline + 1 else 0)

    def extend(self, most: int = 64 << 20) -> bool:
        """Index up to `most` more bytes; False if there was nothing new, or nothing that can be read."""
        begun, size = self.indexed, self.size
        goal = min(size, begun + most)
        if size < begun and self._fds:
            self._trouble = "the log has shrunk"
        while self.indexed < goal:
            within = (self.indexed - self.begin) % BLOCK
            chunk = self.read(self.indexed, min(goal - self.indexed, BLOCK - within))
            if not chunk:
                self._trouble = self._trouble or "a part of the log is gone"
                break
            if not within:
                self._ends.append(self._line_ends)
            self._line_ends += chunk.count(b"\n")
            lower = chunk.lower()
            self.errors.take(self.indexed, lower)
            self.warnings.take(self.indexed, lower)
            newest = chunk.rfind(b"\n")
            if newest >= 0:
                self._last_newline = self.indexed + newest
            self.indexed += len(chunk)
        return self.indexed > begun

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
            try:
                return os.pread(self._fds[number], length, offset - self._starts[number])
            except OSError as error:
                self._trouble = f"{self.paths[number].name} can't be read: {error.strerror or error}"
                return b""

    def line(self, number: int, skip: int = 0) -> tuple[bytes, bool]:
        """Line `number` (from 0) without its end and its first `skip` bytes, and whether it was cut at `CAP`."""
        start = self.start_of(number)
        if start is None:
            return b"", False
        data = self.read(start + skip, min(CAP + 1, self.shown - start - skip))
        end = data.find(b"\n")
        if end >= 0:
            return data[:end], False
        return data[:CAP], len(data) > CAP

    def line_at(self, offset: int) -> int:
        """The number of the line that the byte at `offset` belongs to; of the last one, if it is not indexed."""
        if not self._ends:
            return 0
        block = max(0, min(offset, self.indexed - 1) - self.begin) // BLOCK
        return self._ends[block] + bisect_left(self._block(block)[1], offset - self.begin - block * BLOCK)

    def start_of(self, number: int) -> int | None:
        """The offset at which line `number` begins; None if there is no such line, or none that is indexed."""
        if number <= 0:
            return self.begin if self.indexed > self.begin else None
        if number > self._line_ends or number >= self.lines:
            return None
        block = bisect_left(self._ends, number) - 1
        ends = self._block(block)[1]
        skip = number - self._ends[block]
        return self.begin + block * BLOCK + ends[skip - 1] + 1 if skip <= len(ends) else None

    def find(
        self,
        needle: str,
        here: int,
        forward: bool = True,
        stop: Callable[[], bool] = lambda: False,
        told: Callable[[float], object] = lambda part: None,
    ) -> int | None:
        """The offset of the next match that begins after offset `here` (or before it), around the end if need be.

        It needs no index. See `log_search.find`; `here` is -1 to look from the beginning.
        """
        end = self.until
        sought = Needle(needle, self.read(max(0, min(here, end - WINDOW)), WINDOW))
        after = min(here + 1, end)
        spans = ((after, end), (0, after)) if forward else ((0, max(0, here)), (max(0, here), end))
        return find(self.read, sought, spans, end, forward=forward, stop=stop, told=told)

    def counts(self) -> tuple[int, int]:
        """Lines of errors and of warnings of what is indexed, up to the limit."""
        if self.shown == self.indexed:
            return self.errors.count, self.warnings.count
        return self.errors.until(self.read, self.shown), self.warnings.until(self.read, self.shown)

    def _block(self, block: int) -> tuple[bytes, array[int]]:
        """The bytes of a block, and where in it lines end."""
        held = self._held.get(block)
        start = self.begin + block * BLOCK
        if held is None or len(held[0]) < min(BLOCK, self.indexed - start):
            data = self.read(start, BLOCK)
            held = (data, _newlines(data))
            self._held = dict([*self._held.items(), (block, held)][-_HELD:])
        return held


def _opened(path: Path) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return fd


def _newlines(data: bytes) -> array[int]:
    """Where lines end in a block."""
    ends = array("I")
    at = data.find(b"\n")
    while at >= 0:
        ends.append(at)
        at = data.find(b"\n", at + 1)
    return ends


def last_lines(paths: Sequence[Path], most: int, limit: int | None = None) -> list[bytes]:
    """The last lines of a stream, or of its first `limit` bytes; none of them longer than `CAP`. It needs no index."""
    with LogText(paths if limit is not None else paths[-2:]) as log:
        log.limit_to(limit)
        start = max(0, log.until - _PEEK)
        lines = log.read(start, log.until - start).split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if start and len(lines) > 1:
        lines.pop(0)
    return [line[:CAP] for line in lines[-most:]] if most > 0 else []


Open = Callable[..., LogText]
"""Takes what `LogText` takes, and gives one."""
