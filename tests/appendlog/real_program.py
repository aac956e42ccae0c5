"""Runs the real program of the log, and connects to it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appendlog.log_making import RawClient

PROGRAM = [sys.executable, "-I", "-m", "sealwright_appendlog.cli"]


def serve_words(root: Path) -> list[str]:
    """The arguments that serve the log `root`/log on the socket `root`/s."""
    words = {"--dir": root / "log", "--key": root / "key", "--socket": root / "s", "--origin": "example.org/log"}
    return ["serve", *(str(word) for pair in words.items() for word in pair)]


@contextmanager
def served(root: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """The program, serving while the block runs; it may have refused to."""
    read, write = os.pipe()
    words = [*PROGRAM, *serve_words(root), "--ready", str(write), *more]
    with subprocess.Popen(words, pass_fds=(write,)) as child:
        os.close(write)
        with os.fdopen(read) as ready:
            ready.readline()
        try:
            yield child
        finally:
            child.terminate()


def connect(root: Path) -> RawClient:
    """A client of the log that is served at `root`."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(str(root / "s"))  # waits while the queue is full, which it would not do with a timeout
    except OSError:
        sock.close()
        raise
    sock.settimeout(10)
    return RawClient(sock)
