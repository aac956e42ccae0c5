"""Kills a run's programs at random moments, and sees what is left: the record of what was acknowledged is our own.

- The release has a build that prints without end and one that prints nothing; both end when they are told.
- What a run says on stdout with `--json` it says after the acknowledgement, so each line must be in the log, as said.
- A copy of the log is opened by the authority's own code, sealed and audited after each kill.
- A sandbox is dead when no process lives that was below its outermost one at the kill.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sealwright_appendlog.audit import check_log, read_records
from sealwright_appendlog.keyfile import read_key
from sealwright_appendlog.store import Store
from sealwright_stages.sandbox.life import unborn
from walk.walking import Done, Running, Walk, files, until

BUILDS = ("loud", "quiet")
_GO = "until [ -e /build/go ]; do {}sleep 0.01; done"
_COMPONENT = """
[[component]]
name = "{name}"
git = "upstream/greeting.git"
tag = "v1.0"
signers = ["author"]
[component.build]
recipe = "commands"
commands = ["{wait}", "cp greeting.txt $OUT/{name}.out"]
products = ["*.out"]
limits = {{ wall = "5m", memory = "1G", disk = "1G", processes = 64 }}
"""


def two_builds(text: str) -> str:
    """The manifest `text` with these two builds instead of its own components."""
    waits = {"loud": _GO.format("seq 1 20000; "), "quiet": _GO.format("")}
    return text.split("[[component]]", 1)[0] + "".join(
        _COMPONENT.format(name=name, wait=wait) for name, wait in waits.items()
    )


@dataclass
class Sandbox:
    """The processes of a build's sandbox as they were at one moment, the outermost first."""

    processes: list[psutil.Process]

    @property
    def dead(self) -> bool:
        """Whether none of them lives."""
        return not any(_lives(process) for process in self.processes)


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def sandboxes(running: Running) -> list[Sandbox]:
    """The sandboxes of a run's builds, which outlive the run if anything does."""
    found = []
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(running.child.pid).children():
            with contextlib.suppress(psutil.Error):
                if "/build" in process.cmdline() and process.name() in ("bwrap", "prlimit", "setpriv"):
                    found.append(Sandbox([process, *process.children(recursive=True)]))
    return found


def in_builds(running: Running, work: Path) -> list[Sandbox]:
    """Wait until both builds run; gives their sandboxes."""
    for name in BUILDS:
        running.seen("build.started", component=name)
        until(lambda n=name: (work / "build" / n / "build" / n).exists(), f"{name} runs")  # type: ignore[misc]
    found: list[Sandbox] = until(lambda: len(each := sandboxes(running)) == len(BUILDS) and each, "two sandboxes")
    return found


_LET: set[int] = set()


def let_builds(work: Path) -> None:
    """Let the builds that run go on to their ends: each is told once, since its folder is removed when it has ended."""
    for name in BUILDS:
        inside = work / "build" / name / "build"
        with contextlib.suppress(OSError):
            if (inside / name).exists() and (number := inside.stat().st_ino) not in _LET:
                _LET.add(number)
                (inside / "go").touch()


def acknowledged(out: str) -> list[dict[str, object]]:
    """What a run with `--json` said of records, whole lines only."""
    lines = [json.loads(line) for line in out[: out.rfind("\n") + 1].splitlines()]
    return [line for line in lines if "n" in line]


def check_log_copy(work: Path, told: list[dict[str, object]]) -> int:
    """Open a copy of the work folder's log, seal it, audit it: each record that was `told` is there; gives them all."""
    if not (work / "log" / "index.jsonl").exists():
        assert told == []
        return 0
    with tempfile.TemporaryDirectory(dir=work.parent) as folder:
        copy = Path(shutil.copytree(work / "log", Path(folder) / "log"))
        store = Store(read_key(work / "private" / "log.key"), "example.org/never-used", copy)
        if not store.sealed:
            store.eof("engine", clean=False, exit_status=None, src="-")
            store.commit()
            store.seal("-", store.hash_segments())
        store.close()
        check_log(copy)
        entries = [entry for entry, _ in read_records(copy)]
    for line in told:
        entry = entries[int(str(line["n"]))]
        assert entry["t"] == line["t"], (line, entry)
        assert entry["k"] != "ev" or entry["body"].items() <= line.items(), (line, entry)
    return len(entries)


