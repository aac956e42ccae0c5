"""Replay a log's rules: what `audit` demands of the order in which things happened.

- Each event is judged against the state that all before it made, then folded in. The rules are those of `rules`.
- Events stand on the stream `engine`, which holds no output; what the authority says itself bears its own mark.
- Once twenty rules were broken nothing more is judged, so that a forged log can't make its audit take days.
- What is no event, or speaks of what was never declared, breaks a rule like any other.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

from sealwright_stages import events as ev
from sealwright_stages.declared import Declaration
from sealwright_stages.events import BadEventError, Stage
from sealwright_stages.findings import Finding
from sealwright_stages.fold import apply
from sealwright_stages.log.entries import Entry
from sealwright_stages.rules.builds import BUILDS, sealed_products
from sealwright_stages.rules.items import ITEMS
from sealwright_stages.rules.runs import RUNS, in_run, sealed
from sealwright_stages.rules.story import Story, Streams, is_raw
from sealwright_stages.state import State

_ENGINE = "engine"
_ITSELF = "-"
_STREAM = re.compile(r"(?:evidence/([0-9]{1,9})-[0-9]{1,9}|build/[^/]+/([0-9]{1,9})-[0-9]{1,9}(?:-second)?)")
_JUDGES = {**RUNS, **ITEMS, **BUILDS}
assert set(_JUDGES) == set(ev.NAMES.values())  # noqa: S101 - an event that no rule is about would be believed


class Replay:
    """Feed it the entries in their order; `findings` says which rules were not kept, the first ones first.

    `read` gives the bytes of a stream so far, or raises OSError or ValueError. `declared` is what the manifest
    declares; without it (the manifest can't be read, which is bad enough) nothing is compared with it.
    """

    def __init__(self, read: Callable[[str], bytes], declared: Declaration | None) -> None:
        self.story = Story(declared, Streams(read))

    @property
    def state(self) -> State:
        """The state that the entries made."""
        return self.story.state

    @property
    def findings(self) -> list[Finding]:
        """The rules that were not kept."""
        return self.story.findings

    @property
    def broken(self) -> list[str]:
        """The rules that were not kept, in words."""
        return [finding.detail for finding in self.findings]

    def take(self, entry: Entry) -> None:
        """Judge one entry against the state before it, then fold it in."""
        story = self.story
        if story.lost:
            with contextlib.suppress(BadEventError, ValueError):
                apply(story.state, entry)
            return
        if entry.kind == "data" and entry.src != _ITSELF and entry.stream in story.streams.seen:
            story.state.last_n, story.state.last_t = (
                entry.n,
                entry.t,
            )  # most records: output on a stream that is known
            return
        self._source(entry)
        event: ev.Event | None = None
        try:
            if entry.kind == "ev":
                event = ev.from_body(entry.body)
                in_run(story, event, entry)
                _JUDGES[type(event)](story, event, entry)
            apply(story.state, entry, event)
        except (BadEventError, ValueError) as error:
            story.breaks("event-known", entry, f"not an event that could stand here: {error}")
        if event is not None:
            story.changed(event)
        elif entry.kind == "eof":
            self._ended(entry)
        elif entry.kind == "seal":
            sealed(story, entry)
            sealed_products(story, entry)

    def _begun(self, stream: str) -> bool:
        """Whether a build was begun on it: of one whose console was killed, the authority may hear after that."""
        return stream in self.story.run.building.values()

    def _source(self, entry: Entry) -> None:
        own, story = entry.stream == _ENGINE, self.story
        if entry.kind in ("ev", "seal"):
            story.demand(own, "event-source", entry, f"a record of kind {entry.kind} stands on {entry.stream}")
        if entry.kind == "data":
            story.demand(not own, "event-source", entry, "there is output on the stream of the events")
        itself = entry.src == _ITSELF
        if (entry.kind in ("ev", "data") and itself) or (entry.kind in ("open", "clock", "torn") and not itself):
            story.breaks("event-source", entry, f"it says that it is by {entry.src}")
        if not own and entry.kind in ("data", "eof") and entry.stream not in story.streams.seen:
            runs = story.streams.seen[entry.stream] = story.state.runs
            named = _STREAM.fullmatch(entry.stream)
            right = (
                named is not None
                and int(named[1] or named[2]) == runs
                and (not story.run.over or self._begun(entry.stream))
            )
            story.demand(
                right or is_raw(entry.stream), "stream-named", entry, f"{entry.stream} is no stream of run {runs}"
            )

    def _ended(self, entry: Entry) -> None:
        if entry.stream == _ENGINE:
            run, clean = self.story.run, entry.body.get("clean") is True
            begun = isinstance(run.last, ev.StageStarted) and run.last.stage == Stage.SEAL
            if clean and not run.over and not run.said_end and not begun:
                self.story.breaks("run-order", entry, "the run's stream ended clean, and it had not said its end")
            run.over = True
            return
        self.story.streams.ended[entry.stream] = (
            entry.body.get("exit") if entry.body.get("clean") is True else None
        )
