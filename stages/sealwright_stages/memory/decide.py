"""A verdict in the light of what is remembered: a pure function, which never makes one greener.

- What contradicts the ledger is red, unless the manifest declares just this: which component, from what, to what.
- A declaration about a package's version names the package: a component may have several.
- A declaration that names a newer version or date covers the older ones of its kind as well; objects and bytes are
  covered by their exact names only.
- What is dated and older than `fresh_days` is a warning, and so is a pin that names other bytes than were accepted.
- Warnings join those that the verdict has; red stays as it is.
- The evidence holds both facts, and who accepted the earlier one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sealwright_stages.manifest_memory import Accepted
from sealwright_stages.memory.facts import Fact, Kind, iso
from sealwright_stages.memory.ledger import Contradiction, Ledger
from sealwright_stages.memory.versions import compare_debian, compare_tags
from sealwright_stages.verdict import Failed, Passed, Verdict, Warned
from sealwright_stages.verify.codes import WAIVABLE, failed, shown, warned

_DAY = 86400
_DATED = (Kind.TAG, Kind.COMMIT, Kind.ARCHIVE)
_DECLARE = "if it is meant, declare it and begin anew with another --work DIR: [[memory.accept]]"
_LOOK = {
    "tag-moved": "ask upstream, by a second channel, why the tag moved",
    "version-went-back": "look for the newest version, from another place too",
    "archive-went-back": "wait until the mirror has caught up, or use another",
    "file-changed": "ask upstream, by a second channel, why the file changed",
    "pin-changed": "find out why the file changed, then waive it, or declare it: [[memory.accept]]",
}


@dataclass(frozen=True)
class Rules:
    """What the manifest says of memory: what is accepted by declaration, and after how many days a thing is stale."""

    accepted: tuple[Accepted, ...] = ()
    fresh_days: int | None = None


def remembered(
    verdict: Verdict,
    facts: Sequence[Fact],
    ledger: Ledger,
    rules: Rules,
    now: datetime,
    beside: Sequence[Contradiction] = (),
) -> Verdict:
    """The verdict about what tells `facts`, with what the ledger has to say of it.

    `beside` counts where the ledger has nothing to say: what speaks against it and was not accepted yet.
    """
    if isinstance(verdict, Failed):
        return verdict
    found = [each for fact in facts for each in ledger.contradictions(fact)] or list(beside)
    declared = [(each, by) for each in found if (by := _declared(each, rules.accepted))]
    open_ = sorted((each for each in found if not _declared(each, rules.accepted)), key=lambda each: each.order)
    told: dict[str, object] = {"compared_with": sum(len(ledger.beside(fact)) for fact in facts) or len(beside)}
    if open_:
        told["contradicts"] = [_told(each) for each in open_]
    if declared:
        told["declared"] = [{**_told(each), "reason": by.reason} for each, by in declared]
    if told["compared_with"]:
        verdict = replace(verdict, evidence={**verdict.evidence, "memory": told})
    red = [each for each in open_ if each.code not in WAIVABLE]
    if red:
        return _refused(verdict, red)
    for by in dict.fromkeys(by for _, by in declared):
        note = f"from {shown(by.before, 64)} to {shown(by.after, 64)} by declaration: {shown(by.reason, 120)}"
        verdict = replace(verdict, reason=f"{verdict.reason}; {note}")
    for each in open_[:1]:
        verdict = _joined(verdict, each.code, _sentence(each), _LOOK[each.code])
    return _fresh(verdict, facts, rules.fresh_days, now)


def _refused(verdict: Passed | Warned, red: Sequence[Contradiction]) -> Failed:
    first = red[0]
    for each in red:  # the newest one is named: a declaration that covers it covers the others
        if _covers(Accepted(each.now.component, each.before, each.after, "", _package(each)), first):
            first = each
    whose = f', package = "{_package(first)}"' if _package(first) else ""
    declare = f'component = "{first.now.component}"{whose}, from = "{first.before}", to = "{first.after}"'
    next_step = f"{_LOOK[first.code]}; {_DECLARE} {declare}"
    codes = "+".join(dict.fromkeys(each.code for each in red))
    return failed(codes, _sentence(first), next_step, verdict.subject_sha256, verdict.evidence)


def _fresh(verdict: Passed | Warned, facts: Sequence[Fact], days: int | None, now: datetime) -> Verdict:
    dates = [fact.date for fact in facts if fact.kind in _DATED and fact.date is not None]
    if days is None or not dates or now.timestamp() - max(dates) <= days * _DAY:
        return verdict
    sentence = f"nothing new since {iso(max(dates))[:10]}, and more than {days} days is too long"
    look = "look, from another place too, whether there is something newer, or waive it by name"
    return _joined(verdict, "nothing-new", sentence, look)


def _joined(verdict: Passed | Warned, code: str, sentence: str, look: str) -> Warned:
    """The warning beside those that the verdict has already."""
    before = f"{verdict.code}+" if isinstance(verdict, Warned) else ""
    next_step = f"{verdict.next_step}; {look}" if verdict.next_step else look
    reason = f"{verdict.reason}; but {sentence}"
    return warned(before + code, reason, next_step, verdict.subject_sha256, verdict.evidence)


def _declared(found: Contradiction, accepted: Sequence[Accepted]) -> Accepted | None:
    return next((each for each in accepted if _covers(each, found)), None)


def _covers(by: Accepted, found: Contradiction) -> bool:
    """Whether a declaration names this contradiction, or one that is newer and of its kind."""
    if (by.component, by.package, by.after) != (found.now.component, _package(found), found.after):
        return False
    if by.before == found.before:
        return True
    kind = found.then.kind
    if kind is Kind.PACKAGE:
        return compare_debian(found.before, by.before) <= 0
    if kind is Kind.TAG and found.code == "version-went-back":
        order = compare_tags(found.before, by.before)
        return order is not None and order <= 0
    return kind is Kind.ARCHIVE and found.before <= by.before


def _package(found: Contradiction) -> str:
    """The package whose versions contradict each other; empty for anything else."""
    return found.now.name if found.then.kind is Kind.PACKAGE else ""


def _told(found: Contradiction) -> dict[str, object]:
    return {"code": found.code, "then": found.then.told(), "now": dict(_now(found.now))}


def _now(fact: Fact) -> Iterator[tuple[str, object]]:
    return ((key, value) for key, value in fact.told().items() if key != "accepted_by")


def _sentence(found: Contradiction) -> str:
    now, then, who = found.now, found.then, found.then.origin.told
    if found.code == "tag-moved":
        return f"{who} accepted tag {shown(now.name)} as object {then.value[:16]}…, now it is {now.value[:16]}…"
    if found.code == "archive-went-back":
        return f"{who} accepted the index of {shown(now.name)} of {found.before}, now it is of {found.after}"
    if found.code == "version-went-back":
        what = f"{shown(now.name)} " if now.kind is Kind.PACKAGE else ""
        return f"{who} accepted {what}{shown(found.before)}, now it is {shown(found.after)}, which is older"
    name = shown(now.name or now.place)
    return f"{who} accepted {name} with SHA-256 {then.value[:16]}…, now it has {now.value[:16]}…"
