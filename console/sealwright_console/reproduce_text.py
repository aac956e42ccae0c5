"""A rebuild as lines for people, 80 columns wide, safe to show, on a terminal as in a pipe.

- What takes from the result's worth is said first: an audit that said no, warnings that somebody else accepted.
- Inputs that are not the same come before the products, and each product that differs names them again.
- A digest is told in full: it is what two persons read to each other.
- Every line is made of `Part`s, so that nothing from outside comes out uncleaned.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sealwright_console.diff_text import WIDTH, things
from sealwright_console.figures import size
from sealwright_console.lines import Line, Part, plain, wrap
from sealwright_stages.rebuild.rebuild import RESULT, SUMS
from sealwright_stages.rebuild.results import Cause, Found, Result
from sealwright_stages.rebuild.strangers import hosts

if TYPE_CHECKING:
    from pathlib import Path

    from sealwright_stages.rebuild.detail import Detail
    from sealwright_stages.rebuild.rebuild import Rebuilt

_MARKS = {
    Found.SAME: "✓ same    ",
    Found.DIFFERS: "✗ DIFFERS ",
    Found.MISSING: "✗ MISSING ",
    Found.SURPLUS: "✗ SURPLUS ",
}
_MOST_INPUTS = 60
_INDENT = " " * 12
_CAUSES = {
    Cause.SOURCES: "its sources are others",
    Cause.ROOT: "its build root is another",
    Cause.EPOCH: "its date (SOURCE_DATE_EPOCH) is another",
    Cause.NEEDS: "what it needs has other products",
    Cause.RECIPE: "its recipe is another",
    Cause.TOOL: "another version of sealwright built it",
}
_NO_CAUSE = "no input that is told differs: its build is not reproducible, or something went in that no list has"


def lines(rebuilt: Rebuilt) -> Iterator[str]:
    """All that is told, line by line."""
    for line in _told(rebuilt):
        for piece in wrap(line, WIDTH):
            yield plain(piece).rstrip()
    yield plain(_line(_summary(rebuilt)))  # in one line, however long, for who looks for it


def _line(*parts: str) -> Line:
    return tuple(Part(part) for part in parts)


def _told(rebuilt: Rebuilt) -> Iterator[Line]:
    taken, found = rebuilt.taken, rebuilt.results
    only = f", {taken.brought.only} alone with what it needs" if taken.brought.only else ""
    yield ()
    yield _line(f"{taken.manifest.release}, built again{only}")
    if not taken.audit.passed:
        worth = (
            "That the bytes are the same then says that somebody can build them, and not whose release they are"
        )
        yield _line("✗ ", f"THIS EVIDENCE DID NOT STAND UP TO ITS AUDIT. {worth}, or whether it is one.")
    yield _line("  evidence  ", str(taken.evidence))
    yield _line("  log root  ", taken.root)
    keys = taken.brought.source_keyring
    yield _line("  keys      ", f"of the sources: {keys or 'those in the evidence, which its log names'}")
    yield _line("  from      ", ", ".join(hosts(taken.manifest)))
    for waiver in taken.accepted:
        yield _line("  ! ", f"accepted by {waiver.person} and not by you: {waiver.item} [{waiver.code}]")
    yield from _inputs(rebuilt)
    yield ()
    yield _line("PRODUCTS")
    for each in found.products:
        yield from _product(each)
        if detail := rebuilt.details.get((each.component, each.name)):
            yield from _detail(detail, rebuilt.work)
    yield ()
    if rebuilt.ended.because:
        yield _line("because: ", f"{rebuilt.ended.what}: {rebuilt.ended.because}")
        yield _line("next: ", rebuilt.ended.next_step)
    yield _line("result: ", f"{rebuilt.work / RESULT}; sums: {rebuilt.work / SUMS}")


def _inputs(rebuilt: Rebuilt) -> Iterator[Line]:
    changes = rebuilt.results.inputs
    yield ()
    yield _line("INPUTS THAT ARE NOT THE SAME (before: the release's; after: here)" if changes else "INPUTS")
    if not changes:
        yield _line("  ", "all that was built here was built from what the release was built from")
    yield from things(changes[:_MOST_INPUTS])
    if (more := len(changes) - _MOST_INPUTS) > 0:
        yield _line("  ", f"and {more} more, in {RESULT}")


def _product(each: Result) -> Iterator[Line]:
    yield _line(_MARKS[each.found], f"{each.component}/{each.name}  {_sizes(each)}")
    if each.found is Found.SAME and each.mine:
        yield _line(_INDENT, each.mine.sha256)
        return
    if each.theirs:
        yield _line("    theirs  ", each.theirs.sha256)
    if each.mine:
        yield _line("    here    ", each.mine.sha256)
    if each.found is Found.MISSING:
        yield _line("    why     ", each.why)
        yield _line("    next    ", each.next_step)
        return
    for cause in each.causes:
        yield _line("    likely  ", _CAUSES[cause])
    if not each.causes:
        yield _line("    likely  ", _NO_CAUSE)


def _sizes(each: Result) -> str:
    """The size of a product, or both where they are not the same."""
    sizes = [size(product.size) for product in (each.theirs, each.mine) if product]
    same = each.theirs is None or each.mine is None or each.theirs.size == each.mine.size
    return sizes[0] if same else f"{sizes[0]}, here {sizes[1]}"


def _detail(detail: Detail, work: Path) -> Iterator[Line]:
    if detail.file:
        cut = ", cut" if detail.report.cut else ""
        yield _line("    how     ", f"{work / detail.file} (diffoscope {detail.report.version}{cut})")
    else:
        yield _line("    how     ", f"no report: {detail.report.why_none}; {detail.report.cure}")


def _summary(rebuilt: Rebuilt) -> str:
    found = rebuilt.results
    others = [
        f"{found.count(each)} {_WORDS[each]}" for each in Found if each is not Found.SAME and found.count(each)
    ]
    same = f"{found.count(Found.SAME)} of {len(found.products)} products have the same bytes"
    said = ", ".join([same, *others])
    return f"reproduced: {said}" if found.same else f"NOT reproduced: {said}"


_WORDS = {Found.DIFFERS: "differ", Found.MISSING: "missing", Found.SURPLUS: "surplus"}
