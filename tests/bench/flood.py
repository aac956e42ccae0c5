"""Many builders at once, in one process of their own: each floods a stream as far as its window lets it.

`python -m bench.flood SOCKET COUNT SECONDS` prints, as JSON, the bytes of each stream that were acknowledged when the
time was up; then it finishes the streams in order.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import sys
import time
from pathlib import Path

from sealwright_appendlog.frames import AUTHORITY_TYPES, Decoder, frame

_WINDOW = 1 << 20
_BLOCK = 1 << 16


class Builder:
    """One connection; its stream is all one byte, so that a byte of another would be seen."""

    def __init__(self, door: Path, number: int) -> None:
        self.stream = f"build/{number}"
        self.sent = self.acknowledged = 0
        self.finishing = self.finished = False
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(door))
        self.sock.sendall(frame("H", json.dumps({"format": 1, "stream": self.stream}).encode()))
        self.sock.setblocking(False)
        self._block = frame("D", bytes([number]) * _BLOCK)
        self._out = memoryview(b"")
        self._decoder = Decoder(AUTHORITY_TYPES)

    def send(self) -> bool:
        """Send what the socket takes; says whether more may follow at once."""
        if not self._out and not self.finishing and self.sent - self.acknowledged + _BLOCK <= _WINDOW:
            self._out = memoryview(self._block)
            self.sent += _BLOCK
        if self._out:
            self._out = self._out[self.sock.send(self._out) :]
            return True
        return False

    def finish(self) -> None:
        """Send the end after what is on its way."""
        if not self.finishing:
            self.finishing = True
            self._out = memoryview(bytes(self._out) + frame("F", b"0"))

    def hear(self) -> None:
        """Take acknowledgements.

        Raises:
            EOFError: the authority refuses, or is gone.
        """
        data = self.sock.recv(1 << 16)
        if not data:
            raise EOFError(self.stream)
        for kind, payload in self._decoder.feed(data):
            if kind == "R":
                raise EOFError(payload.decode())
            if kind == "A":
                head, newline, _ = payload.partition(b"\n")
                self.acknowledged = max(self.acknowledged, int(head.split()[1]))
                self.finished = self.finished or bool(newline)


def flood(door: Path, count: int, seconds: float) -> dict[str, int]:
    """Flood `count` streams for so long, then end them; gives the bytes acknowledged when the time was up."""
    both = selectors.EVENT_READ | selectors.EVENT_WRITE
    builders = [Builder(door, number) for number in range(count)]
    marks: dict[str, int] = {}
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as watch, contextlib.ExitStack() as stack:
        for builder in builders:
            watch.register(stack.enter_context(builder.sock), both, builder)
        while not all(builder.finished for builder in builders):
            if not marks and time.monotonic() > end:
                marks = {builder.stream: builder.acknowledged for builder in builders}
                for builder in builders:
                    builder.finish()
                    watch.modify(builder.sock, both, builder)
            for key, mask in watch.select(0.1):
                if mask & selectors.EVENT_READ:
                    key.data.hear()
                more = mask & selectors.EVENT_READ or key.data.send()
                watch.modify(key.fileobj, both if more else selectors.EVENT_READ, key.data)
    return marks


if __name__ == "__main__":
    print(json.dumps(flood(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
