"""Logs of past releases: events, output and ends as real record lines of an index, with the segments they name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sealwright_appendlog import record
from sealwright_stages import events as ev

BEGIN = datetime(2026, 3, 2, 12, 39, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Output:
    """A chunk of a stream's output."""

    stream: str
    data: bytes


@dataclass(frozen=True)
class End:
    """A stream ends."""

    stream: str
    clean: bool = True


@dataclass(frozen=True)
class Seal:
    """The log ends."""


Told = ev.Event | Output | End | Seal


class PastLog:
    """Writes `index.jsonl` and `data/` of the folder, a record every `step` milliseconds; there is no authority.

    A new segment begins where one has `segment` bytes.
    """

    def __init__(self, folder: Path, step: int = 250, *, whole: bool = True, segment: int = 64 << 20) -> None:
        self.folder = folder
        self.n = 0
        self._step, self._whole, self._segment = step, whole, segment
        self._at: dict[str, tuple[str, int]] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._index = (folder / "index.jsonl").open("wb")
        self._put("open", "engine", {"format": 1, "origin": "example.org/log", "key": "key"})

    def tell(self, told: Iterable[Told]) -> None:
        """Write these records."""
        for each in told:
            if isinstance(each, Output):
                self._output(each.stream, each.data)
            elif isinstance(each, End):
                self._put("eof", each.stream, {"clean": each.clean, "bytes": 0})
            elif isinstance(each, Seal):
                counts = {"records": self.n, "bytes": 0, "segments": 0, "segments_sha256": "0" * 64}
                self._put("seal", "engine", counts)
            else:
                self._put("ev", "engine", {"body": ev.to_body(each)})

    def close(self) -> Path:
        """The folder, all written."""
        self._index.close()
        return self.folder

    def _stamp(self) -> record.Stamp:
        moment = BEGIN + timedelta(milliseconds=self._step * self.n)
        return record.Stamp(moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), self.n, "00c0ffee")

    def _put(self, kind: str, stream: str, fields: Mapping[str, object]) -> None:
        stamp = self._stamp()
        stamps = {"n": self.n, "t": stamp.t, "up": stamp.up, "boot": stamp.boot, "src": "uid:0", "s": stream}
        self._line(record.encode({**stamps, "k": kind, **fields}))

    def _output(self, stream: str, data: bytes) -> None:
        fresh = record.segment_path(stream, self.n), 0
        segment, offset = self._at.get(stream, fresh)
        if offset >= self._segment:
            segment, offset = fresh
        self._at[stream] = segment, offset + len(data)
        if self._whole:
            path = self.folder / segment
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(data)
        chunk = record.Chunk("D", len(data), hashlib.sha256(data).hexdigest(), segment, offset)
        self._line(record.data_line(self._stamp(), self.n, "uid:0", stream, chunk))

    def _line(self, line: bytes) -> None:
        self._index.write(line + b"\n")
        self.n += 1


def write_past(folder: Path, told: Iterable[Told], step: int = 250, segment: int = 64 << 20) -> Path:
    """The log folder that has these records."""
    log = PastLog(folder, step, segment=segment)
    log.tell(told)
    return log.close()
