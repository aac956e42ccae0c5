"""Watching real builds in the sandbox: what they took is told, and nothing that they do makes the watch blind or dear."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from build.workbench import Remembered, job
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.ports import BuildResult, Limits, Sampled

pytestmark = pytest.mark.sandbox
MIB = 1 << 20

ORPHANS = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for number in range(4):
    if os.fork() == 0:
        while time.process_time() < 0.2:
            pass
        os._exit(0)
try:
    os.wait()
except ChildProcessError:
    pass
"""
STORM = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for number in range(100_000):
    open(f"{number}", "w").close()
    if number % 50 == 0:
        try:
            if os.fork() == 0:
                open("/proc/self/comm", "w").write("renamed")
                os._exit(0)
        except OSError:
            pass
time.sleep(30)
"""


def built(
    builder: SandboxBuilder, folder: Path, script: str, looks: list[Sampled] | None = None, **limits: int
) -> BuildResult:
    out = folder / "out"
    out.mkdir()
    what = job(folder, f"python3 -c '{script}'", limits=Limits(**{"wall": 60, "memory": 2 << 30, **limits}))
    return builder.run(what, out, Remembered(), (looks if looks is not None else []).append, lambda: "")


def test_a_build_is_looked_at_often_and_each_look_tells_its_room(builder: SandboxBuilder, on_disk: Path) -> None:
    looks: list[Sampled] = []
    script = 'import time; open("file", "wb").write(bytes(9_000_000)); print("x" * 500, flush=True); time.sleep(2)'
    used = built(builder, on_disk, script, looks).used
    assert len(looks) >= 4
    assert [look.elapsed_ms for look in looks] == sorted({look.elapsed_ms for look in looks})
    assert looks[-1].disk >= 9_000_000 and looks[-1].files >= 3 and looks[-1].said >= 500
    assert used.disk >= looks[-1].disk and used.files >= looks[-1].files and used.said == looks[-1].said
    assert used.written >= 9_000_000 and used.memory >= max(look.memory for look in looks)


def test_time_of_processes_that_nobody_waited_for_counts_where_a_group_counts_it(
    builder: SandboxBuilder, tmp_path: Path
) -> None:
    used = built(builder, tmp_path, ORPHANS).used
    if used.cpu_by != "cgroup":
        pytest.skip("no control group here counts processor time")
    assert used.cpu_ms >= 800
    assert used.charged >= used.memory > 0


def test_what_a_build_left_behind_counts_though_nobody_looked_in_time(
    builder: SandboxBuilder, tmp_path: Path
) -> None:
    result = built(builder, tmp_path, 'open("file", "wb").write(bytes(20_000_000))', disk=24 * MIB)
    assert result.killed_because == "" and result.used.disk >= 20_000_000
    (tmp_path / "again").mkdir()
    script = 'for n in range(2): open(f"{n}", "wb").write(bytes(20_000_000))'
    result = built(builder, tmp_path / "again", script, disk=24 * MIB)
    assert "MiB of disk, more than 24" in result.killed_because


def test_a_storm_of_files_and_short_lived_processes_is_cheap_to_watch_and_kept_in_its_limits(
    builder: SandboxBuilder, tmp_path: Path
) -> None:
    spent, begun = time.process_time(), time.monotonic()
    result = built(builder, tmp_path, STORM, disk=16 * MIB, processes=512)
    share = (time.process_time() - spent) / (time.monotonic() - begun)
    assert "files, more than 4096" in result.killed_because
    assert share <= 0.25, f"watching took {share:.0%} of a core"
