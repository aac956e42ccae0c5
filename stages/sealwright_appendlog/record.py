"""A record line of the log: one canonical JSON object (RFC 8785, narrowed).

- Keys sorted, no blanks, strings printable ASCII, integers below 2^53, no floats, no null.
- Any other text or bytes is an object `{"b64": ...}`.
- A line is at most 4 KiB, and is refused unless it is its own canonical form.
- Every record has `n` (sequence, also the leaf's index), `t` (UTC, a moment that there is), `up` (microseconds
  since boot, suspended time included), `boot` (8 hex digits of the boot id), `src` (who sent it, as the transport
  knows; "-" is the authority itself), `s` (the stream) and `k`; then the fields of its kind, and no others.

What each kind has:
    open   format, origin, key (the verifier key)
    data   ch ("D" output, "E" error output), len, off, seg, sha256: `len` bytes at `off` of the file `seg`
    ev     body: an event of the engine, on the stream `engine` alone
    clock  step: microseconds by which the wall clock left its course; back, where the uptime went back by so many;
           rebooted, where the machine was started anew
    torn   file, len, sha256: what recovery cut off; its bytes lie in recovery/
    rej    why: a frame was refused
    eof    clean, bytes, and exit where the stream told one
    seal   records, bytes, segments, segments_sha256: SHA-256 over the segments' lines in SHA256SUMS
"""

from __future__ import annotations

