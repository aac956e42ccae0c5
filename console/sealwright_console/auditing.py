"""How an audit is told to a person: what was checked, what was not, what is wrong, and the verdict last.

- What was checked takes twelve lines at most, however much it was.
- What was not checked has a part of its own, also under a no.
- A no names the first offending record, the rule, and what to do; notes that contradict each other are printed whole.
- Every text of the evidence passes `clean`; nothing of it is printed as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sealwright_console.sanitise import clean
from sealwright_stages.findings import Finding

MARK = {"good": "✓ good  ", "bad": "✗ BAD   ", "advice": "! advice", "unchecked": "? open  "}
_MOST = 12
_PARTS = (("good", "checked"), ("unchecked", "not checked"), ("advice", "to know"), ("bad", "wrong"))
_DAMAGE = frozenset(
    {
        "folder-plain",
        "folder-listed",
        "pages",
        "evidence-read",
        "log-whole",
        "products",
        "proofs",
        "sums",
        "joined",
    }
)
_HANDS = frozenset({"signers", "provenance", "provenance-raw", "policy-signed"})
_NOTES = ("saved earlier", "sealed here")


def lines(findings: Iterable[Finding], provided: str) -> Iterator[str]:
    """The findings in parts, then the verdict."""
    every = list(findings)
    for ok, title in _PARTS:
        part = [finding for finding in every if finding.ok == ok]
        if not part:
            continue
        yield title
        for finding in _few(part) if ok == "good" else part:
            rule = f" [{finding.rule}]" if ok == "bad" and finding.rule else ""
            yield f"{MARK[ok]} {clean(finding.what)}: {clean(finding.detail)}{rule}"
            for name, note in zip(_NOTES, finding.notes, strict=False):
                yield f"         {name}:"
                yield from (f"           {clean(line)}" for line in note.splitlines())
    wrong = [finding for finding in every if finding.ok == "bad"]
    if wrong:
        yield from _first(wrong)
    yield verdict(every, provided)


def verdict(findings: Iterable[Finding], provided: str) -> str:
    """The verdict over findings, with what a yes hangs on."""
    if any(finding.ok == "bad" for finding in findings):
        return "verdict: NO"
    return clean(f"verdict: yes, {provided}" if provided else "verdict: yes")


def _few(part: Sequence[Finding]) -> list[Finding]:
    """At most twelve: of what is said several times over, the first and a count."""
    if len(part) <= _MOST:
        return list(part)
    many = Counter(finding.what for finding in part)
    seen: set[str] = set()
    few: list[Finding] = []
    for finding in part:
        if finding.what not in seen:
            more = f" (and {many[finding.what] - 1} more)" if many[finding.what] > 1 else ""
            few.append(Finding(finding.ok, finding.what, finding.detail + more, finding.rule))
        seen.add(finding.what)
    if len(few) <= _MOST:
        return few
    rest = Finding("good", "more", f"{len(few) - _MOST + 1} further things are as they should be")
    return [*few[: _MOST - 1], rest]


def _first(wrong: Sequence[Finding]) -> Iterator[str]:
    others = [finding for finding in wrong if finding.what != "file"]  # what is wrong with the evidence goes first
    first = min(others or wrong, key=lambda finding: finding.n if finding.n >= 0 else 1 << 60)
    where = f"record {first.n}" + (f" on stream {clean(first.stream)}" if first.stream else "")
    from sealwright_stages.rules import RULES  # noqa: PLC0415 - all the rules' code; only a no needs it

    rule = RULES.get(first.rule, "")
    yield f"first: {where if first.n >= 0 else clean(first.what)}" + (f"; the rule: {rule}" if rule else "")
    if first.what == "file" and not first.rule:
        told = "get the file again from where the release was published; until this says yes, don't use it"
    elif first.rule in _DAMAGE:
        told = "fetch the folder again, whole; if it says the same, it was changed or made so: use nothing of it"
    elif first.rule == "saved-checkpoint":
        told = "keep this folder and both notes as evidence, use nothing of it, and show them to the log's keeper"
    elif first.rule == "builders":
        told = "get the evidence of the others who built it, and join it: sealwright join EVIDENCE..."
    elif first.rule in _HANDS:
        told = "ask the persons named, by a second channel; until they have signed it is no release"
    else:
        told = "the log itself tells what must not be: use nothing of it, and ask who ran this release"
    yield f"next: {told}"
