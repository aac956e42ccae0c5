"""A session with the log authority: events with their durable records, streams of output, seal and export.

- An event's call returns when its record is durable, with the record as it stands in the log.
- The newest checkpoint is kept in a file of the console's own; at opening and at the seal the authority must
  prove that its log continues it. If it can't, both notes are kept beside that file and the log is lost.
- Where the log's files are elsewhere, a local copy of what was acknowledged serves for display and resume.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal

from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint
from sealwright_appendlog.tree import ProofError, verify_consistency
from sealwright_stages.files import remove_tree, write_whole
from sealwright_stages.log.connection import Connection, LogLost, LogRollback
from sealwright_stages.log.entries import Entry, entry_of

Connect = Callable[[Callable[[str, bytes], None], Callable[[str], None]], Connection]


class LogSession:
    """The stream `engine` of a log, and the door to its other streams."""

    def __init__(
        self, connect: Connect, log_dir: Path, saved: Path, *, mirror: bool, end: Callable[[], None]
    ) -> None:
        self.log_dir: Path | None = log_dir
        self.lost = threading.Event()
        self.why_lost = ""
        self.process_id = 0
        self._sealed = False
        self.checkpoint: Checkpoint | None = None
        self._connect = connect
        self._saved = saved
        self._mirror = mirror
        self._end = end
        self._append_lock = threading.Lock()
        self._key: VerifierKey | None = None
        self._asked: Checkpoint | None = None
        self._answered = threading.Event()
        self._connection = connect(self._frame, self._gone)
        try:
            self._greet()
        except BaseException:
            self.close()
            raise

    def append(self, event: Mapping[str, object]) -> Entry:
        """Append an event; returns its record when that is durable.

        Raises:
            LogLost: it may not be in the log; treat it as not.
        """
        payload = json.dumps(event, sort_keys=True, separators=(",", ":")).encode()
        with self._append_lock:
            self._connection.send("J", payload)
            return self._record(self._connection.wait_line())

    def open_stream(self, name: str) -> OutputStream:
        """Open a stream of raw bytes on a connection of its own."""
        copy = self.log_dir / "data" / name / "00000000.log" if self._mirror and self.log_dir else None
        return OutputStream(self._connect, name, self.lost, self._gone, copy)

    def seal(self) -> Entry:
        """Seal the log; the authority must prove that it continues the checkpoint seen last.

        Raises:
            LogLost: it is not sealed, or not provably the same log.
        """
        with self._append_lock:
            self._answered.clear()
            self._asked = self.checkpoint
            self._connection.send("S", json.dumps(self._seen()).encode())
            entry = self._record(self._connection.wait_line())
            self._await_checkpoint()
            self._sealed = True
            return entry

    def export(self, destination: Path) -> None:
        """Fetch the sealed log's files into `destination`, whole or not at all.

        Raises:
            LogLost: the authority does not hand it over.
        """
        fresh = destination.with_name(destination.name + ".new")
        remove_tree(fresh)
        fresh.mkdir(parents=True)
        with self._append_lock:
            exporter = _Exporter(fresh)
            self._export = exporter
            self._connection.send("X")
            exporter.wait(self._connection)
        if destination.exists():
            remove_tree(destination)
        fresh.rename(destination)

    def close(self) -> None:
        """End the stream cleanly, if the log is still open, and let go; an embedded authority ends."""
        if not self.lost.is_set() and not self._sealed and self._answered.is_set():
            with contextlib.suppress(LogLost), self._append_lock:
                self._connection.send("F", b"0")
                self._connection.wait_line()
        self._connection.close()
        self._end()

    # -- inside -----------------------------------------------------------------------------------------

    _export: _Exporter | None = None

    def _greet(self) -> None:
        self._key = _pinned(self._saved)
        self.checkpoint = _remembered(self._saved, self._key)
        self._asked = self.checkpoint
        self._connection.send("H", json.dumps({"format": 1, "stream": "engine", **self._seen()}).encode())
        self._await_checkpoint()

    def _seen(self) -> dict[str, int]:
        return {"seen": self._asked.size} if self._asked else {}

    def _await_checkpoint(self) -> None:
        while not self._answered.wait(0.25):
            if self._connection.lost:
                raise LogLost(self._connection.lost)
        if self._connection.lost:
            if self._connection.lost.startswith("rollback"):
                raise LogRollback(self._connection.lost)
            raise LogLost(self._connection.lost)

    def _record(self, line: bytes) -> Entry:
        if self._mirror and self.log_dir:
            self.log_dir.mkdir(parents=True, exist_ok=True)
            with (self.log_dir / "index.jsonl").open("ab") as stream:
                stream.write(line + b"\n")
        return entry_of(line)

    def _gone(self, why: str) -> None:
        self.why_lost = self.why_lost or why
        self.lost.set()
        self._answered.set()

    def _frame(self, kind: str, payload: bytes) -> None:
        if kind == "C":
            self._take_checkpoint(payload.decode("utf-8"))
        elif self._export is not None:
            self._export.take(kind, payload)

    def _take_checkpoint(self, text: str) -> None:
        proof: list[bytes] = []
        note = text
        if text.startswith("old "):
            head, _, note = text.partition("\n\n")
            proof = [base64.b64decode(line, validate=True) for line in head.split("\n")[1:]]
        try:
            if self._key is None:
                raise NoteError("the log's key is not known")
            new = open_checkpoint(note, self._key)
            self._compare(new, proof, asked=text.startswith("old "))
        except (NoteError, ProofError) as error:
            kept = self._saved.with_name(self._saved.name + ".conflict")
            write_whole(kept, text.encode())
            self._connection.fail(f"rollback or split view: {error}; both notes are kept: {self._saved}, {kept}")
            return
        self.checkpoint = new
        write_whole(self._saved, note.encode())
        self._answered.set()

    def _compare(self, new: Checkpoint, proof: list[bytes], *, asked: bool) -> None:
        old = self.checkpoint
        if old is None:
            return
        if new.size < old.size:
            raise ProofError(f"it had {old.size} records, now it has {new.size}")
        if self._asked is not None and not self._answered.is_set():
            if not asked:
                raise ProofError("it gave no proof of consistency")
            verify_consistency(old.size, old.root, new.size, new.root, proof)
        elif new.size == old.size and new.root != old.root:
            raise ProofError("two roots for one size")


class OutputStream:
    """One stream of raw bytes, acknowledged as it becomes durable."""

    def __init__(
        self,
        connect: Connect,
        name: str,
        lost: threading.Event,
        gone: Callable[[str], None],
        copy: Path | None,
    ) -> None:
        self.name = name
        self._lost = lost
        self._copy = copy
        self._connection = connect(lambda kind, payload: None, gone)
        self._connection.send("H", json.dumps({"format": 1, "stream": name}).encode())

    def write(self, channel: Literal["D", "E"], data: bytes) -> None:
        """Send output; blocks while 1 MiB is unacknowledged.

        Raises:
            LogLost: the log is gone, here or on the session's own connection.
        """
        for at in range(0, len(data), 1 << 16):
            if self._lost.is_set():
                raise LogLost(self._connection.lost or "the log authority is lost")
            self._connection.send(channel, data[at : at + (1 << 16)], counted=True)
        if self._copy is not None:
            self._copy.parent.mkdir(parents=True, exist_ok=True)
            with self._copy.open("ab") as stream:
                stream.write(data)

    def finish(self, exit_status: int) -> Entry:
        """End the stream; returns its durable `eof` record. Raises LogLost."""
        self._connection.send("F", str(exit_status).encode())
        entry = entry_of(self._connection.wait_line())
        self._connection.close()
        return entry

    def abort(self) -> None:
        """Drop the connection, so that the log records an unclean end."""
        self._connection.close()


class _Exporter:
    """Takes an export's frames and writes its files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._done = threading.Event()
        self._error = ""

    def take(self, kind: str, payload: bytes) -> None:
        try:
            if kind == "N":
                name = PurePosixPath(payload.decode("ascii"))
                if name.is_absolute() or ".." in name.parts:
                    raise ValueError(f"a file called {name}")
                self._path = self._folder / name
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._path.touch()
            elif kind == "B" and self._path is not None:
                with self._path.open("ab") as stream:
                    stream.write(payload)
            elif kind == "Z":
                self._done.set()
        except (OSError, ValueError) as error:
            self._error = str(error)
            self._done.set()

    def wait(self, connection: Connection) -> None:
        while not self._done.wait(0.25):
            if connection.lost:
                break
        if self._error or not self._done.is_set():
            shutil.rmtree(self._folder, ignore_errors=True)
            raise LogLost(f"the export failed: {self._error or connection.lost}")


def _pinned(saved: Path) -> VerifierKey:
    try:
        return VerifierKey.parse(saved.with_name(saved.name + ".vkey").read_text().strip())
    except (OSError, NoteError) as error:
        raise LogLost(f"the log's key is not known: {error}") from error


def _remembered(saved: Path, key: VerifierKey) -> Checkpoint | None:
    if not saved.exists():
        return None
    try:
        return open_checkpoint(saved.read_bytes(), key)
    except NoteError as error:
        raise LogLost(f"the remembered checkpoint {saved} is damaged: {error}") from error