@dataclass
class Killing:
    """Rounds of kills of one `victim`, on one work folder until a run has ended well, and then on the next."""

    walk: Walk
    victim: str
    seed: int
    table: Counter[str] = field(default_factory=Counter)
    deaths: list[float] = field(default_factory=list)
    told: list[dict[str, object]] = field(default_factory=list)
    rounds: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - chooses moments

    def kill(self, times: int, *, each: int = 10) -> None:
        """Kill so many times; after `each` of them the release is walked to its end."""
        while self.rounds < times:
            self.rounds += 1
            if self._round() or self.rounds % each == 0:
                self._to_the_end()

    def _round(self) -> bool:
        """One kill at a random moment; says whether the run was done before."""
        begun = len(self.told)
        running = self.walk.start("--json", "--jobs", "2")
        where = self._random.choices(["build", "anywhere", "late"], [7, 2, 1])[0]
        found: list[Sandbox] = []
        if where == "anywhere" and self.victim != "builder":
            _wait(running, self._random.uniform(0.0, 2.5))
            found = sandboxes(running)
        else:
            found = in_builds(running, self.walk.work)
            if where == "late" and self.victim != "builder":
                let_builds(self.walk.work)
            _wait(running, self._random.uniform(0.0, 1.0 if where == "late" else 0.5))
        killed = self._kill(running, found)
        if killed and found:
            self._deaths(killed)
        done = running.end()
        self.told += acknowledged(done.out)
        self._judge(done, where, begun)
        return done.exit == 0 or where == "late"  # then builds may stand, and nothing would hold the next run

    def _kill(self, running: Running, found: list[Sandbox]) -> list[Sandbox]:
        """Kill the victim, if it is there; gives the sandboxes that must die of it."""
        if self.victim == "builder":
            for each in self._random.sample(found, len(found)):
                each.processes[0].kill()
            return found
        if self.victim == "console":
            with contextlib.suppress(ProcessLookupError):  # the run ended before
                running.stop(signal.SIGKILL)
            return found
        authority = None
        with contextlib.suppress(AssertionError):  # the run ended before
            authority = running.helper("sealwright_appendlog")
        with contextlib.suppress(psutil.Error):
            if authority is not None:
                authority.kill()
                return found
        return []

    def _deaths(self, killed: list[Sandbox]) -> None:
        begun = time.monotonic()
        until(lambda: all(each.dead for each in killed), self.walk.survivors, 30)
        self.deaths.append(time.monotonic() - begun)

    def _judge(self, done: Done, where: str, begun: int) -> None:
        """What holds after each kill."""
        wanted = {"authority": 4, "console": -signal.SIGKILL, "builder": 1}[self.victim]
        self.table[f"{where}: exit {done.exit}"] += 1
        assert done.exit in (wanted, 0), done.told()
        self.table["acknowledged"] += len(self.told) - begun
        if done.exit == 0:
            return
        if done.exit > 0:
            done.refused(done.exit)
        self._nothing_runs()
        self.table["checked"] += check_log_copy(self.walk.work, self.told)
        if self.victim == "builder":
            ended = [
                e["component"] for e in self._events() if e["e"] == "build.ended" and e["exit"] == -signal.SIGKILL
            ]
            assert set(ended[-2:]) == set(BUILDS) and files(self.walk.work / "products") == []
        else:
            self._no_product_of_a_build_that_was_cut_short(done)

    def _nothing_runs(self) -> None:
        """No process is left; a killed console may leave a sandbox that was never born, for its next start to end."""
        if self.victim != "console":
            self.walk.nothing_survives()
            return
        self.walk.nothing_runs()
        self.table["never born"] += len(unborn())

    def _no_product_of_a_build_that_was_cut_short(self, done: Done) -> None:
        """A killed console can't clean up; but what is not in the log as a product of a build that ended is none."""
        passed = {e["component"] for e in self._events() if e["e"] == "build.ended" and e["exit"] == 0}
        for name in BUILDS:
            if name not in passed:
                assert files(self.walk.work / "products" / name) == [], done.told()

    def _events(self) -> Iterator[dict[str, object]]:
        index = self.walk.work / "log" / "index.jsonl"
        data = index.read_bytes() if index.exists() else b""
        for line in data[: data.rfind(b"\n") + 1].splitlines():
            entry = json.loads(line)
            if entry["k"] == "ev":
                yield entry["body"]

    def _to_the_end(self) -> None:
        """The next run resumes, ends well, and stands up to an audit; then all begins anew."""
        running = self.walk.start("--json", "--jobs", "2")
        until(lambda: let_builds(self.walk.work) or running.child.poll() is not None, "the run ends", 60)
        done = running.end().well()
        self.told += acknowledged(done.out)
        self.walk.is_done()
        check_log_copy(self.walk.work, self.told)
        self.table["walked to the end"] += 1
        shutil.rmtree(self.walk.work)
        self.told.clear()

    def print_table(self) -> None:
        """Say what was counted."""
        print(f"\n{self.victim}: {self.rounds} kills, seed {self.seed}")
        for what, number in sorted(self.table.items()):
            print(f"  {what:24} {number:7}")
        if self.deaths:
            middle = sorted(self.deaths)[len(self.deaths) // 2]
            print(
                f"  sandboxes dead after     {middle:7.3f} s, at most {max(self.deaths):.3f} s ({len(self.deaths)} times)"
            )


def _wait(running: Running, seconds: float) -> None:
    """Let so much time pass, or the run end."""
    deadline = time.monotonic() + seconds
    until(lambda: time.monotonic() > deadline or running.child.poll() is not None, "time passes", seconds + 5)
