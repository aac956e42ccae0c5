"""Where the records of a log lie in its `index.jsonl`, learned while they were audited.

- Every record is in a block of 128, whose offset, time and digest are kept; a record that is not output is `told`,
  and has an offset, a time and a digest of its own besides.
- What is read again must be what was audited: another digest is an error, and nothing of it is given.
- It is read by offset and never mapped: a file that shrinks under a mapping would kill the program.
- Any thread may read.
"""

from __future__ import annotations

import hashlib
import os
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_stages.errors import LogError

BLOCK = 128
_DIGEST = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(t: str) -> int:
    """A record's time, in microseconds since 1970."""
    return (datetime.fromisoformat(t) - _EPOCH) // _MICROSECOND


class Index:
    """Offsets and digests of the records of one index. Closing it lets go of the file."""

    def __init__(self, path: Path) -> None:
        """Know nothing yet; the file is opened when something is first read again."""
        self.size = 0
        self.told = array("Q")
        self.times = array("q")  # a clock may stand before 1970
        self._path = path
        self._end = 0
        self._offsets, self._lengths, self._digests = array("Q"), array("H"), bytearray()
        self._block_offsets, self._block_times, self._block_digests = array("Q"), array("q"), bytearray()
        self._hash, self._whole = hashlib.sha256(), hashlib.sha256()
        self._fd = -1
        self._lock = threading.Lock()

    def add(self, line: bytes, t: str, *, told: bool) -> None:
        """Take the next record, whose line was checked."""
        if self.size % BLOCK == 0:
            self._finish_block()
            self._block_offsets.append(self._end)
            self._block_times.append(microseconds(t))
        if told:
            self.told.append(self.size)
            self.times.append(microseconds(t))
            self._offsets.append(self._end)
            self._lengths.append(len(line))
            self._digests += _digest(line)
        whole = line + b"\n"
        self._hash.update(whole)
        self._whole.update(whole)
        self._end += len(whole)
        self.size += 1

    @property
    def length(self) -> int:
        """How long the records are together, with their ends."""
        return self._end

    @property
    def sha256(self) -> str:
        """The SHA-256 (hex) of all that was taken: what an audit of the same bytes says of its index."""
        return self._whole.hexdigest()

    def _finish_block(self) -> None:
        if self.size:
            self._block_digests += self._hash.digest()[:_DIGEST]
            self._hash = hashlib.sha256()

    def line(self, number: int) -> bytes:
        """The line of told record `number` (from 0).

        Raises:
            LogError: it is another one than was audited, or can't be read.
        """
        line = self._read(self._offsets[number], self._lengths[number])
        if _digest(line) != self._digests[number * _DIGEST : (number + 1) * _DIGEST]:
            raise changed(self.told[number])
        return line

    def lines(self, n: int) -> Iterator[tuple[int, bytes]]:
        """The records from `n` on, each with its line. Raises as `line`."""
        for block in range(n // BLOCK, len(self._block_offsets)):
            first = block * BLOCK
            yield from ((at, line) for at, line in enumerate(self._block(block), first) if at >= n)

    def lines_back(self, n: int) -> Iterator[tuple[int, bytes]]:
        """The records from `n` on towards the first, each with its line. Raises as `line`."""
        for block in range(n // BLOCK, -1, -1):
            first = block * BLOCK
            yield from ((at, line) for at, line in reversed([*enumerate(self._block(block), first)]) if at <= n)

    def told_until(self, n: int) -> int:
        """How many told records there are up to and including record `n`."""
        return bisect_right(self.told, n)

    def is_told(self, n: int) -> bool:
        """Whether record `n` is something other than output."""
        at = bisect_left(self.told, n)
        return at < len(self.told) and self.told[at] == n

    def block_before(self, moment: int) -> int:
        """The first record of the block in which the clock first passed `moment` (microseconds since 1970)."""
        passed = (block for block, t in enumerate(self._block_times) if t > moment)
        return max(0, next(passed, len(self._block_times)) - 1) * BLOCK

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            self._fd = -1

    def _block(self, block: int) -> list[bytes]:
        last = block + 1 == len(self._block_offsets)
        start = self._block_offsets[block]
        end = self._end if last else self._block_offsets[block + 1]
        at = block * _DIGEST
        wanted = self._hash.digest()[:_DIGEST] if last else self._block_digests[at : at + _DIGEST]
        data = self._read(start, end - start)
        if _digest(data) != wanted:
            raise changed(block * BLOCK)
        return data.split(b"\n")[:-1]

    def _read(self, offset: int, length: int) -> bytes:
        try:
            with self._lock:
                if self._fd < 0:
                    with layout.opened(self._path) as stream:
                        self._fd = os.dup(stream.fileno())
                return os.pread(self._fd, length, offset)
        except OSError as error:
            raise LogError(f"{self._path} can't be read", error.strerror or str(error), "mend that") from error


def changed(n: int) -> LogError:
    """What is said of a record that is not what was audited."""
    return LogError(
        "the log was changed since it was audited", f"record {n} or its output is another now", "audit it again"
    )


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_DIGEST]
