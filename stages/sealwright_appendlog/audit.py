"""Check a sealed log offline, in one pass and in flat memory.

- Every line is the canonical form of a record, in sequence, with a known kind and a source.
- Every byte of every segment is named by exactly one data record, in order, and hashes as it says.
- The tree over the lines has the root of `checkpoint.sealed`, which the log's key has signed.
- The last record is the `seal`, and its counts and segment hashes are true.
- `SHA256SUMS` is what the files say; full tiles are not believed, the tree is computed from the lines.
- A stream of a build that ended unclean, and records put aside by a recovery, are named.
- Wall clock times that go back without a `clock` record are named.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from sealwright_appendlog import layout, record
from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint
from sealwright_appendlog.tree import CompactRange, leaf_hash


class LogBroken(Exception):  # noqa: N818 - it is what the log is
    """The log is not what was sealed; the sentence names the first bad record or file."""


@dataclass
class LogReport:
    """What a log that checks out says of itself."""

    checkpoint: Checkpoint
    vkey: str
    records: int = 0
    data_bytes: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    unclean: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)


class _Segments:
    """Reads each segment once, in step with the index."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._ends: dict[str, int] = {}
        self._open: tuple[str, BinaryIO] | None = None

    def check(self, entry: Mapping[str, Any]) -> None:
        name, offset, length = entry["seg"], entry["off"], entry["len"]
        if not isinstance(name, str) or not name.startswith("data/") or ".." in name or "//" in name:
            raise LogBroken(f"record {entry['n']}: no segment is called {name!r}")
        if offset != self._ends.get(name, 0):
            raise LogBroken(f"record {entry['n']}: its data does not follow the data before it")
        data = self._read(name, offset, length)
        if len(data) != length or hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise LogBroken(f"record {entry['n']}: its data in {name} was changed")
        self._ends[name] = offset + length

    def _read(self, name: str, offset: int, length: int) -> bytes:
        if self._open is None or self._open[0] != name:
            self.close()
            try:
                descriptor = os.open(self._log / name, os.O_RDONLY | os.O_NOFOLLOW)
            except OSError as error:
                raise LogBroken(f"{name}: {error.strerror}") from error
            self._open = name, os.fdopen(descriptor, "rb", buffering=0)
        return os.pread(self._open[1].fileno(), length, offset)

    def close(self) -> None:
        if self._open is not None:
            self._open[1].close()
        self._open = None

    def finish(self) -> None:
        self.close()
        for name in layout.segments(self._log):
            size = (self._log / name).stat().st_size
            if size != self._ends.get(name):
                raise LogBroken(f"{name}: {size - self._ends.get(name, 0)} bytes that no record names")


def check_log(log: Path, on_record: Callable[[Mapping[str, Any], bytes], None] | None = None) -> LogReport:
    """Check the sealed log at `log`; `on_record` sees every record and its line as it is read.

    Raises:
        LogBroken: it is not whole; the first bad record is named.
    """
    try:
        key = VerifierKey.parse((log / layout.VKEY).read_text().strip())
        checkpoint = open_checkpoint((log / layout.SEALED).read_bytes(), key)
    except OSError as error:
        raise LogBroken(f"{error.filename}: {error.strerror}; the log is not sealed, or not whole") from error
    except (NoteError, UnicodeDecodeError) as error:
        raise LogBroken(f"checkpoint.sealed: {error}") from error
    report = LogReport(checkpoint, str(key))
    tree, segments = CompactRange(), _Segments(log)
    last: Mapping[str, Any] = {}
    try:
        for entry, line in read_records(log):
            if last.get("k") == "seal":
                raise LogBroken(f"record {entry['n']}: it stands after the seal")
            _note(report, entry, last)
            if entry["k"] == "data":
                segments.check(entry)
                report.data_bytes += entry["len"]
            tree.append(leaf_hash(line))
            if on_record is not None:
                on_record(entry, line)
            last = entry
        segments.finish()
    finally:
        segments.close()
    _check_end(log, report, tree, last)
    return report


