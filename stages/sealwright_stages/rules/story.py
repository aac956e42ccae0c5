"""What the rules of a story share: the state so far, the run that speaks, the streams, and a way to say no.

- What is kept grows with items, streams and products, not with records or bytes.
- Evidence is read once, and with a limit: what is named as evidence could be a build's whole output.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sealwright_appendlog.record import RecordError, check_time
from sealwright_stages import events as ev
from sealwright_stages.declared import Declaration
from sealwright_stages.events import Stage
from sealwright_stages.findings import Finding, bad
from sealwright_stages.gate import decide
from sealwright_stages.log.entries import Entry
from sealwright_stages.rules import known
from sealwright_stages.state import Item, State

HEX64 = re.compile(r"[0-9a-f]{64}\Z")
_MOST = 20  # findings: what follows the first ones follows from them
_OF_BUILDS = (
    ev.BuildStarted,
    ev.BuildStopped,
    ev.BuildSample,
    ev.BuildEnded,
    ev.ProductCollected,
    ev.ProductCompared,
)


@dataclass
class Run:
    """One run of a console: how far it came."""

    over: bool = True
    said_end: bool = True
    owes: ev.GateDecided | None = None  # what the gate says, and it has to say it now
    phase: int = 0
    held: bool = False  # it said that the sandbox holds
    stages: dict[Stage, bool] = field(default_factory=dict)  # True: it ended
    building: dict[str, str] = field(default_factory=dict)  # see `of_build` -> stream of the build that runs
    last: ev.Event | None = None


@dataclass
class Streams:
    """The streams of a log, but `engine`: in which run each was first seen, how it ended, who named it."""

    read: Callable[[str], bytes]
    seen: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int | None] = field(default_factory=dict)  # exit; None: unclean
    named: dict[str, int] = field(default_factory=dict)


@dataclass
class Story:
    """The story of a log as far as it was read. Rules judge an event against the state before it."""

    declared: Declaration | None
    streams: Streams
    state: State = field(default_factory=State)
    run: Run = field(default_factory=Run)
    facts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    roots: dict[str, frozenset[str]] = field(default_factory=dict)  # item of a build root -> names of its packages
    bases: dict[str, tuple[str, Mapping[str, Any]]] = field(
        default_factory=dict
    )  # environment -> SHA-256 of its base root, and what that was made of
    twins: dict[str, tuple[str, Any]] = field(default_factory=dict)  # what a root was made of -> the root
    versions: tuple[str, ...] = ()  # SHA-256 of each version of the keyring
    signed_policy: str = ""  # SHA-256 of the list that was signed
    reset: set[str] = field(default_factory=set)  # items that were reset and have not begun since
    committed: dict[str, object] = field(
        default_factory=dict
    )  # component -> when the commit of its git source was made
    killed: dict[str, str] = field(default_factory=dict)  # see `of_build` -> why that build was killed
    varied: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # component -> what its second build varied
    made: dict[str, list[str]] = field(default_factory=dict)  # component -> products of its last build
    findings: list[Finding] = field(default_factory=list)
    _may_build: bool | None = None

    def may_build(self) -> bool:
        """Whether the gate before build is open; judged anew only after something of the sources has changed."""
        if self._may_build is None:
            self._may_build = decide(Stage.BUILD, self.state).open
        return self._may_build

    def changed(self, event: ev.Event) -> None:
        """Take note of an event that was folded in."""
        item = self.state.items.get(getattr(event, "item", ""))
        if not isinstance(event, _OF_BUILDS) and (item is None or item.stage is not Stage.BUILD):
            self._may_build = None
        self.run.last = event

    def breaks(self, rule: str, entry: Entry, what: str) -> None:
        """Say that `entry` breaks a rule."""
        if not self.lost:
            self.findings.append(bad("rules", f"record {entry.n}: {what}", known(rule), entry.n, entry.stream))

    @property
    def lost(self) -> bool:
        """Whether so much is wrong that nothing more is told of it."""
        return len(self.findings) >= _MOST

    def demand(self, kept: bool, rule: str, entry: Entry, what: str) -> None:
        """Say that `entry` breaks a rule, unless it is kept."""
        if not kept:
            self.breaks(rule, entry, what)

    def name(self, stream: str, entry: Entry) -> None:
        """Take note that an event names a stream as its own."""
        if stream in self.streams.named:
            self.breaks(
                "stream-named", entry, f"record {self.streams.named[stream]} names stream {stream} already"
            )
        self.streams.named[stream] = entry.n

    def placed(self, text: str, stream: str, sha256: str, entry: Entry) -> Mapping[str, Any]:
        """The table that evidence or facts are, whether they stand in the event or on a stream of their own."""
        data = b"" if stream else text.encode()
        if stream in self.streams.named:
            self.name(stream, entry)  # breaks a rule; reading it over and over could take days
            return {}
        if stream:
            self.name(stream, entry)
            if self.streams.ended.get(stream) != 0:
                self.breaks(
                    "stream-named", entry, f"stream {stream}, which it names, had not ended clean before it"
                )
            try:
                data = self.streams.read(stream)
            except (OSError, ValueError):
                data = b""
        wanted = sha256 or hashlib.sha256().hexdigest()
        if (stream and text) or hashlib.sha256(data).hexdigest() != wanted:
            where = f"on stream {stream}" if stream else "in it"
            self.breaks("verdict-evidence", entry, f"its evidence {where} is not what it names")
            return {}
        return self._table(data, entry)

    def _table(self, data: bytes, entry: Entry) -> Mapping[str, Any]:
        if not data:
            return {}
        try:
            table = json.loads(data)
        except (ValueError, RecursionError):
            table = None
        if not isinstance(table, dict):
            self.breaks("verdict-evidence", entry, "its evidence is no table in JSON")
            return {}
        return table

    def unnamed(self) -> Iterator[tuple[str, bool]]:
        """Each stream that no event names, and whether it may be there: evidence of a run that was cut short, or a raw one
        that somebody beside the release wrote, by which nothing turns green."""
        for stream, run in self.streams.seen.items():
            if stream not in self.streams.named:
                yield stream, is_raw(stream) or (stream.startswith("evidence/") and run < self.state.runs)


def of_build(component: str, *, second: bool) -> str:
    """By what a component's first or second build is called; no component has a slash in its name."""
    return f"{component}/reproduce" if second else component


def sha256_of(text: str) -> bool:
    """Whether it is a SHA-256 in hex."""
    return HEX64.match(text) is not None


def is_time(text: str) -> bool:
    """Whether it is a time as records have it."""
    try:
        check_time(text)
    except RecordError:
        return False
    return True


def is_root(item: Item) -> bool:
    """Whether it is an item of a build root, which is made anew whenever sources have changed."""
    return item.component.startswith("environment ")


def is_raw(stream: str) -> bool:
    """Whether it is one of those that anybody may write who may reach the log."""
    return stream.startswith("raw/")
