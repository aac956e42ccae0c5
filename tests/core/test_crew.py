"""The crew: jobs in parallel, in the order of their needs, stopped together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages.crew import Bounds, work
from sealwright_stages.errors import LogError

NAMES = ("a", "b", "c", "d", "e", "f")


@dataclass
class Plan:
    """Needs without a cycle, how each job ends, and what each takes of a room of `space`."""

    needs: dict[str, list[str]]
    ends: dict[str, bool]
    sizes: dict[str, int]
    space: int
    workers: int

    def cone(self) -> set[str]:
        """What a failure stops: all that needs a job that failed, directly or through others."""
        stopped: set[str] = set()
        for name in NAMES:
            if any(need in stopped or not self.ends[need] for need in self.needs[name] if need in NAMES):
                stopped.add(name)
        return stopped


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    needs = {
        name: draw(st.lists(st.sampled_from((*NAMES[:at], "no-job")), unique=True, max_size=3))
        for at, name in enumerate(NAMES)
    }
    ends = {name: draw(st.booleans() | st.just(True)) for name in NAMES}
    sizes = {name: draw(st.integers(1, 9)) for name in NAMES}
    return Plan(needs, ends, sizes, draw(st.integers(1, 20)), draw(st.integers(1, 4)))


class Watched:
    """Jobs that note when they start and end, and what ran beside them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lock, self.never = threading.Lock(), threading.Event()
        self.running: set[str] = set()
        self.ended: list[str] = []
        self.beside: list[frozenset[str]] = []
        self.seen_before: dict[str, frozenset[str]] = {}

    def jobs(self) -> dict[str, Callable[[], bool]]:
        return {name: partial(self.run, name) for name in NAMES}

    def run(self, name: str) -> bool:
        with self.lock:
            self.running.add(name)
            self.seen_before[name] = frozenset(self.ended)
            self.beside.append(frozenset(self.running))
        self.never.wait(0.001)  # so that what may run beside it does
        with self.lock:
            self.running.remove(name)
            self.ended.append(name)
        return self.plan.ends[name]

    def has_room(self, running: Collection[str], name: str) -> bool:
        return sum(self.plan.sizes[each] for each in (*running, name)) <= self.plan.space


@settings(deadline=None)
@given(plans())
def test_of_any_plan_what_runs_is_in_order_and_within_bounds_and_a_failure_stops_its_cone_alone(
    plan: Plan,
) -> None:
    watched = Watched(plan)
    stopped: list[str] = []
    bounds = Bounds(plan.workers, watched.has_room)
    well = work(watched.jobs(), plan.needs, bounds, threading.Event(), stopped.append)
    assert sorted(stopped) == sorted(plan.cone())
    assert sorted(watched.ended) == sorted(set(NAMES) - plan.cone())
    assert well == {name for name in watched.ended if plan.ends[name]}
    for name, before in watched.seen_before.items():
        assert {need for need in plan.needs[name] if need in NAMES} <= before
    for beside in watched.beside:
        assert len(beside) <= plan.workers
        assert len(beside) == 1 or sum(plan.sizes[name] for name in beside) <= plan.space


def jobs_of(ends: Mapping[str, bool], started: list[str]) -> dict[str, Callable[[], bool]]:
    """Jobs that note their start and end as told."""

    def job(name: str) -> bool:
        started.append(name)
        return ends[name]

    return {name: partial(job, name) for name in ends}


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
        work(jobs, {"b": ["a"], "c": ["b"]}, Bounds(1), cancel)
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
        work({"slow": slow, "bad": fails(LogError("log", "died", "start"))}, {}, Bounds(2), cancel)
    assert ended.is_set()


def test_jobs_run_at_the_same_time_up_to_the_number_of_workers() -> None:
    both = threading.Barrier(2, timeout=20)

    def meet() -> bool:
        both.wait()
        return True

    assert work({"a": meet, "b": meet}, {}, Bounds(2), threading.Event()) == {"a", "b"}


def test_one_worker_runs_one_job_at_a_time() -> None:
    busy = threading.Lock()

    def alone() -> bool:
        free = busy.acquire(blocking=False)
        busy.release()
        return free

    assert work(dict.fromkeys(NAMES, alone), {}, Bounds(1), threading.Event()) == set(NAMES)


@pytest.mark.parametrize("needs", [{}, {"a": ["nobody"]}])
def test_a_need_that_is_no_job_is_not_waited_for(needs: Mapping[str, Sequence[str]]) -> None:
    assert work(jobs_of({"a": True}, []), needs, Bounds(1), threading.Event()) == {"a"}


def test_no_jobs_are_no_work() -> None:
    assert work({}, {}, Bounds(2), threading.Event()) == frozenset()


def test_a_job_that_has_no_room_waits_and_a_smaller_one_goes_before_it() -> None:
    gone, started = threading.Event(), list[str]()

    def first() -> bool:
        started.append("first")
        return gone.wait(20)

    def small() -> bool:
        started.append("small")
        gone.set()
        return True

    jobs = {"first": first, "large": lambda: not started.append("large"), "small": small}
    bounds = Bounds(2, lambda running, name: name != "large")
    assert work(jobs, {}, bounds, threading.Event()) == set(jobs)
    assert started == ["first", "small", "large"]


def test_an_error_while_a_stop_is_told_of_stops_the_rest_and_is_raised() -> None:
    cancel = threading.Event()

    def tell(_name: str) -> None:
        raise LogError("log", "died", "start")

    with pytest.raises(LogError):
        work(jobs_of({"a": False, "b": True}, []), {"b": ["a"]}, Bounds(1), cancel, tell)
    assert cancel.is_set()
