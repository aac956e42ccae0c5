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
    if len(payload) > MAX_PAYLOAD:
        raise FrameError(f"a payload of {len(payload)} bytes; {MAX_PAYLOAD} is the most")
    return _HEADER.pack(ord(kind), len(payload)) + payload


class Decoder:
    """Cuts a stream of bytes into frames of the `allowed` types."""

    def __init__(self, allowed: frozenset[int]) -> None:
        self._allowed = allowed
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Take bytes and give the frames that are whole by now.

        Raises:
            FrameError: unknown type or too long, as soon as its header is there.
        """
        self._buffer += data
        at = 0
        try:
            while len(self._buffer) - at >= _HEADER.size:
                kind, length = _HEADER.unpack_from(self._buffer, at)
                if kind not in self._allowed:
                    raise FrameError(f"unknown frame type {kind}")
                if length > MAX_PAYLOAD:
                    raise FrameError(f"a frame of {length} bytes; {MAX_PAYLOAD} is the most")
                end = at + _HEADER.size + length
                if len(self._buffer) < end:
                    break
                with memoryview(self._buffer) as view:
                    payload = bytes(view[at + _HEADER.size : end])
                at = end
                yield chr(kind), payload
        finally:
            del self._buffer[:at]

    @property
    def rest(self) -> int:
        """How many bytes of an unfinished frame are held."""
        return len(self._buffer)
