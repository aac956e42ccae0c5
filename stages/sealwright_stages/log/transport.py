"""An authority elsewhere: an argument list carries the protocol on its stdin and stdout.

- The first word may take a minute (a qube starts, a link is slow); from then on the log's patience holds.
- What the program writes to its error output is kept beside the memory of the log, 64 KiB of it at most, and is
  told when it ends. Nothing is shown by this module.
- It is a session of its own, without a terminal: nothing can ask a person for a password.
- The log's name is made here, below the authority's own, and remembered before it is first said: a work folder has
  one log, however often it is taken up again.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from sealwright_appendlog.note import VerifierKey
from sealwright_stages.errors import LogError
from sealwright_stages.log import diagnosis
from sealwright_stages.log.client import LogSession
from sealwright_stages.log.connection import Connection, LogLost, LogRollback
from sealwright_stages.log.memory import pin, pinned
from sealwright_stages.process import kill_group

GREETING = 60.0
_KEPT = 64 << 10
_TAIL = 4096
_MEND = "mend [log] transport"


class Transport:
    """The way to an authority elsewhere; `cure` is what to do about the last connection that was lost."""

    def __init__(self, argv: Sequence[str], kept: Path | None = None) -> None:
        self.cure = ""
        self._argv = list(argv)
        self._kept = kept
        self._room = _KEPT
        self._lock = threading.Lock()

    def connect(self, on_frame: Callable[[str, bytes], None], on_lost: Callable[[str], None]) -> Connection:
        """Start the program and speak with what it reaches.

        Raises:
            LogError: it can't be started.
        """
        env = {**os.environ, "SSH_ASKPASS_REQUIRE": "never"}
        pipe = subprocess.PIPE
        try:
            child = subprocess.Popen(
                self._argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env, bufsize=0, start_new_session=True
            )
        except OSError as error:
            raise LogError(f"the log's transport {self._argv[0]}", str(error), _MEND) from error
        assert child.stdin and child.stdout and child.stderr  # noqa: S101 - all three are pipes
        hearing = _Hearing(child.stderr, self._keep)

        def explain(why: str, early: bytes) -> str:
            status = _ended(child)
            hearing.end(1.0)
            found = diagnosis.of_end(self._argv, status, hearing.tail, early)
            self.cure = found.next
            return f"{why}: {found.because}"

        def close() -> None:
            _end(child)
            hearing.end(1.0)

        return Connection(
            child.stdout.fileno(),
            child.stdin.fileno(),
            on_frame,
            on_lost,
            close,
            explain=explain,
            greeting=GREETING,
        )

    def _keep(self, data: bytes) -> None:
        with self._lock:
            data, self._room = data[: self._room], max(0, self._room - len(data))
            if self._kept is not None and data:
                with contextlib.suppress(OSError), self._kept.open("ab") as stream:
                    stream.write(data)


class _Hearing:
    """Reads a program's error output, so that it never waits for a reader; the end of it is remembered."""

    def __init__(self, stream: IO[bytes], keep: Callable[[bytes], None]) -> None:
        self.tail = b""
        self._stream = stream
        self._keep = keep
        self._thread = threading.Thread(target=self._hear, name="transport's error output", daemon=True)
        self._thread.start()

    def end(self, seconds: float) -> None:
        """Wait for the end of it, no longer than that."""
        self._thread.join(seconds)

    def _hear(self) -> None:
        with self._stream:
            while data := self._stream.read(_TAIL):
                self.tail = (self.tail + data)[-_TAIL:]
                self._keep(data)


def open_transport(
    argv: Sequence[str], host: VerifierKey, release: str, local_copy: Path, saved_checkpoint: Path
) -> LogSession:
    """Open a session with the log of this work folder at an authority elsewhere.

    `host` is that host's verifier key, given by whoever set it up; the log is named below it.

    Raises:
        LogError: it can't be reached; what to do about it is said.
        LogLost: it refuses, or does not continue what was seen before.
    """
    key = pinned(saved_checkpoint) or VerifierKey(_new_origin(host.name, release), host.public)
    if not key.name.startswith(f"{host.name}/"):
        raise LogError(
            "the log authority's key is another one than before",
            f"this work folder's log is {key.name}, which is not below {host.name}",
            "put the key of that authority back, or begin anew with another --work DIR",
        )
    pin(saved_checkpoint, str(VerifierKey(key.name, host.public)))
    transport = Transport(argv, saved_checkpoint.with_name("transport.stderr"))
    try:
        return LogSession(
            transport.connect, local_copy, saved_checkpoint, mirror=True, end=lambda: None, origin=key.name
        )
    except LogRollback:
        raise
    except LogLost as error:
        following = transport.cure or diagnosis.cure(str(error))
        if not following:
            raise
        raise LogError("the log authority can't be reached", str(error), following) from error


def probe(argv: Sequence[str], host: VerifierKey) -> float:
    """Ask an authority elsewhere whether it is there, and nothing else; gives the seconds that a ping took.

    Raises:
        LogError: it can't be reached, refuses, or says that it has another key than `host`.
    """
    transport = Transport(argv)
    connection = transport.connect(lambda kind, payload: None, lambda why: None)
    try:
        connection.send("H", b'{"format":1}')
        told = connection.wait_line().decode("ascii", "replace")
        begun = time.monotonic()
        connection.ping()
        took = time.monotonic() - begun
    except LogLost as error:
        following = transport.cure or diagnosis.cure(str(error)) or _MEND
        raise LogError("the log authority can't be reached", str(error), following) from error
    finally:
        connection.close()
    if told != str(host):
        raise LogError(
            "the log authority has another key than the manifest names",
            f"it says {told[:200]}",
            "find out whether it is the right host; what `host-key` prints there belongs into [log] key",
        )
    return took


def _new_origin(authority: str, release: str) -> str:
    """A new log's name, never used before: the authority, the release, and a random end."""
    safe = re.sub(r"[^A-Za-z0-9._~-]", "_", release)[:60]
    return f"{authority}/{safe}/{secrets.token_hex(8)}"


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    """The exit code of a program whose output has ended."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(1.0)
    return None


def _end(child: subprocess.Popen[bytes]) -> None:
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(2.0)
    except subprocess.TimeoutExpired:
        kill_group(child)
