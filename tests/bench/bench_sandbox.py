"""What a sandbox costs: its start, a build's time inside, and how long it takes to die."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.report import Line, timed
from sealwright_stages.build import runner
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.environments import Environments
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.ports import BuildJob, Limits, Prepared
from sealwright_stages.process import BASE_ENVIRONMENT
from sealwright_stages.sandbox.birth import Spawn
from sealwright_stages.sandbox.bwrap import Bind, Sandbox, prepared
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.ownership import hand_over
from sealwright_stages.selftest.trial import selftest

_BARE = ("--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib")
_BARE_REST = ("--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--unshare-all")
_STORM = """
import os, signal, time
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)
print("storm", flush=True)
while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        time.sleep(0.01)
"""
_BUILD = """
set -e
mkdir -p {place}/made
i=0
while [ $i -lt 40 ]; do
    echo "int f$i(int x) {{ return x * $i; }}" > {place}/made/$i.c
    {compiler} {place}/made/$i.c > {place}/made/$i.o
    i=$((i+1))
done
cat {place}/made/*.o | sha256sum > {place}/sum
rm -r {place}/made
"""


def lines() -> Iterator[Line]:
    """All rows."""
    yield from start()
    yield build()
    yield death()
    yield ways_out()


def _uid(chosen: Identities) -> int | None:
    return chosen.builders[0] if chosen.builders else None


@contextlib.contextmanager
def _identities() -> Iterator[Identities]:
    chosen = Identities.choose()
    try:
        yield chosen
    finally:
        chosen.release()


def start(rounds: int = 60) -> Iterator[Line]:
    """A word said as a build job, in a bare bwrap, and bare; in random order. A job has started when its word is here.

    The job has what builds have: the folders that it is shown, control groups, the pump and the watches. Seconds on the
    clock hang on what else the machine does; seconds of processors hardly do, and are ours and our children's.
    """
    with _identities() as chosen, tempfile.TemporaryDirectory(prefix="sealwright-bench-") as scratch:
        out = Path(scratch)
        first: list[float] = []
        kinds: dict[str, Callable[[], None]] = {
            "job": lambda: first.append(_job(chosen, out)),
            "bwrap": lambda: _run(("bwrap", *_BARE, *_BARE_REST, "sh", "-c", "echo up"), ()),
            "bare": lambda: _run(("sh", "-c", "echo up"), ()),
        }
        taken, worked = _interleaved(kinds, rounds)
    over = [word - bare for word, bare in zip(first, taken["bare"], strict=True)]
    told = [
        f"{kind} p50 {statistics.median(taken[kind]) * 1000:.1f} p95 {_p95(taken[kind]) * 1000:.1f} "
        f"cpu {statistics.median(worked[kind]) * 1000:.1f}"
        for kind in kinds
    ]
    started = f"its first word over bare p50 {statistics.median(over) * 1000:.1f} p95 {_p95(over) * 1000:.1f}"
    note = f"ms: {'; '.join(told)}; {started}"
    yield Line(
        "a build of nothing", statistics.median(taken["job"]), statistics.median(taken["bwrap"]), "bwrap", note
    )


def build(pairs: int = 20) -> Line:
    """A build of many small processes inside, and the same in a plain chroot of the same /usr; in random order."""
    with _identities() as chosen, tempfile.TemporaryDirectory(prefix="sealwright-bench-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        out, plain = folder / "out", folder / "plain"
        for place in (out, plain):
            place.mkdir()
            hand_over(place, _uid(chosen))
        kinds: dict[str, Callable[[], None]] = {
            "inside": lambda: _build_inside(_uid(chosen), out),
            "plain": lambda: _build_plainly(_uid(chosen), plain),
        }
        taken, _ = _interleaved(kinds, pairs)
    ratios = sorted(inside / plain for inside, plain in zip(taken["inside"], taken["plain"], strict=True))
    note = f"inside/chroot of {pairs} pairs: median {statistics.median(ratios):.3f}"
    inside, outside = statistics.median(taken["inside"]), statistics.median(taken["plain"])
    return Line("a build", inside, outside, "plain chroot", note)


def death(tries: int = 50) -> Line:
    """From the stop of a build that forks as fast as it can, deaf to signals, until nothing of it lives."""
    taken = []
    with _identities() as chosen:
        for _ in range(tries):
            with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as room:
                taken.append(_killed(_uid(chosen), Path(room)))
    note = f"{tries} fork storms, p95 {_p95(taken) * 1000:.0f} ms, longest {max(taken) * 1000:.0f} ms"
    return Line("a stopped build is dead", statistics.median(taken), note=note)


def ways_out() -> Line:
    """What a machine's first run waits for: all that `sealwright doctor --selftest` tries."""
    return Line("all ways out tried", timed(selftest))


@dataclass
class _Storm:
    """Takes output; wants the build stopped a while after its first word, and knows when it said so."""

    said: float = 0.0
    stopped: float = 0.0
    ready: float = field(default=0.3)

    def write(self, _channel: str, _data: bytes) -> None:
        self.said = self.said or time.monotonic()

    def finish(self, exit_status: int) -> None:
        raise AssertionError("there is no log")

    def abort(self) -> None:
        raise AssertionError("there is no log")

    def stop(self) -> str:
        if not self.said or time.monotonic() < self.said + self.ready:
            return ""
        self.stopped = self.stopped or time.monotonic()
        return "enough"


def _killed(uid: int | None, room: Path) -> float:
    storm = _Storm()
    box = Sandbox(uid=uid, environment=BASE_ENVIRONMENT, processes=200, memory=2 << 30, grouped=True)
    words = ("/usr/bin/python3", "-c", _STORM)
    watched = runner.Watched(storm, lambda sample: None, storm.stop)  # type: ignore[arg-type]
    runner.run(box, words, Limits(wall=60, memory=2 << 30), room, watched)
    return time.monotonic() - storm.stopped


def _job(chosen: Identities, out: Path) -> float:
    """A build job that says a word, on the host's /usr; gives the seconds until it was said."""
    sources = out / "sources"
    for folder in (sources / "source", sources / "files"):
        folder.mkdir(parents=True, exist_ok=True)
    builder = SandboxBuilder(chosen, Environments(_no_archive))
    job = BuildJob(
        "bench", "commands", ("echo up",), Prepared("host", None, "0" * 64, (), {}), sources, 0, Limits(), ()
    )
    words = _Storm()
    with tempfile.TemporaryDirectory(dir=out) as room:
        begun = time.monotonic()
        done = builder.run(job, Path(room), words, lambda sample: None, lambda: "")  # type: ignore[arg-type]
    assert done.exit == 0, done
    return words.said - begun


def _no_archive(_suite: str) -> DebianArchive:
    raise AssertionError("the bench builds on the host's /usr")


def _script(place: str) -> str:
    compiler = "gcc -O2 -c -o /dev/stdout" if shutil.which("gcc") else "sha512sum"
    return _BUILD.format(place=place, compiler=compiler)


def _build_inside(uid: int | None, out: Path) -> None:
    box = Sandbox(uid=uid, binds=(Bind(out, "/out", writable=True),), environment=BASE_ENVIRONMENT, grouped=True)
    with prepared(box, ["sh", "-c", _script("/out")]) as ready:
        _run(ready.argv, ready.descriptors, ready.spawn)


def _build_plainly(uid: int | None, out: Path) -> None:
    drop = () if uid is None else ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups")
    root = ("unshare", "--root=/") if os.geteuid() == 0 else ()
    _run((*root, *drop, "sh", "-c", _script(str(out))), ())


def _run(argv: Sequence[str], descriptors: tuple[int, ...], spawn: Spawn = subprocess.Popen) -> None:
    with spawn(
        argv, env=dict(BASE_ENVIRONMENT), cwd=Path("/"), pass_fds=descriptors, stdout=subprocess.DEVNULL
    ) as child:
        assert child.wait() == 0, argv


def _interleaved(
    kinds: dict[str, Callable[[], None]], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds on the clock, and of processors, by kind."""
    chance = random.Random(5)  # noqa: S311 - an order, no secret
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    worked: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind in chance.sample(list(kinds), len(kinds)):
            before = _worked()
            taken[kind].append(timed(kinds[kind]))
            worked[kind].append(_worked() - before)
    return taken, worked


def _worked() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)]
