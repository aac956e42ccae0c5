"""The log's files: appended in an order that a crash can't break, and recovered when one tried.

- Order of a batch: data, fdatasync, index, fdatasync; only then may anything be acknowledged.
- Tiles and checkpoints follow, each by temporary name, fsync, rename, fsync of the folder.
- An error from any write or fsync is fatal: the store refuses all that comes after.
- At opening, what follows the last LF of the index, and data beyond the last indexed byte, goes to `recovery/`
  and is recorded as `torn`; a stored checkpoint that the index does not reproduce refuses the log.
- A stream left open by a crash gets `eof` with `clean` false.
- After the seal nothing is accepted. Space for `eof` and `seal` is reserved.
- Nothing held in memory grows with the number of records.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_appendlog import layout, record
from sealwright_appendlog.note import Checkpoint, VerifierKey, open_checkpoint, sign_note
from sealwright_appendlog.tiles import TileReader, TileWriter
from sealwright_appendlog.tree import CompactRange, consistency_proof, leaf_hash

FORMAT = 1
SEGMENT_LIMIT = 64 << 20
_RESERVE = 256 << 10
_CLOCK_STEP = 2_000_000  # microseconds between wall and boot clock that count as a step


class StoreError(Exception):
    """The log can't be opened or written; the sentence says why."""


@dataclass
class _Stream:
    segment: str = ""
    offset: int = 0
    total: int = 0
    pending: list[bytes] = field(default_factory=list)
    opened: bool = False


