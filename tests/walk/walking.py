"""Runs `sealwright` on a small real release, and sees what is left of it.

- A run is a process of its own, forked from one that has the program loaded (`support.loaded`); with `INSTALLED`, or
  anything else before it, it is the installed program, from its first byte on.
- Whatever a test starts and whatever that leaves behind is a descendant of the test: this process adopts orphans,
  so a process that outlives its console can't hide.
- Nothing here sleeps for a time: `until` polls a condition and has a deadline.
- No run may say `Traceback`, whatever it was asked to do.
- What only looks may look within this process (`look`): loading the program takes longer than most of what it says.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import psutil

from sealwright_console.cli import main
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.life import unborn
from sealwright_stages.selftest.vouch import require_held
from support.loaded import Loaded, Run
from support.small_release import BIN

SEALWRIGHT = BIN / "sealwright"
INSTALLED = ("env",)  # goes before it: a program that starts it, and changes nothing
_PR_SET_CHILD_SUBREAPER = 36
_DEADLINE = 40.0
_STARTED: set[int] = set()  # children that a `Running` waits for


def adopt_orphans() -> None:
    """Make every orphan below this process its child."""
    if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError("this process can't become a subreaper")


def until(condition: Callable[[], Any], what: str | Callable[[], object], seconds: float = _DEADLINE) -> Any:
    """Poll until `condition` holds, and give what it gave; `what` says what was waited for in vain."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s: {what() if callable(what) else what}"
        pause.wait(0.01)
    return found


