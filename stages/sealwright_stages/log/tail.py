"""Follow a log while somebody else writes it: the records of its index, as far as they are acknowledged.

- Where a record lies is found by halving, not by reading what comes before it.
- Each line that is read is a record of format 1 and the next in sequence, or the log is broken.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sealwright_appendlog import layout, record
from sealwright_appendlog.audit import LogBroken
from sealwright_stages.log.entries import Entry, entry_from

_BLOCK = 1 << 18


class Tail:
    """The records of the log in `folder` after record `n` (-1: from the first one)."""

    def __init__(self, folder: Path, n: int) -> None:
        """Find the place.

        Raises:
            LogBroken: it can't be read, or record `n` is not there.
        """
        self.n = n
        self._at = 0
        self._lines: deque[bytes] = deque()
        self._rest = b""
        try:
            self._file = layout.opened(folder / layout.INDEX)
            if n >= 0:
                self._at = self._after(n)
        except OSError as error:
            raise LogBroken(f"{layout.INDEX}: {error.strerror}") from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def read(self, last: int, most: int) -> Iterator[Entry]:
        """The next records up to number `last`, at most `most` of them.

        Raises:
            LogBroken: a line is no record, or not the next one.
        """
        while most and self.n < last:
            line = self._line()
            if line is None:
                return
            fields = _fields(line, self.n + 1)
            if fields["n"] != self.n + 1:
                raise LogBroken(f"out of sequence: it says {fields['n']}", self.n + 1)
            self.n += 1
            most -= 1
            yield entry_from(fields, line)

    def _line(self) -> bytes | None:
        """The next whole line; None if it is not there yet."""
        while not self._lines:
            if len(self._rest) > record.MAX_LINE:
                raise LogBroken("a line that is too long", self.n + 1)
            block = os.pread(self._file.fileno(), _BLOCK, self._at)
            if not block:
                return None
            self._at += len(block)
            *whole, self._rest = (self._rest + block).split(b"\n")
            self._lines.extend(whole)
        return self._lines.popleft()

    def _after(self, n: int) -> int:
        """Where the record after `n` begins."""
        low, high = 0, os.fstat(self._file.fileno()).st_size  # the line of `n` begins in [low, high)
        while low < high:
            middle = (low + high) // 2
            begin, line = self._line_from(middle, low)
            number = _fields(line, n)["n"] if line is not None else n + 1
            if number == n and line is not None:
                return begin + len(line) + 1
            if line is not None and number < n:
                low = begin + len(line) + 1
            else:
                high = middle
        raise LogBroken("a record that was acknowledged is not there", n)

    def _line_from(self, at: int, low: int) -> tuple[int, bytes | None]:
        """The first whole line that begins at `at` or later, and where; lines begin at `low`."""
        begin = max(low, at - 1)
        data = os.pread(self._file.fileno(), 2 * record.MAX_LINE + 4, begin)
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
