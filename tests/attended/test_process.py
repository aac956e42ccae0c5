"""The engine's process: whatever goes wrong around a run, its end is the run's own, told to whoever can be told."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sealwright_stages.attended import process
from sealwright_stages.attended.place import Place
from sealwright_stages.attended.protocol import Over
from sealwright_stages.engine import Ended
from sealwright_stages.errors import Exit, LogError, MachineError
from sealwright_stages.events import Stage
from sealwright_stages.state import State
from sealwright_stages.wish import Wish
from sealwright_stages.work import WorkFolder

SIGNED = Ended(Exit.DONE, "signed by manager-a: 1 of 1 needed, final", "", "publish it")


class Run:
    """An engine's process in this one, around a run that ends as it is told."""

    def __init__(self, work: WorkFolder, monkeypatch: pytest.MonkeyPatch) -> None:
        self.work, self.place = work, Place(work)
        self.during: Callable[[], object] = lambda: None
        self.closing: Callable[[], object] = lambda: None
        monkeypatch.setattr(process, "opened", self._opened)
        monkeypatch.setattr(process, "_say_into", lambda path: None)
        monkeypatch.setattr(process, "_stopped_by_signals", lambda stop: None)
        monkeypatch.setattr(process, "_VISIT", 0.0)

    @contextlib.contextmanager
    def _opened(self, *asked: object) -> Iterator[Any]:
        with self.work.locked() as lock:
            self.work.prepare("small-1.0")
            manifest = SimpleNamespace(release="small-1.0", sha256="0" * 64, keyring=self.work.root / "keyring")
            journal = SimpleNamespace(state=State(), picture=State)
            log = SimpleNamespace(lost=threading.Event(), why_lost="")
            context = SimpleNamespace(stands=lock.stands)
            engine = SimpleNamespace(run=self._run, journal=journal, context=context)
            yield SimpleNamespace(work=self.work, manifest=manifest, engine=engine, log=log, outlook=None)
            self.closing()

    def _run(self, until: Stage) -> Ended:
        self.during()
        return SIGNED

    def end(self) -> tuple[int, list[dict[str, Any]]]:
        """The exit code, and what the one who started it was told."""
        heard, said_to = os.pipe()
        code = process.run_engine(Wish(Path("x.toml"), None, 1, True, "0.1.0"), Stage.SIGN, process._Told(said_to))
        with os.fdopen(heard) as pipe:
            return code, [json.loads(each) for each in pipe]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(WorkFolder(tmp_path / "work"), monkeypatch)


def test_an_end_is_left_for_whoever_comes_next(run: Run) -> None:
    code, told = run.end()
    assert code == 0 and [each["m"] for each in told] == ["hello"]
    assert run.place.ended() == Over(0, SIGNED.what, "", SIGNED.next_step) and run.place.engine() is None


def test_an_end_that_can_not_be_left_is_no_other_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(place: Place, over: Over) -> None:
        raise MachineError("ended.json can't be written", "No space left on device", "make room")

    monkeypatch.setattr(Place, "leave", full)
    assert run.end()[0] == 0


def test_what_fails_after_the_end_is_no_other_end(run: Run) -> None:
    def fail() -> None:
        raise LogError("the log", "its authority did not stop", "look at it")

    run.closing = fail
    assert run.end()[0] == 0 and run.place.ended() is not None


def test_a_door_that_can_not_be_opened_is_told_and_left_for_whoever_comes_next(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(place: Place, hello: object) -> None:
        raise MachineError("the folder can't be used", "no sockets here", "mend it")

    monkeypatch.setattr(Place, "listen", refuse)
    code, (over,) = run.end()
    assert code == over["exit"] == 3 and over["because"] == "no sockets here"
    assert (ended := run.place.ended()) is not None and ended.because == "no sockets here"


@pytest.mark.parametrize("again", [False, True])
def test_an_engine_whose_folder_is_gone_leaves_nothing_in_the_one_that_lies_there_now(
    run: Run, again: bool
) -> None:
    def move() -> None:
        run.work.root.rename(run.work.root.with_name("moved"))
        if again:
            with run.work.locked():
                run.work.prepare("small-1.0")
                run.place.take()
                (run.place.folder / "socket").touch()

    run.during = move
    assert run.end()[0] == 0
    assert run.place.ended() is None and (run.place.folder / "socket").exists() is again