@dataclass(frozen=True)
class Done:
    """How a program ended, and what it said."""

    exit: int
    out: str
    err: str

    def __post_init__(self) -> None:
        assert "Traceback" not in self.out + self.err, self.err + self.out

    def well(self) -> Done:
        """It ended with a yes."""
        assert self.exit == 0, self.told()
        assert "error:" not in self.err, self.told()
        return self

    def refused(self, code: int, *words: str) -> Done:
        """It ended with `code` and one error, each reason with its next step, in which all of `words` stand."""
        assert self.exit == code, self.told()
        lines = self.err.splitlines()
        heads = [line.split(":", 1)[0] for line in lines if line.startswith(("error:", "because:", "next:"))]
        pairs = len(heads) // 2
        assert pairs and heads == ["error", *["because", "next"] * pairs], self.told()
        error = self.err[self.err.index("error:") :]
        assert all(line.split(":", 1)[1].strip() for line in error.splitlines()), self.told()
        for word in words:
            assert word in error, (word, self.told())
        return self

    def told(self) -> str:
        """For a failing test: everything."""
        return f"exit {self.exit}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Running:
    """A program that was started; its output goes to files, so that nothing ever waits for a reader."""

    loaded: ClassVar[Loaded | None] = None

    def __init__(
        self, argv: Sequence[str | Path], cwd: Path, spool: Path, env: Mapping[str, str], work: Path
    ) -> None:
        spool.mkdir(parents=True, exist_ok=True)
        self._work, self._begun = work, len(events(work))
        number = len(list(spool.iterdir()))
        self._files = spool / f"{number}.out", spool / f"{number}.err"
        with self._files[0].open("wb") as out, self._files[1].open("wb") as err:
            words = [str(word) for word in argv]
            self.child: Run | subprocess.Popen[bytes]
            if self.loaded is not None and argv[0] == SEALWRIGHT:
                self.child = self.loaded.begin(words[1:], cwd, env, out.fileno(), err.fileno())
            else:
                self.child = subprocess.Popen(
                    words,
                    cwd=cwd,
                    env=dict(env),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
        _STARTED.add(self.child.pid)

    def end(self, seconds: float = _DEADLINE) -> Done:
        """Wait until it has ended."""
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end\n{self._files[1].read_text()}") from None
        return Done(code, *(path.read_text("utf-8", "replace") for path in self._files))

    def stop(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send it a signal, alone or with its process group."""
        (os.killpg if group else os.kill)(self.child.pid, number)

    def events(self) -> list[dict[str, Any]]:
        """The events of the log, of this run and of those before."""
        return events(self._work)

    def seen(self, event: str, **fields: object) -> None:
        """Wait until the log holds an event of this run; it must not end before."""

        def there() -> bool:
            new = events(self._work)[self._begun :]
            assert self.child.poll() is None or any(_fits(e, event, fields) for e in new), self.end().told()
            return any(_fits(e, event, fields) for e in new)

        until(there, f"event {event} {fields}")

    def helper(self, module: str) -> psutil.Process:
        """The process below it that runs one of our other programs."""
        return self.program(f"{module}.cli")

    def program(self, word: str) -> psutil.Process:
        """The process below it whose program or script ends with `word`."""

        def look() -> psutil.Process | None:
            assert self.child.poll() is None, self.end().told()
            with contextlib.suppress(psutil.Error):
                for process in psutil.Process(self.child.pid).children(recursive=True):
                    with contextlib.suppress(psutil.Error):
                        words = process.cmdline()[:4]
                        if any(each.endswith(word) for each in words) and words[0] == sys.executable:
                            return process
            return None

        found: psutil.Process = until(look, word)
        return found


def events(work: Path) -> list[dict[str, Any]]:
    """The bodies of the events in a work folder's log so far, whole lines only."""
    try:
        lines = (work / "log" / "index.jsonl").read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    records = [json.loads(line) for line in lines]
    return [record["body"] for record in records if record["k"] == "ev"]


def _fits(body: Mapping[str, Any], event: str, fields: Mapping[str, object]) -> bool:
    return body["e"] == event and all(body.get(name) == value for name, value in fields.items())


def try_sandbox(cache: Path) -> None:
    """Make the cache of whoever knows that the sandbox holds; of several workers one tries it, and the others wait."""
    cache.mkdir(exist_ok=True)
    with cache.with_suffix(".lock").open("w") as turn, contextlib.suppress(MachineError):  # without one: skipped
        fcntl.flock(turn, fcntl.LOCK_EX)
        require_held(cache / "sealwright")


@dataclass
class Walk:
    """A release in a folder of its own: its manifest, its work folder, and the program."""

    tried: ClassVar[Path]  # a cache that knows that the sandbox holds, so that not every walk has to try it

    folder: Path
    text: str
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        (self.folder / "tmp").mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "TMPDIR": str(self.folder / "tmp"),
            "LC_ALL": "C.UTF-8",
        }
        shutil.copytree(self.tried, self.folder / "cache", dirs_exist_ok=True)
        self.manifest.write_text(self.text)
        self._before = set(_descendants())

    @property
    def manifest(self) -> Path:
        """`release.toml`."""
        return self.folder / "release.toml"

    @property
    def work(self) -> Path:
        """The work folder."""
        return self.folder / "work"

    @property
    def evidence(self) -> Path:
        """The evidence folder."""
        return self.work / "evidence"

    def change(self, old: str, new: str) -> None:
        """Change the manifest."""
        assert self.text.count(old) == 1, old
        self.text = self.text.replace(old, new)
        self.manifest.write_text(self.text)

    def start(self, *words: str | Path, before: Sequence[str | Path] = ()) -> Running:
        """Start `sealwright run --batch` with more `words`; `before` is an argument list that goes first."""
        argv = [*before, SEALWRIGHT, "run", self.manifest, "--work", self.work, "--batch", *words]
        return Running(argv, self.folder, self.folder / "said", self.env, self.work)

    def run(self, *words: str | Path, before: Sequence[str | Path] = ()) -> Done:
        """`start`, and wait until it has ended."""
        return self.start(*words, before=before).end()

    def say(self, *words: str | Path, before: Sequence[str | Path] = ()) -> Done:
        """Run `sealwright` with these words."""
        argv = [*before, SEALWRIGHT, *words]
        return Running(argv, self.folder, self.folder / "said", self.env, self.work).end()

    def look(self, *words: str | Path) -> Done:
        """What `sealwright` says with these words, called within this process. For what leaves everything as it is."""
        held = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        out, err = io.StringIO(), io.StringIO()
        try:
            with (
                contextlib.chdir(self.folder),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
            ):
                code = main([str(word) for word in words])
        finally:
            for number, handler in held.items():
                signal.signal(number, handler)
        return Done(code, out.getvalue(), err.getvalue())

    def signatures(self) -> list[str]:
        """The signatures in the evidence."""
        found = [*self.evidence.glob("**/SHA256SUMS.asc"), *self.evidence.glob("*.dsse.json")]
        return [path.name for path in found]

    def audit(self) -> Done:
        """Audit the evidence against the keyring of the inputs."""
        return self.look("audit", self.evidence, "--keyring", self.folder / "keyring")

    def nothing_survives(self) -> None:
        """Wait until every process that was started here is gone."""
        until(lambda: not set(_descendants()) - self._before, self.survivors, 15)

    def nothing_runs(self) -> None:
        """Wait until nothing that was started here runs; sandboxes that were never born may wait to be ended."""
        until(lambda: set(_descendants()) - self._before <= set(unborn()), self.survivors, 15)

    def survivors(self) -> list[str]:
        """What still lives, for a message."""
        shown = []
        for process in set(_descendants()) - self._before:
            with contextlib.suppress(psutil.Error):
                shown.append(f"{process.pid} uid {process.uids().real}: {' '.join(process.cmdline())}")
        return shown

    def kill_survivors(self) -> None:
        """End what a failed test left."""
        for process in set(_descendants()) - self._before:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def nothing_is_half_done(self, *, products: bool = False, log_lost: bool = False) -> None:
        """No process, no quarantined byte, no unfinished file, and no product unless there may be.

        With a lost log what is in the quarantine stays for the next run, since its deletion goes on the record.
        """
        self.nothing_survives()
        if self.work.exists():  # else it was ended before there was anything
            assert log_lost or list((self.work / "quarantine").iterdir()) == []
            assert list((self.work / "build").iterdir()) == []
        assert [name for name in files(self.work) if name.endswith(".new") or ".new/" in name] == []
        assert list((self.folder / "tmp").iterdir()) == []
        if not products:
            assert files(self.work / "products") == []

    def resumes(self, *words: str | Path) -> None:
        """Run again: it goes on to its end, and the evidence stands up to an audit."""
        self.run(*words).well()
        self.is_done()

    def is_done(self) -> None:
        """The release is signed, whole and lawful."""
        self.nothing_is_half_done(products=True)
        self.audit().well()


def files(folder: Path) -> list[str]:
    """Every file below a folder, by its path."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir() or p.is_symlink())


def _descendants() -> Iterator[psutil.Process]:
    """Living descendants of this process; adopted ones that have ended are reaped."""
    me = psutil.Process()
    for process in me.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                yield process
            elif process.ppid() == me.pid and process.pid not in _STARTED:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
