"""What the stages say: typed events, and how each becomes a record of the log and back.

- An event is one frozen dataclass of this module; its `e` name in the log is fixed by `NAMES`.
- A body in the log holds only what log format 1 allows: printable ASCII strings, integers, booleans, lists,
  objects. Any other string is `{"b64": base64 of its UTF-8}`; a float or None can't be said at all.
- Half a character (a lone surrogate, a byte of a file name that is no UTF-8) is replaced, never an error.
- An unknown name, a missing or surplus field, a wrong type: `BadEventError`. A reviewer must not guess.
- A field with a default is younger than its event: left out where it holds that, so older logs say what they said.
"""

from __future__ import annotations

import base64
import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sealwright_stages.stage import STAGES as STAGES  # noqa: PLC0414 - known by this module's name, too
from sealwright_stages.stage import Stage as Stage  # noqa: PLC0414


class BadEventError(ValueError):
    """A record that is no event of ours; the sentence says why."""


@dataclass(frozen=True)
class RunStarted:
    """A console took up the release, for the first time or after a crash (`resumed`)."""

    release: str
    version: str
    tool: str
    manifest_sha256: str
    policy_sha256: str
    resumed: bool
    official: bool


@dataclass(frozen=True)
class SandboxHeld:
    """All known ways out of the sandbox were tried on the builder's machine, and held.

    `tried` is how many, `at` when (as the console's clock had it), `inputs` the SHA-256 over what that depended on:
    kernel, settings, programs, filter, code.
    """

    tried: int
    at: str
    inputs: str


@dataclass(frozen=True)
class PolicyRotated:
    """The policy is `version` of its keyring, and each version up to it was signed by the one before it and by itself.

    `evidence` says of each who signed, and is placed as that of a verdict.
    """

    policy_sha256: str
    version: int
    evidence: str
    evidence_sha256: str
    evidence_stream: str


@dataclass(frozen=True)
class PolicySigned:
    """The policy's own signature was good: by `persons` (joined by blanks), over the list with that SHA-256.

    `evidence` is placed as that of a verdict.
    """

    policy_sha256: str
    sums_sha256: str
    persons: str
    threshold: int
    evidence: str
    evidence_sha256: str
    evidence_stream: str


@dataclass(frozen=True)
class MemoryRead:
    """An earlier release was read into the memory: when it was sealed, its log's root, its records and facts."""

    release: str
    sealed: str
    root: str
    records: int
    facts: int


@dataclass(frozen=True)
class ItemDeclared:
    """Something that must pass before the gate after `stage` opens. From here on it is pending."""

    item: str
    component: str
    stage: str
    kind: str
    title: str


@dataclass(frozen=True)
class StageStarted:
    """A stage began; the gate before it was open."""

    stage: str


@dataclass(frozen=True)
class StageEnded:
    """A stage has no more work; `ok` says whether all its items are green."""

    stage: str
    ok: bool


@dataclass(frozen=True)
class ItemStarted:
    """A check or a fetch began."""

    item: str


@dataclass(frozen=True)
class ItemProgress:
    """How far it is, at most once a second; `total` 0 means unknown. Units are bytes unless `note` says."""

    item: str
    done: int
    total: int
    note: str


@dataclass(frozen=True)
class ItemVerdict:
    """How a check ended. `evidence` is JSON text, or empty where it fills `evidence_stream`."""

    item: str
    verdict: str
    code: str
    reason: str
    next: str
    subject_sha256: str
    evidence: str
    evidence_sha256: str
    evidence_stream: str


@dataclass(frozen=True)
class ItemReset:
    """An item is pending again, because of a retry or because a crash left it half done."""

    item: str
    because: str


@dataclass(frozen=True)
class FileDeleted:
    """Bytes that failed, or were left over, are gone from everywhere."""

    item: str
    name: str
    sha256: str
    size: int
    because: str


@dataclass(frozen=True)
class ItemWaived:
    """A named acceptance of a warning."""

    item: str
    code: str
    person: str
    reason: str
    item_sha256: str
    policy_sha256: str


@dataclass(frozen=True)
class SourcesPromoted:
    """A component's verified bytes went from the quarantine into its folder.

    `facts` is JSON text that the build wants (build dependencies, epoch, references), placed like evidence.
    """

    component: str
    manifest_sha256: str
    files: int
    bytes: int
    facts: str
    facts_sha256: str
    facts_stream: str


@dataclass(frozen=True)
class GateDecided:
    """What the gate before `stage` said, and of how many items."""

    stage: str
    open: bool
    green: int
    failed: int
    warned: int
    pending: int


@dataclass(frozen=True)
class BuildStarted:
    """A component's build began; its whole output is on `stream`.

    `needs` is JSON text of the products that it sees: component/name -> SHA-256; placed like evidence. So is `varied`,
    which only the second build of a component has: what it finds otherwise than the first, and what not. `most_…` are the
    limits that it was begun with, in seconds, bytes, bytes and processes; 0 in older logs, which don't tell.
    """

    component: str
    item: str
    stream: str
    recipe: str
    environment: str
    environment_sha256: str
    manifest_sha256: str
    epoch: int
    needs: str = ""
    needs_sha256: str = ""
    needs_stream: str = ""
    varied: str = ""
    varied_sha256: str = ""
    varied_stream: str = ""
    most_seconds: int = 0
    most_memory: int = 0
    most_disk: int = 0
    most_processes: int = 0

    @property
    def second(self) -> bool:
        """Whether it is the component's second build, whose products are compared and thrown away."""
        return bool(self.varied_sha256)


