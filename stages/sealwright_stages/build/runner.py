"""Runs one build in the sandbox and watches it: output to the log, samples, limits, and a sure end.

- All output goes to the log as it comes; a build waits while the log does.
- A build that has lost its log is dead before the loss is raised, also when it says nothing.
- The caller is asked ten times a second whether to stop, the build is looked at four times a second, and the caller
  hears of every look.
- Over its time, memory or room it is killed, and the result says which, and how much. Room is bytes, and one file for
  each 4 KiB of them. What it left behind is looked at once more when it is dead.
- A build also ends when the machine comes down to its reserve of disk or memory. That is no verdict on it: who took
  the rest is not known. The kernel, if it must end something for want of memory, begins with builds.
- What the kernel ended for want of memory in the build's control group counts as killed, whatever the build made of it.
- The result says by what its processes and memory were limited, and what it took.
- Its output takes room too: what is beyond the limit is not written, and the build that said it is killed.
- `run` returns, or raises, only after every process of the build is dead, daemons included.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sealwright_stages.build.reserve import Reserve
from sealwright_stages.build.room_watch import RoomWatch, Taken
from sealwright_stages.build.watch import TreeWatch, family
from sealwright_stages.errors import LogError, MachineError
from sealwright_stages.ports import BuildResult, Limits, OutputStream, Sampled
from sealwright_stages.process import BASE_ENVIRONMENT, kill_group
from sealwright_stages.sandbox.bwrap import Prepare, Sandbox, Start, prepared
from sealwright_stages.sandbox.cgroups import Groups
from sealwright_stages.sandbox.life import first_process, kill, wait_dead

_TICK = 0.1
_CHUNK = 64 << 10
_BIRTH = 30.0  # seconds that bwrap may take to begin
_DEATH = 30.0  # seconds until a killed sandbox must be gone
_BYTES_PER_FILE = 4096
_DRAIN = 120.0  # seconds until the log must have taken what a dead build had said


@dataclass(frozen=True)
class Watched:
    """What the runner reports to and obeys."""

    output: OutputStream
    on_sample: Callable[[Sampled], None]
    stop: Callable[[], str]


def run(
    box: Sandbox,
    argv: tuple[str, ...],
    limits: Limits,
    room: Path,
    watched: Watched,
    *,
    prepare: Prepare = prepared,
    reserve: Callable[[Path], Reserve] = Reserve,
) -> BuildResult:
    """Run `argv` in `box`; `room` is the folder whose size `limits.disk` bounds. The last two are others in tests only.

    Raises:
        MachineError: the sandbox can't be made, or its processes can't be ended.
        Exception: whatever `watched` raises, after the build is dead.
    """
    begun = time.monotonic()
    kept = reserve(room)
    most = Taken(limits.disk, limits.disk // _BYTES_PER_FILE)
    with prepare(box, argv) as start, _started(start) as (child, life):
        tree = TreeWatch(child.pid, start.groups)
        with RoomWatch(room, lambda: family(child.pid, start.groups), most) as taken:
            pump = _Pump(child, watched.output, limits.disk)
            try:
                killed = _watch(child, pump, limits, watched, taken, begun, tree, start.groups, kept)
            finally:
                life.kill()
                kill_group(child)
                life.wait()
                pump.join()
            killed = killed or _starved(start.groups, limits) or _crowded(limits, taken.last())
        used = replace(tree.used(), disk=taken.peak.bytes, files=taken.peak.files, said=pump.said)
    pump.check()
    if killed and killed == kept.reached_because:
        raise MachineError(f"{room.name} can't be built", killed, "make room, then run again")
    killed = killed or _flood(limits, 0, pump.said)
    if child.returncode != 0 and not killed and life.never_began:
        raise MachineError(
            "the build sandbox can't be made", pump.last_words(), "run `sealwright doctor`, then run again"
        )
    wall = round((time.monotonic() - begun) * 1000)
    last = pump.last_line() if child.returncode else ""
    return BuildResult(child.returncode, wall, killed, last, start.groups.limited_by, used)


class _Life:
    """The sandbox's first process, awaited once."""

    def __init__(self, info: int) -> None:
        self._info = info
        self._first = first_process(info, _BIRTH)
        self.never_began = self._first is None

    def kill(self) -> None:
        """Kill the sandbox from within, before its outermost process is."""
        kill(self._first)

    def wait(self) -> None:
        """Wait until the sandbox is dead, once its outermost process is."""
        first, self._first = self._first, None
        if first is None:  # it may have begun late, and its number may just have been told
            first = first_process(self._info, 0)
        wait_dead(first, _DEATH, "the build")


@contextlib.contextmanager
def _started(start: Start) -> Iterator[tuple[subprocess.Popen[bytes], _Life]]:
    try:
        child = start.spawn(
            start.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(BASE_ENVIRONMENT),
            cwd="/",
            pass_fds=start.descriptors,
            start_new_session=True,
        )
    except OSError as error:
        raise MachineError(
            "the build sandbox can't be started", error.strerror or str(error), "run `sealwright doctor`"
        ) from error
    start.release()
    _expendable([child.pid])
    with child:
        try:
            life = _Life(start.info)
            yield child, life
        except BaseException:
            kill_group(child)
            raise


