"""Speaks frames, right or wrong, through whatever leads to a far end."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from sealwright_appendlog.frames import AUTHORITY_TYPES, Decoder, frame
from transports.ends import End


class Wire:
    """Two descriptors, and the frames that came."""

    def __init__(self, read: int, write: int, origin: str) -> None:
        self._read, self._write, self._origin = read, write, origin
        self._decoder = Decoder(AUTHORITY_TYPES)
        self._got: list[tuple[str, bytes]] = []

    def say(self, kind: str, payload: bytes = b"") -> None:
        """Send a frame."""
        os.write(self._write, frame(kind, payload))

    def send(self, data: bytes) -> None:
        """Send bytes that may be no frame."""
        os.write(self._write, data)

    def hello(self, stream: str, **more: object) -> None:
        """Send a hello to the log of this end."""
        named = {"origin": self._origin} if self._origin else {}
        self.say("H", json.dumps({"format": 1, "stream": stream, **named, **more}).encode())

    def wait(self, kind: str, seconds: float = 20.0) -> bytes:
        """The payload of the next frame of this kind; others are passed over.

        Raises:
            EOFError: the far end closed before.
        """
        deadline = time.monotonic() + seconds
        while True:
            for at, (found, payload) in enumerate(self._got):
                if found == kind:
                    del self._got[: at + 1]
                    return payload
            assert select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))[0], f"no {kind}"
            data = os.read(self._read, 1 << 16)
            if not data:
                raise EOFError(kind)
            self._got += self._decoder.feed(data)

    def line(self) -> dict[str, object]:
        """The record that the next acknowledgement carries."""
        while True:
            _, newline, line = self.wait("A").partition(b"\n")
            if newline:
                found: dict[str, object] = json.loads(line)
                return found


@contextlib.contextmanager
def wired(far: End, work: str = "work") -> Iterator[Wire]:
    """A wire to the log of a work folder that was opened before."""
    private = far.root / work / "private"
    if far.key is not None:
        with piped(far.argv, (private / "checkpoint.vkey").read_text().partition("+")[0]) as wire:
            yield wire
        return
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(private / "socket"))
        yield Wire(sock.fileno(), sock.fileno(), "")


@contextlib.contextmanager
def piped(argv: Sequence[str | Path], origin: str) -> Iterator[Wire]:
    """A wire through a program."""
    words = [str(word) for word in argv]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0) as child:
        assert child.stdin and child.stdout
        try:
            yield Wire(child.stdout.fileno(), child.stdin.fileno(), origin)
        finally:
            child.stdin.close()
            child.terminate()
