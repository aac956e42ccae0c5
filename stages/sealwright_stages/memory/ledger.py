"""The ledger: facts that were accepted, and which of them a new one contradicts. Pure, but for that it grows.

- It only grows: a fact that is in it never leaves it, and no order of taking facts in makes a difference.
- A tag of one component, or of one repository, names the same object for ever.
- A component's git source goes to no older version: by the tags' names where these can be compared, else by the
  tags' own dates, else by the dates of the commits.
- An archive's index of a suite bears no date before one that was accepted; a package has no lower version; a file of a
  package keeps its bytes, whatever mirror it comes from.
- An address gives the bytes that it gave; where the manifest itself names other ones, that is a warning.
- Asking costs what the facts of one component and of one address are, not what the ledger is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sealwright_stages.memory.facts import Fact, Kind, iso
from sealwright_stages.memory.versions import compare_debian, compare_tags

_GIT = (Kind.TAG, Kind.COMMIT)


@dataclass(frozen=True)
class Contradiction:
    """A new fact against an accepted one; `before` and `after` are what a declaration calls them."""

    code: str
    now: Fact
    then: Fact
    before: str
    after: str

    @property
    def order(self) -> tuple[object, ...]:
        """The newest of each code first, whatever order they were found in."""
        return (self.code, -(self.then.date or 0), self.then.key)


class Ledger:
    """Facts by component, and by address."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        """A ledger of these facts."""
        self._by: dict[tuple[Kind, str, str], dict[Fact, None]] = {}
        self._newest: dict[tuple[str, str], Fact] = {}
        self.take(facts)

    def take(self, facts: Iterable[Fact]) -> None:
        """Take facts in."""
        for fact in facts:
            if fact.kind is Kind.ARCHIVE:
                self._take_archive(fact)
                continue
            for key in self._keys(fact):
                self._by.setdefault(key, {})[fact] = None

    def contradictions(self, now: Fact) -> list[Contradiction]:
        """What of the ledger speaks against `now`."""
        found = [_against(now, then) for then in self.beside(now)]
        return [each for each in found if each is not None]

    def beside(self, now: Fact) -> list[Fact]:
        """The facts that `now` is held against: of one component or address, and of a kind that can be compared."""
        if now.kind is Kind.ARCHIVE:
            newest = self._newest.get((now.place, now.name))
            return [newest] if newest else []
        found: dict[Fact, None] = {}
        for key in self._keys(now):
            found |= self._by.get(key, {})
        return list(found)

    def _take_archive(self, fact: Fact) -> None:
        """Of one index the newest is enough, however many items went by it."""
        known = self._newest.get((fact.place, fact.name))
        if known is None or (known.date or 0, known.origin) < (fact.date or 0, fact.origin):
            self._newest[fact.place, fact.name] = fact

    @staticmethod
    def _keys(fact: Fact) -> list[tuple[Kind, str, str]]:
        kind = Kind.TAG if fact.kind in _GIT else fact.kind
        if kind is Kind.FILE:
            return [(kind, "place", fact.place)]
        if kind is Kind.TAG:
            return [(kind, "component", fact.component), (kind, "place", fact.place)]
        return [(kind, fact.component, fact.name)]


def _against(now: Fact, then: Fact) -> Contradiction | None:
    """How `now` contradicts an accepted fact that stands `beside` it, if it does."""
    if now.kind in _GIT:
        return _git(now, then)
    if now.kind is Kind.ARCHIVE:
        older = (now.date or 0) < (then.date or 0)
        return Contradiction("archive-went-back", now, then, iso(then.date), iso(now.date)) if older else None
    if now.kind is Kind.PACKAGE:
        older = compare_debian(now.value, then.value) < 0
        return Contradiction("version-went-back", now, then, then.value, now.value) if older else None
    if now.value == then.value:
        return None
    return Contradiction("pin-changed" if now.pinned else "file-changed", now, then, then.value, now.value)


def _git(now: Fact, then: Fact) -> Contradiction | None:
    tags = now.kind is Kind.TAG and then.kind is Kind.TAG
    if tags and now.name == then.name:
        moved = now.value != then.value
        return Contradiction("tag-moved", now, then, then.value, now.value) if moved else None
    if now.component != then.component or now.name == then.name:
        return None
    order = compare_tags(now.name, then.name) if tags else None
    if order is None:
        before, after = (then.date, now.date) if tags else (then.committed, now.committed)
        order = (after or 0) - (before or 0)
    return Contradiction("version-went-back", now, then, then.name, now.name) if order < 0 else None
