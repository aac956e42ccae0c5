"""The raw bytes of the streams: where each chunk goes, and bringing the chunks to disk.

- Bytes lie as they came, both channels of a stream in one file, in the order of their arrival.
- A segment takes at most 64 MiB and is named by its first record; a stream that goes on begins a new one.
- A segment's name is on disk before a record names it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_appendlog.folder import Folder, sync_folder, write_all
from sealwright_appendlog.record import segment_path

SEGMENT_LIMIT = 64 << 20


@dataclass
class Stream:
    """An open stream: its segment, the next byte's offset in it, its bytes in all, and what is not on disk."""

    segment: str = ""
    offset: int = 0
    total: int = 0
    pending: list[bytes] = field(default_factory=list)


class DataFiles:
    """The open streams of a log, by name."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._descriptors: dict[str, tuple[str, int]] = {}
        self._dirty: dict[str, None] = {}
        self.streams: dict[str, Stream] = {}
        self.bytes = 0

    def open(self, stream: str) -> Stream:
        """The stream, as it stands or new."""
        return self.streams.setdefault(stream, Stream())

    def add(self, stream: str, data: bytes, n: int) -> tuple[str, int]:
        """Take a chunk, which record `n` will name; gives its segment and offset."""
        held = self.open(stream)
        if not held.segment or held.offset + len(data) > SEGMENT_LIMIT:
            self._write(stream, held)
            held.segment, held.offset = segment_path(stream, n), 0
        offset = held.offset
        held.pending.append(data)
        held.offset += len(data)
        held.total += len(data)
        self.bytes += len(data)
        self._dirty[stream] = None
        return held.segment, offset

    def write(self) -> None:
        """Bring everything to disk: data, then fdatasync.

        Raises:
            OSError: the disk is full or refuses.
        """
        for stream in self._dirty:
            self._write(stream, self.streams[stream])
        self._dirty.clear()

    def close(self, stream: str) -> int:
        """Bring a stream to disk and forget it; gives its bytes in all."""
        held = self.open(stream)
        self._write(stream, held)
        self._dirty.pop(stream, None)
        self._let_go(stream)
        return self.streams.pop(stream).total

    def let_go(self) -> None:
        """Close every file."""
        for stream in list(self._descriptors):
            self._let_go(stream)

    def _write(self, stream: str, held: Stream) -> None:
        if not held.pending:
            return
        descriptor = self._descriptor(stream, held.segment)
        write_all(descriptor, b"".join(held.pending))
        os.fdatasync(descriptor)
        held.pending.clear()

    def _descriptor(self, stream: str, segment: str) -> int:
        known = self._descriptors.get(stream)
        if known is not None and known[0] == segment:
            return known[1]
        self._let_go(stream)
        path: Path = self._folder.path / segment
        fresh = self._folder.make_parents(path) | {path.parent}
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, 0o644)
        self._descriptors[stream] = segment, descriptor
        for folder in fresh:
            sync_folder(folder)
        return descriptor

    def _let_go(self, stream: str) -> None:
        known = self._descriptors.pop(stream, None)
        if known is not None:
            os.close(known[1])
