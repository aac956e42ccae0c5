"""What of a difference must be looked at first. Pure, and one way only: from A, which is believed, to B.

- A product that is another although its component's inputs are the same is one, whatever else there is.
- A person who signs with another key, or who may; somebody who signs what he did not sign, or may.
- A check, a pin, a signer, a threshold, a root of trust that is there no more, or is less.
- What contradicts A as the memory of a run would say it: a tag that moved, a version or an index that went back, an
  address that gives other bytes. A package of a build root that went back is one too, and a keyring that did, or that
  says no version any more.
- A verdict that was green by itself and is not.
- Of two builders of one release neither is the earlier one: who signed it, and what is older, is no alarm.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from sealwright_stages.compare.difference import Alarm, Change, Danger, Section
from sealwright_stages.compare.facts import ROOT, Release
from sealwright_stages.compare.rows import POLICY, SIGNED, THERE
from sealwright_stages.events import Stage
from sealwright_stages.memory.ledger import Contradiction, Ledger
from sealwright_stages.memory.versions import compare_debian, compare_tags
from sealwright_stages.verdict import Status

_DEMANDS = {
    "sha256",
    "signature",
    "signers",
    "trust_root",
    "uploader_rights",
    "fresh_days",
    "known_hosts",
    "evidence",
}
_DEMANDING = ("policy", "memory", "attestation")
_KEYS = ("openpgp", "ssh", "minisign", "ed25519")
_NO_ORDER = (Danger.VERSION_BACK, Danger.ARCHIVE_BACK)


def alarms(a: Release, b: Release, changes: Sequence[Change], *, same_release: bool) -> tuple[Alarm, ...]:
    """The alarms of these changes, sorted."""
    judge = _Judge(a, b, same_release=same_release)
    found = {Alarm(danger, change) for change in changes for danger in judge.dangers(change)}
    found |= set(_contradictions(a, b, changes))
    if same_release:
        found = {alarm for alarm in found if alarm.danger not in _NO_ORDER}
    return tuple(sorted(found, key=lambda alarm: alarm.order))


class _Judge:
    """Knows both releases."""

    def __init__(self, a: Release, b: Release, *, same_release: bool) -> None:
        self.a, self.b, self.same_release = a, b, same_release
        self.known = set(_known_keys(a))

    def dangers(self, change: Change) -> Iterator[Danger]:
        if change.section is Section.PRODUCTS:
            yield from self._product(change)
        elif change.section is Section.SIGNERS:
            yield from self._signers(change)
        elif _not_green(change):
            yield Danger.WARNING_NEW
        elif _back(change):
            yield Danger.VERSION_BACK
        if self._gone(change):
            yield Danger.DEMAND_GONE

    def _signers(self, change: Change) -> Iterator[Danger]:
        if change.field.startswith(f"{POLICY} by "):
            if not self.same_release and change.after:
                yield Danger.SIGNER_NEW
        elif change.field.startswith(f"{SIGNED} of ") or (change.field == SIGNED and _is_check(change)):
            yield from self._signed(change)
        else:
            yield from _person(change)

    def _product(self, change: Change) -> Iterator[Danger]:
        one, other = self.a.components.get(change.component), self.b.components.get(change.component)
        if one is None or other is None or not one.sources_sha256 or one.inputs != other.inputs:
            return
        if change.field in ("sha256", THERE):
            yield Danger.PRODUCT_DIFFERS

    def _signed(self, change: Change) -> Iterator[Danger]:
        new = set(change.after.split()) - set(change.before.split())
        if not new or (self.same_release and not change.component):
            return
        if not all(change.names) and new <= self.known:
            return  # a new thing, by a key that vouched for something before
        named = change.field != SIGNED
        yield Danger.KEY_CHANGED if named and change.before else Danger.SIGNER_NEW

    def _gone(self, change: Change) -> bool:
        """Whether something that was demanded in A is not, or is less, in B."""
        if change.component and not self._in_both(change.component):
            return False
        if change.field in ("threshold", "builders") and all(change.names):
            return _number(change.after) < _number(change.before)
        if change.field == THERE and change.names[0] and not change.names[1]:
            return self._was_check(change) or (change.section is Section.RELEASE and change.names[0] in _DEMANDING)
        said = change.field in _DEMANDS or (change.field == "pinned" and change.after == "false")
        return said and all(change.names) and bool(change.before) and change.after in ("", "false", "[]")

    def _in_both(self, component: str) -> bool:
        return component in self.a.components and component in self.b.components

    def _was_check(self, change: Change) -> bool:
        check = self.a.components[change.component].checks.get(change.names[0]) if change.component else None
        return check is not None and check.stage == Stage.VERIFY


def _known_keys(release: Release) -> Iterator[str]:
    """Every key that vouched for something in a release, or could."""
    for person in (release.persons or {}).values():
        for kind in _KEYS:
            yield from _list(person.get(kind, ""))
    yield from (each.key for each in release.signatures)
    for component in release.components.values():
        for check in component.checks.values():
            yield from (each.key for each in check.signatures)


def _is_check(change: Change) -> bool:
    """Whether it is of an item, whose id begins with its component, and not of a part of the manifest."""
    return any(name.startswith(f"{change.component}/") for name in change.names)


def _person(change: Change) -> Iterator[Danger]:
    """What signers.toml, or the manifest's own list of signers, gives to whom."""
    if change.field == THERE and not change.names[0]:
        yield Danger.SIGNER_NEW
    gained = set(_list(change.after)) - set(_list(change.before))
    if not all(change.names):
        return
    if change.field in _KEYS and gained:
        yield Danger.KEY_CHANGED
    if change.field == "signers" and gained:
        yield Danger.SIGNER_NEW
    if change.field == "components" and _list(change.before) and (gained or not _list(change.after)):
        yield Danger.SIGNER_NEW


