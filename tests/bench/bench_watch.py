"""What it costs to watch a build of 200 processes, all in: looks, the walk over its folder, events into a real log."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from bench.report import Line
from sealwright_stages.build import runner
from sealwright_stages.build_figures import BuildFigures
from sealwright_stages.events import BuildSample, to_body
from sealwright_stages.live import Live
from sealwright_stages.log import open_embedded
from sealwright_stages.ports import Limits
from sealwright_stages.process import BASE_ENVIRONMENT
from sealwright_stages.sandbox.bwrap import Bind, Sandbox
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.ownership import hand_over

PROCESSES, FILES, SECONDS, HERTZ = 200, 2000, 10, 4
_BUILD = f"""
import os, time
for number in range({FILES}):
    open(f"/out/{{number}}", "w").close()
for number in range({PROCESSES - 1}):
    if os.fork() == 0:
        break
end = time.monotonic() + {SECONDS}
while time.monotonic() < end:
    sum(range(20_000))
    time.sleep(0.5)
"""
_STORM = f"""
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for number in range(100_000):
    open(f"/out/{{number}}", "w").close()
end = time.monotonic() + {SECONDS}
while time.monotonic() < end:
    try:
        if os.fork() == 0:
            open("/proc/self/comm", "w").write("renamed")
            time.sleep(0.5)
            os._exit(0)
    except OSError:
        time.sleep(0.01)
"""


def lines() -> Iterator[Line]:
    """All rows."""
    spent, looks, peers = _watched(_BUILD, PROCESSES + 20)
    note = f"{spent * 100:.1f} % of a core, {looks:.1f} looks a second; psutil as it comes {peers['psutil'] * 100:.1f} %"
    what = f"watching {PROCESSES} processes and {FILES} files, a second of it"
    yield Line(what, spent, peers["top"], f"top -b -d {1 / HERTZ}", note)
    spent, looks, _ = _watched(_STORM, 520)
    note = f"{spent * 100:.1f} % of a core, {looks:.1f} looks a second"
    yield Line("watching 512 that come and go, renamed, and 100,000 files", spent, note=note)


class _Quiet:
    """Takes what a build says; while it runs, the peers look at the same tree."""

    def write(self, _channel: str, _data: bytes) -> None:
        pass


def _watched(script: str, processes: int) -> tuple[float, float, dict[str, float]]:
    """Seconds of a processor, and looks, in a second of watching; and the seconds of the peers."""
    peers: dict[str, float] = {}
    output: Any = _Quiet()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sealwright-bench-")))
        folder.chmod(0o755)
        chosen = Identities.choose()
        stack.callback(chosen.release)
        uid = chosen.builders[0] if chosen.builders else None
        out = folder / "out"
        for each in (out, folder / "log"):
            each.mkdir()
        hand_over(out, uid)
        log = open_embedded(folder / "log", folder / "key", "bench 1", None, None, folder / "seen")
        stack.callback(log.close)
        figures = BuildFigures("bench", Live(), lambda sample: _told(log, sample))
        box = Sandbox(
            uid=uid,
            binds=(Bind(out, "/out", writable=True),),
            environment=BASE_ENVIRONMENT,
            processes=processes,
            memory=4 << 30,
            grouped=True,
        )
        limits = Limits(wall=120, memory=4 << 30, disk=4 << 30, processes=processes)
        count = 0

        def look(sample: Any) -> None:
            nonlocal count
            count += 1
            figures.take(sample)
            if count == 3 * HERTZ and script is _BUILD:
                begun = time.process_time()
                peers.update(_peers())
                peers["ours"] = time.process_time() - begun

        watched = runner.Watched(output, look, lambda: "")
        begun, wall = time.process_time(), time.monotonic()
        runner.run(box, ("/usr/bin/python3", "-c", script), limits, out, watched)
        took = time.monotonic() - wall
        return (time.process_time() - begun - peers.pop("ours", 0.0)) / took, count / took, peers


def _told(log: Any, sample: BuildSample) -> None:
    log.append(to_body(sample))


def _peers(rounds: int = 8) -> dict[str, float]:
    """Seconds of a processor that others take for as many looks a second at the processes that run now."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        ("top", "-b", "-d", f"{0.01}", "-n", f"{rounds}"),
        stdout=subprocess.DEVNULL,
        check=True,
        env={"TERM": "dumb"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    top = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    begun = time.thread_time()
    for _ in range(rounds):
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error), process.oneshot():
                process.cpu_times()
                process.memory_info()
                process.io_counters()
    return {"top": top / rounds * HERTZ, "psutil": (time.thread_time() - begun) / rounds * HERTZ}
