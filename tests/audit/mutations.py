"""Systematic lies: every event of a story left out, said twice, moved, and every field of it made another.

A mutation is a name, the kind of event that it is about, and the story after it. Nothing here knows what an audit checks.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from audit.forge import Eof, Step
from sealwright_stages import events as ev
from sealwright_stages.events import Stage

HEX = re.compile(r"[0-9a-f]{64}\Z")
_NAME_OF = {kind: name for name, kind in ev.NAMES.items()}


@dataclass(frozen=True)
class Mutation:
    """A lie: what was done (`way`), to which kind of event, to which field, at which step; and the story that it makes.

    `changed` is the event as it says now, where one says something else.
    """

    way: str
    kind: str
    field: str
    at: int
    told: str
    steps: Sequence[Step]
    changed: Step | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """By what it is counted, and may be held to be harmless."""
        return self.way, self.kind, self.field


def kind_of(step: Step) -> str:
    """The event's name, or that of a stream's end."""
    if isinstance(step, Eof):
        return (
            "eof engine"
            if step.stream == "engine"
            else "eof evidence"
            if "evidence" in step.stream
            else "eof build"
        )
    return _NAME_OF[type(step)]


def about(step: Step) -> str:
    """The component that a step speaks of; empty: of the whole run."""
    if isinstance(step, Eof):
        return step.stream
    return str(getattr(step, "component", "") or getattr(step, "item", "")).split("/")[0]


def mutations(steps: Sequence[Step]) -> Iterator[Mutation]:
    """Every mutation of a story, each another story than it was."""
    for way in (dropped, doubled, swapped, hastened, fields, evidences, inserted):
        for mutation in way(steps):
            if list(mutation.steps) != list(steps):
                yield mutation


def dropped(steps: Sequence[Step]) -> Iterator[Mutation]:
    """One step is left out."""
    for at, step in enumerate(steps):
        yield Mutation("dropped", kind_of(step), "", at, repr(step)[:90], [*steps[:at], *steps[at + 1 :]])


def doubled(steps: Sequence[Step]) -> Iterator[Mutation]:
    """One event is said twice, at once and at the end of the story."""
    for at, step in enumerate(steps):
        if isinstance(step, Eof):
            continue  # a store ends no stream twice
        yield Mutation("doubled", kind_of(step), "", at, repr(step)[:90], [*steps[: at + 1], *steps[at:]])
        yield Mutation(
            "said again at the end", kind_of(step), "", at, repr(step)[:90], [*steps[:-1], step, steps[-1]]
        )


def swapped(steps: Sequence[Step]) -> Iterator[Mutation]:
    """Two neighbours change places that speak of the same thing, or of which one is about the whole run."""
    for at, (one, two) in enumerate(itertools.pairwise(steps)):
        if (
            "" in (about(one), about(two))
            or about(one) == about(two)
            or isinstance(one, Eof)
            or isinstance(two, Eof)
        ):
            kinds = f"{kind_of(one)} / {kind_of(two)}"
            yield Mutation("swapped", kinds, "", at, repr(two)[:90], [*steps[:at], two, one, *steps[at + 2 :]])


def hastened(steps: Sequence[Step]) -> Iterator[Mutation]:
    """Something is said long before its time: right after the stages of its run began, or the gate before it."""
    for at, step in enumerate(steps):
        for wanted in (ev.StageStarted, ev.GateDecided, ev.ItemStarted):
            marks = [n for n, mark in enumerate(steps[:at]) if isinstance(mark, wanted)]
            for to in {marks[-1], marks[len(marks) // 2]} if marks else ():
                moved = [*steps[:to], step, *steps[to:at], *steps[at + 1 :]]
                kind = f"{kind_of(step)} before {_NAME_OF[wanted]}"
                yield Mutation("hastened", kind, "", at, f"to {to}: {step!r}"[:90], moved)


def others(value: Any, seen: Sequence[Any]) -> Iterator[Any]:
    """Other values of a field: ones that it has elsewhere, and made-up ones."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, 0, -1)
    elif isinstance(value, bytes):
        yield from (value + b"x", b"")
    elif isinstance(value, str):
        yield from list(dict.fromkeys(each for each in seen if each != value))[:4]
        if HEX.match(value):
            yield ("0" if value[0] != "0" else "1") + value[1:]
        else:
            yield value + "x"
        yield ""
    elif value is None:
        yield 0


