"""Clocks that step: each step is on record where it was seen, an audit tells it, and the order is the sequence's alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appendlog.faulting import prepare, reopened
from appendlog.log_making import Times, new_store, seal, serving
from appendlog.real_program import PROGRAM, serve_words
from appendlog.test_cli import until_served
from sealwright_appendlog import record
from sealwright_appendlog.audit import LogBroken, check_log, read_records

HOUR = 3600 * 10**9
STEPS: dict[str, tuple[Callable[[Times], None], dict[str, int]]] = {}


def step(name: str, **told: int) -> Callable[[Callable[[Times], None]], Callable[[Times], None]]:
    """Register a step of the clocks, with what its record says, in whole seconds."""

    def register(change: Callable[[Times], None]) -> Callable[[Times], None]:
        STEPS[name] = change, told
        return change

    return register


@step("forwards", step=3600)
def forwards(times: Times) -> None:
    times.wall_ns += HOUR


@step("backwards", step=-3600)
def backwards(times: Times) -> None:
    times.wall_ns -= HOUR


@step("suspended while the wall clock stood still", step=-3600)
def suspended(times: Times) -> None:
    times.up_ns += HOUR


@step("uptime went back", step=1800, back=1800)
def uptime(times: Times) -> None:
    times.up_ns -= HOUR // 2


@step("both went back, as in a machine that is put back", step=0, back=1800)
def put_back(times: Times) -> None:
    times.up_ns -= HOUR // 2
    times.wall_ns -= HOUR // 2


def clocks(log: Path) -> list[dict[str, Any]]:
    """The `clock` records: what they say, times in whole seconds."""
    found = [entry for entry, _ in read_records(log) if entry["k"] == "clock"]
    said = [{key: entry[key] for key in ("step", "back", "rebooted") if key in entry} for entry in found]
    return [{key: value if value is True else round(value / 1e6) for key, value in each.items()} for each in said]


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_recorded_where_it_was_seen_breaks_nothing_and_is_told(tmp_path: Path, name: str) -> None:
    """In the midst of a batch of a real authority: its client sees nothing of it but later records."""
    change, told = STEPS[name]
    times = Times()
    times.up_ns += 10 * HOUR
    store = new_store(tmp_path, times)
    with serving(store) as served:
        client, build = served.client(), served.client()
        client.hello("engine")
        client.wait("C")
        build.hello("build/xen")
        build.wait("A")
        build.say("D", b"before")
        client.say("J", b'{"number":1}')
        first = json.loads(client.wait_line())
        change(times)
        build.say("D", b"after")
        client.say("J", b'{"number":2}')
        second = json.loads(client.wait_line())
        build.say("F", b"0")
        assert json.loads(build.wait_line())["clean"]
        client.say("S")
        client.wait_line()
        client.wait("C")
    assert second["n"] > first["n"]
    assert clocks(tmp_path) == [told]
    report = check_log(tmp_path)
    assert report.unclean == [] and len(report.notices) == 1 and "clock" in str(report.kinds)
    assert ("wall clock stepped" in report.notices[0]) == bool(told["step"])
    assert ("uptime went back by 1800.0 s" in report.notices[0]) == ("back" in told)


def test_a_step_inside_a_batch_stands_between_its_records(tmp_path: Path) -> None:
    times = Times()
    store = new_store(tmp_path, times)
    store.event("engine", {"number": 1}, "uid:0")
    backwards(times)
    store.event("engine", {"number": 2}, "uid:0")
    forwards(times)
    store.event("engine", {"number": 3}, "uid:0")
    assert [record.decode(line)["k"] for line in store.commit()] == ["ev", "clock", "ev", "clock", "ev"]
    seal(store)
    check_log(tmp_path)


def test_a_clock_that_creeps_away_is_told_too(tmp_path: Path) -> None:
    """Each time by less than a step: no record lies more than a second off its course without one that says so."""
    times = Times()
    store = new_store(tmp_path, times)
    for number in range(100):
        times.wall_ns -= 9 * 10**8
        store.event("engine", {"number": number}, "uid:0")
    seal(store)
    assert sum(each["step"] for each in clocks(tmp_path)) == pytest.approx(-90, abs=12)
    check_log(tmp_path)


@pytest.mark.parametrize(("seconds", "told"), [(60, 0), (-7200, -7200)], ids=["later", "earlier"])
def test_another_boot_is_told_and_a_wall_clock_that_went_back_with_it(
    tmp_path: Path, seconds: int, told: int
) -> None:
    times = Times()
    store = new_store(tmp_path, times)
    store.event("engine", {"number": 1}, "uid:0")
    store.commit()
    store.close()
    times.boot, times.up_ns = "0badcafe", 5 * 10**9
    times.wall_ns += seconds * 10**9
    store = new_store(tmp_path, times)
    store.event("engine", {"number": 2}, "uid:0")
    seal(store)
    assert clocks(tmp_path) == [{"step": told, "rebooted": True}]
    notices = check_log(tmp_path).notices
    assert any("started anew" in notice for notice in notices)
    assert any("stepped by -7200" in notice for notice in notices) == (told < 0)


_MOVES = st.tuples(
    st.integers(-4 * HOUR, 4 * HOUR),
    st.integers(-HOUR, 4 * HOUR),
    st.sampled_from(["00c0ffee"] * 9 + ["0badcafe"]),
)


@given(st.lists(_MOVES, min_size=1, max_size=12))
def test_whatever_the_clocks_do_the_log_opens_again_and_verifies(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, int, str]]
) -> None:
    log = tmp_path_factory.mktemp("clocks")
    times = Times()
    times.up_ns += 100 * HOUR
    store = new_store(log, times)
    for number, (wall, up, boot) in enumerate(moves):
        times.wall_ns, times.up_ns = times.wall_ns + wall, times.up_ns + up
        store.event("engine", {"number": number}, "uid:0")
        if boot != times.boot or number % 4 == 3:
            times.boot = boot
            store.commit()
            store.close()
            store = new_store(log, times)
    seal(store)
    store.close()
    report = check_log(log)
    assert report.kinds["ev"] == len(moves)
    bodies = [entry["body"]["number"] for entry, _ in read_records(log) if entry["k"] == "ev"]
    assert bodies == list(range(len(moves)))


def test_a_clock_record_that_the_times_do_not_bear_out_is_refused(tmp_path: Path) -> None:
    times = Times()
    store = new_store(tmp_path, times)
    entry = record.decode(store.event("engine", {}, "uid:0"))
    del entry["body"]
    store._batch.lines[-1] = record.encode({**entry, "k": "clock", "step": 5_000_000})
    seal(store)
    with pytest.raises(LogBroken, match="its times do not show what it says"):
        check_log(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="a time namespace needs root")
def test_the_program_in_a_time_namespace_and_then_outside_of_it_goes_on_with_its_log(tmp_path: Path) -> None:
    """The same boot id, and an uptime that went back by 100,000 s, by the kernel itself."""
    inside = ["unshare", "--time", "--boottime", "100000", "--fork", "--kill-child"]
    if subprocess.run([*inside, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no time namespaces here")
    root = tmp_path / "root"
    prepare(root, "append")
    child = subprocess.Popen([*inside, *PROGRAM, *serve_words(root)])
    try:
        until_served(root)
    finally:
        child.kill()
        child.wait()
    reopened(root)
    (told,) = clocks(root / "log")
    assert told["back"] == pytest.approx(100_000, abs=60) and told["step"] == pytest.approx(100_000, abs=60)
