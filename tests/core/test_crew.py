"""The crew: jobs in parallel, in the order of their needs, stopped together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages.crew import work
from sealwright_stages.errors import LogError

NAMES = ("a", "b", "c", "d", "e", "f")


@st.composite
def plans(draw: st.DrawFn) -> tuple[dict[str, list[str]], dict[str, bool]]:
    """Needs without a cycle, and how each job ends."""
    needs = {
        name: draw(st.lists(st.sampled_from(NAMES[:at] or ("x",)), unique=True)) for at, name in enumerate(NAMES)
    }
    return needs, {name: draw(st.booleans() | st.just(True)) for name in NAMES}


def jobs_of(ends: Mapping[str, bool], started: list[str]) -> dict[str, Callable[[], bool]]:
    """Jobs that note their start and end as told."""

    def job(name: str) -> Callable[[], bool]:
        def run() -> bool:
            started.append(name)
            return ends[name]

        return run

    return {name: job(name) for name in ends}


@given(plans(), st.integers(1, 3))
def test_a_job_starts_only_when_all_that_it_needs_has_ended_well(
    plan: tuple[dict[str, list[str]], dict[str, bool]], workers: int
) -> None:
    needs, ends = plan
    started: list[str] = []
    well = work(jobs_of(ends, started), needs, workers, threading.Event())
    for name in NAMES:
        known = [need for need in needs[name] if need in ends]
        assert (name in started) == all(need in well for need in known)
        assert (name in well) == (name in started and ends[name])
        assert all(started.index(need) < started.index(name) for need in known if name in started)


def fails(error: BaseException) -> Callable[[], bool]:
    def run() -> bool:
        raise error

    return run


def test_the_first_error_stops_the_rest_and_is_raised() -> None:
    started: list[str] = []
    cancel = threading.Event()
    lost = LogError("the log", "it died", "start it")
    jobs = {"a": fails(lost), **jobs_of({"b": True, "c": True}, started)}
    with pytest.raises(LogError) as caught:
        work(jobs, {"b": ["a"], "c": ["b"]}, 1, cancel)
    assert caught.value is lost
    assert cancel.is_set()
    assert started == []


def test_a_job_that_runs_is_waited_for_before_the_error_is_raised() -> None:
    cancel, ended = threading.Event(), threading.Event()

    def slow() -> bool:
        cancel.wait(20)
        ended.set()
        return True

    with pytest.raises(LogError):
        work({"slow": slow, "bad": fails(LogError("log", "died", "start"))}, {}, 2, cancel)
    assert ended.is_set()


def test_jobs_run_at_the_same_time_up_to_the_number_of_workers() -> None:
    both = threading.Barrier(2, timeout=20)

    def meet() -> bool:
        both.wait()
        return True

    assert work({"a": meet, "b": meet}, {}, 2, threading.Event()) == {"a", "b"}


def test_one_worker_runs_one_job_at_a_time() -> None:
    busy = threading.Lock()

    def alone() -> bool:
        free = busy.acquire(blocking=False)
        busy.release()
        return free

    assert work(dict.fromkeys(NAMES, alone), {}, 1, threading.Event()) == set(NAMES)


@pytest.mark.parametrize("needs", [{}, {"a": ["nobody"]}])
def test_a_need_that_is_no_job_is_not_waited_for(needs: Mapping[str, Sequence[str]]) -> None:
    assert work(jobs_of({"a": True}, []), needs, 1, threading.Event()) == {"a"}


def test_no_jobs_are_no_work() -> None:
    assert work({}, {}, 2, threading.Event()) == frozenset()
