"""A record line of the log: one canonical JSON object (RFC 8785, narrowed).

- Keys sorted, no blanks, strings printable ASCII, integers below 2^53, no floats, no null.
- Any other text or bytes is an object `{"b64": ...}`.
- A line is at most 4 KiB, and is refused unless it is its own canonical form.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

MAX_LINE = 4096
_MAX_INT = 1 << 53
_MAX_DEPTH = 16
KINDS = frozenset({"open", "data", "ev", "clock", "torn", "rej", "eof", "seal"})


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
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise RecordError("not JSON") from None
    if not isinstance(record, dict):
        raise RecordError("not a JSON object")
    if encode(record) != line:
        raise RecordError("not in canonical form")
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
