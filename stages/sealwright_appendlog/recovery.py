"""Reading a log's folder back after its authority ended, in whatever way.

- What follows the last LF of the index, and data beyond the last indexed byte, goes to `recovery/` before it is
  cut off; each piece is told, so that a `torn` record can name it.
- Data that the index names and the disk lacks, a record that is none, a stored checkpoint that the index does
  not reproduce, another key, anything after a seal: the log refuses to open.
- On a full disk a piece is cut off first and kept then, in the space that it took up.
- A crash during recovery is one that the next recovery makes good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sealwright_appendlog import layout, record
from sealwright_appendlog.errors import StoreError as StoreError  # noqa: PLC0414 - known by this module's name, too
from sealwright_appendlog.folder import Folder, sync_folder
from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint
from sealwright_appendlog.reserve import disk_is_full, sync
from sealwright_appendlog.stamps import Course
from sealwright_appendlog.streams import Stream
from sealwright_appendlog.tiles import TileWriter
from sealwright_appendlog.tree import CompactRange

RECOVERY = "recovery"
ITSELF = "-"
"""The source of the authority's own records."""
_SPEAKING = frozenset({"ev", "data", "eof", "seal"})


@dataclass(frozen=True)
class Torn:
    """Bytes that were cut off: the file that held them, how many, and their SHA-256."""

    file: str
    length: int
    sha256: str


@dataclass
class Recovered:
    """What the index says, folded in one pass."""

    vkey: VerifierKey
    tiles: TileWriter
    tree: CompactRange = field(default_factory=CompactRange)
    course: Course = field(default_factory=Course)
    streams: dict[str, Stream] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    ends: dict[str, int] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    seal: Mapping[str, Any] | None = None
    torn: list[Torn] = field(default_factory=list)
    data_bytes: int = 0
    engine_src: str = ""

    def take(self, entry: Mapping[str, Any], line: bytes) -> None:
        """Take the next record."""
        if entry["n"] != self.tree.size or self.seal is not None:
            raise record.RecordError("out of sequence")
        kind, stream = entry["k"], entry["s"]
        self.tree.append(self.tiles.append(line))
        self.course.step(record.Stamp(entry["t"], entry["up"], entry["boot"]))
        if (kind == "open") != (entry["n"] == 0):
            raise record.RecordError("a log has one open record, its first")
        if kind == "open" and (entry["key"] != str(self.vkey) or entry["format"] != 1):
            raise record.RecordError("it opens a log of another key or format")
        if stream == record.ENGINE and kind in _SPEAKING and entry["src"] != ITSELF:
            self.engine_src = self.engine_src or entry["src"]
        if kind == "seal":
            self.seal = entry
        elif kind == "torn":
            self.told.add(entry["sha256"])
        elif kind == "eof":
            self.streams.pop(stream, None)
            self.ended.add(stream)
        elif kind in ("ev", "data"):
            self.streams.setdefault(stream, Stream())
        if kind == "data":
            self._data(entry, self.streams[stream])

    def _data(self, entry: Mapping[str, Any], held: Stream) -> None:
        held.segment, held.offset = entry["seg"], entry["off"] + entry["len"]
        held.total += entry["len"]
        self.ends[held.segment] = held.offset
        self.data_bytes += entry["len"]


def recover(folder: Folder, vkey: VerifierKey, tiles: TileWriter) -> Recovered:
    """Read the folder back and put aside what a crash left half done.

    Raises:
        StoreError: it is not whole in a way that no crash explains.
        OSError: the disk refuses.
    """
    found = Recovered(vkey, tiles)
    stored = _stored(folder, vkey)
    index = folder.path / layout.INDEX
    tail = 0
    if index.exists():
        tail = _whole_lines(index)
        _replay(index, found, stored)
    elif any(layout.segments(folder.path)):
        raise StoreError("there is data and no index; the log refuses to open")
    if stored is not None and stored.size > found.tree.size:
        raise StoreError(f"the stored checkpoint has {stored.size} records, the index {found.tree.size}")
    _cut_all(folder, found, tail)
    return found


def _replay(index: Path, found: Recovered, stored: Checkpoint | None) -> None:
    for line in layout.lines(index):
        n = found.tree.size
        try:
            found.take(record.decode(line), line)
        except record.RecordError as error:
            raise StoreError(f"record {n}: {error}; the log refuses to open") from error
        if stored is not None and stored.size == n + 1 and stored.root != found.tree.root():
            raise StoreError("the stored checkpoint is not of this index; the log refuses to open")


def _stored(folder: Folder, vkey: VerifierKey) -> Checkpoint | None:
    try:
        known = (folder.path / layout.VKEY).read_text("ascii").strip()
        if known != str(vkey):
            raise StoreError("the log belongs to another key or origin; it refuses to open")
        return open_checkpoint((folder.path / layout.CHECKPOINT).read_bytes(), vkey)
    except FileNotFoundError:
        return None
    except (NoteError, UnicodeDecodeError) as error:
        raise StoreError(f"the stored checkpoint is refused: {error}") from error


def _whole_lines(path: Path) -> int:
    """Where the last whole line of the index ends."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - (8 << 20)))
        tail = stream.read()
    if b"\n" not in tail and size > len(tail):
        raise StoreError("the index ends in no line at all; the log refuses to open")
    return size - len(tail) + tail.rfind(b"\n") + 1


def _cut_all(folder: Folder, found: Recovered, tail: int) -> None:
    pieces = []
    if (folder.path / layout.INDEX).exists():
        pieces.append((layout.INDEX, tail))
    pieces += [(path, found.ends.get(path, 0)) for path in layout.segments(folder.path)]
    for path in set(found.ends) - {path for path, _ in pieces}:
        raise StoreError(f"{path} is missing, and the index names it; the log refuses to open")
    for path, end in pieces:
        size = (folder.path / path).stat().st_size
        if size < end:
            raise StoreError(f"{path} lacks {end - size} bytes that the index names; the log refuses to open")
        if size > end or (path != layout.INDEX and end == 0):
            if found.seal is not None:
                raise StoreError(f"{path} goes on after the seal; the log refuses to open")
            _cut(folder, path, end)
    for kept in sorted((folder.path / RECOVERY).glob("*")):
        if kept.name not in found.told and not kept.name.startswith("."):
            file, _, digest = kept.name.rpartition(":")
            if digest not in found.told:
                found.torn.append(Torn(file.replace(":", "/"), kept.stat().st_size, digest))


def _cut(folder: Folder, path: str, end: int) -> None:
    """Copy what lies beyond `end` to `recovery/<path>:<sha256>`, then cut it off."""
    file = folder.path / path
    with file.open("rb") as stream:
        stream.seek(end)
        rest = stream.read()
    kept = {f"{RECOVERY}/{path.replace('/', ':')}:{hashlib.sha256(rest).hexdigest()}": rest} if rest else {}
    try:
        folder.write(kept)
    except OSError as error:
        if not disk_is_full(error):
            raise
        _cut_off(file, end, whole=path != layout.INDEX)
        folder.write(kept)
    else:
        _cut_off(file, end, whole=path != layout.INDEX)


def _cut_off(file: Path, end: int, *, whole: bool) -> None:
    if end == 0 and whole:
        file.unlink()
        sync_folder(file.parent)
        return
    with file.open("r+b") as stream:
        stream.truncate(end)
        sync(stream.fileno())
