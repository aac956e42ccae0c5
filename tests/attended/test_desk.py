"""What stands behind the engine's door: a stop is told as one, and what must be seen does not hang on what is nice."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from attended.test_question import REQUEST
from sealwright_stages.attended.desk import OpenedDesk
from sealwright_stages.attended.protocol import Asks
from sealwright_stages.attended.question import Question
from sealwright_stages.finish import Act, Finish, Finishing
from sealwright_stages.state import State
from walk.walking import until


def desk_of(question: Question, outlook: Any, cancel: threading.Event) -> tuple[OpenedDesk, Finishing]:
    finishing = Finishing()
    journal = SimpleNamespace(state=State())
    engine = SimpleNamespace(journal=journal, context=SimpleNamespace(finishing=finishing))
    desk = OpenedDesk(question)
    desk.begin(SimpleNamespace(engine=engine, outlook=outlook, cancel=cancel))  # type: ignore[arg-type]
    return desk, finishing


def test_who_is_asked_when_the_run_is_stopped_knows_that_it_is_stopped() -> None:
    question, over = Question(), threading.Event()

    class Slow(threading.Event):
        def set(self) -> None:
            over.wait(0.5)
            super().set()

    cancel = Slow()
    got: list[tuple[object, bool]] = []

    def ask() -> None:
        got.append((question.ask(REQUEST), cancel.is_set()))
        over.set()

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: question.open.number, "it asks")
    desk_of(question, None, cancel)[0].stop()
    thread.join(10)
    assert got == [(None, True)], "else it is taken for a person's no"


def test_the_question_and_the_finish_are_told_also_where_no_look_can_be_had() -> None:
    class Broken:
        @property
        def live(self) -> Any:
            raise RuntimeError("a defect")

    question = Question()
    question.open = Asks(1, "r-1.0", "ab" * 32)
    desk, finishing = desk_of(question, Broken(), threading.Event())
    with finishing.step(Act.SIGNER):
        news = desk.news()
    assert question.open in news
    assert any(isinstance(each, Finish) and each.step(Act.SIGNER) for each in news)
