"""What a record of a log means to somebody who looks for something: whose it is, how grave, how weighty.

- Red is what closed a gate or ended a build: a failed check, a build that did not end well, a gate with red in it.
- Warned is what a person should look at: a warning, its waiver, what was deleted or differs, a broken stream.
- Weighty is what a person leaps between: runs, stages, gates, promotions, products, the seal, and all that is red or
  warned.
- Each record is of one kind, by which a person chooses; a program's output is of its own, and says nothing by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from sealwright_stages import events as ev
from sealwright_stages.events import Stage
from sealwright_stages.state import Item, Record


class Severity(IntEnum):
    """How grave a record is."""

    INFO = 0
    WARNED = 1
    RED = 2

    @property
    def word(self) -> str:
        """As people write it."""
        return self.name.lower()


class Kind(IntEnum):
    """What a record is about, as a person would choose."""

    RUN = 0
    GATE = 1
    CHECK = 2
    WAIVER = 3
    BUILD = 4
    PRODUCT = 5
    LOG = 6
    OUTPUT = 7

    @property
    def word(self) -> str:
        """As people write it."""
        return self.name.lower()


@dataclass(frozen=True)
class Meaning:
    """Whose a record is (empty and None: nobody's, no stage's), how grave, whether it is weighty, and its kind."""

    component: str = ""
    stage: Stage | None = None
    severity: Severity = Severity.INFO
    weighty: bool = False
    kind: Kind = Kind.OUTPUT


Streams = Mapping[str, tuple[str, Stage]]
"""The name of a stream -> the component and the stage that it belongs to."""

_WEIGHTY = (ev.RunStarted, ev.StageStarted, ev.StageEnded, ev.GateDecided, ev.SourcesPromoted, ev.RunEnded)
_OF_A_RUN = (ev.RunStarted, ev.RunEnded, ev.SandboxHeld, ev.PolicyRotated, ev.PolicySigned, ev.MemoryRead)
_KINDS: Mapping[type[ev.Event], Kind] = {
    **dict.fromkeys(_OF_A_RUN, Kind.RUN),
    **dict.fromkeys((ev.StageStarted, ev.StageEnded, ev.GateDecided), Kind.GATE),
    **dict.fromkeys((ev.BuildStarted, ev.BuildStopped, ev.BuildSample, ev.BuildEnded), Kind.BUILD),
    **dict.fromkeys((ev.ProductCollected, ev.ProductCompared), Kind.PRODUCT),
    ev.ItemWaived: Kind.WAIVER,
}
_VERDICTS = {"warned": Severity.WARNED, "failed": Severity.RED}
_STOPPED = 130


def meaning(
    entry: Record, stream: str, event: ev.Event | None, items: Mapping[str, Item], streams: Streams
) -> Meaning:
    """What a record means; `event` is what it says if it is one, `items` those declared so far."""
    if event is None:
        component, stage = streams.get(stream, ("", None))
        severity = _plain_severity(entry, stream)
        return Meaning(component, stage, severity, entry.kind == "seal" or severity > Severity.INFO, Kind.LOG)
    component, stage = _whose(event, items)
    severity = _severity(event)
    weighty = isinstance(event, (*_WEIGHTY, ev.ProductCollected)) or severity > Severity.INFO
    return Meaning(component, stage, severity, weighty, _KINDS.get(type(event), Kind.CHECK))


def streams_of(event: ev.Event, items: Mapping[str, Item]) -> Mapping[str, tuple[str, Stage]]:
    """The streams that an event names as its component's."""
    if isinstance(event, ev.BuildStarted):
        return {event.stream: (event.component, Stage.BUILD)}
    if isinstance(event, ev.SourcesPromoted) and event.facts_stream:
        return {event.facts_stream: (event.component, Stage.VERIFY)}
    if isinstance(event, ev.ItemVerdict) and event.evidence_stream and event.item in items:
        item = items[event.item]
        return {event.evidence_stream: (item.component, item.stage)}
    return {}


def _whose(event: ev.Event, items: Mapping[str, Item]) -> tuple[str, Stage | None]:
    if isinstance(event, (ev.StageStarted, ev.StageEnded, ev.GateDecided)):
        return "", Stage(event.stage)
    if isinstance(event, ev.SourcesPromoted):
        return event.component, Stage.VERIFY
    if isinstance(event, _OF_A_RUN):
        return "", None
    if isinstance(
        event,
        ev.BuildStarted
        | ev.BuildStopped
        | ev.BuildSample
        | ev.BuildEnded
        | ev.ProductCollected
        | ev.ProductCompared,
    ):
        return event.component, Stage.BUILD
    item = items.get(event.item)
    return (item.component, item.stage) if item is not None else ("", None)


def _severity(event: ev.Event) -> Severity:
    if isinstance(event, ev.ItemVerdict):
        return _VERDICTS.get(event.verdict, Severity.INFO)
    if isinstance(event, ev.BuildEnded):
        return Severity.RED if event.exit != 0 else Severity.INFO
    if isinstance(event, ev.GateDecided):
        if event.open:
            return Severity.INFO
        return Severity.RED if event.failed else Severity.WARNED
    if isinstance(event, ev.RunEnded):
        if event.exit == 0:
            return Severity.INFO
        return Severity.WARNED if event.exit == _STOPPED else Severity.RED
    if isinstance(event, ev.StageEnded):
        return Severity.INFO if event.ok else Severity.WARNED
    if isinstance(event, ev.ProductCompared):
        return Severity.WARNED if event.result == "differs" else Severity.INFO
    return (
        Severity.WARNED if isinstance(event, (ev.FileDeleted, ev.ItemWaived, ev.BuildStopped)) else Severity.INFO
    )


def _plain_severity(entry: Record, stream: str) -> Severity:
    """Of a record that is no event: what was put aside or broke off."""
    if entry.kind in ("torn", "rej", "clock"):
        return Severity.WARNED
    if entry.kind == "eof" and entry.body.get("clean") is False:
        return Severity.WARNED if stream == "engine" else Severity.RED
    return Severity.INFO
