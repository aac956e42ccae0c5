"""What an engine and its consoles say to each other: one JSON object a line, of known kinds and of known fields.

- The engine says who it is, the picture of the state, and then, whenever it changes, how things stand: each such
  message replaces the one of its kind before, so nothing piles up for a console that is slow.
- A console says who it is, and then what a person wants done. It can ask for nothing that the rules forbid.
- A line has at most `MOST_SAID` bytes from an engine, `MOST_ASKED` from a console.
- What is not exactly of a known form is refused, and the connection with it.
- A word starts with who it is and the number of the protocol; another number is told, and never guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sealwright_stages.attended.plain import NotPlainError, hints, plain, reader
from sealwright_stages.finish import Finish, Thing
from sealwright_stages.live import Ahead, Now

PROTOCOL = 2
MOST_SAID = 16 << 20
MOST_ASKED = 16 << 10


class ProtocolError(ValueError):
    """A line is none of this protocol; the sentence says why, in words of ours alone."""


@dataclass(frozen=True)
class Hello:
    """An engine: its release as name-version, what it goes by and how far it goes; `since` in UTC.

    `keys` is the keyring's folder of keys, absolute.
    """

    protocol: int
    tool: str
    release: str
    manifest_sha256: str
    until: str
    jobs: int
    pid: int
    since: str
    keys: str


@dataclass(frozen=True)
class Part:
    """A part of the picture: values of a field of the state; see `picture`."""

    field: str
    values: Any


@dataclass(frozen=True)
class Whole:
    """The picture is whole."""


@dataclass(frozen=True)
class Position:
    """Records up to `n` are acknowledged; whether the log is lost, and why; how many consoles watch.

    `beat` goes on while the engine lives.
    """

    n: int
    lost: bool
    why: str
    consoles: int
    beat: int


@dataclass(frozen=True)
class Asks:
    """The signer's question; number 0: there is none. As `ports.Proposal` and `signing.SigningRequest` say."""

    number: int = 0
    release: str = ""
    digest: str = ""
    summary: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    products: int = 0
    warnings: tuple[str, ...] = ()
    things: tuple[Thing, ...] = ()


@dataclass(frozen=True)
class Looks:
    """The newest look at each running build, how long each (`left`) and the whole stage may still take, in words, and how
    far each is (`ahead`)."""

    now: dict[str, Now] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    whole: str = ""
    ahead: dict[str, Ahead] = field(default_factory=dict)


@dataclass(frozen=True)
class Over:
    """The run has ended. `exhibits`: what was kept of a log that contradicted itself, and the file of each."""

    exit: int
    what: str
    because: str
    next: str
    exhibits: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Waits:
    """What an engine does that takes seconds, before it listens; said on the pipe of whoever started it."""

    what: str


@dataclass(frozen=True)
class No:
    """The console is refused, and let go."""

    because: str


@dataclass(frozen=True)
class Greet:
    """A console."""

    protocol: int
    tool: str


@dataclass(frozen=True)
class AskRetry:
    """Fetch or check an item again."""

    item: str


@dataclass(frozen=True)
class AskWaive:
    """Accept a warning, by name: the one with this `code`, of bytes with this `sha256`, as it was seen."""

    item: str
    person: str
    reason: str
    code: str
    sha256: str


@dataclass(frozen=True)
class AskStop:
    """Stop the run."""


@dataclass(frozen=True)
class Sign:
    """Say yes to question `number`, with what the person typed."""

    number: int
    digest: str
    release: str


@dataclass(frozen=True)
class Refuse:
    """Say no to question `number`."""

    number: int


Said = Hello | Part | Whole | Position | Asks | Looks | Finish | Over | No | Waits
Asked = Greet | AskRetry | AskWaive | AskStop | Sign | Refuse

_SAID: Mapping[str, type[Any]] = {
    "hello": Hello,
    "part": Part,
    "whole": Whole,
    "position": Position,
    "asks": Asks,
    "looks": Looks,
    "finish": Finish,
    "over": Over,
    "no": No,
    "waits": Waits,
}
_ASKED: Mapping[str, type[Any]] = {
    "hello": Greet,
    "retry": AskRetry,
    "waive": AskWaive,
    "stop": AskStop,
    "sign": Sign,
    "refuse": Refuse,
}
_WORDS = {kind: word for words in (_SAID, _ASKED) for word, kind in words.items()}


def line(message: Said | Asked) -> bytes:
    """A message as a line, with its LF."""
    told = {each.name: plain(getattr(message, each.name)) for each in fields(message)}
    return json.dumps({"m": _WORDS[type(message)], **told}, separators=(",", ":")).encode("ascii") + b"\n"


def said(data: bytes) -> Said:
    """What an engine's line says.

    Raises:
        ProtocolError: it is none.
    """
    message: Said = _read(data, _SAID)
    return message


def asked(data: bytes) -> Asked:
    """What a console's line says.

    Raises:
        ProtocolError: it is none.
    """
    message: Asked = _read(data, _ASKED)
    return message


def protocol_of(data: bytes) -> int:
    """The number of the protocol that a first line speaks, whatever else is in it.

    Raises:
        ProtocolError: it names none.
    """
    return _number(data, "protocol")


def process_of(data: bytes) -> int:
    """The process that an engine says it is, whatever protocol it speaks.

    Raises:
        ProtocolError: it names none.
    """
    return _number(data, "pid")


def _number(data: bytes, name: str) -> int:
    number = _object(data).get(name)
    if type(number) is not int:
        raise ProtocolError(f"it names no {name}")
    return number


def _read(data: bytes, kinds: Mapping[str, type[Any]]) -> Any:
    told = _object(data)
    word = told.pop("m", None)
    kind: Any = kinds.get(word) if type(word) is str else None
    if kind is None:
        raise ProtocolError("a message of no known kind")
    wanted = hints(kind)
    if set(told) != set(wanted):
        raise ProtocolError(f"{word} without its fields, or with others")
    try:
        return kind(**{n: told[n] if wants is Any else reader(wants)(told[n]) for n, wants in wanted.items()})
    except NotPlainError as error:
        raise ProtocolError(f"{word}: {error}") from None


def _object(data: bytes) -> dict[str, Any]:
    try:
        told = json.loads(data, object_pairs_hook=_once, parse_constant=_none, parse_float=_none)
    except (ValueError, RecursionError):
        raise ProtocolError("not JSON of whole numbers and texts") from None
    if not isinstance(told, dict):
        raise ProtocolError("not a JSON object")
    return told


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    told = dict(pairs)
    if len(told) != len(pairs):
        raise ValueError("a field twice")
    return told


def _none(text: str) -> None:
    raise ValueError(text)


@dataclass
class Lines:
    """Cuts what comes in pieces into lines of at most `most` bytes."""

    most: int
    _parts: list[bytes] = field(default_factory=list)
    _held: int = 0

    def take(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their LF.

        Raises:
            ProtocolError: a line is too long.
        """
        *whole, rest = data.split(b"\n")
        if whole:
            whole[0] = b"".join((*self._parts, whole[0]))
            self._parts, self._held = [], 0
        if rest:
            self._parts.append(rest)
            self._held += len(rest)
        if self._held > self.most or any(len(each) > self.most for each in whole):
            raise ProtocolError(f"a line of more than {self.most} bytes")
        return whole
