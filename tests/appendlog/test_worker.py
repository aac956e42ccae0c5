"""A thread that does jobs one after the other."""

from __future__ import annotations

import threading

import pytest

from sealwright_appendlog.worker import Worker


def test_jobs_are_done_in_the_order_of_their_beginning_and_ended_one_by_one() -> None:
    worker, done = Worker("test"), []
    for number in range(20):
        worker.begin(lambda number=number: done.append(number))
    for number in range(20):
        worker.end()
        assert done[: number + 1] == list(range(number + 1))
    worker.close()
    assert done == list(range(20))


def test_whatever_a_job_raises_is_raised_where_it_is_ended() -> None:
    def fail() -> None:
        raise KeyboardInterrupt("of any kind")

    worker = Worker("test")
    worker.begin(fail)
    worker.begin(lambda: None)
    with pytest.raises(KeyboardInterrupt, match="of any kind"):
        worker.end()
    worker.end()
    worker.close()


def test_it_is_ready_by_the_time_that_it_says_so_whatever_came_of_the_job() -> None:
    worker, told, ready = Worker("test"), threading.Event(), []

    def fail() -> None:
        raise IndexError

    def tell() -> None:
        ready.append(worker.ready)
        told.set()

    worker.begin(fail, tell)
    assert told.wait(10)
    assert ready == [True]
    with pytest.raises(IndexError):
        worker.end()
    assert not worker.ready
    worker.close()


def test_what_was_begun_is_done_before_it_is_closed() -> None:
    worker, done = Worker("test"), []
    for number in range(100):
        worker.begin(lambda number=number: done.append(number))
    worker.close()
    assert done == list(range(100))


def test_news_that_cant_be_given_ends_nothing() -> None:
    def fail() -> None:
        raise OSError("nobody takes it")

    worker, done = Worker("test"), []
    worker.begin(lambda: done.append(1), fail)
    worker.begin(lambda: done.append(2))
    worker.end()
    worker.close()
    assert done == [1, 2]
