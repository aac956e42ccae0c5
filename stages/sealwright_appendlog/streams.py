"""The raw bytes of the streams: where each chunk goes.

- Bytes lie as they came, both channels of a stream in one file, in the order of their arrival.
- A segment takes at most 64 MiB and is named by its first record; a stream that goes on begins a new one.
"""

from __future__ import annotations

from dataclasses import dataclass

from sealwright_appendlog.record import segment_path

SEGMENT_LIMIT = 64 << 20


@dataclass
class Stream:
    """An open stream: its segment, the next byte's offset in it, and its bytes in all."""

    segment: str = ""
    offset: int = 0
    total: int = 0


class Streams:
    """The open streams of a log, by name, and the bytes of all streams so far."""

    def __init__(self) -> None:
        self.open_now: dict[str, Stream] = {}
        self.bytes = 0

    def open(self, stream: str) -> Stream:
        """The stream, as it stands or new."""
        return self.open_now.setdefault(stream, Stream())

    def place(self, stream: str, length: int, n: int) -> tuple[str, int]:
        """Where the next chunk goes, which record `n` will name: segment and offset."""
        held = self.open(stream)
        if not held.segment or held.offset + length > SEGMENT_LIMIT:
            held.segment, held.offset = segment_path(stream, n), 0
        offset = held.offset
        held.offset += length
        held.total += length
        self.bytes += length
        return held.segment, offset
