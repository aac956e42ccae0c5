"""The ledger and what it does to a verdict: a table of cases, and laws that hold for all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages.manifest_memory import Accepted
from sealwright_stages.memory.decide import Rules, remembered
from sealwright_stages.memory.facts import Fact, Kind, Origin, facts_of
from sealwright_stages.memory.ledger import Ledger
from sealwright_stages.verdict import Failed, Passed, Verdict, Warned
from support.stories import sha

THEN, NOW = datetime(2025, 3, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
DAY, AT = 86400, int(THEN.timestamp())
EARLIER = Origin("example-0.9", "2025-03-02T00:00:00.000000Z", sha("log"), 17)
GREEN = Passed("good signature by anna", sha("subject"))
NO_RULES = Rules()
RANK = {Passed: 0, Warned: 1, Failed: 2}
A, B, C = sha("a"), sha("b"), sha("c")


def tag(name: str, value: str = A, days: int = 0, component: str = "xen", place: str = "https://a/x.git") -> Fact:
    date = AT + days * DAY
    return Fact(Kind.TAG, component, place, name, value, date, date, origin=EARLIER)


def commit(name: str, days: int = 0, component: str = "xen") -> Fact:
    date = AT + days * DAY
    return Fact(Kind.COMMIT, component, "https://a/x.git", name, sha(name), date, date, origin=EARLIER)


def index(days: int, place: str = "https://m", suite: str = "bookworm") -> Fact:
    return Fact(Kind.ARCHIVE, "hi", place, suite, sha(str(days)), AT + days * DAY, origin=EARLIER)


def package(version: str, component: str = "hi") -> Fact:
    return Fact(Kind.PACKAGE, component, "", "hi", version, origin=EARLIER)


def part(name: str, value: str) -> Fact:
    return Fact(Kind.PART, "hi", "", name, value, origin=EARLIER)


def file(value: str, place: str = "https://f/words", pinned: bool = False, component: str = "xen") -> Fact:
    return Fact(Kind.FILE, component, place, "", value, pinned=pinned, origin=EARLIER)


def judged(now: Fact, *then: Fact, verdict: Verdict = GREEN, rules: Rules = NO_RULES) -> Verdict:
    return remembered(verdict, [replace(now, origin=Origin())], Ledger(then), rules, NOW)


CASES = {
    "the same tag again": (tag("v1"), tag("v1"), "ok"),
    "a tag that moved": (tag("v1", B), tag("v1"), "tag-moved"),
    "a tag that moved with its repository": (tag("v1", B, place="https://b"), tag("v1"), "tag-moved"),
    "a tag that moved under another component": (tag("v1", B, component="x2"), tag("v1"), "tag-moved"),
    "another component's tag of that name": (tag("v1", B, component="x2", place="https://b"), tag("v1"), "ok"),
    "a newer tag": (tag("v1.10"), tag("v1.9", B), "ok"),
    "a newer tag that is dated before": (tag("v4.18.0", days=-9), tag("v4.17.3", B), "ok"),
    "an older tag": (tag("v1.9", days=9), tag("v1.10", B), "version-went-back"),
    "an older tag, somewhere else": (tag("v1.9", place="https://b"), tag("v1.10", B), "version-went-back"),
    "an older tag of another component": (tag("v1.9", component="x2"), tag("v1.10", B), "ok"),
    "a release candidate of what is out": (tag("v1.0-rc3"), tag("v1.0", B), "version-went-back"),
    "another way to name tags, later": (tag("r2", days=1), tag("v1", B), "ok"),
    "another way to name tags, earlier": (tag("r2", days=-1), tag("v1", B), "version-went-back"),
    "a commit after": (commit("c2", 1), commit("c1"), "ok"),
    "a commit before": (commit("c2", -1), commit("c1"), "version-went-back"),
    "a commit before a tag's": (commit("c2", -1), tag("v1"), "version-went-back"),
    "a commit before, of another component": (commit("c2", -1, "x2"), commit("c1"), "ok"),
    "the same index": (index(0), index(0), "ok"),
    "a newer index": (index(1), index(0), "ok"),
    "an older index": (index(-1), index(0), "archive-went-back"),
    "an older index of another suite": (index(-1, suite="sid"), index(0), "ok"),
    "an older index of another mirror": (index(-1, "https://n"), index(0), "ok"),
    "a newer package": (package("1.0-2"), package("1.0-1"), "ok"),
    "an older package": (package("1.0~rc1-9"), package("1.0-1"), "version-went-back"),
    "an older package of another component": (package("0.9-1", "ho"), package("1.0-1"), "ok"),
    "a file of a package that changed": (part("hi.orig", B), part("hi.orig", A), "file-changed"),
    "another file of a package": (part("hi.deb", B), part("hi.orig", A), "ok"),
    "the same file": (file(A), file(A), "ok"),
    "other bytes at an address": (file(B), file(A), "file-changed"),
    "other bytes at an address, by another component": (file(B, component="y"), file(A), "file-changed"),
    "other bytes at another address": (file(B, "https://f/other"), file(A), "ok"),
    "other bytes that are pinned": (file(B, pinned=True), file(A, pinned=True), "pin-changed"),
    "a tag beside a file": (tag("v1"), file(B), "ok"),
}


@pytest.mark.parametrize(("now", "then", "code"), CASES.values(), ids=CASES.keys())
def test_what_contradicts_the_ledger_is_red_and_a_changed_pin_a_warning(now: Fact, then: Fact, code: str) -> None:
    verdict = judged(now, then)
    assert verdict.code == code
    assert type(verdict) is (Passed if code == "ok" else Warned if code == "pin-changed" else Failed)
    if code != "ok":
        told = verdict.evidence["memory"]
        assert isinstance(told, dict)
        (said,) = told["contradicts"]
        assert (said["code"], said["now"]["value"], said["then"]["value"]) == (code, now.value, then.value)
        assert said["then"]["accepted_by"]["log_root"] == EARLIER.root
        assert "release example-0.9 (sealed 2025-03-02) accepted" in verdict.reason and verdict.next_step


ANY = st.sampled_from(
    [
        *(tag(name, value, days, place=f"https://{value[0]}") for name in ("v1.0", "v1.1", "r2") for value in (A, B) for days in (0, 3)),
        *(commit(name, days) for name in ("c1", "c2") for days in (0, 3)),
        *(index(days) for days in (0, 1, 2)),
        *(package(version) for version in ("1.0-1", "1.0-2", "1.0~rc1-1")),
        *(part("hi.orig", value) for value in (A, B)),
        *(file(value, pinned=pinned) for value in (A, B) for pinned in (True, False)),
    ]
)  # fmt: skip
RULES = st.builds(
    Rules,
    st.lists(
        st.builds(
            Accepted,
            st.sampled_from(["xen", "hi"]),
            st.sampled_from([A, B, "v1.0", "v1.1", "r2", "1.0-2", "2025-03-03T00:00:00Z"]),
            st.sampled_from([A, B, "v1.0", "1.0-1", "c1", "2025-03-01T00:00:00Z"]),
            st.just("meant"),
        ),
        max_size=3,
    ).map(tuple),
    st.sampled_from([None, 30, 9999]),
)
VERDICTS = st.sampled_from(
    [GREEN, Warned("key-expired-since", "expired", "waive", A), Failed("signature-bad", "bad", "no")]
)


@given(VERDICTS, ANY, st.lists(ANY, max_size=6), RULES)
def test_memory_never_makes_a_verdict_greener(verdict: Verdict, now: Fact, then: list[Fact], rules: Rules) -> None:
    after = judged(now, *then, verdict=verdict, rules=rules)
    assert RANK[type(after)] >= RANK[type(verdict)]
    assert (
        isinstance(verdict, Passed)
        or set(verdict.code.split("+")) <= set(after.code.split("+"))
        or isinstance(after, Failed)
    )


@given(VERDICTS, ANY, st.lists(ANY, max_size=6), ANY, RULES)
def test_more_memory_never_makes_it_greener(
    verdict: Verdict, now: Fact, then: list[Fact], more: Fact, rules: Rules
) -> None:
    less = judged(now, *then, verdict=verdict, rules=rules)
    assert RANK[type(judged(now, *then, more, verdict=verdict, rules=rules))] >= RANK[type(less)]


@given(ANY, st.lists(ANY, max_size=4), RULES)
def test_the_order_of_taking_facts_in_makes_no_difference(now: Fact, then: list[Fact], rules: Rules) -> None:
    verdicts = [judged(now, *order, rules=rules) for order in permutations(then)]
    assert all(verdict == verdicts[0] for verdict in verdicts)


def test_of_an_archives_indexes_the_newest_counts_in_whatever_order_they_came() -> None:
    for order in permutations([index(0), index(2), index(1)]):
        assert [each.then for each in Ledger(order).contradictions(index(1))] == [index(2)]


@given(st.lists(ANY, max_size=6), ANY, ANY)
def test_a_fact_that_contradicts_once_contradicts_whatever_comes_later(
    then: list[Fact], more: Fact, now: Fact
) -> None:
    ledger = Ledger(then)
    before = {each.code for each in ledger.contradictions(now)}
    ledger.take([more])
    assert before <= {each.code for each in ledger.contradictions(now)}


def test_the_cost_of_a_question_is_that_of_one_component() -> None:
    many = [tag(f"v{n}", component=f"c{n % 100}", place=f"https://{n % 100}") for n in range(2000)]
    many += [replace(index(0), component=f"c{n}", origin=replace(EARLIER, n=n)) for n in range(2000)]
    ledger = Ledger(many)
    assert len(ledger.beside(tag("v1", component="c1", place="https://1"))) == 20
    assert len(ledger.beside(index(0))) == 1


# Declarations


def accept(before: str, after: str, component: str = "xen", of: str = "") -> Rules:
    return Rules((Accepted(component, before, after, "withdrawn upstream", of),))


DECLARED = {
    "just this tag": (tag("v1", B), tag("v1"), accept(A, B), True),
    "another object": (tag("v1", C), tag("v1"), accept(A, B), False),
    "the other way round": (tag("v1", A), tag("v1", B), accept(A, B), False),
    "another component": (tag("v1", B), tag("v1"), accept(A, B, "x2"), False),
    "this version": (tag("v1.0"), tag("v1.2", B), accept("v1.2", "v1.0"), True),
    "from a newer one": (tag("v1.0"), tag("v1.1", B), accept("v1.2", "v1.0"), True),
    "from an older one": (tag("v1.0"), tag("v1.3", B), accept("v1.2", "v1.0"), False),
    "to a newer one": (tag("v1.0"), tag("v1.2", B), accept("v1.2", "v1.1"), False),
    "to what can't be compared": (tag("r2", days=-1), tag("v1", B), accept("v2", "r2"), True),
    "from what can't be compared": (tag("r2", days=-1), tag("v1", B), accept("s2", "r2"), False),
    "a package": (package("0.9-1"), package("1.0-1"), accept("1.0-1", "0.9-1", "hi", "hi"), True),
    "another package": (package("0.9-1"), package("1.0-1"), accept("1.0-1", "0.9-1", "hi", "ho"), False),
    "no package": (package("0.9-1"), package("1.0-1"), accept("1.0-1", "0.9-1", "hi"), False),
    "a package for a tag": (tag("v1.0"), tag("v1.2", B), accept("v1.2", "v1.0", of="xen"), False),
    "an index": (index(-1), index(0), accept("2025-03-01T00:00:00Z", "2025-02-28T00:00:00Z", "hi"), True),
    "a later index": (index(-1), index(1), accept("2025-03-01T00:00:00Z", "2025-02-28T00:00:00Z", "hi"), False),
    "a file": (file(B), file(A), accept(A, B), True),
    "a pin": (file(B, pinned=True), file(A), accept(A, B), True),
}


@pytest.mark.parametrize(("now", "then", "rules", "covered"), DECLARED.values(), ids=DECLARED.keys())
def test_a_declaration_covers_just_what_it_names(now: Fact, then: Fact, rules: Rules, covered: bool) -> None:
    verdict = judged(now, then, rules=rules)
    assert isinstance(verdict, Passed) is covered
    told = verdict.evidence["memory"]
    assert isinstance(told, dict)
    if covered:
        assert "by declaration: withdrawn upstream" in verdict.reason
        assert told["declared"][0]["reason"] == "withdrawn upstream"
    else:
        assert told["contradicts"]


def test_a_red_verdict_names_the_newest_and_the_declaration_that_would_cover_all() -> None:
    verdict = judged(tag("v1.0"), tag("v1.1", B, days=9), tag("v1.10", B), tag("v1.2", B))
    assert "accepted v1.10, now it is v1.0" in verdict.reason
    assert 'component = "xen", from = "v1.10", to = "v1.0"' in verdict.next_step
    rules = accept("v1.10", "v1.0")
    assert isinstance(judged(tag("v1.0"), tag("v1.1", B, days=9), tag("v1.10", B), rules=rules), Passed)


def test_a_sentence_and_its_next_step_fit_a_record() -> None:
    for now, then, code in CASES.values():
        verdict = judged(now, then)
        assert code == "ok" or len(verdict.next_step) < 400 > len(verdict.reason)


# Stale things


@pytest.mark.parametrize("now", [tag("v1"), commit("c1"), index(0)])
@pytest.mark.parametrize(("days", "code"), [(None, "ok"), (305, "nothing-new"), (306, "ok")])
def test_a_dated_thing_is_a_warning_after_fresh_days(now: Fact, days: int | None, code: str) -> None:
    assert THEN + timedelta(days=306) == NOW
    verdict = judged(now, rules=Rules(fresh_days=days))
    assert verdict.code == code and isinstance(verdict, Warned if code != "ok" else Passed)


@pytest.mark.parametrize("now", [file(A), package("1.0-1")])
def test_what_bears_no_date_is_never_stale(now: Fact) -> None:
    assert judged(now, rules=Rules(fresh_days=1)) == GREEN


def test_a_warning_joins_those_that_there_are_and_red_stays_as_it_is() -> None:
    weak = Warned("key-expired-since", "the key has expired", "get another", A)
    verdict = judged(tag("v1"), verdict=weak, rules=Rules(fresh_days=1))
    assert verdict.code == "key-expired-since+nothing-new"
    assert "the key has expired" in verdict.reason and "nothing new since 2025-03-01" in verdict.reason
    assert "get another" in verdict.next_step and "waive" in verdict.next_step
    red = Failed("signature-bad", "bad", "no")
    assert judged(tag("v1", B), tag("v1"), verdict=red, rules=Rules(fresh_days=1)) is red


# Facts


def test_evidence_that_tells_nothing_gives_no_fact() -> None:
    assert facts_of("xen", {"exit": 0, "signatures": []}, A, EARLIER) == ()


@pytest.mark.parametrize(
    "evidence",
    [
        {"object_sha256": A},
        {"object_sha256": A, "url": "u", "committed": "1", "commit": "c"},
        {"object_sha256": A, "url": "u", "committed": 1, "commit": ""},
        {"object_sha256": A, "url": "u", "committed": 1, "tag": "v1", "tagged": None},
        {"archive": []},
        {"archive": {"mirror": "m", "suite": "s", "inrelease_sha256": A, "date": "yesterday"}},
        {"archive": {"mirror": "m", "suite": "s", "inrelease_sha256": A, "date": "2025-03-01T00:00:00"}},
        {
            "archive": {"mirror": "m", "suite": "s", "inrelease_sha256": A, "date": "2025-03-01T00:00:00Z"},
            "files": 1,
        },
        {"url": 3},
    ],
)
def test_evidence_that_tells_facts_crookedly_is_refused(evidence: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"evidence has no|isoformat|time zone"):
        facts_of("xen", evidence, A, EARLIER)
