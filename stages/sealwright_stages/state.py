"""The one state of a release, as the log tells it: what there is, and how each thing stands.

- `State` is what `fold` makes of the entries (see `fold.py`), and of nothing else: no clock, no disk.
- It holds dictionaries, lists and values that never change, and nothing deeper: copying those is copying it.
- The live console, `--batch`, resume, review and audit use it; none keeps a state of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sealwright_stages import events as ev
from sealwright_stages.events import Stage
from sealwright_stages.verdict import Failed, Passed, Status, Verdict, Waiver, Warned


class Record(Protocol):
    """An entry of the log as the reducer needs it: sequence, time, kind, and the body of an event."""

    @property
    def n(self) -> int: ...
    @property
    def t(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def body(self) -> Mapping[str, object]: ...


@dataclass(frozen=True)
class Item:
    """One thing that must pass, and how it stands; when its last try `began` and was `judged`."""

    id: str
    component: str
    stage: Stage
    kind: str
    title: str
    status: Status = Status.PENDING
    code: str = ""
    reason: str = ""
    next_step: str = ""
    subject_sha256: str = ""
    evidence: str = ""
    evidence_sha256: str = ""
    evidence_stream: str = ""
    done: int = 0
    total: int = 0
    note: str = ""
    tries: int = 0
    waiver: Waiver | None = None
    deleted: tuple[str, ...] = ()
    gone: int = 0
    began: str = ""
    judged: str = ""
    n: int = 0
    t: str = ""

    @property
    def green(self) -> bool:
        """Passed, or warned and covered by a waiver of these very bytes."""
        return self.status is Status.PASSED or (self.status is Status.WARNED and self.waiver is not None)

    def verdict(self) -> Verdict | None:
        """The verdict that stands, or None while it is pending or running."""
        if self.status is Status.PASSED:
            return Passed(self.reason, self.subject_sha256, code=self.code)
        if self.status is Status.WARNED:
            return Warned(self.code, self.reason, self.next_step, self.subject_sha256)
        if self.status is Status.FAILED:
            return Failed(self.code, self.reason, self.next_step, self.subject_sha256)
        return None


_BESIDE: Mapping[str, str] = {"identical": "bit-identical to the one in", "differs": "differs from the one in"}


def compared(result: str, reference: str) -> str:
    """How a product compares with what was published in `reference`, in words; empty if with nothing."""
    return f"{_BESIDE.get(result, 'not in')} {reference}" if result else ""


def remembered_release(event: ev.MemoryRead) -> str:
    """An earlier release that is remembered, in words."""
    sealed = f"sealed {event.sealed[:10]}, {event.records} records, log root {event.root[:16]}…"
    return f"{event.facts} facts of {event.release} ({sealed})"


@dataclass(frozen=True)
class Product:
    """A file that a build made, and how it compares with what the archive published."""

    component: str
    name: str
    sha256: str
    size: int
    n: int
    compared: str = ""
    reference: str = ""

    @property
    def beside(self) -> str:
        """How it compares with what was published, in words; empty if it was compared with nothing."""
        return compared(self.compared, self.reference)


def published_path(product: Product) -> str:
    """Where a product lies below the evidence folder."""
    return f"products/{product.component}/{product.name}"


@dataclass(frozen=True)
class Sample:
    """A look at a running build: percent of one core, bytes, counts; when the log took it."""

    cpu: int
    memory: int
    processes: int
    read: int
    written: int
    disk: int = 0
    files: int = 0
    at: str = ""


@dataclass(frozen=True)
class Component:
    """What is known of a component beyond its items."""

    name: str
    items: tuple[str, ...] = ()
    manifest_sha256: str = ""
    files: int = 0
    bytes: int = 0
    facts: str = ""
    facts_sha256: str = ""
    facts_stream: str = ""
    build_stream: str = ""
    built_from: str = ""
    built_with: str = ""
    building: bool = False
    build_started: str = ""
    build_ended: str = ""
    build_exit: int | None = None
    wall_ms: int = 0
    recipe: str = ""
    environment: str = ""
    environment_sha256: str = ""
    epoch: int = 0
    limits: tuple[int, ...] = ()
    """What its build may take: seconds, bytes of memory, bytes of disk, processes; empty where the log doesn't tell."""
    samples: tuple[Sample, ...] = ()
    end: ev.BuildEnded | None = None
    """How its last build ended, and what it took; None while it runs."""
    took: tuple[ev.BuildEnded, ...] = ()
    """How its builds ended that ended well, the newest last."""


def reproduced(state: State, component: str) -> str:
    """Whether a component's products came out the same of a second build, in words; empty if none was asked for."""
    item = state.items.get(f"{component}/reproduce")
    if item is None:
        return ""
    return "the same bytes" if item.status is Status.PASSED else "not all the same"


@dataclass
class State:
    """A release as the log tells it; `updated` is when something was last said of a component, `seconds` what there is to
    know of its second build, if it had one."""

    release: str = ""
    version: str = ""
    tool: str = ""
    manifest_sha256: str = ""
    policy_sha256: str = ""
    held: ev.SandboxHeld | None = None
    policy_signed: ev.PolicySigned | None = None
    runs: int = 0
    memory: dict[str, ev.MemoryRead] = field(default_factory=dict)
    accepted: list[Item] = field(default_factory=list)
    items: dict[str, Item] = field(default_factory=dict)
    components: dict[str, Component] = field(default_factory=dict)
    seconds: dict[str, Component] = field(default_factory=dict)
    updated: dict[str, str] = field(default_factory=dict)
    products: dict[tuple[str, str], Product] = field(default_factory=dict)
    stages_started: dict[Stage, str] = field(default_factory=dict)
    stages_ended: dict[Stage, bool] = field(default_factory=dict)
    stages_ended_at: dict[Stage, str] = field(default_factory=dict)
    gates: dict[Stage, ev.GateDecided] = field(default_factory=dict)
    counts: dict[tuple[Stage, Status], int] = field(default_factory=dict)
    ended: ev.RunEnded | None = None
    sealed: bool = False
    unclean: list[str] = field(default_factory=list)
    first_t: str = ""
    last_n: int = -1
    last_t: str = ""

    @property
    def waivers(self) -> list[Waiver]:
        """The waivers that stand, by which a warned item is green now."""
        return [item.waiver for item in self.items.values() if item.waiver is not None]
