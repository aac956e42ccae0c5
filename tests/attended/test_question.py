"""The signer's question waits for whoever is there, and the first answer to its number is the answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from sealwright_stages.attended.question import Question
from sealwright_stages.ports import Proposal
from sealwright_stages.sign.signing import SigningRequest, Typed
from walk.walking import until

REQUEST = SigningRequest("r-1.0", Proposal("1", "ab" * 32, ("one",), "confirmation", ("KEY",)), 3, ("w",))


def asking(question: Question, request: SigningRequest = REQUEST) -> Callable[[], Typed | None]:
    """Ask in a thread; gives what waits for the answer."""
    got: list[Typed | None] = []
    thread = threading.Thread(target=lambda: got.append(question.ask(request)))
    before = question.open.number
    thread.start()
    until(lambda: question.open.number not in (0, before), "it asks")

    def answer() -> Typed | None:
        thread.join(10)
        assert got, "it still waits"
        return got[0]

    return answer


def test_the_first_answer_counts_and_a_second_comes_too_late() -> None:
    question = Question()
    answer = asking(question)
    number = question.open.number
    assert question.open.digest == "ab" * 32 and question.open.products == 3
    assert question.give(number, Typed("abababab", "r-1.0"))
    assert not question.give(number, None)
    assert answer() == Typed("abababab", "r-1.0") and question.open.number == 0


def test_an_answer_to_another_question_is_none() -> None:
    question = Question()
    first = asking(question)
    number = question.open.number
    question.give(number, None)
    assert first() is None
    second = asking(question)
    assert question.open.number != number
    for other in (0, number, number + 2):
        assert not question.give(other, Typed("abababab", "r-1.0"))
    assert question.give(question.open.number, Typed("abababab", "r-1.0"))
    assert second() == Typed("abababab", "r-1.0")


@pytest.mark.parametrize(
    "typed",
    [
        Typed("", ""),
        Typed("abababab", ""),
        Typed("", "r-1.0"),
        Typed("abababa", "r-1.0"),
        Typed("abababac", "r-1.0"),
        Typed("ABABABAB", "r-1.0"),
        Typed("ab" * 33, "r-1.0"),
        Typed("abababab", "r-1.1"),
    ],
)
def test_a_yes_without_the_digits_and_the_name_is_no_answer(typed: Typed) -> None:
    question = Question()
    answer = asking(question)
    number = question.open.number
    assert not question.give(number, typed) and question.open.number == number
    assert question.give(number, Typed("ab" * 5, "r-1.0")) and answer() == Typed("ab" * 5, "r-1.0")


def test_a_question_without_a_whole_digest_takes_no_yes() -> None:
    question = Question()
    answer = asking(question, replace(REQUEST, proposal=replace(REQUEST.proposal, digest="ab" * 31)))
    assert not question.give(question.open.number, Typed("abababab", "r-1.0"))
    assert question.give(question.open.number, None) and answer() is None


def test_a_no_is_an_answer_and_stopping_is_a_no() -> None:
    question = Question()
    answer = asking(question)
    assert question.give(question.open.number, None)
    assert answer() is None
    answer = asking(question)
    question.stop()
    assert answer() is None
    assert question.ask(REQUEST) is None, "nobody is asked any more"


def test_nothing_is_answered_before_it_is_asked() -> None:
    assert not Question().give(0, Typed("x", "y")) and not Question().give(1, Typed("x", "y"))
