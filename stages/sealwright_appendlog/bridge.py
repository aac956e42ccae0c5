"""Bridges to a served socket: stdin and stdout of a far end's program, and a plain pipe.

- A bridge says whom it carries before anything else, so that what it carries can't say it: one identity is all
  that a connection has.
- The name is fixed by whoever starts the bridge (an ssh forced command), or is the qube that qrexec vouches for.
- Nobody waits for what a plain pipe says: its stream is below `raw/`, and ends clean without an exit status when the
  pipe does.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import signal
import socket
import threading
from collections.abc import Mapping
from pathlib import Path

from sealwright_appendlog.errors import StoreError
from sealwright_appendlog.frames import AUTHORITY_TYPES, Decoder, FrameError, frame
from sealwright_appendlog.note import told_name
from sealwright_appendlog.requests import RAW

_BLOCK = 1 << 16
_QUBE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


def qube(environment: Mapping[str, str]) -> str:
    """The identity of the qube that called, as qrexec tells it.

    Raises:
        ValueError: this is no qrexec service.
    """
    name = environment.get("QREXEC_REMOTE_DOMAIN", "")
    if not _QUBE.fullmatch(name):
        raise ValueError("no qube called this: QREXEC_REMOTE_DOMAIN names none")
    return f"qrexec:{name}"


def carry(path: Path, identity: str) -> None:
    """Carry stdin to the socket and what comes from there to stdout, until one of them ends.

    Raises:
        ValueError: nobody can have that identity.
        OSError: nobody serves the socket.
    """
    with _connected(path, identity) as sock, selectors.DefaultSelector() as watch:
        watch.register(0, selectors.EVENT_READ, "in")
        watch.register(sock, selectors.EVENT_READ, "out")
        while True:
            for key, _ in watch.select():
                data = os.read(0, _BLOCK) if key.data == "in" else sock.recv(_BLOCK)
                if not data:
                    return
                if key.data == "in":
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        sock.sendall(data)  # why it was refused is still to be read
                else:
                    _write_out(data)


def append(path: Path, identity: str, stream: str, origin: str, *, raw: bool) -> None:
    """Append stdin to a stream; with `raw` without waiting for anybody's word.

    Raises:
        StoreError: the authority refuses, or is gone before it acknowledged.
        ValueError, OSError: as `carry`.
    """
    if raw != stream.startswith(RAW):
        raise StoreError(f"a stream below {RAW} is one that nobody waits for, and no other is")
    hello = {"format": 1, "stream": stream, **({"origin": origin} if origin else {})}
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    with _connected(path, identity) as sock:
        sock.sendall(frame("H", json.dumps(hello).encode()))
        said: list[str] = []
        listener = threading.Thread(target=_listen_for_end, args=(sock, said), daemon=True)
        listener.start()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while data := os.read(0, _BLOCK):
                sock.sendall(frame("D", data))
            sock.sendall(frame("F", b"" if raw else b"0"))
        listener.join(1.0 if raw else None)
    if said:
        raise StoreError(said[0])


def _connected(path: Path, identity: str) -> socket.socket:
    if not identity.isascii():
        raise ValueError("an identity is ASCII: two that are not could be taken for one")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(str(path))
        sock.sendall(frame("I", identity.encode("ascii")))
    except OSError as error:
        sock.close()
        raise OSError(f"nobody serves {path}: {error.strerror}") from error
    return sock


def _write_out(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]


def _listen_for_end(sock: socket.socket, said: list[str]) -> None:
    """Read until the end of the stream is acknowledged; anything else is said."""
    decoder = Decoder(AUTHORITY_TYPES)
    try:
        while data := sock.recv(_BLOCK):
            for kind, payload in decoder.feed(data):
                if kind == "R":
                    said.append(told_name(payload.decode("utf-8", "replace"), 1000))
                    return
                if kind == "A" and b"\n" in payload:
                    return
    except (OSError, FrameError) as error:
        said.append(str(error))
        return
    said.append("the authority closed before it acknowledged")