def fields(steps: Sequence[Step]) -> Iterator[Mutation]:
    """One field of one step has another value."""
    seen: dict[tuple[type[Any], str], list[Any]] = {}
    for step in steps:
        for each in dataclasses.fields(step):
            seen.setdefault((type(step), each.name), []).append(getattr(step, each.name))
    for at, step in enumerate(steps):
        for each in dataclasses.fields(step):
            value = getattr(step, each.name)
            for other in dict.fromkeys(others(value, seen[type(step), each.name])):
                if isinstance(step, Eof) and (
                    (not other and each.name in ("stream", "data")) or step.stream == "engine"
                ):
                    continue  # no log has such a record; that of the events is one of those left out
                changed = replace(step, **{each.name: other})
                told = f"{value!r} -> {other!r}"[:90]
                lie = [*steps[:at], changed, *steps[at + 1 :]]
                yield Mutation("field", kind_of(step), each.name, at, told, lie, changed)


def _fitted(step: Step, prefix: str, table: Mapping[str, object]) -> Step:
    """The event with another evidence (or facts), and the SHA-256 that fits it."""
    text = json.dumps(table, sort_keys=True) if table else ""
    digest = hashlib.sha256(text.encode()).hexdigest() if text else ""
    return replace(step, **{prefix: text, f"{prefix}_sha256": digest, f"{prefix}_stream": ""})  # type: ignore[arg-type]


_PLACED = {ev.SourcesPromoted: ("facts",), ev.BuildStarted: ("needs", "varied")}


def evidences(steps: Sequence[Step]) -> Iterator[Mutation]:
    """Evidence and facts say something else, and everything hashes as it should."""
    streams = {step.stream: step.data for step in steps if isinstance(step, Eof)}
    told = [
        (at, step, prefix) for at, step in enumerate(steps) for prefix in _PLACED.get(type(step), ("evidence",))
    ]
    for at, step, prefix in told:
        if not getattr(step, f"{prefix}_sha256", ""):
            continue
        stream = getattr(step, f"{prefix}_stream")
        table = json.loads(streams[stream] if stream else getattr(step, prefix))
        rest = [each for each in steps if not (isinstance(each, Eof) and stream and each.stream == stream)]
        place = rest.index(step)
        for what, changed in (("none", {}), *_variants(table)):
            lie = _fitted(step, prefix, changed)
            story = [*rest[:place], lie, *rest[place + 1 :]]
            yield Mutation("refitted", kind_of(step), f"{prefix}: {what}", at, str(changed)[:90], story, lie)


def _variants(table: Mapping[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    for key, value in table.items():
        yield f"without {key}", {name: each for name, each in table.items() if name != key}
        if isinstance(value, Mapping):
            for what, inner in _variants(value):
                yield f"{key} {what}", {**table, key: inner}
        elif isinstance(value, list):
            yield f"{key} longer", {**table, key: [*value, "mallory"]}
        else:
            yield f"{key} other", {**table, key: next(iter(others(value, ())))}


EVIL = hashlib.sha256(b"evil").hexdigest()


def inserted(steps: Sequence[Step]) -> Iterator[Mutation]:
    """Things are said that nobody did, after each step of the story."""
    lies: list[tuple[str, Step]] = [
        ("a product more", ev.ProductCollected("xen", "evil.tar", EVIL, 5)),
        ("a product of a component that is not built", ev.ProductCollected("notes", "evil.tar", EVIL, 5)),
        ("a waiver over red", ev.ItemWaived("xen/build", "build-failed", "manager-a", "never mind", "", "")),
        ("a run that never was", ev.RunEnded(0, "all is well", "")),
        ("a green build", ev.ItemVerdict("xen/build", "passed", "ok", "good", "", EVIL, "", "", "")),
        ("a green signature", ev.ItemVerdict("xen/git/v1", "passed", "ok", "good", "", EVIL, "", "", "")),
        ("sources again", ev.SourcesPromoted("xen", EVIL, 1, 1, "", "", "")),
        ("a gate that is open", ev.GateDecided("build", True, 10, 0, 0, 0)),
        (
            "a build on the side",
            ev.BuildStarted("xen", "xen/build", "build/xen/9-9", "commands", "host", EVIL, EVIL, 0),
        ),
        ("a stage", ev.StageStarted(Stage.SIGN)),
        ("an output of nobody", Eof("build/evil/1-1")),
        ("evidence of nobody", Eof("evidence/7-1")),
        ("an item more", ev.ItemDeclared("xen/moon", "xen", Stage.VERIFY, "moon", "a moon")),
    ]
    for what, lie in lies:
        for at in range(0, len(steps), 7):
            yield Mutation("inserted", what, "", at, repr(lie)[:90], [*steps[: at + 1], lie, *steps[at + 1 :]])
