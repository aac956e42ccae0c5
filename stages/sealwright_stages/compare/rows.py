"""Two releases set side by side: every field of every thing that is compared, whether it differs or not. Pure.

- Each row is a `Change`, of which those whose `before` is their `after` are none. What is absent is empty.
- Components are paired by their names; checks, files, parts and products as `pairing` says.
- A duration or an amount of output differs only beyond noise: half as much again, and `LEAST_MS` or `LEAST_BYTES`.
  Builds of the same inputs in one sandbox on one busy machine differ by less.
- What a verdict's sentence says is not compared: its code is, and sentences hold times.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sealwright_stages.compare.difference import Change, Names, Section
from sealwright_stages.compare.facts import (
    ROOT,
    Check,
    Component,
    Parts,
    Product,
    Release,
    Signature,
    Texts,
)
from sealwright_stages.compare.pairing import paired

RATIO = 1.5
LEAST_MS = 10_000
LEAST_BYTES = 64 << 10

THERE = "name"
"""The field that says whether a thing is there at all, and what it is called."""

SIGNED = "signature"
"""How the fields begin that say by which key something was signed; the person follows, if it is one."""

POLICY = "signed"
"""How the fields begin that say who signed the keyring."""

_MOVES = {"tag", "commit", "branch", "git", "dsc", "version", "package", "nevra", "suite", "submodule"}
_WHOSE = {"signers", "threshold", "uploaders", "uploaders sha256", "uploader_rights", "rights sha256"}
_WHOSE |= {"trust_root", "trust root", "signature", "signed"}
_NOTHING = Component()

Rows = Iterator[Change]


def rows(a: Release, b: Release) -> Rows:
    """Every row of two releases."""
    yield from _release(a, b)
    declared = a.declared is not None and b.declared is not None
    for names, one, other in paired(a.components, b.components, by_shape=False):
        yield from _component(names, one, other, declared=declared)


def _release(a: Release, b: Release) -> Rows:
    whole = ("release", "release")
    for name in ("name", "version", "tool", "manifest_sha256", "policy_sha256", "policy_version"):
        field = {"name": "called"}.get(name, name)
        yield Change(Section.RELEASE, "", whole, field, getattr(a, name), getattr(b, name))
    for earlier in sorted(a.remembers | b.remembers):
        names = (earlier if earlier in a.remembers else "", earlier if earlier in b.remembers else "")
        yield Change(Section.RELEASE, "", names, "remembers", *names)
    if a.declared is not None and b.declared is not None:
        yield from _parts(Section.RELEASE, "", a.declared, b.declared)
    for person in sorted(a.policy_signed | b.policy_signed):
        signed = ("yes" if person in a.policy_signed else "", "yes" if person in b.policy_signed else "")
        yield Change(Section.SIGNERS, "", ("policy", "policy"), f"{POLICY} by {person}", *signed)
    yield from _signed("", whole, a.signatures, b.signatures)
    if a.persons is not None and b.persons is not None:
        for names, one, other in paired(a.persons, b.persons, by_shape=False):
            yield Change(Section.SIGNERS, "", names, THERE, *names)
            yield from _fields(Section.SIGNERS, "", names, one or {}, other or {})
    yield from _durations("", a.took, b.took)


def _component(names: Names, a: Component | None, b: Component | None, *, declared: bool) -> Rows:
    component = names[1] or names[0]
    section = Section.ROOTS if component.startswith(ROOT) else Section.COMPONENTS
    yield Change(section, component, names, THERE, *names)
    one, other = a or _NOTHING, b or _NOTHING
    found: set[tuple[str, str, str]] = set()
    for row in _checks(component, one, other):
        found.add((row.field, row.before, row.after))
        yield row
    if declared:
        for row in _parts(Section.INPUTS, component, _own(names, one.declared, 0), _own(names, other.declared, 1)):
            if row.before == row.after or (row.field, row.before, row.after) not in found:
                yield row
    yield from _built(component, names, one, other)
    if a and b:
        yield from _durations(component, a.took, b.took)
        output = _beyond(a.output, b.output, LEAST_BYTES)
        yield Change(Section.DURATIONS, component, ("build", "build"), "output bytes", *output)


def _own(names: Names, declared: Parts, side: int) -> Parts:
    """The parts of a component, its own fields under its name."""
    return {part or names[side]: fields for part, fields in declared.items()}


def _checks(component: str, a: Component, b: Component) -> Rows:
    kinds = {(check.stage, check.kind) for side in (a, b) for check in side.checks.values()}
    for stage, kind in sorted(kinds):
        one, other = (
            {name: check for name, check in side.checks.items() if (check.stage, check.kind) == (stage, kind)}
            for side in (a, b)
        )
        for names, mine, theirs in paired(one, other, last=True):
            yield from _check(component, names, mine, theirs)


def _check(component: str, names: Names, a: Check | None, b: Check | None) -> Rows:
    root = component.startswith(ROOT)
    section = Section.ROOTS if root else Section.INPUTS
    yield Change(section, component, names, THERE, *names)
    verdicts = (_verdict(a), _verdict(b))
    yield Change(Section.VERDICTS, component, names, "verdict", *verdicts)
    yield Change(Section.VERDICTS, component, names, "waived", a.waived if a else "", b.waived if b else "")
    subjects = a.subject_sha256 if a else "", b.subject_sha256 if b else ""
    yield Change(section, component, names, "sha256", *subjects)
    yield from _fields(section, component, names, a.told if a else {}, b.told if b else {})
    yield from _signed(component, names, a.signatures if a else (), b.signatures if b else ())
    for inner, mine, theirs in paired(a.listed if a else {}, b.listed if b else {}, by_shape=not root):
        yield Change(section, component, inner, THERE, *inner)
        yield from _fields(section, component, inner, mine or {}, theirs or {})


def _verdict(check: Check | None) -> str:
    if check is None:
        return ""
    return check.status if check.code in ("", "ok") else f"{check.status} {check.code}"


_INPUTS = (
    *("sources_sha256", "files", "bytes", "recipe", "environment", "environment_sha256", "epoch"),
    "needs_sha256",
)


def _built(component: str, names: Names, a: Component, b: Component) -> Rows:
    for field in _INPUTS:
        before, after = (str(getattr(side, field) or "") for side in (a, b))
        yield Change(Section.INPUTS, component, names, field, before, after)
    for inner, one, other in paired(a.products, b.products):
        yield Change(Section.PRODUCTS, component, inner, THERE, *inner)
        yield from _fields(Section.PRODUCTS, component, inner, _product(one), _product(other))


def _product(product: Product | None) -> Texts:
    if product is None:
        return {}
    return {"sha256": product.sha256, "size": str(product.size), "beside": product.beside}


def _parts(section: Section, component: str, a: Parts, b: Parts) -> Rows:
    for names, one, other in paired(a, b):
        yield Change(section, component, names, THERE, *names)
        yield from _fields(section, component, names, one or {}, other or {})


def _fields(section: Section, component: str, names: Names, a: Texts, b: Texts) -> Rows:
    for field in sorted(a.keys() | b.keys()):
        yield Change(_section(section, field), component, names, field, a.get(field, ""), b.get(field, ""))


def _section(section: Section, field: str) -> Section:
    """Where a field is told: whose word counts, and which version it is, stand by themselves."""
    if field in _WHOSE and section in (Section.RELEASE, Section.INPUTS):
        return Section.SIGNERS
    return Section.COMPONENTS if field in _MOVES and section is Section.INPUTS else section


def _signed(component: str, names: Names, a: Collection[Signature], b: Collection[Signature]) -> Rows:
    for person in sorted({each.person for each in (*a, *b)}):
        field = f"{SIGNED} of {person}" if person else SIGNED
        yield Change(Section.SIGNERS, component, names, field, _keys(person, a), _keys(person, b))


def _keys(person: str, signatures: Collection[Signature]) -> str:
    return " ".join(sorted(each.key for each in signatures if each.person == person))


def _durations(component: str, a: Mapping[str, int], b: Mapping[str, int]) -> Rows:
    for stage in sorted(a.keys() | b.keys()):
        took = _beyond(a.get(stage, 0), b.get(stage, 0), LEAST_MS)
        yield Change(Section.DURATIONS, component, (stage, stage), "milliseconds", *took)


def _beyond(before: int, after: int, least: int) -> tuple[str, str]:
    """Both as texts, the same text where they differ by no more than noise."""
    low, high = sorted((before, after))
    if high - low < least or high < low * RATIO:
        return str(low), str(low)
    return str(before), str(after)
