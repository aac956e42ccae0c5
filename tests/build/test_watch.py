"""The rules of watch: a running build, looked at from outside."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sealwright_stages.build import watch
from sealwright_stages.build.watch import EVERY, TreeWatch, descendants, family
from sealwright_stages.sandbox.cgroups import Groups
from walk.walking import until

_FAMILY = """
import os, time
for number in range(3):
    if os.fork() == 0:
        os.fork()
        break
os.write(1, b".")
time.sleep(60)
"""


@pytest.fixture
def tree() -> Iterator[int]:
    """A process with children that have children."""
    with subprocess.Popen(
        [sys.executable, "-c", _FAMILY], stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        try:
            assert child.stdout is not None and child.stdout.read(7) == b"......."
            yield child.pid
        finally:
            os.killpg(child.pid, 9)


def test_the_kernel_lists_the_same_family_as_a_reading_of_all_processes(
    tree: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = set(descendants(tree))
    assert listed == {tree, *(child.pid for child in psutil.Process(tree).children(recursive=True))}
    assert len(listed) == 7
    monkeypatch.setattr(watch, "_KERNEL_LISTS", False)
    assert set(descendants(tree)) == listed


def test_who_is_in_the_group_is_the_family(tree: int, tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").write_text(f"{os.getpid()}\n")
    assert family(tree, Groups((tmp_path,))) == [os.getpid()]
    (tmp_path / "cgroup.procs").write_text("")
    assert set(family(tree, Groups((tmp_path,)))) == set(descendants(tree)), "nobody has joined yet"


def test_a_dead_family_is_no_error() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert TreeWatch(child.pid).sample().processes == 0


@pytest.mark.parametrize(("cost", "pause"), [(0.001, EVERY), (0.05, 1.0)])
def test_looks_take_at_most_a_twentieth_of_a_core(tree: int, cost: float, pause: float) -> None:
    spent = iter((10.0, 10.0 + cost))
    looking = TreeWatch(tree, spent=lambda: next(spent))
    looking.sample()
    assert looking.pause == pytest.approx(pause)


def test_percent_is_of_one_core_over_the_time_since_the_last_look(tree: int, tmp_path: Path) -> None:
    clock = iter((0.0, 2.0))
    looking = TreeWatch(tree, Groups((tmp_path,)), clock=lambda: next(clock))
    (tmp_path / "cpuacct.usage").write_text("1000000000\n")
    assert looking.sample().cpu == 0
    (tmp_path / "cpuacct.usage").write_text("4000000000\n")
    assert looking.sample().cpu == 150


def test_figures_never_go_back_and_peaks_stay(tree: int, tmp_path: Path) -> None:
    looking = TreeWatch(tree, Groups((tmp_path,)))
    (tmp_path / "cpuacct.usage").write_text("4000000000")
    (tmp_path / "memory.stat").write_text("total_rss 1000\ntotal_shmem 24\n")
    first = looking.sample()
    (tmp_path / "cpuacct.usage").write_text("1000000000")
    (tmp_path / "memory.stat").write_text("total_rss 10\ntotal_shmem 0\n")
    (tmp_path / "cgroup.procs").write_text("1")
    second = looking.sample()
    assert (first.memory, second.memory) == (1024, 10)
    assert second.cpu_ms == first.cpu_ms == 4000
    assert second.read >= first.read and second.written >= first.written
    used = looking.used()
    assert (used.memory, used.processes, used.cpu_ms, used.cpu_by) == (1024, first.processes, 4000, "cgroup")


def test_without_a_group_the_looks_count(tree: int) -> None:
    looking = TreeWatch(tree)
    sample = looking.sample()
    assert sample.memory > 1 << 20 and sample.processes > 3
    assert (looking.used().cpu_by, looking.used().charged) == ("looks", 0)


_SHOW_NOTHING = """
import ctypes, os, threading, time
def go_on():
    print("up", flush=True)
    kept = bytearray(1) * (40 << 20)
    print("full", flush=True)
    time.sleep(60)
threading.Thread(target=go_on).start()
ctypes.CDLL(None).syscall({}, 0)
"""


def test_memory_counts_though_the_first_thread_has_ended() -> None:
    leave = 60 if os.uname().machine == "x86_64" else 93  # exit(2), of this thread alone
    program = [sys.executable, "-c", _SHOW_NOTHING.format(leave)]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert [child.stdout.readline(), child.stdout.readline()] == [b"up\n", b"full\n"]
        until(lambda: psutil.Process(child.pid).memory_info().rss == 0, "its first thread has ended")
        sampled = TreeWatch(child.pid).sample()
        child.kill()
    assert sampled.memory >= 40 << 20
