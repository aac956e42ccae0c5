"""Follow a log while somebody else writes it: the records of its index, as far as they are acknowledged.

- Where a record lies is found by halving, not by reading what comes before it.
- A copy of a log elsewhere may lag behind what is acknowledged: what is not there yet is waited for.
- Each line that is read is a record of format 1 and the next in sequence, or the log is broken.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

from sealwright_appendlog import layout, record
from sealwright_appendlog.audit import LogBroken
from sealwright_stages.log.entries import Entry, entry_from

_BLOCK = 1 << 18


class Tail:
    """The records of the log in `folder` after record `n` (-1: from the first one)."""

    def __init__(self, folder: Path, n: int) -> None:
        self.n = n
        self._path = folder / layout.INDEX
        self._file: BufferedReader | None = None
        self._at: int | None = None if n >= 0 else 0
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def read(self, last: int, most: int) -> Iterator[Entry]:
        """The next records up to number `last`, at most `most` of them, as far as they are there.

        Raises:
            LogBroken: a line is no record, or not the next one.
        """
        try:
            if not self._found():
                return
            while most and self.n < last and (line := self._line()) is not None:
                fields = _fields(line, self.n + 1)
                if fields["n"] != self.n + 1:
                    raise LogBroken(f"out of sequence: it says {fields['n']}", self.n + 1)
                self.n += 1
                most -= 1
                yield entry_from(fields, line)
        except OSError as error:
            raise LogBroken(f"{layout.INDEX}: {error.strerror}") from error

    def _found(self) -> bool:
        """Whether the file is there, and the record after which to read."""
        if self._file is None:
            try:
                self._file = layout.opened(self._path)
            except FileNotFoundError:
                return False
        if self._at is None:
            self._at = self._after(self._file.fileno())
        return self._at is not None

    def _line(self) -> bytes | None:
        """The next whole line; None if it is not there yet."""
        while not self._lines:
            if len(self._rest) > record.MAX_LINE:
                raise LogBroken("a line that is too long", self.n + 1)
            assert self._file is not None and self._at is not None  # noqa: S101 - it was found
            block = os.pread(self._file.fileno(), _BLOCK, self._at)
            if not block:
                return None
            self._at += len(block)
            *whole, self._rest = (self._rest + block).split(b"\n")
            self._lines.extend(whole)
        return self._lines.popleft()

    def _after(self, file: int) -> int | None:
        """Where the record after `n` begins; None if the file ends before it."""
        low, high = 0, os.fstat(file).st_size  # the line of `n` begins in [low, high)
        while low < high:
            middle = (low + high) // 2
            begin, line = _line_from(file, middle, low)
            number = _fields(line, self.n)["n"] if line is not None else self.n + 1
            if line is not None and number <= self.n:
                low = begin + len(line) + 1
                if number == self.n:
                    return low
            else:
                high = middle
        return None


def _line_from(file: int, at: int, low: int) -> tuple[int, bytes | None]:
    """The first whole line that begins at `at` or later, and where; lines begin at `low`."""
    begin = max(low, at - 1)
    data = os.pread(file, 2 * record.MAX_LINE + 4, begin)
    if at > low:
        cut = data.find(b"\n") + 1
        if not cut:
            return at, None
        begin, data = begin + cut, data[cut:]
    end = data.find(b"\n")
    return begin, data[:end] if end >= 0 else None


def _fields(line: bytes, n: int) -> dict[str, Any]:
    try:
        return record.decode(line)
    except record.RecordError as error:
        raise LogBroken(str(error), n) from error