def read_records(log: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The records of a log with their lines, each checked by itself.

    Raises:
        LogBroken: a line is no record of format 1, or out of sequence.
    """
    count = 0
    try:
        for line in layout.lines(log / layout.INDEX):
            try:
                entry = record.decode(line)
            except record.RecordError as error:
                raise LogBroken(f"record {count}: {error}") from error
            if entry.get("n") != count or entry.get("k") not in record.KINDS:
                raise LogBroken(f"record {count}: out of sequence, or of an unknown kind")
            if not _well_formed(entry):
                raise LogBroken(f"record {count}: a field is missing or of a wrong type")
            count += 1
            yield entry, line
    except OSError as error:
        raise LogBroken(f"{layout.INDEX}: {error.strerror}") from error


_STAMPS: Mapping[str, type] = {"t": str, "up": int, "boot": str, "src": str, "s": str}
_FIELDS: Mapping[str, Mapping[str, type]] = {
    "open": {"format": int, "origin": str, "key": str},
    "data": {"ch": str, "len": int, "off": int, "seg": str, "sha256": str},
    "ev": {"body": dict},
    "eof": {"clean": bool, "bytes": int},
    "seal": {"records": int, "bytes": int, "segments": int, "segments_sha256": str},
}


def _well_formed(entry: Mapping[str, Any]) -> bool:
    wanted = {**_STAMPS, **_FIELDS.get(entry["k"], {})}
    return all(type(entry.get(name)) is kind for name, kind in wanted.items())


def _note(report: LogReport, entry: Mapping[str, Any], last: Mapping[str, Any]) -> None:
    kind = entry["k"]
    report.records += 1
    report.kinds[kind] = report.kinds.get(kind, 0) + 1
    if entry["n"] == 0 and (kind != "open" or entry["format"] != 1 or entry["origin"] != report.checkpoint.origin):
        raise LogBroken("record 0: it does not open a log of format 1 with this origin")
    if entry["n"] > 0 and kind == "open":
        raise LogBroken(f"record {entry['n']}: the log is opened twice")
    if kind == "eof" and not entry["clean"]:
        report.unclean.append(entry["s"])
    if kind in ("torn", "rej", "clock"):
        report.notices.append(
            f"record {entry['n']}: {kind} {entry.get('file') or entry.get('why') or entry.get('step')}"
        )
    if last and entry["t"] < last["t"] and kind != "clock" and last["k"] != "clock":
        report.notices.append(f"record {entry['n']}: the wall clock went back")
    if last and entry["boot"] == last["boot"] and entry["up"] < last["up"]:
        raise LogBroken(f"record {entry['n']}: it is older than the one before it")


def _check_end(log: Path, report: LogReport, tree: CompactRange, last: Mapping[str, Any]) -> None:
    checkpoint = report.checkpoint
    if last.get("k") != "seal":
        raise LogBroken("the log is not sealed")
    if tree.size != checkpoint.size or tree.root() != checkpoint.root:
        raise LogBroken(
            f"the index has {tree.size} records with another root than the sealed checkpoint of {checkpoint.size}"
        )
    said = (last["records"], last["bytes"], last["segments"], last["segments_sha256"])
    found = (report.records, report.data_bytes, len(layout.segments(log)), layout.segments_sha256(log))
    if said != found:
        raise LogBroken(f"record {last['n']}: the seal's counts are not true")
    index_end = (log / layout.INDEX).stat().st_size
    with (log / layout.INDEX).open("rb") as stream:
        stream.seek(max(0, index_end - 1))
        if stream.read() != b"\n":
            raise LogBroken("index.jsonl goes on after its last record")
    try:
        sums = (log / layout.SUMS).read_bytes()
    except OSError as error:
        raise LogBroken(f"SHA256SUMS: {error.strerror}") from error
    if sums != layout.sums(log):
        raise LogBroken("SHA256SUMS is not what the log's files say")
