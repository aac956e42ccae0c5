"""A past release: its state at any record, in a time that does not grow with its log.

- It takes each record once, in order, while the log is audited; the log is not read a second time to be opened.
- A snapshot is kept every 256 told records: a state is the snapshot before it and at most 255 records folded on.
- The state at `n` is that of the fold over the records up to and including `n`, and nothing else.
- Where the fold ends because a record can't stand there, the past ends: what comes after is not shown.
- What is held grows with the told records, by some hundred bytes each; output costs a thousandth of that.
"""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sealwright_appendlog import layout, record
from sealwright_appendlog.audit import LogBroken, read_records
from sealwright_stages import events as ev
from sealwright_stages.events import STAGES, BadEventError, Stage
from sealwright_stages.fold import apply
from sealwright_stages.log.entries import Entry, entry_from
from sealwright_stages.review.index import Index, microseconds
from sealwright_stages.review.meaning import Kind, Meaning, Severity, meaning, streams_of
from sealwright_stages.review.snapshots import Snapshot, freeze, thaw
from sealwright_stages.state import State

EVERY = 256
_SPARSE = 32
_FAR = 512
_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_NUMBER = re.compile(r"\d{1,3}(,\d{3})+|\d{1,15}", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", re.ASCII)


@dataclass
class _Stream:
    """Of the output of a stream: its length so far; and, at points among its records, what came before that.

    A point stands at each 32nd of its records, and where one comes more than 512 records of the log after a point.
    `segments` are its files in their order, each with what came before it; `place` is where each stands among them.
    """

    bytes: int = 0
    records: int = 0
    at: array[int] = field(default_factory=lambda: array("Q"))
    before: array[int] = field(default_factory=lambda: array("Q"))
    segments: list[tuple[int, str]] = field(default_factory=list)
    place: dict[str, int] = field(default_factory=dict)


class Past:
    """What a log told, record by record. Closing it lets go of the files."""

    def __init__(self, log: Path) -> None:
        """Know nothing yet of the log folder `log`.

        `end` is the state after all records, `broken` says why the past ends early, `begun` when each stage first
        began (microseconds since 1970), `spans` from when to when a stage ran (None: to the end, so far); `weighty`,
        `red` and `warned` are records; `streams` says whose each stream is.
        """
        self.log = log
        self.end = State()
        self.broken = ""
        self.begun: dict[Stage, int] = {}
        self.spans: list[tuple[Stage, int, int | None]] = []
        self._running: dict[Stage, int] = {}
        self.weighty, self.red, self.warned = array("Q"), array("Q"), array("Q")
        self.streams: dict[str, tuple[str, Stage]] = {}
        self.index = Index(log / layout.INDEX)
        self._flags = bytearray()
        self._of = array("I")
        self._names: dict[str, int] = {"": 0}
        self._name_of = [""]
        self._snapshots: list[Snapshot] = [freeze(self.end)]
        self._output: dict[str, _Stream] = {}

    def take(self, fields: Mapping[str, Any], line: bytes) -> None:
        """Take the next record and its line, both checked; nothing once a record could not be folded."""
        if self.broken:
            return
        if fields["k"] == "data":
            self._take_output(fields, line)
            return
        entry = entry_from(fields, line)
        try:
            event = ev.from_body(entry.body) if entry.kind == "ev" else None
            apply(self.end, entry, event)
        except (BadEventError, ValueError) as error:
            self.broken = f"record {entry.n}: not an event that could stand here: {error}"
            self.end = self.state(self.size - 1)  # the other one is half changed
            return
        self.index.add(line, entry.t, told=True)
        self._take_meaning(entry, event)
        if len(self.index.told) % EVERY == 0:
            self._snapshots.append(freeze(self.end, self._snapshots[-1]))

    def _take_output(self, fields: Mapping[str, Any], line: bytes) -> None:
        n, t = fields["n"], fields["t"]
        state = self.end
        state.last_n, state.last_t, state.first_t = n, t, state.first_t or t
        self.index.add(line, t, told=False)
        stream = self._output.setdefault(fields["s"], _Stream())
        if stream.records % _SPARSE == 0 or n > stream.at[-1] + _FAR:
            stream.at.append(n)
            stream.before.append(stream.bytes)
        if fields["off"] == 0 and fields["seg"] not in stream.place:
            stream.place[fields["seg"]] = len(stream.segments)
            stream.segments.append((stream.bytes, fields["seg"]))
        stream.records += 1
        stream.bytes += fields["len"]

    def _take_meaning(self, entry: Entry, event: ev.Event | None) -> None:
        if event is not None:
            self.streams.update(streams_of(event, self.end.items))
        self._take_stage(entry, event)
        what = meaning(entry, entry.stream, event, self.end.items, self.streams)
        stage = 0 if what.stage is None else 1 + STAGES.index(what.stage)
        self._flags.append(what.severity | stage << 2 | what.kind << 5)
        if what.component not in self._names:
            self._names[what.component] = len(self._name_of)
            self._name_of.append(what.component)
        self._of.append(self._names[what.component])
        if what.weighty:
            self.weighty.append(entry.n)
        if what.severity > Severity.INFO:
            (self.red if what.severity is Severity.RED else self.warned).append(entry.n)

    def _take_stage(self, entry: Entry, event: ev.Event | None) -> None:
        moment = microseconds(entry.t)
        if isinstance(event, ev.StageStarted):
            self._end_stage(Stage(event.stage), moment)
            self.begun.setdefault(Stage(event.stage), moment)
            self._running[Stage(event.stage)] = len(self.spans)
            self.spans.append((Stage(event.stage), moment, None))
        elif isinstance(event, ev.StageEnded):
            self._end_stage(Stage(event.stage), moment)
        elif isinstance(event, ev.RunStarted):  # a run that was cut short told no end
            for stage in STAGES:
                self._end_stage(stage, moment)

    def _end_stage(self, stage: Stage, moment: int) -> None:
        at = self._running.pop(stage, None)
        if at is not None:
            self.spans[at] = (*self.spans[at][:2], moment)

    @property
    def size(self) -> int:
        """How many records there are."""
        return self.index.size

    def state(self, n: int) -> State:
        """The state after record `n`, as one of its own.

        Raises:
            LogError: the log is another one than was audited.
        """
        told = self.index.told_until(n)
        kept = told // EVERY
        state = thaw(self._snapshots[kept]) if n >= 0 else State()
        for number in range(kept * EVERY, told):
            apply(state, self.told(number))
        if state.last_n < n < self.size:
            entry = self.entry(n)
            state.last_n, state.last_t = entry.n, entry.t
            state.first_t = state.first_t or self.entry(0).t
        return state

    def told(self, number: int) -> Entry:
        """Told record `number` (from 0). Raises as `state`."""
        line = self.index.line(number)
        return entry_from(json.loads(line), line)

    def entry(self, n: int) -> Entry:
        """Record `n`. Raises as `state`."""
        number = self.index.told_until(n) - 1
        if number >= 0 and self.index.told[number] == n:
            return self.told(number)
        return self._entry(next(self.index.lines(n))[1])

    def entries(self, n: int, forward: bool = True) -> Iterator[Entry]:
        """The records from `n` on, or from `n` on towards the first. Raises as `state`."""
        for _, line in self.index.lines(n) if forward else self.index.lines_back(n):
            yield self._entry(line)

    def _entry(self, line: bytes) -> Entry:
        return entry_from(record.decode(line), line)

    def meaning(self, number: int) -> Meaning:
        """What told record `number` (from 0) means, by what was learned as it came."""
        flags, name = self._flags[number], self._of[number]
        stage = STAGES[(flags >> 2 & 7) - 1] if flags >> 2 & 7 else None
        weighty = self._is_weighty(self.index.told[number])
        return Meaning(self._name_of[name], stage, Severity(flags & 3), weighty, Kind(flags >> 5))

    def _is_weighty(self, n: int) -> bool:
        at = bisect_left(self.weighty, n)
        return at < len(self.weighty) and self.weighty[at] == n

    def chosen(
        self,
        component: str = "",
        stage: Stage | None = None,
        least: Severity = Severity.INFO,
        kind: Kind | None = None,
    ) -> Sequence[int]:
        """The told records (from 0) of a component, stage and kind, if these are given, that are at least so grave."""
        if not component and stage is None and least is Severity.INFO and kind is None:
            return range(len(self.index.told))
        if component not in self._names:
            return ()
        name = self._names[component]
        wants = 0 if stage is None else 1 + STAGES.index(stage)
        table = bytes((f & 3) >= least and wants in (0, f >> 2 & 7) and kind in (None, f >> 5) for f in range(256))
        fits = self._flags.translate(table)
        return array("Q", (at for at, fit in enumerate(fits) if fit and (not component or self._of[at] == name)))

    def next_weighty(self, n: int, forward: bool) -> int | None:
        """The weighty record after `n`, or before it."""
        at = bisect_right(self.weighty, n) if forward else bisect_left(self.weighty, n) - 1
        return self.weighty[at] if 0 <= at < len(self.weighty) else None

    def output_until(self, stream: str, n: int) -> int:
        """Bytes of a stream's output up to and including record `n`. Raises as `state`."""
        known = self._output.get(stream)
        at = bisect_right(known.at, n) - 1 if known is not None else -1
        if known is None or at < 0:
            return 0
        whole, last = known.before[at], min(n, known.at[at] + _FAR)
        if at + 1 < len(known.at):
            last = min(last, known.at[at + 1] - 1)
        for entry in self.entries(known.at[at]):
            if entry.n > last:
                break
            if entry.kind == "data" and entry.stream == stream:
                whole += int(entry.body["len"])
        return whole

    def segments(self, stream: str) -> Sequence[tuple[int, str]]:
        """The files of a stream's output in their order, each with how many bytes came before it."""
        known = self._output.get(stream)
        return known.segments if known is not None else ()

    def segment_before(self, stream: str, segment: str) -> str:
        """The file before `segment` in its stream; empty if there is none."""
        known = self._output.get(stream)
        at = known.place.get(segment, 0) if known is not None else 0
        return known.segments[at - 1][1] if known is not None and at else ""

    def covering(self, stream: str, begin: int, end: int) -> Iterator[tuple[int, Entry]]:
        """The records of a stream's output that have bytes `begin` to `end` of it, each with what came before it.

        Raises as `state`.
        """
        known = self._output.get(stream)
        if known is None or begin >= end:
            return
        at = max(0, bisect_right(known.before, begin) - 1)
        before = known.before[at]
        for entry in self.entries(known.at[at]):
            if before >= min(end, known.bytes):
                return
            if entry.kind == "data" and entry.stream == stream:
                length = int(entry.body["len"])
                if before + length > begin:
                    yield before, entry
                before += length

    def minute(self, n: int, forward: bool) -> int:
        """The last record before a minute after `n` has passed, and at least the next one; or as much back."""
        found = self.at_moment(microseconds(self.entry(n).t) + (_MINUTE if forward else -_MINUTE))
        return max(found, min(n + 1, self.size - 1)) if forward else min(found, max(0, n - 1))

    def at_moment(self, moment: int) -> int:
        """The last record before `moment` (microseconds since 1970) has passed, or the first of all. Raises as `state`."""
        try:
            return self._at(moment)
        except ValueError:
            return 0

    def place(self, text: str) -> int:
        """The record that a person means: a number, or the last one before a time has passed.

        A time is `2026-03-02T12:39:00` (or shorter, or with a blank), in UTC, or a time of day, which is the first
        one in the log.

        Raises:
            ValueError: it is neither, or outside the log; the sentence says what there is.
        """
        text = text.strip()
        if not self.size:
            raise ValueError("the log has no record that could be shown")
        if _NUMBER.fullmatch(text):
            n = int(text.replace(",", ""))
            if n >= self.size:
                raise ValueError(f"the log has records 0 to {self.size - 1}")
            return n
        return self._at(self._moment(text))

    def _moment(self, text: str) -> int:
        first = datetime.fromisoformat(self.end.first_t)
        try:
            if _CLOCK.fullmatch(text):
                moment = datetime.fromisoformat(f"{self.end.first_t[:10]}T{text}Z")
                short = timedelta(seconds=1) if text.count(":") == 2 else timedelta(minutes=1)
                later = moment + timedelta(days=1)
                if moment + short <= first and later <= datetime.fromisoformat(self.end.last_t):
                    moment = later
            else:
                moment = datetime.fromisoformat(text)
                moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise ValueError("it is neither a record's number nor a time such as 2026-03-02T12:39:00") from None
        return microseconds(moment.isoformat()) // _SECOND * _SECOND + _SECOND - 1

    def _at(self, moment: int) -> int:
        found = -1
        for entry in self.entries(self.index.block_before(moment)):
            if microseconds(entry.t) > moment:
                break
            found = entry.n
        if found < 0:
            raise ValueError(f"the log begins at {self.end.first_t}")
        return found

    def close(self) -> None:
        """Let go of the files."""
        self.index.close()


def read_past(log: Path) -> Past:
    """The past of a log folder that nobody audits; a record that is none ends it."""
    past = Past(log)
    try:
        for fields, line in read_records(log):
            past.take(fields, line)
    except LogBroken as error:
        past.broken = past.broken or str(error)
    return past