@dataclass(frozen=True)
class BuildStopped:
    """A build can't begin, for want of what it needs and is not green: `by` names some of that, joined by blanks."""

    component: str
    item: str
    by: str


@dataclass(frozen=True)
class BuildSample:
    """A look at a running build, one of many: percent of one core, bytes, counts; what it takes of its disk.

    `second` if it is the component's second build.
    """

    component: str
    cpu: int
    memory: int
    processes: int
    read: int
    written: int
    second: bool = False
    disk: int = 0
    files: int = 0


@dataclass(frozen=True)
class BuildEnded:
    """A build's processes are all dead. `exit` is the status, negative for a signal; `second` as of a sample.

    What it took, as `ports.Used` says: the peaks are those of all looks, also of those that are not in the log.
    """

    component: str
    exit: int
    wall_ms: int
    because: str
    second: bool = False
    cpu_ms: int = 0
    cpu_by: str = ""
    memory: int = 0
    charged: int = 0
    processes: int = 0
    disk: int = 0
    files: int = 0
    read: int = 0
    written: int = 0
    said: int = 0


@dataclass(frozen=True)
class ProductCollected:
    """A file that a build made, as stored in products/."""

    component: str
    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class ProductCompared:
    """A product beside what the archive published: `identical`, `differs` or `absent`."""

    component: str
    name: str
    result: str
    reference_sha256: str
    reference: str


@dataclass(frozen=True)
class RunEnded:
    """The console laid the release down: `exit` as documented, with the reason and the next step."""

    exit: int
    because: str
    next: str


Event = (
    RunStarted
    | SandboxHeld
    | PolicyRotated
    | PolicySigned
    | MemoryRead
    | ItemDeclared
    | StageStarted
    | StageEnded
    | ItemStarted
    | ItemProgress
    | ItemVerdict
    | ItemReset
    | FileDeleted
    | ItemWaived
    | SourcesPromoted
    | GateDecided
    | BuildStarted
    | BuildStopped
    | BuildSample
    | BuildEnded
    | ProductCollected
    | ProductCompared
    | RunEnded
)

NAMES: Mapping[str, type[Any]] = {
    "run.started": RunStarted,
    "sandbox.held": SandboxHeld,
    "policy.rotated": PolicyRotated,
    "policy.signed": PolicySigned,
    "memory.read": MemoryRead,
    "item.declared": ItemDeclared,
    "stage.started": StageStarted,
    "stage.ended": StageEnded,
    "item.started": ItemStarted,
    "item.progress": ItemProgress,
    "item.verdict": ItemVerdict,
    "item.reset": ItemReset,
    "file.deleted": FileDeleted,
    "item.waived": ItemWaived,
    "sources.promoted": SourcesPromoted,
    "gate.decided": GateDecided,
    "build.started": BuildStarted,
    "build.stopped": BuildStopped,
    "build.sample": BuildSample,
    "build.ended": BuildEnded,
    "product.collected": ProductCollected,
    "product.compared": ProductCompared,
    "run.ended": RunEnded,
}
_NAME_OF = {kind: name for name, kind in NAMES.items()}
assert set(NAMES.values()) == set(typing.get_args(Event)) and isinstance(Event, types.UnionType)  # noqa: S101


def to_body(event: Event) -> dict[str, object]:
    """The event as a body for the log: `{"e": name, field: value, ...}`."""
    body: dict[str, object] = {"e": _NAME_OF[type(event)]}
    for field in dataclasses.fields(event):
        value = getattr(event, field.name)
        if value == field.default:
            continue
        body[field.name] = _encode_text(value) if isinstance(value, str) else value
    return body


def from_body(body: Mapping[str, object]) -> Event:
    """The event that `body` says, strictly.

    Raises:
        BadEventError: unknown name, missing or surplus field, or a value of the wrong type.
    """
    kind = NAMES.get(str(body.get("e")))
    if kind is None:
        raise BadEventError(f"unknown event {body.get('e')!r}")
    wanted = _FIELDS[str(body["e"])]
    if surplus := set(body) - set(wanted) - {"e"}:
        raise BadEventError(f"{body['e']}: unknown field {sorted(surplus)[0]!r}")
    values: dict[str, object] = {}
    for name, wants in wanted.items():
        if name not in body:
            if hasattr(kind, name):  # a dataclass keeps a field's default as its own attribute
                continue
            raise BadEventError(f"{body['e']}: no field {name!r}")
        value = _decode_text(body[name]) if wants is str else body[name]
        if type(value) is not wants:
            raise BadEventError(f"{body['e']}: {name} is not {wants.__name__}")
        if value == getattr(kind, name, None):
            raise BadEventError(f"{body['e']}: {name} says nothing, and is left out then")
        values[name] = value
    return typing.cast(Event, kind(**values))


def _field_types(kind: type[Any]) -> dict[str, type[Any]]:
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


_FIELDS = {name: _field_types(kind) for name, kind in NAMES.items()}


def _encode_text(text: str) -> object:
    if all(" " <= character <= "~" for character in text):
        return text
    try:
        data = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate that no file name brought
        data = text.encode("utf-8", "replace")
    return {"b64": base64.b64encode(data).decode()}


def _decode_text(value: object) -> object:
    if isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True).decode("utf-8", "replace")
        except ValueError as error:
            raise BadEventError("broken base64 in a text") from error
    return value