def _watch(
    child: subprocess.Popen[bytes],
    pump: _Pump,
    limits: Limits,
    watched: Watched,
    taken: RoomWatch,
    begun: float,
    tree: TreeWatch,
    groups: Groups,
    reserve: Reserve,
) -> str:
    """Stand by until the build ends or must be ended; returns why it must, or nothing."""
    sample_at = begun
    mark_at = time.monotonic() + _TICK
    while not _ends_within(child, min(_TICK, max(0.0, sample_at - time.monotonic()))):
        now = time.monotonic()
        if now >= mark_at:  # what was started before we could say so of the first one
            _expendable(family(child.pid, groups))
            mark_at = math.inf
        if pump.lost.is_set():
            return "its log is lost"
        over = _over(limits, now - begun, taken.used, pump.said) or _starved(groups, limits)
        if reason := watched.stop() or over or reserve.reached():
            return reason
        if now >= sample_at:
            sample = tree.sample()
            sample_at = now + tree.pause
            room, since = taken.used, round((now - begun) * 1000)
            watched.on_sample(replace(sample, disk=room.bytes, files=room.files, said=pump.said, elapsed_ms=since))
            if sample.memory > limits.memory:
                return f"it used {sample.memory >> 20} MiB of memory, more than {limits.memory >> 20}"

    return ""


def _expendable(pids: Iterable[int]) -> None:
    """Have the kernel choose these, and what they start from here on, if it must end something for want of memory."""
    for pid in pids:
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/oom_score_adj").write_text("1000", encoding="ascii")


def _ends_within(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether the child ends in that time. Popen's own `wait` would look, and sleep, and look again."""
    if child.poll() is not None:
        return True
    ended = os.pidfd_open(child.pid)
    try:
        with selectors.PollSelector() as watch:
            watch.register(ended, selectors.EVENT_READ)
            watch.select(seconds)
    finally:
        os.close(ended)
    return child.poll() is not None


def _over(limits: Limits, seconds: float, taken: Taken, said: int) -> str:
    if seconds > limits.wall:
        return f"it took longer than {limits.wall} s"
    return _crowded(limits, taken) or _flood(limits, taken.bytes, said)


def _crowded(limits: Limits, taken: Taken) -> str:
    if taken.bytes > limits.disk:
        return f"it took {taken.bytes >> 20} MiB of disk, more than {limits.disk >> 20}"
    if taken.files > limits.disk // _BYTES_PER_FILE:
        return f"it made {taken.files} files, more than {limits.disk // _BYTES_PER_FILE}"
    return ""


def _flood(limits: Limits, room: int, said: int) -> str:
    if room + said <= limits.disk:
        return ""
    return f"it took {room >> 20} MiB of disk and said {said >> 20} MiB, more than {limits.disk >> 20} together"


def _starved(groups: Groups, limits: Limits) -> str:
    return f"it wanted more than {limits.memory >> 20} MiB of memory" if groups.out_of_memory() else ""


class _Pump:
    """Carries the build's output to the log, in a thread of its own, since writing may block."""

    def __init__(self, child: subprocess.Popen[bytes], output: OutputStream, limit: int) -> None:
        assert child.stdout and child.stderr  # noqa: S101 - both are pipes
        self.said = 0
        self._limit = limit
        self.lost = threading.Event()
        self._error: BaseException | None = None
        self._output = output
        self._tail = b""
        self._pipes: dict[int, Literal["D", "E"]] = {child.stdout.fileno(): "D", child.stderr.fileno(): "E"}
        self._thread = threading.Thread(target=self._carry, name="output", daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        try:
            with selectors.DefaultSelector() as watch:
                for pipe, channel in self._pipes.items():
                    watch.register(pipe, selectors.EVENT_READ, channel)
                while watch.get_map():
                    for key, _ in watch.select():
                        data = os.read(key.fd, _CHUNK)
                        if not data:
                            watch.unregister(key.fd)
                            continue
                        self.said += len(data)
                        self._tail = (self._tail + data)[-400:]
                        if self.said <= self._limit:
                            self._output.write(key.data, data)
        except BaseException as error:  # noqa: BLE001 - carried to the thread that asked, see `check`
            self._error = error
            self.lost.set()

    def join(self) -> None:
        """Wait until all that was said is in the log.

        Raises:
            LogError: the log takes nothing any more.
        """
        self._thread.join(_DRAIN)
        if self._thread.is_alive():
            raise LogError(
                "a build's output is lost", "the log takes nothing any more", "look at the log authority"
            )

    def check(self) -> None:
        """Raise what the log raised."""
        if self._error is not None:
            raise self._error

    def last_line(self) -> str:
        """The last line that is not empty, as far as it is kept; a stranger's text."""
        lines = self._tail.decode("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def last_words(self) -> str:
        """The end of the output as one line."""
        return " / ".join(self._tail.decode("utf-8", "replace").split("\n")).strip(" /") or "it said nothing"
