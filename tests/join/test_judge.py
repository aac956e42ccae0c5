"""The rules of `judge`: what counts, whoever comes in whatever order."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages.join.judge import Judged, Needs, Release, Voice, judge, paired

RELEASE = Release("example", "1.0", "m" * 64, "p" * 64)
NAMES = ("alice", "bob", "carol", "dave")


def voice(log: str, sums: str, *names: str, root: str = "", release: Release = RELEASE) -> Voice:
    return Voice(release, log, root or f"root of {log}", sums, frozenset(names), frozenset(names))


voices = st.builds(
    lambda log, fork, sums, names: voice(
        log, sums if not fork else f"{sums}{fork}", *names, root=f"{log}{fork}{sums}"
    ),
    st.sampled_from("abcde"),
    st.sampled_from(("", "", "", "x")),
    st.sampled_from(("one", "two")),
    st.sets(st.sampled_from(NAMES), max_size=3),
)
many = st.lists(voices, max_size=7)
needs = st.builds(lambda k, n: Needs(k, n, k, n), st.integers(1, 3), st.integers(1, 3))


def two(persons: int = 2, builders: int = 2) -> Needs:
    return Needs(persons, builders, persons, builders)


def sums_of(judged: Judged) -> str:
    return judged.agreed.sums if judged.agreed else ""


@given(many, needs, st.randoms(use_true_random=False))
def test_order_and_copies_change_nothing(found: list[Voice], wanted: Needs, chance: random.Random) -> None:
    shuffled = found + [chance.choice(found) for _ in range(3) if found]
    chance.shuffle(shuffled)
    assert judge(shuffled, wanted) == judge(found, wanted)


@given(many, needs, st.sampled_from("fgh"), st.sets(st.sampled_from(NAMES), min_size=1))
def test_whoever_differs_makes_nothing_final(found: list[Voice], wanted: Needs, log: str, names: set[str]) -> None:
    before = judge(found, wanted)
    after = judge([*found, voice(log, "quite another", *names)], wanted)
    if before.agreed is None and not before.contradiction:
        assert after.agreed is None or after.agreed.sums == "quite another"
    if before.agreed is not None and after.agreed is not None:
        assert after.agreed.sums in (before.agreed.sums, "quite another")


@given(many, st.integers(1, 3), st.integers(2, 3))
def test_one_who_differs_alone_is_never_final_where_several_must_agree(
    found: list[Voice], persons: int, builders: int
) -> None:
    after = judge([*found, voice("f", "quite another", *NAMES)], two(persons, builders))
    assert sums_of(after) in ("", "one", "two")


@given(many, needs)
def test_what_is_final_has_its_persons_and_builders(found: list[Voice], wanted: Needs) -> None:
    agreed = judge(found, wanted).agreed
    if agreed is None:
        return
    alike = [each for each in found if each.sums == agreed.sums]
    assert len(set().union(*(each.persons for each in alike))) >= wanted.persons
    assert len({each.vkey for each in alike}) >= wanted.builders


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from(NAMES))))
def test_each_log_is_given_a_person_of_its_own_and_no_more_can_be(signers: dict[str, set[str]]) -> None:
    given_to = paired(signers)
    assert all(name in signers[log] for log, name in given_to.items())
    assert len(set(given_to.values())) == len(given_to)
    assert len(given_to) == _most(list(signers.values()), frozenset())


def _most(rest: list[set[str]], taken: frozenset[str]) -> int:
    """The largest matching, by trying everything."""
    if not rest:
        return 0
    best = _most(rest[1:], taken)
    return max([best, *(1 + _most(rest[1:], taken | {name}) for name in rest[0] - taken)])


def test_one_person_with_two_machines_is_one_builder() -> None:
    found = judge([voice("a", "one", "alice"), voice("b", "one", "alice")], two(1))
    assert found.agreed is None and found.groups[0].builders == 1


def test_one_log_that_two_persons_signed_is_one_builder() -> None:
    copies = [voice("a", "one", "alice"), voice("a", "one", "bob")]
    found = judge(copies, two())
    assert found.agreed is None
    assert (found.groups[0].builders, found.groups[0].persons) == (1, {"alice", "bob"})
    assert sums_of(judge([*copies, voice("b", "one", "carol")], two())) == "one"


def test_two_logs_that_two_persons_signed_both_are_two_builders() -> None:
    found = judge([voice("a", "one", "alice", "bob"), voice("b", "one", "alice", "bob")], two())
    assert sums_of(found) == "one"


def test_two_groups_with_all_that_is_asked_for_contradict_each_other() -> None:
    pairs = [
        voice("a", "one", "alice"),
        voice("b", "one", "bob"),
        voice("c", "two", "carol"),
        voice("d", "two", "dave"),
    ]
    found = judge(pairs, two())
    assert found.contradiction and found.agreed is None
    assert judge(pairs[:2], two()).agreed is not None
    harder = judge(pairs, Needs(2, 3, 2, 2))  # whoever asks for more does not make one of the two true
    assert harder.contradiction and harder.agreed is None


def test_a_person_who_signed_two_different_sums_counts_for_neither() -> None:
    found = judge([voice("a", "one", "alice"), voice("b", "one", "bob"), voice("c", "two", "bob")], two())
    assert found.agreed is None and found.faithless == {"bob"}
    assert [group.persons for group in found.groups] == [{"alice"}, set()]


def test_a_log_that_was_sealed_twice_counts_nowhere() -> None:
    forks = [voice("a", "one", "alice"), voice("a", "one", "alice", root="another")]
    found = judge([*forks, voice("b", "one", "bob")], two())
    assert found.agreed is None and found.forked == {"a"}
    assert sums_of(judge([*forks, voice("b", "one", "bob"), voice("c", "one", "carol")], two())) == "one"


def test_of_two_releases_nothing_counts() -> None:
    for other in (
        Release("example", "1.0", "n" * 64, "p" * 64),
        Release("example", "1.0", "m" * 64, "q" * 64),
        Release("example", "1.1", "m" * 64, "p" * 64),
        Release("other", "1.0", "m" * 64, "p" * 64),
    ):
        whole = [voice("a", "one", "alice"), voice("b", "one", "bob")]
        assert judge(whole, two()).agreed is not None
        assert judge([*whole, voice("c", "one", "carol", release=other)], two()).agreed is None


def test_the_reviewer_asks_for_more_and_not_for_less() -> None:
    pair = [voice("a", "one", "alice"), voice("b", "one", "bob")]
    assert judge(pair, Needs(1, 1, 2, 2)).agreed is not None
    assert judge(pair, Needs(1, 1, 3, 2)).agreed is None
    assert judge(pair, Needs(1, 1, 2, 3)).agreed is None
    assert judge(pair, Needs(3, 2, 2, 2)).agreed is None
    assert judge(pair, Needs(2, 3, 2, 2)).agreed is None


def test_persons_whom_the_reviewer_does_not_know_do_not_count() -> None:
    stranger = Voice(RELEASE, "b", "root", "one", frozenset({"bob"}), frozenset())
    found = judge([voice("a", "one", "alice"), stranger], two())
    assert found.agreed is None and found.groups[0].own_builders == 2 and found.groups[0].builders == 1