class Store:
    """An open log folder. Use from one thread; the current folder must be the log's."""

    def __init__(self, key: Ed25519PrivateKey, origin: str) -> None:
        self.key = key
        self.failed = ""
        self.sealed = False
        self.next_n = 0
        self._range = CompactRange()
        self._tiles = TileWriter(write_whole)
        self._streams: dict[str, _Stream] = {}
        self._lines: list[bytes] = []
        self._touched: dict[str, None] = {}
        self._clock_skew = 0
        self.data_bytes = 0
        self.origin = origin
        Path("data").mkdir(exist_ok=True)
        self._recover()
        self._index = os.open(layout.INDEX, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not self.sealed:
            _reserve()
        if self.next_n == 0:
            write_whole(layout.VKEY, f"{self.vkey}\n".encode())
            self._add(
                "open",
                "engine",
                {"format": FORMAT, "origin": record.text(origin), "key": str(self.vkey)},
                "-",
            )
        for name in [name for name, stream in self._streams.items() if stream.opened]:
            self.eof(name, clean=False, exit_status=None, src="-")
        self.commit()
        self.publish()

    @property
    def vkey(self) -> VerifierKey:
        """The verifier key of this log; its name is the origin."""
        return VerifierKey(self.origin, self.key.public_key().public_bytes_raw())

    # -- adding -----------------------------------------------------------------------------------------

    def event(self, stream: str, body: Mapping[str, object], src: str) -> bytes:
        """Add an event; gives its line."""
        return self._add("ev", stream, {"body": body}, src)

    def data(self, stream: str, channel: str, data: bytes, src: str) -> None:
        """Add a chunk of a stream's bytes."""
        held = self._streams.setdefault(stream, _Stream())
        if not held.segment or held.offset + len(data) > SEGMENT_LIMIT:
            held.segment, held.offset = f"data/{stream}/{self.next_n:08d}.log", 0
        body = {
            "ch": channel,
            "len": len(data),
            "off": held.offset,
            "seg": held.segment,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        self._add("data", stream, body, src)
        held.pending.append(data)
        held.offset += len(data)
        held.total += len(data)
        self.data_bytes += len(data)
        self._touched[stream] = None

    def reject(self, stream: str, why: str, src: str) -> None:
        """Record a refused frame."""
        self._add("rej", stream, {"why": record.text(why[:200])}, src)

    def eof(self, stream: str, *, clean: bool, exit_status: int | None, src: str) -> bytes:
        """Record the end of a stream."""
        held = self._streams.pop(stream, _Stream())
        if held.pending:
            self._streams[stream] = held
            self._write_data()
            self._streams.pop(stream)
        body: dict[str, object] = {"clean": clean, "bytes": held.total}
        if exit_status is not None:
            body["exit"] = exit_status
        return self._add("eof", stream, body, src)

    def seal(self, src: str) -> bytes:
        """Close the log: the `seal` record, the last checkpoint, `checkpoint.sealed` and `SHA256SUMS`."""
        self.commit()
        body = {
            "records": self.next_n + 1,
            "bytes": self.data_bytes,
            "segments": len(layout.segments(Path())),
            "segments_sha256": layout.segments_sha256(Path()),
        }
        line = self._add("seal", "engine", body, src)
        self.commit()
        self.sealed = True
        self.publish()
        note = self.note()
        write_whole(layout.SEALED, note.encode())
        write_whole(layout.SUMS, layout.sums(Path()))
        with contextlib.suppress(FileNotFoundError):
            Path("reserve").unlink()
        return line

    def open_stream(self, stream: str) -> None:
        """Remember that a stream is open, also before its first byte."""
        self._streams.setdefault(stream, _Stream()).opened = True

    def total(self, stream: str) -> int:
        """Bytes of a stream so far."""
        return self._streams[stream].total if stream in self._streams else 0

    def _add(self, kind: str, stream: str, body: Mapping[str, object], src: str) -> bytes:
        if self.failed or self.sealed:
            raise StoreError(self.failed or "the log is sealed")
        wall, up = time.time_ns() // 1000, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000
        skew = wall - up
        if self._clock_skew and abs(skew - self._clock_skew) > _CLOCK_STEP and kind != "clock":
            step, self._clock_skew = skew - self._clock_skew, skew
            self._add("clock", "engine", {"step": step}, "-")
        self._clock_skew = skew
        line = record.encode(
            {
                **body,
                "n": self.next_n,
                "t": datetime.fromtimestamp(wall / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "up": up,
                "boot": _BOOT,
                "src": src,
                "s": stream,
                "k": kind,
            }
        )
        self.next_n += 1
        self._lines.append(line)
        if kind != "eof" and kind not in ("open", "clock", "torn"):
            self._streams.setdefault(stream, _Stream()).opened = True
        return line

    # -- writing ----------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Make all that was added durable.

        Raises:
            StoreError: a write or sync failed; the store is dead.
        """
        if self.failed:
            raise StoreError(self.failed)
        try:
            self._write_data()
            if self._lines:
                _write_all(self._index, b"".join(line + b"\n" for line in self._lines))
                os.fdatasync(self._index)
        except OSError as error:
            self.failed = f"the log can't be written: {error.strerror or error}"
            with contextlib.suppress(OSError):
                Path("reserve").unlink()
            raise StoreError(self.failed) from error
        for line in self._lines:
            self._range.append(leaf_hash(line))
            self._tiles.append(line)
        self._lines.clear()

    def _write_data(self) -> None:
        for name in self._touched:
            held = self._streams.get(name)
            if held is None or not held.pending:
                continue
            path = Path(held.segment)
            fresh = not path.exists()
            if fresh:
                path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                _write_all(descriptor, b"".join(held.pending))
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
            if fresh:
                _sync(path.parent)
            held.pending.clear()
        self._touched.clear()

    def checkpoint(self) -> Checkpoint:
        """The checkpoint of what is durable."""
        return Checkpoint(self.origin, self._range.size, self._range.root())

    def note(self) -> str:
        """That checkpoint as a signed note."""
        return sign_note(self.checkpoint().text(), self.origin, self.key)

    def publish(self) -> str:
        """Write the partial tiles and the checkpoint; gives the note."""
        try:
            self._tiles.partial()
            note = self.note()
            write_whole(layout.CHECKPOINT, note.encode())
        except OSError as error:
            self.failed = f"the log's checkpoint can't be written: {error.strerror or error}"
            raise StoreError(self.failed) from error
        return note

    def consistency(self, size: int) -> list[bytes]:
        """The proof that the tree as it stands continues the one of `size` leaves. Publish first."""
        return consistency_proof(size, self._range.size, TileReader(Path(), self._range.size).range_hash)

    # -- recovery ---------------------------------------------------------------------------------------

    def _recover(self) -> None:
        index = Path(layout.INDEX)
        torn = []
        ends: dict[str, int] = {}
        if index.exists():
            torn += _cut(index, _last_line_end(index))
            self._replay(index, ends)
        for path in layout.segments(Path()):
            torn += _cut(Path(path), ends.get(path, 0))
        for path, length, digest in torn:
            if not self.sealed:
                self._add("torn", "engine", {"file": record.text(path), "len": length, "sha256": digest}, "-")

    def _replay(self, index: Path, ends: dict[str, int]) -> None:
        stored = _stored_checkpoint(self.key)
        for line in layout.lines(index):
            try:
                entry = record.decode(line)
            except record.RecordError as error:
                raise StoreError(f"record {self.next_n}: {error}; the log refuses to open") from error
            if entry.get("n") != self.next_n:
                raise StoreError(f"record {self.next_n} is out of sequence; the log refuses to open")
            self._range.append(leaf_hash(line))
            self._tiles.append(line)
            self.next_n += 1
            self._remember(entry, ends)
            if stored and stored.size == self.next_n and stored.root != self._range.root():
                raise StoreError("the stored checkpoint is not of this index; the log refuses to open")
        if stored and stored.size > self.next_n:
            raise StoreError(f"the stored checkpoint has {stored.size} records, the index {self.next_n}")

    def _remember(self, entry: Mapping[str, object], ends: dict[str, int]) -> None:
        kind, stream = entry["k"], str(entry["s"])
        if kind == "open":
            self.origin = str(entry["origin"])
        elif kind == "seal":
            self.sealed = True
        elif kind == "eof":
            self._streams.pop(stream, None)
        elif kind in ("ev", "data"):
            self._streams.setdefault(stream, _Stream()).opened = True
        if kind == "data":
            end = int(str(entry["off"])) + int(str(entry["len"]))
            ends[str(entry["seg"])] = end
            self.data_bytes += int(str(entry["len"]))
            held = self._streams[stream]
            held.segment, held.offset = str(entry["seg"]), end
            held.total += int(str(entry["len"]))


def _stored_checkpoint(key: Ed25519PrivateKey) -> Checkpoint | None:
    path = Path(layout.CHECKPOINT)
    if not path.exists():
        return None
    try:
        vkey = VerifierKey.parse(Path(layout.VKEY).read_text().strip())
        if vkey.public != key.public_key().public_bytes_raw():
            raise StoreError("the log belongs to another key; it refuses to open")
        return open_checkpoint(path.read_bytes(), vkey)
    except (ValueError, OSError) as error:
        raise StoreError(f"the stored checkpoint is refused: {error}") from error


def _last_line_end(path: Path) -> int:
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - record.MAX_LINE - 2))
        tail = stream.read()
    return size - len(tail) + tail.rfind(b"\n") + 1 if b"\n" in tail else 0


def _cut(path: Path, end: int) -> list[tuple[str, int, str]]:
    """Move what lies beyond `end` to `recovery/`; says what it was."""
    size = path.stat().st_size
    if size < end:
        raise StoreError(f"{path} lacks {end - size} bytes that the index names; the log refuses to open")
    if size == end:
        return []
    with path.open("rb") as stream:
        stream.seek(end)
        rest = stream.read()
    Path("recovery").mkdir(exist_ok=True)
    digest = hashlib.sha256(rest).hexdigest()
    write_whole(f"recovery/{digest[:16]}", rest)
    with path.open("r+b") as stream:
        stream.truncate(end)
        os.fsync(stream.fileno())
    return [(str(path), len(rest), digest)]


def write_whole(name: str, data: bytes) -> None:
    """Write a file whole: temporary name, fsync, rename, fsync of its folder."""
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        _write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(path)
    _sync(path.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reserve() -> None:
    with contextlib.suppress(OSError), Path("reserve").open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, _RESERVE)


_BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:8]
