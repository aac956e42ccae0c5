"""Counting persons over the verdicts of a file's signatures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from sealwright_keyring.openpgp import Bad, Good, Weak
from sealwright_keyring.policy import Person
from sealwright_stages.ports import Trust
from sealwright_stages.sign.release_signatures import merged
from sealwright_stages.verdict import Failed, Passed, Verdict, Warned
from sealwright_stages.verify.codes import CODES, failed, passed, shown, warned
from sealwright_stages.verify.settle import renamed, settle
from sealwright_stages.verify.signatures import judge_signature
from verify.workbench import Keys, sha256

SUBJECT = sha256(b"data")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACTS = {"data_sha256": SUBJECT}
A1, A2, B1 = "A" * 40, "B" * 40, "C" * 40
PERSONS = (
    Person(
        "anna",
        (
            A1,
            A2,
        ),
    ),
    Person("bert", (B1,)),
)


def good(key: str) -> Good:
    return Good(key, NOW, "SHA512", "EdDSA", FACTS)


def weak(key: str) -> Weak:
    return Weak("key-expired-since", "the key has expired since", key, NOW, "waive it", FACTS)


def settled(*found: Good | Weak | Bad, threshold: int = 1) -> Verdict:
    return settle(found, Trust((), PERSONS, threshold), "x", SUBJECT)


def test_one_person_with_two_keys_counts_once() -> None:
    assert isinstance(settled(good(A1), good(A2), threshold=2), Failed)
    assert isinstance(settled(good(A1), good(A1), threshold=2), Failed)
    assert isinstance(settled(good(A1), good(B1), threshold=2), Passed)


def test_a_bad_signature_beside_good_ones_is_red() -> None:
    bad = Bad("signature-unknown-key", "by a stranger", "ask", {})
    assert settled(good(A1), bad).code == settled(bad, good(A1)).code == "signature-unknown-key"


def test_a_weak_signature_that_the_threshold_needs_is_yellow() -> None:
    assert isinstance(settled(weak(A1)), Warned)
    assert isinstance(settled(good(B1), weak(A1), threshold=2), Warned)
    assert isinstance(settled(good(B1), weak(A1)), Passed)


def test_the_weaknesses_of_all_persons_are_named_so_that_a_waiver_of_one_covers_no_other() -> None:
    text = replace(weak(B1), reason_code="text-mode", sentence="it is in text mode")
    verdict = settled(weak(A1), text, threshold=2)
    assert isinstance(verdict, Warned) and verdict.code == "key-expired-since+text-mode"
    assert "expired since" in verdict.reason and "text mode" in verdict.reason
    assert settled(weak(A1), weak(B1), threshold=2).code == "key-expired-since"
    assert settled(good(A1), weak(A1), text, threshold=2).code == "text-mode"


@pytest.mark.parametrize(
    ("begin", "end", "counts"),
    [
        (None, None, True),
        (NOW.date(), NOW.date(), True),
        (NOW.date() + timedelta(1), None, False),
        (None, NOW.date() - timedelta(1), False),
    ],
)
def test_a_signature_outside_the_persons_time_counts_nothing(
    begin: date | None, end: date | None, counts: bool
) -> None:
    anna = Person("anna", (A1,), not_before=begin, not_after=end)
    for found in (good(A1), weak(A1)):
        verdict = settle([found], Trust((), (anna, PERSONS[1])), "x", SUBJECT)
        assert isinstance(verdict, Failed) is not counts
        assert counts or (
            verdict.code == "threshold-not-met" and "outside of their time by anna" in verdict.reason
        )
    two = settle([good(A1), good(B1)], Trust((), (anna, PERSONS[1]), 2), "x", SUBJECT)
    assert isinstance(two, Passed if counts else Failed)


@pytest.mark.parametrize(("late", "code"), [(-1, "rotation-overdue"), (0, "ok"), (1, "ok")])
def test_a_signature_made_after_its_key_was_to_be_replaced_is_yellow(late: int, code: str) -> None:
    anna = Person("anna", (A1,), rotate_by=NOW.date() + timedelta(late))
    trust = Trust((), (anna, PERSONS[1]))
    verdict = settle([good(A1)], trust, "x", SUBJECT)
    assert verdict.code == code and isinstance(verdict, Passed if code == "ok" else Warned)
    assert code == "ok" or (f"anna, {anna.rotate_by}" in verdict.reason and "a new key" in verdict.next_step)
    joined = settle([weak(A1)], trust, "x", SUBJECT)
    assert joined.code == ("key-expired-since" if code == "ok" else f"key-expired-since+{code}")
    assert settle([good(A1), good(B1)], trust, "x", SUBJECT).code == "ok"
    assert settle([good(A1), good(B1)], Trust((), (anna, PERSONS[1]), 2), "x", SUBJECT).code == code


def test_two_persons_signatures_that_were_merged_count_both(keys: Keys) -> None:
    both = merged([keys.sign("s1", b"data"), keys.sign("s2", b"data")])
    assert isinstance(judge_signature(both, b"data", keys.trust("s1", "s2", threshold=2), "x"), Passed)


def test_no_signature_and_no_threshold_are_red() -> None:
    assert settled().code == "threshold-not-met"
    assert settled(good(A1), threshold=0).code == "threshold-not-met"


def test_a_key_of_nobody_does_not_count() -> None:
    assert settled(good("D" * 40)).code == "threshold-not-met"


def test_a_verdict_about_other_bytes_is_red() -> None:
    other = Good(A1, NOW, "SHA512", "EdDSA", {"data_sha256": sha256(b"other")})
    assert settled(other).code == "changed-since-verified"


@pytest.mark.parametrize("verdict", [passed("r", "s"), warned("text-mode", "r", "n", "s"), failed("ok", "r", "n")])
def test_renaming_keeps_the_kind_and_names_the_subject(verdict: Verdict) -> None:
    found = renamed(verdict, SUBJECT, {"more": 1})
    assert type(found) is type(verdict) and found.subject_sha256 == SUBJECT and found.evidence["more"] == 1


def test_a_code_that_is_not_documented_cant_be_given() -> None:
    with pytest.raises(KeyError):
        failed("surprise", "r", "n")
    assert warned("text-mode+key-expired-since", "r", "n", "s").code.count("+") == 1
    assert all(sentence for sentence in CODES.values())


def test_text_from_outside_is_shown_as_printable_characters() -> None:
    for hostile in ("\x1b[2J", "a\nb", "\u202egpj", b"\xff\x00", "\u200b"):
        assert shown(hostile).isprintable()
    assert shown("x" * 300).endswith("...")
