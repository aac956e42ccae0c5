"""The frames of the log's protocol: type (1 byte), length (uint32, big-endian, at most 65,536), payload.

Client to authority:
    I identity   who the transport says the client is, in printable ASCII; only as the first frame, sent by the
                 bridge that carries the client's bytes. It is recorded behind the bridge's own uid.
    H hello      JSON {"format": 1, "stream": name}; the stream "engine" may add "seen", the size of the checkpoint
                 that it saw last, and "since", the first record that it wants to follow the log from
    D, E         output, error output: raw bytes
    J event      one JSON object, the event's body
    P ping       empty
    F finish     exit status in decimal
    S seal       empty; from the stream "engine" only, when no other stream is open
    X export     empty; only after the seal

Authority to client:
    A ack        "<n> <bytes>": durable up to record n, and so many bytes of this stream. For J, F and S, a newline
                 and the record's line as it stands in the log follow.
    C checkpoint each second and at the end, to "engine": "old <size>", the consistency proof from there a hash a
                 line, an empty line, the signed note (the form of C2SP tlog-witness' add-checkpoint). The old size
                 is the one that the client saw last, 0 without a proof where that has none.
    L lines      records as they become durable, to a client that follows: whole lines of the index
    R reason     why the authority refuses and closes
    N name, B bytes, Z end    the files of an export
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAX_PAYLOAD = 65_536
CLIENT_TYPES = frozenset(b"IHDEJPFSX")
AUTHORITY_TYPES = frozenset(b"ACLRNBZ")
_HEADER = struct.Struct(">BI")


class FrameError(ValueError):
    """A frame that the protocol does not know; the sentence says why."""


def frame(kind: str, payload: bytes = b"") -> bytes:
    """One frame as bytes.

    Raises:
        FrameError: the payload is too long.
    """
    return header(kind, payload) + payload


def header(kind: str, payload: bytes = b"") -> bytes:
    """What stands before the payload in its frame.

    Raises:
        FrameError: the payload is too long.
    """
    if len(payload) > MAX_PAYLOAD:
        raise FrameError(f"a payload of {len(payload)} bytes; {MAX_PAYLOAD} is the most")
    return _HEADER.pack(ord(kind), len(payload))


class Decoder:
    """Cuts a stream of bytes into frames of the `allowed` types."""

    def __init__(self, allowed: frozenset[int]) -> None:
        self._allowed = allowed
        self._begun = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Take bytes and give the frames that are whole by now.

        Raises:
            FrameError: unknown type or too long, as soon as its header is there.
        """
        return ((kind, bytes(payload)) for kind, payload in self.views(data))

    def views(self, data: bytes) -> Iterator[tuple[str, memoryview]]:
        """As `feed`, but a payload that came in one piece is not copied: it is a view of `data`.

        Raises:
            FrameError: as above.
        """
        rest = memoryview(data)
        while self._begun and rest:
            end = self._end(self._begun, 0)
            missing = (end or _HEADER.size) - len(self._begun)
            self._begun += rest[:missing]
            rest = rest[missing:]
            if self._end(self._begun, 0) == len(self._begun):
                whole, self._begun = memoryview(self._begun), bytearray()
                yield chr(whole[0]), whole[_HEADER.size :]
        at = 0
        while 0 < (end := self._end(rest, at)) <= len(rest):
            yield chr(rest[at]), rest[at + _HEADER.size : end]
            at = end
        self._begun += rest[at:]

    def _end(self, data: memoryview | bytearray, at: int) -> int:
        """Where the frame that begins at `at` ends; 0 as long as its header is not there."""
        if len(data) - at < _HEADER.size:
            return 0
        kind, length = _HEADER.unpack_from(data, at)
        if kind not in self._allowed:
            raise FrameError(f"unknown frame type {kind}")
        if length > MAX_PAYLOAD:
            raise FrameError(f"a frame of {length} bytes; {MAX_PAYLOAD} is the most")
        return at + _HEADER.size + int(length)

    @property
    def rest(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._begun)
