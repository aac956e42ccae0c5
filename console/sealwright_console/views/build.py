"""What stands above the log of a build: how far all builds are, and this one; where it runs, what it uses, why it is red.

- Labels, bars, what is said of them and estimates have columns of their own; see `curves` for the rest.
- A build that is red says why and what to do next before anything else.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.cells import cell_len

from sealwright_console.figures import bar, duration, head, seconds_between, size
from sealwright_console.lines import (
    Line,
    Part,
    Tone,
    apart,
    few,
    fit,
    word,
    wrap,
)
from sealwright_console.views.curves import GAP, LABEL, WIDE, curve_lines, last_look
from sealwright_stages.estimate import roughly
from sealwright_stages.events import Stage
from sealwright_stages.live import Ahead, Now
from sealwright_stages.state import Component, Item, State
from sealwright_stages.verdict import Status

_SECOND = "/reproduce"
_SAID = 24
"""Cells of what is said beside a bar."""
_WHY = 2
"""Lines at most for why a build is red, and for what to do."""


@dataclass(frozen=True)
class Figures:
    """What is newer than the log, or guessed: the newest look, how long it may still take, how far it is."""

    now: Now | None = None
    left: str = ""
    ahead: Ahead | None = None


def builds(state: State) -> list[str]:
    """The builds that have begun, in the order of the manifest: of a component, under its name, and after that its second
    one, under the id of its item."""
    names: list[str] = []
    for name, component in state.components.items():
        names += [name] if component.build_stream else []
        names += [f"{name}{_SECOND}"] if name in state.seconds else []
    return names


def build_of(state: State, name: str) -> Component | None:
    """What is known of a build that has begun: of a second one, with the sources that both are made from."""
    first = state.components.get(component_of(name))
    second = state.seconds.get(component_of(name))
    if not name.endswith(_SECOND) or first is None or second is None:
        return first if first is not None and first.build_stream else None
    return replace(second, files=first.files, bytes=first.bytes, manifest_sha256=first.manifest_sha256)


def component_of(name: str) -> str:
    """Whose build it is."""
    return name.removesuffix(_SECOND)


def item_of(state: State, name: str) -> Item | None:
    """The item that this build must turn green."""
    return state.items.get(name if name.endswith(_SECOND) else f"{name}/build")


def busiest(state: State) -> str:
    """The component to look at first: one that builds now, else one that failed, else the last."""
    names = builds(state)
    known = {name: build for name in names if (build := build_of(state, name)) is not None}
    running = [name for name, build in known.items() if build.building]
    failed = [name for name, build in known.items() if build_status(build) is Status.FAILED]
    return (running or failed or names[-1:] or [""])[0]


def build_status(component: Component, item: Item | None = None) -> Status:
    """How a component's build stands; its item may be red though all its commands went well."""
    if component.building:
        return Status.RUNNING
    if component.build_exit is None:
        return Status.PENDING
    if item is not None and item.status in (Status.FAILED, Status.WARNED):
        return item.status
    return Status.PASSED if component.build_exit == 0 else Status.FAILED


def build_lines(
    state: State, name: str, width: int, figures: Figures | None = None, whole: str = ""
) -> tuple[Line, ...]:
    """Lines about a build: which and how it stands, how far all are and this one, its sandbox, its curves.

    `whole` says how long the whole stage may still take.
    """
    component, figures = build_of(state, name), figures or Figures()
    if component is None:
        return (total_line(state, width, whole), (), (Part("no build has begun yet", Tone.DIM),))
    item = item_of(state, name)
    status = build_status(component, item)
    return (
        apart(_title(component, name, status), _where(state, name), width),
        *_red_lines(item, status, width),
        total_line(state, width, whole),
        this_line(component, status, width, figures, state.last_t),
        *_sandbox_lines(component, item, width, figures.now),
        *curve_lines(component, width, figures.now),
    )


def _title(component: Component, name: str, status: Status) -> Line:
    second = name != component_of(name)
    ended = f"{GAP}exit {component.build_exit}" if component.build_exit is not None else ""
    parts = [Part("BUILD".ljust(LABEL), Tone.DIM), Part(component_of(name), Tone.HEAD), Part(GAP), word(status)]
    parts.append(Part(ended, Tone.FAILED if component.build_exit else Tone.PLAIN))
    return (*parts, Part(f"{GAP}second build" if second else "", Tone.DIM))


def _where(state: State, name: str) -> Line:
    names = builds(state)
    return (Part(f"{names.index(name) + 1} of {len(names)} begun", Tone.DIM),)


def _red_lines(item: Item | None, status: Status, width: int) -> list[Line]:
    """Why it is red, and what to do; nothing if it is not."""
    if (
        item is None
        or status not in (Status.FAILED, Status.WARNED)
        or item.status not in (Status.FAILED, Status.WARNED)
    ):
        return []
    tone = Tone(item.status.value)
    why = wrap((Part("why".ljust(LABEL), Tone.DIM), Part(item.reason, tone)), width, hang=LABEL)
    step = item.next_step or "read its log below, then the evidence: enter"
    then = wrap((Part("next".ljust(LABEL), Tone.DIM), Part(step)), width, hang=LABEL)
    return [*few(why, _WHY, width), *few(then, _WHY, width)]


