"""Check a sealed log offline, in one pass and in flat memory.

- Every line is the canonical form of a record, in sequence, of a known kind with its fields and no others.
- Every byte of every segment is named by exactly one data record, in order, and hashes as it says.
- A stream ends once, counts its bytes right, and says nothing after its end, but for `engine`, which a console
  may take up again.
- The tree over the lines has the root of `checkpoint.sealed`, which the log's key has signed; the tiles agree.
- The last record is the `seal`, its counts are true, and nothing follows it; a log that was cut names the first
  record that is missing.
- `SHA256SUMS` names just the segments that the records name, with the hashes that the seal binds, and the true
  hashes of all other files. Segments are proved chunk by chunk, by their records; hashing each byte a second
  time for the seal's own listing is left to `sums` (or to `sha256sum -c`, which says the same).
- Where a clock left its course there is a `clock` record, which says by how much, and nowhere else.
- The log continues each checkpoint that somebody saved of it; one that it does not is told with both notes.
- A cosignature on `checkpoint` by a witness that is asked for must verify; who of them cosigned is told, and when.
  Who of them did not, and signatures of others, are told too.
- Streams that ended unclean, frames that were refused and bytes that a recovery put aside are told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sealwright_appendlog import layout, record
from sealwright_appendlog.cosignature import Cosignature, WitnessKey, check_cosignatures
from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint
from sealwright_appendlog.saved import Continued, Saved, SavedCheck, SavedError
from sealwright_appendlog.segcheck import SegmentCheck
from sealwright_appendlog.stamps import Course
from sealwright_appendlog.tilecheck import TileCheck
from sealwright_appendlog.tree import CompactRange

OnRecord = Callable[[Mapping[str, Any], bytes], None]


class LogBroken(Exception):  # noqa: N818 - it is what the log is
    """The log is not what was sealed; the sentence names the first bad record (`record`) or file.

    `why` is "whole", "cosignatures" or "saved": what of it does not hold. `notes` are to be seen with it.
    """

    def __init__(
        self, what: str, n: int | None = None, *, why: str = "whole", notes: tuple[bytes, ...] = ()
    ) -> None:
        super().__init__(what if n is None else f"record {n}: {what}")
        self.record = n
        self.why = why
        self.notes = notes


@dataclass
class LogReport:
    """What a log that checks out says of itself. `unclean` are streams whose end was never told by their source;
    `resumed` counts how often a console was lost and another took the log up. `has_newest`: there is a `checkpoint`.
    `index_sha256` (hex) is that of the index as it was read."""

    checkpoint: Checkpoint
    vkey: str
    records: int = 0
    data_bytes: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    unclean: list[str] = field(default_factory=list)
    resumed: int = 0
    cosigned: list[Cosignature] = field(default_factory=list)
    continued: list[Continued] = field(default_factory=list)
    missing_tiles: int = 0
    index_sha256: str = ""
    has_newest: bool = True
    notices: list[str] = field(default_factory=list)


def check_log(
    log: Path,
    on_record: OnRecord | None = None,
    *,
    sums: bool = False,
    witnesses: Sequence[WitnessKey] = (),
    saved: Sequence[Saved] = (),
) -> LogReport:
    """Check the sealed log at `log`; `on_record` sees every record and its line as it is read.

    `on_record` runs while the check does: what it is given is proved only when this returns. `sums` also hashes
    each segment as a whole, against the seal. `witnesses` are those whose cosignatures are checked, `saved` the
    checkpoints that it must continue.

    Raises:
        LogBroken: it is not whole; the first bad record is named.
    """
    try:
        key = VerifierKey.parse(layout.whole(log / layout.VKEY).decode("ascii").removesuffix("\n"))
        sealed = layout.whole(log / layout.SEALED)
        checkpoint = open_checkpoint(sealed, key)
    except OSError as error:
        name = Path(str(error.filename)).name
        raise LogBroken(f"{name}: {error.strerror}; the log is not sealed, or not whole") from error
    except (NoteError, UnicodeDecodeError) as error:
        raise LogBroken(f"{layout.SEALED} or {layout.VKEY}: {error}") from error
    check = _Check(log, LogReport(checkpoint, str(key)), sums=sums)
    check.saved = SavedCheck(saved, key, witnesses, sealed) if saved else None
    try:
        check.read(on_record)
        check.end(key)
        _cosigned(log, key, witnesses, check.report)
        if check.saved is not None:
            check.report.continued = check.saved.end(check.report.records)
    except SavedError as error:
        raise LogBroken(str(error), why="saved", notes=error.notes) from error
    except OSError as error:
        raise LogBroken(f"{Path(str(error.filename)).name}: {error.strerror}") from error
    return check.report


def _cosigned(log: Path, key: VerifierKey, witnesses: Sequence[WitnessKey], report: LogReport) -> None:
    """Check the cosignatures on `checkpoint`, whose body was checked before."""
    path = log / layout.CHECKPOINT
    unknown: list[str] = []
    if path.exists():
        try:
            report.cosigned, unknown = check_cosignatures(layout.whole(path), key, witnesses)
        except NoteError as error:
            raise LogBroken(f"{layout.CHECKPOINT}: {error}", why="cosignatures") from error
    by = {cosigned.witness for cosigned in report.cosigned}
    report.notices += [f"witness {key.name} has not cosigned" for key in witnesses if key not in by]
    report.notices += [f"{layout.CHECKPOINT} has a signature of nobody known here: {name}" for name in unknown]


def read_records(log: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The records of a log with their lines, each checked by itself.

    Raises:
        LogBroken: a line is no record of format 1, or out of sequence.
    """
    count = 0
    try:
        for line in layout.lines(log / layout.INDEX, strict=True):
            try:
                entry = record.decode(line)
            except record.RecordError as error:
                raise LogBroken(str(error), count) from error
            if entry["n"] != count:
                raise LogBroken(f"out of sequence: it says {entry['n']}", count)
            yield entry, line
            count += 1
    except OSError as error:
        raise LogBroken(f"{layout.INDEX}: {error.strerror}") from error


