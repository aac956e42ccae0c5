"""The output that the records of a past release name, read again from the log's segments.

- Bytes that are given as checked are those that their record names by SHA-256; others are an error, and nothing of them
  is given.
- A record that names more than one may hold is not followed; a file is opened as the audit opens it.
- A few segments stay open, and a few checked chunks are kept.
"""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from types import TracebackType
from typing import Self

from sealwright_appendlog import layout
from sealwright_appendlog.record import stream_name
from sealwright_stages.errors import LogError
from sealwright_stages.log.entries import Entry
from sealwright_stages.review.index import changed
from sealwright_stages.review.past import Past

LONGEST = 1 << 20
"""Bytes that one record may name."""
_OPEN = 64
_KEPT = 64


class Output:
    """Reads output. Closing it lets go of the files."""

    def __init__(self, past: Past) -> None:
        """Read the output of `past`."""
        self._past = past
        self._fds: dict[str, int] = {}
        self._chunks: OrderedDict[tuple[str, int], tuple[int, bytes]] = OrderedDict()

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
        while self._fds:
            os.close(self._fds.popitem()[1])

    def read(self, segment: str, offset: int, length: int) -> bytes:
        """Bytes of a segment, unchecked; fewer at its end.

        Raises:
            LogError: it can't be read.
        """
        try:
            if segment not in self._fds:
                stream_name(segment.removeprefix("data/").rpartition("/")[0])
                if len(self._fds) >= _OPEN:
                    os.close(self._fds.pop(next(iter(self._fds))))
                with layout.opened(self._past.log / segment) as file:
                    self._fds[segment] = os.dup(file.fileno())
            return os.pread(self._fds[segment], length, offset)
        except (OSError, ValueError) as error:
            raise LogError(f"{segment} can't be read", str(error), "audit the log again") from error

    def before(self, stream: str, segment: str, offset: int, count: int) -> bytes:
        """Up to `count` bytes of a stream that come right before those at `offset`, unchecked. Raises as `read`."""
        found = self.read(segment, max(0, offset - count), min(offset, count))
        while len(found) < count and (segment := self._past.segment_before(stream, segment)):
            left = count - len(found)
            size = self._size(segment)
            found = self.read(segment, max(0, size - left), left) + found
        return found

    def _size(self, segment: str) -> int:
        self.read(segment, 0, 0)
        return os.fstat(self._fds[segment]).st_size

    def of(self, entry: Entry) -> bytes:
        """All bytes that a record of output names, checked.

        Raises:
            LogError: they are others by now, or can't be read.
        """
        length = int(entry.body["len"])
        if length > LONGEST:
            raise changed(entry.n)
        data = self.read(entry.body["seg"], int(entry.body["off"]), length)
        if hashlib.sha256(data).hexdigest() != entry.body["sha256"]:
            raise changed(entry.n)
        return data

    def checked(self, stream: str, begin: int, length: int) -> bytes:
        """Bytes of a stream from `begin` on, each checked; fewer at its end. Raises as `of`."""
        parts: list[bytes] = []
        at, end = begin, begin + length
        while at < end and (data := self.checked_from(stream, at)):
            parts.append(data[: end - at])
            at += len(parts[-1])
        return b"".join(parts)

    def checked_from(self, stream: str, at: int) -> bytes:
        """The bytes of a stream from `at` to the end of their record, checked; none at its end. Raises as `of`."""
        newest = reversed(self._chunks.items())
        kept = next((each for key, each in newest if key[0] == stream and _has(each, at)), None)
        if kept is None:
            found = next(self._past.covering(stream, at, at + 1), None)
            if found is None:
                return b""
            kept = self._keep(stream, found[0], self.of(found[1]))
        return kept[1][at - kept[0] :]

    def _keep(self, stream: str, first: int, data: bytes) -> tuple[int, bytes]:
        self._chunks[stream, first] = first, data
        if len(self._chunks) > _KEPT:
            self._chunks.popitem(last=False)
        return first, data


def _has(kept: tuple[int, bytes], at: int) -> bool:
    return kept[0] <= at < kept[0] + len(kept[1])