import base64
import datetime
import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_LINE = 4096
_MAX_INT = 1 << 53
_MAX_DEPTH = 16
ENGINE = "engine"
"""The stream that carries the events."""
_STAMPS: Mapping[str, type] = {"n": int, "t": str, "up": int, "boot": str, "src": str, "s": str, "k": str}
_TEXT = object  # a text, or the object that `text` makes of one that is not plain
FIELDS: Mapping[str, Mapping[str, type]] = {
    "open": {"format": int, "origin": _TEXT, "key": str},
    "data": {"ch": str, "len": int, "off": int, "seg": str, "sha256": str},
    "ev": {"body": dict},
    "clock": {"step": int},
    "torn": {"file": _TEXT, "len": int, "sha256": str},
    "rej": {"why": _TEXT},
    "eof": {"clean": bool, "bytes": int},
    "seal": {"records": int, "bytes": int, "segments": int, "segments_sha256": str},
}
_OPTIONAL: Mapping[str, Mapping[str, type]] = {
    "eof": {"exit": int},
    "clock": {"back": int, "rebooted": bool},
}
_ODD = re.compile(r"[^ -~]")
_INT = rb"(0|[1-9][0-9]{0,14})"
_SEGMENT = rb"(data/[A-Za-z0-9._+~#@/-]+/[0-9]{8,}\.log)"
_DATA = re.compile(
    rb'\{"boot":"([0-9a-f]{8})","ch":"([DE])","k":"data","len":' + _INT + rb',"n":' + _INT + rb',"off":' + _INT
    + rb',"s":"([A-Za-z0-9._+~#@/-]+)","seg":"' + _SEGMENT + rb'","sha256":"([0-9a-f]{64})"'
    + rb',"src":"([ !#-\[\]-~]*)","t":"([0-9T:.Z-]+)","up":' + _INT + rb"\}"
)  # fmt: skip
_TIME = re.compile(r"\d{4}-\d\d-\d\dT([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{6}Z", re.ASCII)
_PART = r"[A-Za-z0-9][A-Za-z0-9._+~#@-]{0,99}"
_LONGEST_STREAM = 160
"""A file's name in recovery/ is made of it and of a hash, and has 255 characters at most."""
_STREAM = re.compile(rf"{_PART}(/{_PART}){{0,3}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the authority alone puts on a record: time (UTC, microseconds), uptime (microseconds), boot."""

    t: str
    up: int
    boot: str


@dataclass(frozen=True)
class Chunk:
    """A run of a stream's bytes: its channel, length and SHA-256 (hex), and where it lies."""

    channel: str
    length: int
    sha256: str
    segment: str
    offset: int


class RecordError(ValueError):
    """A record that format 1 does not know; the sentence says why."""


def stream_name(name: str) -> str:
    """`name`, if a stream may have it: it becomes a folder's path below data/.

    Raises:
        RecordError: it may not.
    """
    if (
        len(name) > _LONGEST_STREAM
        or not _STREAM.fullmatch(name)
        or any(part.endswith(".log") for part in name.split("/"))
    ):
        raise RecordError(
            f"a stream has one to four plain names, joined by slashes, none of which ends in .log, and "
            f"{_LONGEST_STREAM} characters at most"
        )
    return name


def check_time(t: str) -> str:
    """`t`, if it is the time of a record.

    Raises:
        RecordError: it is of another form, or there is no such moment.
    """
    if not _TIME.fullmatch(t) or not _is_day(t[:10]):
        raise RecordError("its time is no moment of the form 2000-01-01T00:00:00.000000Z")
    return t


@functools.lru_cache(maxsize=16)
def _is_day(day: str) -> bool:
    try:
        datetime.date.fromisoformat(day)
    except ValueError:
        return False
    return True


def segment_path(stream: str, first: int) -> str:
    """The path of the segment of `stream` whose first record is `first`."""
    return f"data/{stream}/{first:08d}.log"


def data_line(stamp: Stamp, n: int, src: str, stream: str, chunk: Chunk) -> bytes:
    """The line of a `data` record, as `encode` would make it: there are too many of these to go by a mapping."""
    return (
        f'{{"boot":"{stamp.boot}","ch":"{chunk.channel}","k":"data","len":{chunk.length},"n":{n},'
        f'"off":{chunk.offset},"s":"{stream}","seg":"{chunk.segment}","sha256":"{chunk.sha256}","src":"{src}",'
        f'"t":"{stamp.t}","up":{stamp.up}}}'
    ).encode("ascii")


def encode(record: Mapping[str, object]) -> bytes:
    """The record as its line, without the LF.

    Raises:
        RecordError: a value that can't be said, or a line over 4 KiB.
    """
    _check(record, 0)
    line = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()
    if len(line) > MAX_LINE:
        raise RecordError(f"a record of {len(line)} bytes; {MAX_LINE} is the most")
    return line


def decode(line: bytes) -> dict[str, Any]:
    """Read a record line (without its LF).

    Raises:
        RecordError: it is not the canonical form of a record.
    """
    if len(line) > MAX_LINE:
        raise RecordError(f"a line of {len(line)} bytes; {MAX_LINE} is the most")
    if found := _DATA.fullmatch(line):
        return _data(found)
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise RecordError("not JSON") from None
    if not isinstance(record, dict):
        raise RecordError("not a JSON object")
    if encode(record) != line:
        raise RecordError("not in canonical form")
    check_fields(record)
    return record


def check_fields(record: Mapping[str, object]) -> None:
    """Look whether a record has the fields of its kind, and no others.

    Raises:
        RecordError: it does not.
    """
    kind = record.get("k")
    if not isinstance(kind, str) or kind not in FIELDS:
        raise RecordError("a record of no known kind")
    wanted = {**_STAMPS, **FIELDS[kind]}
    optional = _OPTIONAL.get(kind, {})
    if missing := set(wanted) - set(record):
        raise RecordError(f"{kind} without {min(missing)}")
    if surplus := set(record) - set(wanted) - set(optional):
        raise RecordError(f"{kind} with an unknown {min(surplus)}")
    for key, value in record.items():
        wants = wanted.get(key) or optional[key]
        if wants is not _TEXT and type(value) is not wants:
            raise RecordError(f"{kind}: {key} is of a wrong type")
    stream_name(str(record["s"]))
    check_time(str(record["t"]))
    if kind == "data":
        raise RecordError("data that is not written as data is")
    if kind == "ev" and record["s"] != ENGINE:
        raise RecordError("an event on another stream than the engine's")


def _data(found: re.Match[bytes]) -> dict[str, Any]:
    boot, channel, length, n, offset, stream, segment, sha256, src, t, up = found.groups()
    record: dict[str, Any] = {
        "k": "data",
        "boot": boot.decode("ascii"),
        "ch": channel.decode("ascii"),
        "len": int(length),
        "n": int(n),
        "off": int(offset),
        "s": stream.decode("ascii"),
        "seg": segment.decode("ascii"),
        "sha256": sha256.decode("ascii"),
        "src": src.decode("ascii"),
        "t": check_time(t.decode("ascii")),
        "up": int(up),
    }
    return record


def text(value: str) -> object:
    """A text as a record may hold it."""
    if not _ODD.search(value):
        return value
    return {"b64": base64.b64encode(value.encode("utf-8", "surrogateescape")).decode()}


def _check(value: object, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise RecordError("nested too deeply")
    if isinstance(value, Mapping):
        _check_inner([*value.keys()], depth, keys=True)
        _check_inner([*value.values()], depth)
    elif isinstance(value, (list, tuple)):
        _check_inner(value, depth)
    else:
        _check_scalar(value)


def _check_inner(values: Sequence[object], depth: int, *, keys: bool = False) -> None:
    for value in values:
        if keys and not isinstance(value, str):
            raise RecordError("a key that is no string")
        _check(value, depth + 1)


def _check_scalar(value: object) -> None:
    if isinstance(value, bool):
        return
    if isinstance(value, int):
        if not -_MAX_INT < value < _MAX_INT:
            raise RecordError("an integer of 2^53 or more")
    elif not isinstance(value, str):
        raise RecordError(f"{type(value).__name__} can't be said in a record")
    elif _ODD.search(value):
        raise RecordError("a string that is not printable ASCII")
