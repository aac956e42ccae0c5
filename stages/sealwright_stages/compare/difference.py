"""A difference: what changed, what of it is dangerous, and how much is the same.

- A change is one field of one thing, before and after. Turned round, it is the change the other way.
- An alarm goes one way only: a key that is new in B is not new in A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Names = tuple[str, str]
"""What a thing is called in A and in B; empty where it isn't."""


class Section(StrEnum):
    """What a change is about, in the order in which it is told."""

    RELEASE = "release"
    COMPONENTS = "components"
    SIGNERS = "signers"
    INPUTS = "inputs"
    ROOTS = "build roots"
    VERDICTS = "verdicts"
    PRODUCTS = "products"
    DURATIONS = "durations"


SECTIONS = tuple(Section)


@dataclass(frozen=True)
class Change:
    """One field of one thing that is not the same: `component` is empty for the release itself.

    `before` and `after` are texts; empty is absent. The field `name` is the thing's being there at all.
    """

    section: Section
    component: str
    names: Names
    field: str
    before: str
    after: str

    @property
    def kind(self) -> str:
        """`added`, `removed` or `changed`: of the thing, and not of the field."""
        if not any(self.names) or all(self.names):
            return "changed"
        return "removed" if self.names[0] else "added"

    @property
    def order(self) -> tuple[object, ...]:
        """By which changes are told."""
        return SECTIONS.index(self.section), self.component, self.names, self.field, self.before, self.after

    def turned(self) -> Change:
        """The same change, seen from the other side."""
        names = self.names[1], self.names[0]
        return Change(self.section, self.component, names, self.field, self.after, self.before)


class Danger(StrEnum):
    """What must be looked at first, the worst on top."""

    PRODUCT_DIFFERS = "product-differs"
    KEY_CHANGED = "key-changed"
    SIGNER_NEW = "signer-new"
    DEMAND_GONE = "demand-gone"
    TAG_MOVED = "tag-moved"
    FILE_CHANGED = "file-changed"
    VERSION_BACK = "version-went-back"
    ARCHIVE_BACK = "archive-went-back"
    PIN_CHANGED = "pin-changed"
    WARNING_NEW = "warning-new"


DANGERS = tuple(Danger)

MEANING: Mapping[Danger, str] = {
    Danger.PRODUCT_DIFFERS: "other bytes, although every input is the same: not reproducible",
    Danger.KEY_CHANGED: "the same person, another key",
    Danger.SIGNER_NEW: "somebody who did not sign this before, or could not",
    Danger.DEMAND_GONE: "what was checked or demanded before is not any more",
    Danger.TAG_MOVED: "the same tag, another object",
    Danger.FILE_CHANGED: "the same address, other bytes",
    Danger.VERSION_BACK: "an older version than before",
    Danger.ARCHIVE_BACK: "an older index of the archive than before",
    Danger.PIN_CHANGED: "the same address, other bytes, and the manifest pins them",
    Danger.WARNING_NEW: "a check that was not green by itself, and was before",
}


@dataclass(frozen=True)
class Alarm:
    """A change that must be looked at first, and why."""

    danger: Danger
    change: Change

    @property
    def order(self) -> tuple[object, ...]:
        """By which alarms are told."""
        return DANGERS.index(self.danger), *self.change.order


@dataclass(frozen=True)
class Same:
    """How many things of a section were compared, and how many of them are the same in every field."""

    same: int
    of: int


@dataclass(frozen=True)
class Difference:
    """What changed from A to B. `unmoved` are products, as component and name, with the same bytes from other inputs.

    `same_release`: A and B are the same version of the same release, by two builders or in two runs.
    """

    same_release: bool
    changes: tuple[Change, ...]
    alarms: tuple[Alarm, ...]
    same: Mapping[Section, Same]
    unmoved: tuple[tuple[str, str], ...]

    @property
    def differs(self) -> bool:
        """Whether anything but how long it took is not the same."""
        return any(change.section is not Section.DURATIONS for change in self.changes)
