"""The socket that an authority listens on: made by itself, or handed over by systemd (`sd_listen_fds(3)`)."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

_FIRST = 3


def listening(path: Path, mode: int) -> socket.socket:
    """A unix socket at `path`, in the place of what was there; a socket's own path is short, and this may be long."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        path.unlink(missing_ok=True)
        listener.bind(f"/proc/self/fd/{folder}/{path.name}")
        path.chmod(mode)  # who may connect is decided by uid, at each connection
    finally:
        os.close(folder)
    return listener


def inherited() -> socket.socket | None:
    """The one unix socket that was handed over at the start, if one was.

    Raises:
        ValueError: there are more, or it is none that listens.
    """
    if os.environ.pop("LISTEN_PID", "") != str(os.getpid()):
        return None
    if os.environ.pop("LISTEN_FDS", "") != "1":
        raise ValueError("more than one socket was handed over")
    os.set_inheritable(_FIRST, False)
    found = socket.socket(fileno=_FIRST)
    listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    if found.family != socket.AF_UNIX or found.type != socket.SOCK_STREAM or not listens:
        raise ValueError("what was handed over is no unix socket that listens")
    return found


def open_to_all(listener: socket.socket) -> bool:
    """Whether the mode of the socket's file lets everybody connect."""
    return bool(Path(listener.getsockname()).stat().st_mode & stat.S_IWOTH)
