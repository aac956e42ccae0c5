"""The signer's own record: JSON lines that only grow, each with the SHA-256 of the line before it.

- A line is on the disk before its answer goes out. `<record>.head`, beside it, names the number of lines and the
  SHA-256 of the last one, so that a record that was cut off is told from a whole one.
- A crash may leave one line that the head does not know yet: it is taken. It may leave a part of a line: that is moved
  to `<record>.torn-<its hash>`, and the record goes on.
- A record that is broken, shortened or without its head opens for nobody.
- One signer at a time has a record open; another one waits a moment, and is refused then.
- Whoever can write both files can write another history: the record is the signer's user's, and its folder too.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sealwright_keyring.errors import SignerError
from sealwright_keyring.signer.history import History

_NO_HASH = "0" * 64
_HEAD = re.compile(rb"(0|[1-9][0-9]{0,14}) ([0-9a-f]{64})\n")
_MOVE = (
    "find out who changed it; keep it as it is, and name another --record once that is known: the signer then "
    "remembers no release and no log"
)
_PAUSE = 0.05


class BrokenError(SignerError):
    """The record is not what this signer wrote."""


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


class Record:
    """The open record; `history` is what it says."""

    def __init__(self, path: Path, clock: Callable[[], datetime] = now, patience: float = 2.0) -> None:
        """Open it, and read all of it.

        Raises:
            BrokenError: it is not whole.
            SignerError: another signer has it, or it is not this user's own.
            OSError: it can't be opened.
        """
        self.path, self._clock = path, clock
        self.history = History()
        self._head = path.with_name(f"{path.name}.head")
        self._lines, self._last = 0, _NO_HASH
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._fd = os.open(path, flags, 0o600)
        try:
            self._check_file()
            self._lock(patience)
            self._size = os.fstat(self._fd).st_size
            self._read()
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        """Let go of it."""
        os.close(self._fd)

    def append(self, entry: Mapping[str, object]) -> None:
        """Add a line, and have it on the disk.

        Raises:
            BrokenError: somebody else wrote to it.
            OSError: it can't be written; what is there of the line is taken back if possible.
        """
        if os.fstat(self._fd).st_size != self._size:
            raise _broken(self.path, "somebody else wrote to it while it was open")
        t = self._clock().astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        stamped = {**entry, "n": self._lines, "prev": self._last, "t": t}
        line = json.dumps(stamped, sort_keys=True, separators=(",", ":")).encode()
        try:
            _write(self._fd, line + b"\n")
            os.fsync(self._fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, self._size)
            raise
        self._size += len(line) + 1
        self._take(line, stamped)
        self._write_head()

    def _check_file(self) -> None:
        held = os.fstat(self._fd)
        if not stat.S_ISREG(held.st_mode) or held.st_uid != os.geteuid() or held.st_mode & 0o022:
            because = "it is no plain file that only this user can write"
            raise SignerError(f"the record {self.path}", because, f"chown it to uid {os.geteuid()}, and chmod 600")

    def _lock(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while True:
            try:
                return fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    because, step = "another signer has it open", "end that one, or give each its own --record"
                    raise SignerError(f"the record {self.path}", because, step) from None
            time.sleep(_PAUSE)

    def _read(self) -> None:
        known = _read_head(self._head)
        if known is None:
            if self._size:
                raise _broken(self.path, f"{self._head.name}, which says how long it is, is missing")
            return self._write_head()
        for line, entry in whole_lines(self.path):
            self._take(line, entry)
            if self._lines == known[0] and self._last != known[1]:
                raise _broken(self.path, f"line {self._lines} is not the one that {self._head.name} names")
        if self._lines < known[0]:
            raise _broken(self.path, f"it was shortened: it had {known[0]} lines, and has {self._lines}")
        if self._lines > known[0] + 1:
            raise _broken(self.path, f"{self._head.name} is older than the record")
        self._put_aside()
        if self._lines != known[0]:
            self._write_head()

    def _put_aside(self) -> None:
        """Move what follows the last whole line to a file beside the record."""
        with self.path.open("rb") as stream:
            data = stream.read()
        end = data.rfind(b"\n") + 1
        if torn := data[end:]:
            name = f"{self.path.name}.torn-{hashlib.sha256(torn).hexdigest()[:16]}"
            _write_whole(self.path.with_name(name), torn)
            os.ftruncate(self._fd, end)
            os.fsync(self._fd)
        self._size = end

    def _take(self, line: bytes, entry: Mapping[str, Any]) -> None:
        self._lines, self._last = self._lines + 1, hashlib.sha256(line).hexdigest()
        try:
            self.history.take(entry)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _broken(self.path, f"line {self._lines} is none that a signer writes: {error}") from error

    def _write_head(self) -> None:
        _write_whole(self._head, f"{self._lines} {self._last}\n".encode())


def whole_lines(path: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Each whole line of a record with its entry; the chain is checked on the way, not the head.

    Raises:
        BrokenError: a line does not follow the one before it.
        OSError: it can't be read.
    """
    last, number = _NO_HASH, 0
    with path.open("rb") as stream:
        for raw in stream:
            if not raw.endswith(b"\n"):
                return
            line = raw[:-1]
            try:
                entry = json.loads(line)
                right = (entry["n"], entry["prev"]) == (number, last) and datetime.fromisoformat(entry["t"]).tzinfo
            except (ValueError, KeyError, TypeError, RecursionError):
                right = None
            if not right:
                raise _broken(path, f"line {number + 1} does not follow the line before it")
            last, number = hashlib.sha256(line).hexdigest(), number + 1
            yield line, entry


def check(path: Path) -> int:
    """Look whether a record is whole, without opening it to be written; gives its number of lines.

    Raises:
        BrokenError: it is not.
        OSError: it can't be read.
    """
    known = _read_head(path.with_name(f"{path.name}.head"))
    if known is None:
        raise _broken(path, f"{path.name}.head, which says how long it is, is missing")
    lines, named = 0, known[1] if not known[0] else ""
    for line, _ in whole_lines(path):
        lines += 1
        if lines == known[0]:
            named = hashlib.sha256(line).hexdigest()
    if lines < known[0]:
        raise _broken(path, f"it was shortened: it had {known[0]} lines, and has {lines}")
    if named != known[1] or lines > known[0] + 1:
        raise _broken(path, f"it is not the one that {path.name}.head names")
    return lines


def _read_head(path: Path) -> tuple[int, str] | None:
    """Number of lines and SHA-256 of the last one; None if there is no such file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    found = _HEAD.fullmatch(data)
    if found is None:
        raise _broken(path, "it is not what a signer writes there")
    return int(found[1]), found[2].decode()


def _write_whole(path: Path, data: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        _write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


def _broken(path: Path, because: str) -> BrokenError:
    return BrokenError(f"the record {path}", because, _MOVE)
