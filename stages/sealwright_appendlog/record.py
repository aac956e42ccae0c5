"""A record line of the log: one canonical JSON object (RFC 8785, narrowed).

- Keys sorted, no blanks, strings printable ASCII, integers below 2^53, no floats, no null.
- Any other text or bytes is an object `{"b64": ...}`.
- A line is at most 4 KiB, and is refused unless it is its own canonical form.
- Every record has `n` (sequence, also the leaf's index), `t` (UTC), `up` (microseconds since boot, suspended
  time included), `boot` (8 hex digits of the boot id), `src` (who sent it, as the transport knows) and `k`.

What each kind `k` has beside those (`s` is the stream's name):
    open   format, origin, key (verifier key), prev (the checkpoint of the log before: origin, root, size) or not
    data   s, ch ("D" output, "E" error output), len, off, seg, sha256: `len` bytes at `off` of
           data/<s>/<seg, eight digits>.log
    ev     s, body
    clock  step: microseconds by which the wall clock left its course
    torn   file, off, len, sha256: what recovery cut off; its bytes lie in recovery/<sha256>
    rej    s, type, why: a frame that was refused
    eof    s, clean, bytes, and exit where it is clean
    seal   records, streams, bytes, segments, segments_sha256: SHA-256 over the segments' lines in SHA256SUMS
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

MAX_LINE = 4096
_MAX_INT = 1 << 53
_MAX_DEPTH = 16
_ALWAYS = frozenset({"n", "t", "up", "boot", "src", "k"})
FIELDS: Mapping[str, frozenset[str]] = {
    "open": frozenset({"format", "origin", "key"}),
    "data": frozenset({"s", "ch", "len", "off", "seg", "sha256"}),
    "ev": frozenset({"s", "body"}),
    "clock": frozenset({"step"}),
    "torn": frozenset({"file", "off", "len", "sha256"}),
    "rej": frozenset({"s", "type", "why"}),
    "eof": frozenset({"s", "clean", "bytes"}),
    "seal": frozenset({"records", "streams", "bytes", "segments", "segments_sha256"}),
}
_OPTIONAL = {"open": frozenset({"prev"}), "eof": frozenset({"exit"})}
_PART = r"[A-Za-z0-9][A-Za-z0-9._+~#@-]{0,99}"
STREAM = re.compile(rf"(?=.{{1,200}}\Z){_PART}(/{_PART}){{0,3}}", re.ASCII)
_INT = rb"(0|[1-9][0-9]{0,14})"
_DATA = re.compile(
    rb'\{"boot":"([0-9a-f]{8})","ch":"([DE])","k":"data","len":' + _INT + rb',"n":' + _INT + rb',"off":' + _INT
    + rb',"s":"([A-Za-z0-9._+~#@/-]+)","seg":' + _INT + rb',"sha256":"([0-9a-f]{64})","src":"([ !#-\[\]-~]*)"'
    + rb',"t":"([0-9T:.Z-]+)","up":' + _INT + rb"\}"
)  # fmt: skip
_DATA_KEYS = ("boot", "ch", "len", "n", "off", "s", "seg", "sha256", "src", "t", "up")
_INTEGERS = frozenset({"len", "n", "off", "seg", "up"})
_TYPES: Mapping[str, type] = {
    **dict.fromkeys((*_INTEGERS, "format", "step", "bytes", "exit", "records", "streams", "segments"), int),
    **dict.fromkeys(("t", "boot", "src", "k", "s", "ch", "sha256", "origin", "key", "file", "type"), str),
    "body": dict,
    "clean": bool,
}


@dataclass(frozen=True)
class Stamp:
    """What the authority alone puts on a record: time (UTC, microseconds), uptime (microseconds), boot."""

    t: str
    up: int
    boot: str


def stream_name(name: str) -> str:
    """`name`, if a stream may have it: it is a folder's path below data/.

    Raises:
        RecordError: it may not.
    """
    if not STREAM.fullmatch(name) or any(part.endswith(".log") for part in name.split("/")):
        raise RecordError("a stream has one to four plain names, joined by slashes, none of which ends in .log")
    return name


def segment_path(stream: str, segment: int) -> str:
    """Where a segment lies, relative to the log."""
    return f"data/{stream}/{segment:08d}.log"


def data_line(stamp: Stamp, n: int, src: str, place: tuple[str, int, int], chunk: tuple[str, int, str]) -> bytes:
    """The line of a `data` record, as `encode` would make it; `place` is stream, segment and offset, `chunk`
    channel, length and SHA-256. There are many of these, so they are not made by way of a mapping."""
    stream, segment, offset = place
    channel, length, digest = chunk
    return (
        f'{{"boot":"{stamp.boot}","ch":"{channel}","k":"data","len":{length},"n":{n},"off":{offset},'
        f'"s":"{stream}","seg":{segment},"sha256":"{digest}","src":"{src}","t":"{stamp.t}","up":{stamp.up}}}'
    ).encode("ascii")


class RecordError(ValueError):
    """A record that format 1 does not know; the sentence says why."""


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
    wanted = FIELDS[kind] | _ALWAYS
    if missing := wanted - set(record):
        raise RecordError(f"{kind} without {min(missing)}")
    if surplus := set(record) - wanted - _OPTIONAL.get(kind, frozenset()):
        raise RecordError(f"{kind} with an unknown {min(surplus)}")
    for key, value in record.items():
        if type(value) is not _TYPES.get(key, type(value)):
            raise RecordError(f"{kind}: {key} is of a wrong type")
    if "s" in record:
        stream_name(str(record["s"]))


def _data(found: re.Match[bytes]) -> dict[str, Any]:
    record: dict[str, Any] = {"k": "data"}
    for key, value in zip(_DATA_KEYS, found.groups(), strict=True):
        record[key] = int(value) if key in _INTEGERS else value.decode("ascii")
    stream_name(record["s"])
    return record


def text(value: str) -> object:
    """A text as a record may hold it."""
    if all(" " <= character <= "~" for character in value):
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
    elif not all(" " <= character <= "~" for character in value):
        raise RecordError("a string that is not printable ASCII")