def _list(text: str) -> list[str]:
    """The texts of a JSON list; none if it is something else."""
    try:
        value = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return []
    return [str(each) for each in value] if isinstance(value, list) else []


def _number(text: str) -> int:
    """A threshold: what is left out is 1."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1


def _not_green(change: Change) -> bool:
    return (
        change.section is Section.VERDICTS
        and change.field == "verdict"
        and change.after not in ("", Status.PASSED.value)
    )


def _back(change: Change) -> bool:
    """Whether the release's own version, its keyring's, or that of a package of a build root, went back."""
    if change.section is Section.RELEASE and change.field == "policy_version":
        return bool(change.before) and (not change.after or _number(change.after) < _number(change.before))
    if change.field != "version" or not all(change.names):
        return False
    if change.section is Section.ROOTS:
        return compare_debian(change.after, change.before) < 0
    order = compare_tags(change.after, change.before) if change.section is Section.RELEASE else None
    return order is not None and order < 0


def _contradictions(a: Release, b: Release, changes: Sequence[Change]) -> Iterator[Alarm]:
    """What of B's facts speaks against A's, each with the change that shows it."""
    ledger = Ledger(
        fact for each in a.components.values() for check in each.checks.values() for fact in check.facts
    )
    shown = {(each.component, each.before, each.after): each for each in reversed(changes)}
    for name, component in b.components.items():
        for check in component.checks.values():
            for fact in check.facts:
                for found in ledger.contradictions(fact):
                    yield Alarm(Danger(found.code), _showing(found, name, shown))


def _showing(found: Contradiction, component: str, shown: Mapping[tuple[str, str, str], Change]) -> Change:
    change = shown.get((component, found.before, found.after))
    if change is not None:
        return change
    section = Section.ROOTS if component.startswith(ROOT) else Section.INPUTS
    names = found.then.name or found.then.place, found.now.name or found.now.place
    return Change(section, component, names, found.then.kind.value, found.before, found.after)
