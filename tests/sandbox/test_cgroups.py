"""Control groups: real ones where the machine lets us, and made-up trees for machines that this one is not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from sealwright_stages import process
from sealwright_stages.build import runner
from sealwright_stages.errors import MachineError
from sealwright_stages.ports import Limits
from sealwright_stages.sandbox.birth import birthplace
from sealwright_stages.sandbox.bwrap import Sandbox
from sealwright_stages.sandbox.cgroups import WATCHED, Groups, Place, grouped, own_places
from sealwright_stages.sandbox.identity import Identities

_V1 = """\
30 20 0:25 / {top}/pids rw,relatime shared:9 - cgroup cgroup rw,pids
31 20 0:26 /box {top}/memory rw,relatime - cgroup cgroup rw,memory
32 20 0:27 / {top}/unified rw,relatime - cgroup2 cgroup2 rw
"""
_V2 = "30 20 0:25 / {top} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    return folder


def _told(proc: Path, mounts: str, own: str) -> tuple[Place, ...]:
    (proc / "mountinfo").write_text(mounts.format(top=proc.parent))
    (proc / "cgroup").write_text(own)
    return own_places(proc)


def test_groups_of_version_1_are_made_below_our_own(proc: Path) -> None:
    places = {place.what: place for place in _told(proc, _V1, "8:pids:/us\n4:memory:/box/deep\n0::/\n")}
    assert places["processes"].parent == proc.parent / "pids" / "us"
    assert places["memory"].parent == proc.parent / "memory" / "deep", "the mount shows /box as its root"
    assert {place.version for place in places.values()} == {1}


def test_a_group_of_version_1_counts_time_where_it_does_nothing_else(proc: Path, tmp_path: Path) -> None:
    mount = "33 20 0:28 / {top}/time rw - cgroup cgroup rw,%s\n"
    (place,) = _told(proc, mount % "cpuacct", "2:cpuacct:/us\n")
    assert (place.what, place.parent, place.files) == ("time", proc.parent / "time" / "us", ())
    assert _told(proc, mount % "cpu,cpuacct", "2:cpu,cpuacct:/us\n") == (), "it would share processors out"
    (tmp_path / "at").mkdir()
    with grouped(7, 4096, (replace(place, parent=tmp_path / "at"),)) as groups:
        assert len(groups.folders) == 1 and groups.limited_by == WATCHED


def test_groups_of_version_2_are_made_beside_our_own(proc: Path) -> None:
    (proc.parent / "user").mkdir()
    (proc.parent / "user" / "cgroup.subtree_control").write_text("cpu memory pids\n")
    assert _told(proc, _V2, "0::/user/us.scope\n") == (), "no process can be moved there"
    (proc.parent / "user" / "cgroup.procs").touch()
    places = {place.what: place for place in _told(proc, _V2, "0::/user/us.scope\n")}
    assert {place.parent for place in places.values()} == {proc.parent / "user"}
    assert {(place.what, place.files[0]) for place in places.values()} == {
        ("processes", "pids.max"),
        ("memory", "memory.max"),
    }


@pytest.mark.parametrize("given", ["", "cpu io\n"])
def test_what_is_not_given_to_us_is_no_place(proc: Path, given: str) -> None:
    (proc.parent / "cgroup.subtree_control").write_text(given)
    assert _told(proc, _V2, "0::/us.scope\n") == ()
    assert own_places(proc / "nowhere") == ()


def test_a_group_gets_its_limits_and_goes_again(tmp_path: Path) -> None:
    (tmp_path / "at").mkdir()
    places = (
        Place("processes", tmp_path / "at", ("pids.max",), 2),
        Place("memory", tmp_path / "at", ("memory.max", "memory.swap.max"), 2),
    )
    with grouped(7, 4096, places) as groups:
        (folder,) = groups.folders
        assert (folder / "pids.max").read_text() == "7"
        assert (folder / "memory.max").read_text() == "4096"
        assert groups.limited_by == {"processes": "cgroup v2", "memory": "cgroup v2"}
        assert groups.join()[2] == str(folder / "cgroup.procs")
        for file in folder.iterdir():  # the kernel's files go with the folder; these are ours
            file.unlink()
    assert list((tmp_path / "at").iterdir()) == []


def test_a_machine_that_lets_us_make_none_says_what_limits_instead(tmp_path: Path) -> None:
    with grouped(7, 4096, (Place("memory", tmp_path / "gone", ("memory.max",), 2),)) as groups:
        assert groups.limited_by == WATCHED
        assert groups.join() == ()
        assert not groups.out_of_memory()


def test_groups_of_dead_consoles_go_with_the_next(tmp_path: Path) -> None:
    (tmp_path / "sealwright-4194999-abcd").mkdir()
    (tmp_path / f"sealwright-{os.getppid()}-abcd").mkdir()
    (tmp_path / "sealwright-x-y").mkdir()
    with grouped(7, 4096, (Place("memory", tmp_path, ("memory.max",), 2),)) as groups:
        (groups.folders[0] / "memory.max").unlink()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"sealwright-{os.getppid()}-abcd", "sealwright-x-y"}


def test_the_kernels_word_of_an_end_for_want_of_memory_is_read(tmp_path: Path) -> None:
    groups = Groups((tmp_path,))
    assert not groups.out_of_memory()
    for name, text in (
        ("memory.events", "low 0\noom 3\noom_kill {}\n"),
        ("memory.oom_control", "under_oom 0\noom_kill {}\n"),
    ):
        (tmp_path / name).write_text(text.format(0))
        assert not groups.out_of_memory()
        (tmp_path / name).write_text(text.format(2))
        assert groups.out_of_memory()
        (tmp_path / name).unlink()


class _Quiet:
    def write(self, _channel: str, _data: bytes) -> None: ...
    def finish(self, exit_status: int) -> None: ...
    def abort(self) -> None: ...


@pytest.fixture
def real(identities: Identities) -> Groups:
    with grouped(64, 64 << 20) as groups:
        if "memory" not in groups.limited_by or groups.limited_by["memory"] == WATCHED["memory"]:
            pytest.skip("this machine lets us make no control group for memory")
        return groups


_TAKE = "a = bytearray(1) * (150 << 20); print('taken')"


@pytest.mark.sandbox
def test_a_build_that_the_kernel_ended_for_want_of_memory_is_red_whatever_it_made_of_it(
    real: Groups, identities: Identities, tmp_path: Path
) -> None:
    box = Sandbox(
        uid=identities.builders[0] if identities.builders else None,
        environment=process.BASE_ENVIRONMENT,
        memory=64 << 20,
        grouped=True,
    )
    shared = f"import mmap; m = mmap.mmap(-1, 150 << 20); [m.__setitem__(i, 1) for i in range(0, 150 << 20, 4096)]; {_TAKE}"
    words = ("sh", "-c", f'python3 -c "{shared}" || true')
    watched = runner.Watched(_Quiet(), lambda sample: None, lambda: "")  # type: ignore[arg-type]
    done = runner.run(box, words, Limits(wall=30, memory=64 << 20), tmp_path, watched)
    assert "64 MiB of memory" in done.killed_because or done.killed_because.endswith("more than 64"), done
    assert done.limited_by["memory"].startswith("cgroup v")
    assert not list(real.folders[0].parent.glob(f"sealwright-{os.getpid()}-*")), "its group is gone"


@pytest.mark.sandbox
def test_who_never_joins_a_group_does_not_run(identities: Identities) -> None:
    groups = Groups((Path("/nowhere"),))
    done = process.run([*groups.join(), "echo", "ran"], timeout=10)
    assert done.returncode != 0
    assert done.stdout == b""
    nowhere = ((Path("/nowhere/tasks"), Path("/dev/null")),)
    with birthplace({}, nowhere) as spawn, pytest.raises(MachineError, match="/nowhere/tasks"):
        process.run(["echo", "ran"], timeout=10, spawn=spawn)


@pytest.mark.sandbox
def test_a_child_is_born_in_its_group_and_we_stay_where_we_were(real: Groups) -> None:
    before = Path("/proc/self/cgroup").read_text()
    with grouped(64, 64 << 20) as groups, birthplace({}, groups.doors()) as spawn:
        if not groups.doors():
            pytest.skip("groups of version 2 are joined by the child itself")
        done = process.run(["cat", "/proc/self/cgroup"], timeout=10, spawn=spawn)
        for folder in groups.folders:
            assert folder.name in done.stdout.decode()
            assert (folder / "tasks").read_text() == "", "nobody of ours stays in it"
    assert Path("/proc/self/cgroup").read_text() == before


def test_a_fetcher_is_in_no_group() -> None:
    assert not Sandbox(uid=61184).grouped
    assert replace(Sandbox(uid=61184), grouped=True).grouped
