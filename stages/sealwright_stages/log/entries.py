"""Entries of the log as the reducer takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealwright_appendlog import layout, record
from sealwright_appendlog.audit import LogBroken, read_records

MAX_EVIDENCE = 64 << 20
"""Bytes of a stream that are read as evidence at most."""


@dataclass(frozen=True)
class Entry:
    """A record: sequence, time, kind, stream, source, the line as it stands, and the body that the kind has."""

    n: int
    t: str
    kind: str
    stream: str
    src: str
    line: bytes
    body: Mapping[str, Any]


def entry_of(line: bytes) -> Entry:
    """The entry that a record line says.

    Raises:
        RecordError: it is no record.
    """
    return entry_from(record.decode(line), line)


def entry_from(fields: Mapping[str, Any], line: bytes) -> Entry:
    """The entry of a record that was read and checked already."""
    body = fields["body"] if fields["k"] == "ev" else fields
    if fields["k"] == "eof":
        body = {**fields, "stream": fields["s"]}
    return Entry(fields["n"], fields["t"], fields["k"], fields["s"], fields["src"], line, body)


def read_entries(log: Path) -> Iterator[Entry]:
    """The entries of a log folder, whole lines only.

    Raises:
        LogBroken: a line is no record.
    """
    if not (log / "index.jsonl").exists():
        return
    for fields, line in read_records(log):
        yield entry_from(fields, line)


def read_stream(log: Path | None, stream: str) -> bytes:
    """The bytes of a finished stream that holds evidence, from the log's files.

    Raises:
        OSError: it can't be read, or is too long for evidence, as a build's output may be.
    """
    parts: list[bytes] = []
    left = MAX_EVIDENCE
    for path in sorted((log / "data" / stream).glob("*.log")) if log is not None else ():
        parts.append(layout.whole(path, left))
        left -= len(parts[-1])
    return b"".join(parts)


__all__ = ["MAX_EVIDENCE", "Entry", "LogBroken", "entry_from", "entry_of", "read_entries", "read_stream"]
