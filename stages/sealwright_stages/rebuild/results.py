"""What a rebuild gave: for each product whether the bytes are the same, and what else was not. Pure.

- A product is `same`, `differs`, `missing` (not made here) or `surplus` (made here alone); nothing is left out.
- Inputs are compared as two builders' are: sources, build root with its packages, epoch, products of needs.
- What differs in a component's inputs is the likely cause of what differs in its products, and is named as that; where
  nothing does, that is said.
- What was not fetched, verified or built here is no other input: its own verdict says why. A check that nobody asked for
  here (of a component that is not wanted, of a second build) is none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sealwright_stages.compare.compared import compare
from sealwright_stages.compare.difference import Change, Section
from sealwright_stages.compare.facts import Component, Product, Release
from sealwright_stages.events import Stage
from sealwright_stages.gate import decide
from sealwright_stages.state import Item, State
from sealwright_stages.verdict import Status


class Found(StrEnum):
    """How a product stands beside the release's."""

    SAME = "same"
    DIFFERS = "differs"
    MISSING = "missing"
    SURPLUS = "surplus"


class Cause(StrEnum):
    """What is not the same of what went into a product."""

    SOURCES = "sources"
    ROOT = "build-root"
    EPOCH = "epoch"
    NEEDS = "needs"
    RECIPE = "recipe"
    TOOL = "sealwright"


_CAUSES = {
    "sources_sha256": Cause.SOURCES,
    "environment": Cause.ROOT,
    "environment_sha256": Cause.ROOT,
    "epoch": Cause.EPOCH,
    "needs_sha256": Cause.NEEDS,
    "recipe": Cause.RECIPE,
}
_SECTIONS = (Section.COMPONENTS, Section.INPUTS, Section.ROOTS)
_SETTLED = (Status.PASSED, Status.WARNED)


@dataclass(frozen=True)
class Result:
    """One product: how it stands, as the log has it and as it was made here, and the likely causes of a difference.

    `why` and `next_step` are of one that is missing.
    """

    component: str
    name: str
    found: Found
    theirs: Product | None = None
    mine: Product | None = None
    causes: tuple[Cause, ...] = ()
    why: str = ""
    next_step: str = ""


@dataclass(frozen=True)
class Results:
    """Every product, and every input that is not the same."""

    products: tuple[Result, ...]
    inputs: tuple[Change, ...]

    @property
    def same(self) -> bool:
        """Whether every product is the same, and there is one."""
        return bool(self.products) and all(each.found is Found.SAME for each in self.products)

    def count(self, found: Found) -> int:
        """How many products stand so."""
        return sum(each.found is found for each in self.products)


def results(theirs: Release, mine: Release, state: State) -> Results:
    """Set a rebuild beside its release; `state` is that of the rebuild's own log."""
    inputs = tuple(dict.fromkeys(_inputs(_asked_here(theirs, mine), mine)))
    tool = theirs.tool != mine.tool
    found: list[Result] = []
    for name in sorted(theirs.components.keys() | mine.components.keys()):
        one, other = theirs.components.get(name, Component()), mine.components.get(name, Component())
        causes = _causes(name, inputs, tool=tool)
        for product in sorted(one.products.keys() | other.products.keys()):
            a, b = one.products.get(product), other.products.get(product)
            how = _found(a, b)
            why, next_step = _missing(name, state) if how is Found.MISSING else ("", "")
            told = causes if how is not Found.SAME and b is not None else ()
            found.append(Result(name, product, how, a, b, told, why, next_step))
    return Results(tuple(found), inputs)


def _asked_here(theirs: Release, mine: Release) -> Release:
    """The release with the checks that were asked for here, too: each is declared before anything begins."""
    kept = {
        name: replace(
            each, checks={id_: check for id_, check in each.checks.items() if id_ in mine.components[name].checks}
        )
        for name, each in theirs.components.items()
        if name in mine.components
    }
    return replace(theirs, components=kept)


def _found(theirs: Product | None, mine: Product | None) -> Found:
    if theirs is None:
        return Found.SURPLUS
    if mine is None:
        return Found.MISSING
    return Found.SAME if (theirs.sha256, theirs.size) == (mine.sha256, mine.size) else Found.DIFFERS


def _inputs(theirs: Release, mine: Release) -> Iterator[Change]:
    """The changes of inputs, but for those of what did not come so far here."""
    for change in compare(theirs, mine).changes:
        if change.section not in _SECTIONS:
            continue
        if not change.after and (change.kind == "changed" or _unsettled(mine.components, change.component)):
            continue
        yield change


def _unsettled(components: Mapping[str, Component], name: str) -> bool:
    component = components.get(name)
    checks = component.checks.values() if component else ()
    return any(check.stage != Stage.BUILD and check.status not in _SETTLED for check in checks)


def _causes(component: str, inputs: Sequence[Change], *, tool: bool) -> tuple[Cause, ...]:
    fields = {change.field for change in inputs if change.component == component}
    found = {cause for field, cause in _CAUSES.items() if field in fields}
    return tuple(cause for cause in Cause if cause in found or (cause is Cause.TOOL and tool))


def _missing(component: str, state: State) -> tuple[str, str]:
    """Why a component has no product here, and what to do: its own item, or else what closed the gate."""
    known = state.components.get(component)
    items = [state.items[item] for item in known.items] if known else []
    for status in (Status.FAILED, Status.WARNED):
        for item in items:
            if item.status is status and not item.green:
                return _words(item), item.next_step
    if items and all(item.green for item in items):
        return "its build made no file of that name", "read what its build said, in log/data"
    blockers = decide(Stage.SEAL, state).blockers
    if not blockers:
        return "it was not built", "run again"
    first = blockers[0]
    return f"nothing is built while {first.what} is not green: {first.why}", first.next_step


def _words(item: Item) -> str:
    warned = "warning not accepted: " if item.status is Status.WARNED else ""
    code = f" [{item.code}]" if item.code else ""
    return f"{item.title}{code}: {warned}{item.reason}"
