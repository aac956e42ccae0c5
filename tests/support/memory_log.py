"""A log authority in memory: it keeps real record lines, and can be told to die at the Nth append.

- Every body goes through the real record format, so what the real log would refuse is refused here too.
- Its clock is years behind, so that whatever is signed now is signed after its seal.
- Dying comes in two kinds: the record was lost, or it was kept and only its acknowledgement was lost.
- A log that died stays dead; a new `MemoryLog` over the same `Kept` is the authority started again, which records
  that the stream of the events ended unclean.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_appendlog import record
from sealwright_appendlog.note import Checkpoint, VerifierKey, sign_note
from sealwright_appendlog.tiles import TileWriter
from sealwright_appendlog.tree import CompactRange, leaf_hash
from sealwright_stages.errors import Exhibit
from sealwright_stages.log import Entry, LogLost
from sealwright_stages.log.entries import entry_of

ORIGIN = "example.org/log"
_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))


@dataclass
class Kept:
    """What survives a death: the record lines, and the folder of the streams' bytes."""

    folder: Path
    entries: list[Entry] = field(default_factory=list)


class MemoryLog:
    """Implements `ports.EventLog` over `kept`; the append number `die_at` (from 1) is the last."""

    def __init__(self, kept: Kept, die_at: int = 0, *, keeps_last: bool = False) -> None:
        self.kept = kept
        self.lost = threading.Event()
        self.why_lost = "the log authority is dead"
        self.log_dir: Path | None = kept.folder
        self.exhibits: tuple[Exhibit, ...] = ()
        self.appends = 0
        self.closed = False
        self.all_said = True
        self._die_at, self._keeps_last = die_at, keeps_last
        self._lock = threading.Lock()
        if kept.entries and kept.entries[-1].kind != "seal":  # the console before is gone, however it went
            kept.entries.append(self._stamped("eof", "engine", {"clean": False, "bytes": 0}))

    def append(self, event: Mapping[str, object]) -> Entry:
        return self.add("ev", "engine", {"body": dict(event)})

    def open_stream(self, name: str) -> MemoryStream:
        self.check()
        return MemoryStream(self, record.stream_name(name))

    def seal(self) -> Entry:
        counts = {"records": len(self.kept.entries), "bytes": 0, "segments": 0, "segments_sha256": "0" * 64}
        return self.add("seal", "engine", counts)

    def export(self, destination: Path) -> None:
        """Write index, tiles and checkpoint as the real authority does, without data and SHA-256 of them."""
        self.check()
        destination.mkdir()
        lines = [entry.line for entry in self.kept.entries]
        files = {"index.jsonl": b"".join(line + b"\n" for line in lines)}
        tiles = TileWriter(files.__setitem__)
        for line in lines:
            tiles.append(line)
        files |= tiles.partial()
        files["checkpoint.sealed"] = sign_note(self.checkpoint.text(), ORIGIN, _KEY).encode()
        files["log.vkey"] = f"{VerifierKey(ORIGIN, _KEY.public_key().public_bytes_raw())}\n".encode()
        files["SHA256SUMS"] = hashlib.sha256(files["index.jsonl"]).hexdigest().encode() + b"  index.jsonl\n"
        for name, data in files.items():
            (destination / name).parent.mkdir(parents=True, exist_ok=True)
            (destination / name).write_bytes(data)

    @property
    def checkpoint(self) -> Checkpoint:
        tree = CompactRange()
        for entry in self.kept.entries:
            tree.append(leaf_hash(entry.line))
        return Checkpoint(ORIGIN, tree.size, tree.root())

    def close(self) -> None:
        self.closed = True

    def check(self) -> None:
        """Refuse, like the real one, once it is lost."""
        if self.lost.is_set():
            raise LogLost("the log authority is dead")

    def add(self, kind: str, stream: str, fields: Mapping[str, object]) -> Entry:
        """Stamp and keep a record; dies when its time has come."""
        with self._lock:
            self.check()
            self.appends += 1
            dies = self.appends == self._die_at
            if not dies or self._keeps_last:
                entry = self._stamped(kind, stream, fields)
                self.kept.entries.append(entry)
            if dies:
                self.lost.set()
                raise LogLost("the log authority died")
            return entry

    def _stamped(self, kind: str, stream: str, fields: Mapping[str, object]) -> Entry:
        n = len(self.kept.entries)
        if any(known.kind == "seal" for known in self.kept.entries):
            raise LogLost("the log is sealed")
        t = f"2021-03-02T{12 + n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d}.000000Z"
        stamps = {"n": n, "t": t, "up": n, "boot": "00000000", "src": "uid:0", "s": stream, "k": kind}
        return entry_of(record.encode({**stamps, **fields}))


class MemoryStream:
    """Implements `ports.OutputStream`: bytes go into one file, as a segment would."""

    def __init__(self, log: MemoryLog, name: str) -> None:
        self._log, self.name = log, name
        self._file = log.kept.folder / "data" / name / "00000000.log"
        self._bytes = 0
        if self._file.exists():
            raise AssertionError(f"stream {name} was opened twice")
        self._file.parent.mkdir(parents=True)
        self._file.touch()

    def write(self, channel: Literal["D", "E"], data: bytes) -> None:
        self._log.check()
        self._bytes += len(data)
        with self._file.open("ab") as stream:
            stream.write(data)

    def finish(self, exit_status: int) -> Entry:
        return self._log.add("eof", self.name, {"clean": True, "bytes": self._bytes, "exit": exit_status})

    def abort(self) -> None:
        if not self._log.lost.is_set():
            self._log.add("eof", self.name, {"clean": False, "bytes": self._bytes})
