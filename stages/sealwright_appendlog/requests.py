"""What clients say in their frames, read strictly.

- A hello names format 1 and a plain stream; only the stream `engine` may say what it saw and where it follows.
- A hello without a stream only asks whether anybody is there; only a host answers it.
- A finish without a status is that of a plain pipe, of which nobody knows how it ended.
- Whatever a frame's payload may not be is refused with a sentence; so are JSON in another encoding than UTF-8 and a
  key that comes twice.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sealwright_appendlog import record
from sealwright_appendlog.clients import Refused
from sealwright_appendlog.frames import MAX_PAYLOAD
from sealwright_appendlog.store import FORMAT

RAW = "raw/"
"""How the names of plain pipes' streams begin."""


@dataclass(frozen=True)
class Hello:
    """A hello: stream, size of the checkpoint seen last (0: none), first record to follow from, log's origin."""

    stream: str
    seen: int
    since: int | None
    origin: str | None = None

    @classmethod
    def parse(cls, payload: bytes) -> Hello:
        """Read an `H` payload.

        Raises:
            Refused: it is no hello of this format.
            RecordError: no stream can have that name.
        """
        hello = _of_this_format(payload)
        stream, origin = hello.get("stream"), hello.get("origin")
        if not isinstance(stream, str) or not isinstance(origin, str | None):
            raise Refused("a hello without a stream")
        if set(hello) - {"format", "stream", "origin", *(("seen", "since") if stream == "engine" else ())}:
            raise Refused("a hello that says what this format does not know")
        since = _count(hello, "since") if "since" in hello else None
        return cls(record.stream_name(stream), _count(hello, "seen"), since, origin)


def only_asks(payload: bytes) -> bool:
    """Whether an `H` payload asks no more than whether anybody is there.

    Raises:
        Refused: it is no hello of this format.
    """
    return set(_of_this_format(payload)) == {"format"}


def event_body(payload: bytes) -> dict[str, object]:
    """The body that a `J` payload holds; whether a record can say it shows when it is encoded.

    Raises:
        Refused: no JSON object, or too long.
    """
    if len(payload) > record.MAX_LINE:
        raise Refused("an event over 4 KiB")
    return _json(payload)


def exit_status(payload: bytes) -> int | None:
    """The exit status of an `F` payload; None if nobody knows one.

    Raises:
        Refused: it is none.
    """
    if not payload:
        return None
    digits = payload.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 10:
        raise Refused("no exit status")
    return int(payload)


def joined(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Lines, each with its LF, in blocks that fit a frame."""
    block = bytearray()
    for line in lines:
        if len(block) + len(line) + 1 > MAX_PAYLOAD:
            yield bytes(block)
            block.clear()
        block += line + b"\n"
    if block:
        yield bytes(block)


def _of_this_format(payload: bytes) -> dict[str, object]:
    hello = _json(payload)
    if type(hello.get("format")) is not int:
        raise Refused("a hello without a format")
    if hello["format"] != FORMAT:
        raise Refused(f"this authority speaks format {FORMAT}, the hello format {hello['format']}")
    return hello


def _json(payload: bytes) -> dict[str, object]:
    try:
        value = json.loads(payload.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None
    if not isinstance(value, dict):
        raise Refused("not a JSON object")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object none of whose keys comes twice: readers would not agree on which of the two was meant."""
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Refused("a key that comes twice")
    return value


def _count(hello: dict[str, object], name: str) -> int:
    value = hello.get(name, 0)
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise Refused(f"{name} is no number of records")
    return value