class _Check:
    """One pass over one log."""

    def __init__(self, log: Path, report: LogReport, *, sums: bool) -> None:
        self.log = log
        self.report = report
        self.tree = CompactRange()
        self.tiles = TileCheck(log)
        self.segments = SegmentCheck(log, sums=sums)
        self.index_hash = hashlib.sha256()
        self.index_size = 0
        self.seal: Mapping[str, Any] | None = None
        self.saved: SavedCheck | None = None
        self._course = Course()
        self._open: dict[str, int] = {}
        self._ended: set[str] = set()

    def read(self, on_record: OnRecord | None) -> None:
        """Walk through the index; of all that is wrong, the first record is told."""
        problem: LogBroken | None = None
        try:
            for entry, line in read_records(self.log):
                self._take(entry, line)
                if on_record is not None:
                    on_record(entry, line)
            if self.seal is None:
                raise LogBroken("it is missing: the log ends before its seal", self.report.records)
        except LogBroken as error:
            problem = error
        finally:
            bad = self.segments.finish()
        changed = self.tiles.first_bad(complete=problem is None)
        found = [(problem.record if problem.record is not None else 1 << 60, problem)] if problem else []
        if bad is not None:
            found.append((bad[0], LogBroken(bad[1], bad[0])))
        if changed is not None:
            found.append((changed[0], LogBroken(changed[1], changed[0])))
        if found:
            raise min(found, key=lambda pair: pair[0])[1]

    def _take(self, entry: dict[str, Any], line: bytes) -> None:
        n, kind = entry["n"], entry["k"]
        if self.seal is not None:
            raise LogBroken("it stands after the seal", n)
        if self.saved is not None and n == 0:
            self.saved.take(self.tree)
        self.tree.append(self.tiles.take(line))
        if self.saved is not None:
            self.saved.take(self.tree)
        self.index_hash.update(line + b"\n")
        self.index_size += len(line) + 1
        self.report.records += 1
        self.report.kinds[kind] = self.report.kinds.get(kind, 0) + 1
        try:
            step = self._course.advance(entry["t"], entry["up"], entry["boot"])
        except record.RecordError as error:
            raise LogBroken(str(error), n) from error
        if (step or kind == "clock") and step != {
            key: entry[key] for key in ("step", "back", "rebooted") if kind == "clock" and key in entry
        }:
            untold = "a clock left its course, and no clock record says so"
            raise LogBroken("its times do not show what it says" if kind == "clock" else untold, n)
        if (kind == "open") != (n == 0):
            raise LogBroken("a log has one open record, its first", n)
        _KINDS[kind](self, entry)

    def _on_open(self, entry: dict[str, Any]) -> None:
        told = entry["format"], entry["origin"], entry["key"]
        if told != (1, self.report.checkpoint.origin, self.report.vkey):
            raise LogBroken("it does not open a log of format 1 with this origin and key", 0)

    def _on_data(self, entry: dict[str, Any]) -> None:
        self._speaking(entry)
        if wrong := self.segments.add(entry):
            raise LogBroken(wrong, entry["n"])
        self._open[entry["s"]] += entry["len"]
        self.report.data_bytes += entry["len"]

    def _speaking(self, entry: dict[str, Any]) -> None:
        stream = entry["s"]
        if stream in self._ended and stream != "engine":
            raise LogBroken(f"stream {stream} goes on after its end", entry["n"])
        if stream not in self._open:
            try:
                self._open[record.stream_name(stream)] = 0
            except record.RecordError as error:
                raise LogBroken(str(error), entry["n"]) from error

    def _on_eof(self, entry: dict[str, Any]) -> None:
        stream = entry["s"]
        self._speaking(entry)
        if entry["bytes"] != self._open.pop(stream):
            raise LogBroken(f"stream {stream} did not have {entry['bytes']} bytes", entry["n"])
        self._ended.add(stream)
        if not entry["clean"] and stream == "engine":
            self.report.resumed += 1
            self._tell(entry, "the console was lost here, and one took the log up again")
        elif not entry["clean"]:
            self.report.unclean.append(stream)

    def _on_notice(self, entry: dict[str, Any]) -> None:
        if entry["k"] == "rej":
            self._tell(entry, f"a frame was refused: {entry['why']}")
        elif entry["k"] == "torn":
            self._tell(entry, f"a recovery cut {entry['len']} bytes off {entry['file']}")
        else:
            self._tell(entry, " and ".join(_of_clocks(entry)))

    def _on_seal(self, entry: dict[str, Any]) -> None:
        self.seal = entry
        if self._open:
            raise LogBroken(f"sealed while stream {min(self._open)} was open", entry["n"])

    def _tell(self, entry: dict[str, Any], what: str) -> None:
        self.report.notices.append(f"record {entry['n']}: {what}")

    def end(self, key: VerifierKey) -> None:
        """Compare what was read with the checkpoints, the seal and the sums."""
        checkpoint = self.report.checkpoint
        if (self.tree.size, self.tree.root()) != (checkpoint.size, checkpoint.root):
            raise LogBroken(f"the index has another root than the sealed checkpoint of {checkpoint.size} records")
        self.report.index_sha256 = self.index_hash.hexdigest()
        if (self.log / layout.INDEX).stat().st_size != self.index_size:
            raise LogBroken("index.jsonl goes on after its last record")
        sizes = self.segments.sizes()
        for name in layout.segments(self.log):
            path = self.log / name
            if path.is_symlink() or name not in sizes or path.stat().st_size != sizes[name]:
                raise LogBroken(f"{name}: bytes that no record names")
        listed = layout.listed(self.log)
        self._sealed(listed)
        self._newest(key)
        if set(listed) != set(sizes) or layout.whole(self.log / layout.SUMS) != layout.sums(self.log, listed):
            raise LogBroken("SHA256SUMS is not what the log's files say")
        if self.tiles.missing:
            self.report.missing_tiles = self.tiles.missing
            self.report.notices.append(f"{self.tiles.missing} tiles are missing; they can be made from the index")

    def _sealed(self, listed: Mapping[str, str]) -> None:
        """Compare counts and hashes with the seal, which the index's root has proved to be the log's own."""
        seal, report = self.seal or {}, self.report
        said = tuple(seal[name] for name in ("records", "bytes", "segments"))
        if said != (report.records, report.data_bytes, len(self.segments.sizes())):
            raise LogBroken("the seal's counts are not true", seal["n"])
        true = self.segments.hashes()
        if true and layout.segments_sha256(true) != seal["segments_sha256"]:
            raise LogBroken("the segments' hashes are not those of the seal", seal["n"])
        if layout.segments_sha256(listed) != seal["segments_sha256"]:
            raise LogBroken("SHA256SUMS: it does not list the segments' hashes that the seal binds")

    def _newest(self, key: VerifierKey) -> None:
        path = self.log / layout.CHECKPOINT
        if not path.exists():
            self.report.has_newest = False
            return
        try:
            newest = open_checkpoint(layout.whole(path), key)
        except NoteError as error:
            raise LogBroken(f"{layout.CHECKPOINT}: {error}") from error
        if newest != self.report.checkpoint:
            raise LogBroken(f"{layout.CHECKPOINT} is not the sealed one")


def _of_clocks(entry: Mapping[str, Any]) -> Iterator[str]:
    if entry.get("rebooted"):
        yield "the machine was started anew"
    if entry.get("back"):
        yield f"the uptime went back by {entry['back'] / 1e6:.1f} s, as in a machine that was put back to an earlier state"
    if entry["step"]:
        yield f"the wall clock stepped by {entry['step'] / 1e6:.1f} s"


_KINDS: Mapping[str, Callable[[_Check, dict[str, Any]], None]] = {
    "open": _Check._on_open,
    "data": _Check._on_data,
    "ev": _Check._speaking,
    "eof": _Check._on_eof,
    "seal": _Check._on_seal,
    "clock": _Check._on_notice,
    "torn": _Check._on_notice,
    "rej": _Check._on_notice,
}
