"""Start an embedded authority.

- The embedded authority is a process of its own, with its own uid when started as root; it ends when the
  engine's end of a pipe is closed, however the engine died.
- The log's folder belongs to that uid only while the authority lives; when it has ended it is ours again.
- An authority that does not start is an error with the reason that it gave, or the last line that it said.
- Its socket lies beside the log's key, so that a killed run leaves nothing elsewhere; it is reached through an
  open folder, since a socket's path is short and a work folder's may be long.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from sealwright_stages.ahead import AuthorityProcess
from sealwright_stages.errors import LogError, MachineError
from sealwright_stages.log.client import LogSession
from sealwright_stages.log.connection import WINDOW, Connection, LogLost, LogRollback
from sealwright_stages.log.memory import Memory, pin
from sealwright_stages.process import last_words
from sealwright_stages.sandbox.ownership import take_back

_SOCKET = "socket"
_NEXT = "look at the folder's free space and permissions, then run again"


def open_embedded(
    log_dir: Path,
    key_file: Path,
    origin: str,
    uid: int | None,
    gid: int | None,
    saved_checkpoint: Path,
    authority: AuthorityProcess | None = None,
) -> LogSession:
    """Start `sealwright-appendlog serve` on `log_dir`, or tell one that was started ahead; open a session with it.

    Raises:
        LogError: it does not start; its own words are the cause.
        LogLost: it does not continue what was seen before.
    """
    words = ["--dir", str(log_dir), "--key", str(key_file), "--socket", str(key_file.parent / _SOCKET)]
    words += ["--origin", plain_origin(origin)]
    if uid is not None and gid is not None:
        words += ["--uid", str(uid), "--gid", str(gid)]
    nest = os.open(key_file.parent, os.O_RDONLY | os.O_DIRECTORY)
    authority = authority or AuthorityProcess()
    child, line = authority.child, authority.serve(words)

    def end() -> None:
        authority.let_go()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()  # frozen; what it acknowledged is on disk
            child.wait()
        if child.stderr is not None:
            child.stderr.close()
        (key_file.parent / _SOCKET).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.close(nest)
        take_back(log_dir, uid)

    if not line:
        assert child.stderr is not None  # noqa: S101 - it is a pipe
        because = last_words(child.stderr.read())
        with contextlib.suppress(MachineError):  # why it did not start is what must be heard
            end()
        _contradiction(saved_checkpoint, log_dir, because)
        raise LogError("the log authority did not start", because, _NEXT)
    try:
        pin(saved_checkpoint, line, log_dir)
    except BaseException:  # a full disk, too: an authority that nobody speaks with does not stay
        with contextlib.suppress(MachineError):
            end()
        raise
    try:
        door = Path(f"/proc/self/fd/{nest}", _SOCKET)
        session = LogSession(_socket_connector(door), log_dir, saved_checkpoint, mirror=False, end=end)
    except LogLost as error:
        if not isinstance(error, LogRollback):
            _contradiction(saved_checkpoint, log_dir, str(error))
        raise
    session.process_id = child.pid
    return session


def _contradiction(saved: Path, log_dir: Path, why: str) -> None:
    """Raise LogRollback if the files of an authority that does not answer contradict what was seen, too."""
    try:
        memory = Memory(saved)
    except LogLost:
        return  # nothing is remembered
    if (error := memory.contradicted(log_dir, why)) is not None:
        raise error


def plain_origin(release: str) -> str:
    """A new log's name, never used before: the release with a random end, without what a key's name forbids."""
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._~-") else "_" for c in release)
    return f"sealwright.invalid/log/{safe}/{secrets.token_hex(8)}"


def _socket_connector(path: Path) -> Callable[..., Connection]:
    def connect(on_frame: Callable[[str, bytes], None], on_lost: Callable[[str], None]) -> Connection:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WINDOW)  # else a window goes out in five turns
        try:
            sock.connect(str(path))
        except OSError as error:
            sock.close()
            raise LogError("the log authority can't be reached", str(error), _NEXT) from error
        return Connection(sock.fileno(), sock.fileno(), on_frame, on_lost, sock.close)

    return connect
