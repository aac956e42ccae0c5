"""What the authority acknowledged, kept by the console: the line of each record, and what each finished stream held.

- A record that was acknowledged stands in the log at its number, byte for byte, for as long as the release lives:
  in the log that is taken up again, and in the one that is exported. A checkpoint alone can't show that, since it
  comes up to a second later and proves only that the log continues itself.
- A stream that was finished holds just the bytes that were sent.
- No two records that were acknowledged have the same number.
- The file is the console's own and only appended to. What follows its last line feed a crash cut off, and is dropped;
  so is what a full disk left of a line.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sealwright_appendlog import layout, record
from sealwright_appendlog.tree import leaf_hash
from sealwright_stages.errors import MachineError

_STREAM = re.compile(r"stream ([!-~]+) ([0-9]{1,15}) ([0-9a-f]{64})", re.ASCII)


class BrokenPromise(Exception):  # noqa: N818 - it is what the log did
    """The log is not what was acknowledged; `promised` and `found` are the record's line then and now, if it is one."""

    def __init__(self, what: str, promised: bytes = b"", found: bytes = b"") -> None:
        super().__init__(what)
        self.promised = promised
        self.found = found


@dataclass(frozen=True)
class Held:
    """What a finished stream held: bytes, and their SHA-256 in hex."""

    length: int
    sha256: str


class Promises:
    """The acknowledgements of one log. Thread-safe."""

    def __init__(self, file: Path) -> None:
        """Read what was acknowledged to earlier consoles.

        Raises:
            ValueError: the file is damaged.
            OSError: it can't be read.
        """
        self._file = file
        self._lock = threading.Lock()
        self._records: dict[int, bytes] = {}  # the leaf's hash, by number
        self._streams: dict[str, Held] = {}
        if file.exists():
            whole = 0
            for line in layout.lines(file):
                whole += len(line) + 1
                self._take(line)
            with file.open("r+b") as stream:
                stream.truncate(whole)

    def __len__(self) -> int:
        return len(self._records)

    def record(self, line: bytes) -> None:
        """Keep the line of an acknowledged record, before anybody believes it.

        Raises:
            MachineError: it can't be written.
            BrokenPromise: another one was acknowledged under its number.
        """
        n = record.decode(line)["n"]
        with self._lock:
            if n in self._records:
                raise BrokenPromise(f"record {n} was acknowledged twice", self._line(n), line)
            self._keep(line)

    def stream(self, name: str, held: Held) -> None:
        """Keep what a finished stream held.

        Raises:
            MachineError: it can't be written.
        """
        with self._lock:
            self._keep(f"stream {name} {held.length} {held.sha256}".encode())

    def check_records(self, lines: Iterable[bytes]) -> None:
        """Look for every acknowledged record among the index's lines.

        Raises:
            BrokenPromise: one is missing, or another stands in its place.
        """
        with self._lock:
            due = dict(self._records)
        for n, line in enumerate(lines):
            if n in due and due.pop(n) != leaf_hash(line):
                raise BrokenPromise(f"record {n} is not the one that was acknowledged", self._line(n), line)
        if due:
            n = min(due)
            raise BrokenPromise(f"record {n} was acknowledged and is not in the log", self._line(n))

    def check_streams(self, log: Path) -> None:
        """Compare the finished streams with a log that was checked, its `SHA256SUMS` too.

        Raises:
            BrokenPromise: one has other bytes than were sent.
            OSError: a segment can't be read.
        """
        listed = layout.listed(log)
        for name, held in self._streams.items():
            folder = f"data/{name}"
            segments = [path for path in listed if path.rpartition("/")[0] == folder]
            segments.sort(key=lambda path: int(path.rpartition("/")[2].removesuffix(".log")))
            length = sum((log / path).stat().st_size for path in segments)
            digest = listed[segments[0]] if len(segments) == 1 else _digest([log / path for path in segments])
            if (length, digest) != (held.length, held.sha256):
                raise BrokenPromise(f"stream {name} does not hold the {held.length} bytes that were sent")

    def _line(self, n: int) -> bytes:
        lines = (line for line in layout.lines(self._file) if not _STREAM.fullmatch(line.decode("ascii")))
        return next(line for line in lines if record.decode(line)["n"] == n)

    def _keep(self, line: bytes) -> None:
        try:
            with self._file.open("ab", buffering=0) as stream:
                whole = stream.tell()
                try:
                    if stream.write(line + b"\n") <= len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                except OSError:
                    stream.truncate(whole)  # the next line must not follow half of this one
                    raise
            self._take(line)
        except OSError as error:
            because = error.strerror or str(error)
            raise MachineError(f"{self._file} can't be written", because, "make room, then run again") from error

    def _take(self, line: bytes) -> None:
        try:
            if found := _STREAM.fullmatch(line.decode("ascii")):
                self._streams[found[1]] = Held(int(found[2]), found[3])
                return
            self._records[record.decode(line)["n"]] = leaf_hash(line)
        except ValueError as error:
            raise ValueError(f"what was acknowledged is damaged: {error}") from error


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with layout.opened(path) as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