def total_line(state: State, width: int, whole: str = "") -> Line:
    """`TOTAL  ████────  27%  3 of 11 done in 12:40  about 3 min left`."""
    items = build_items(state)
    done = [item for item in items if item.status not in (Status.PENDING, Status.RUNNING)]
    red = sum(item.status is Status.FAILED for item in done)
    begun = state.stages_started.get(Stage.BUILD, "")
    until = state.stages_ended_at.get(Stage.BUILD) or state.last_t
    took = f" in {duration(seconds_between(begun, until))}" if begun else ""
    what = (
        f"{len(done)} of {len(items)} done{took}" if not red else f"{len(done)} of {len(items)}, {red} red{took}"
    )
    share, bad = (len(done) / len(items), red / len(items)) if items else (0.0, 0.0)
    return _bar_line("TOTAL", share, what, whole, width, Tone.PASSED if share == 1 else Tone.RUNNING, bad)


def build_items(state: State) -> list[Item]:
    """The items of all builds, begun or not, as declared."""
    found = (state.items[item] for component in state.components.values() for item in component.items)
    return [item for item in found if item.stage is Stage.BUILD and item.kind in ("build", "reproduce")]


def this_line(component: Component, status: Status, width: int, figures: Figures, last_t: str = "") -> Line:
    """How far this build is, how long it runs, and what is left of it."""
    elapsed = duration(elapsed_of(component, figures.now, last_t))
    if status is Status.RUNNING:
        return _bar_line("THIS", part_of(component, figures), f"running for {elapsed}", left_words(figures), width)
    part = None if status is Status.FAILED else 1.0
    return _bar_line("THIS", part, f"ended after {elapsed}", "", width, Tone(status.value))


def part_of(component: Component, figures: Figures) -> float | None:
    """How far a build that runs is, from 0 to 1; None if nobody knows."""
    return figures.ahead.percent / 100 if figures.ahead is not None else None


def left_words(figures: Figures) -> str:
    """`about 3 min left +/- 40 s`, or that nobody knows."""
    off = figures.ahead.spread if figures.ahead is not None else 0
    return f"{figures.left}{f' +/- {roughly(off)}' if off else ''}" if figures.left else "no estimate"


def elapsed_of(component: Component, now: Now | None, last_t: str) -> float:
    """Seconds that a build runs by now, or ran."""
    if now is not None:
        return now.look.elapsed_ms / 1000
    if component.building:
        return seconds_between(component.build_started, last_t)
    return component.wall_ms / 1000


def _bar_line(
    label: str, part: float | None, what: str, left: str, width: int, tone: Tone = Tone.RUNNING, red: float = 0.0
) -> Line:
    room = min(40, max(10, width - 68))
    percent = "" if part is None else f"{part:.0%}"
    told = Part(
        f" {percent:>4}{GAP}{what:<{_SAID}}{GAP}", Tone.FAILED if red or tone is Tone.FAILED else Tone.PLAIN
    )
    rest = max(1, width - LABEL - room - cell_len(told.text))
    drawn = bar_parts(part, room, tone, red)
    return (Part(label.ljust(LABEL), Tone.DIM), *drawn, told, Part(fit(left, rest).rstrip(), Tone.DIM))


def bar_parts(part: float | None, width: int, tone: Tone = Tone.RUNNING, red: float = 0.0) -> Line:
    """A bar of `width` cells, thick as far as it goes; `red` of the whole, at the end of that, in the tone of a failure."""
    done, rest = bar(part or 0.0, width)
    failed, _ = bar(red, width) if red else ("", "")
    return (Part(done[len(failed) :], tone), Part(failed, Tone.FAILED), Part(rest, Tone.DIM))


def _sandbox_lines(component: Component, item: Item | None, width: int, now: Now | None) -> list[Line]:
    root = f"root {component.environment or 'host'} {head(component.environment_sha256)}".rstrip()
    facts = [("SANDBOX", [root, "net none", "caps none"])]
    sources = [f"{component.files:,} verified files", size(component.bytes)]
    last = last_look(component, now)
    end = component.end
    running = end.processes if end is not None and end.cpu_by else last.processes if last is not None else 0
    limits = []
    if component.limits:
        seconds, _, _, processes = component.limits
        limits = [f"{duration(seconds)} of time", f"{f'{running} of ' if running else ''}{processes} processes"]
    elif running:
        limits = [f"{running} processes"]
    held = _held_by(item)
    limits += [f"held by {held}"] if held else []
    if width >= WIDE:
        facts[0][1].extend(["in:", *sources])
        facts.append(("LIMITS", limits))
    else:
        facts.append(("LIMITS", limits or sources))
    return [_facts_line(label, told, width) for label, told in facts if told]


def _facts_line(label: str, told: Sequence[str], width: int) -> Line:
    """A label and facts, as many of them as there is room for."""
    text = GAP.join(told)
    return (Part(label.ljust(LABEL), Tone.DIM), Part(fit(text, width - LABEL).rstrip()))


def _held_by(item: Item | None) -> str:
    """What held the limits, as the evidence of a build that has passed says."""
    try:
        told = json.loads(item.evidence)["limited_by"] if item is not None and item.evidence else {}
        by = dict.fromkeys(str(each) for each in told.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""
    return ", ".join(by)
