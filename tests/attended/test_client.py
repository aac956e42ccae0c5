"""Starting an engine: what it refuses and how it dies is told by whoever started it; none of our terminal goes to it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from sealwright_stages.attended import client
from sealwright_stages.attended.client import EngineGoneError, exhibits, gone, refusal, start
from sealwright_stages.attended.place import Place
from sealwright_stages.attended.protocol import Over
from sealwright_stages.errors import Exit, InterruptedRunError, LogError, MachineError, ManifestError, SigningError
from sealwright_stages.events import Stage
from sealwright_stages.wish import Wish
from sealwright_stages.work import WorkFolder


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(WorkFolder(tmp_path / "work"))


def begin(place: Place, **changes: Any) -> object:
    told = {"manifest": place.work.root / "no.toml", "work": None, "jobs": 1, "attended": True, "tool": "0.1.0"}
    return start(Wish(**{**told, **changes}), Stage.SIGN, place, lambda what: None)


def test_what_the_engine_refuses_is_raised_as_it_was_refused(place: Place) -> None:
    with pytest.raises(ManifestError, match=r"no\.toml"):
        begin(place)
    assert not place.work.root.exists()


def test_an_engine_that_dies_before_it_listens_is_told_with_its_last_words(place: Place) -> None:
    with pytest.raises(EngineGoneError) as caught:
        begin(place, jobs="many")
    assert "invalid int value: 'many'" in caught.value.because and "exit 2" in caught.value.because


def test_an_engine_that_is_killed_before_it_listens_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    killed = place.work.root.parent / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(client.sys, "executable", str(killed))  # type: ignore[attr-defined]
    with pytest.raises(EngineGoneError, match="did not start"):
        begin(place)


def test_nothing_of_our_terminal_goes_to_the_engine(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = place.work.root.parent / "spy"
    told = place.work.root.parent / "told"
    look = f"import os; print(os.getsid(0) == os.getpid(), sorted(os.listdir('/proc/self/fd')), 'GPG_TTY' in os.environ, file=open({str(told)!r}, 'w'))"
    spy.write_text(f'#!/bin/sh\nexec {sys.executable} -I -c "{look}"\n')
    spy.chmod(0o755)
    monkeypatch.setenv("GPG_TTY", "/dev/pts/1")
    held = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(held, True)
    monkeypatch.setattr(client.sys, "executable", str(spy))  # type: ignore[attr-defined]
    with pytest.raises(EngineGoneError):
        begin(place)
    os.close(held)
    leads, descriptors, gpg_tty = eval(told.read_text().replace(" [", ", [").replace("] ", "], "))  # noqa: S307
    assert leads and not gpg_tty
    assert str(held) not in descriptors and len(descriptors) <= 5  # three, the pipe, and the listing itself


@pytest.mark.parametrize(
    ("code", "family"),
    [
        (Exit.USAGE, ManifestError),
        (Exit.ENVIRONMENT, MachineError),
        (Exit.LOG, LogError),
        (Exit.SIGNING, SigningError),
        (Exit.INTERRUPTED, InterruptedRunError),
        (77, MachineError),
    ],
)
def test_an_end_is_the_error_that_it_was(code: int, family: type[Exception], tmp_path: Path) -> None:
    (tmp_path / "note").write_bytes(b"two notes\n")
    kept = (("checkpoint", str(tmp_path / "note")), ("other", str(tmp_path / "gone")))
    error = refusal(Over(int(code), "what", "because", "next", kept))
    assert type(error) is family and (error.what, error.because, error.next_step) == ("what", "because", "next")
    assert (
        [each.data for each in error.exhibits]
        == [b"two notes\n", b""]
        == [e.data for e in exhibits(Over(4, "", "", "", kept))]
    )


def test_an_engine_that_is_gone_is_told_with_what_is_known_of_it(place: Place) -> None:
    assert f"signal {signal.SIGKILL.value}" in gone(place, 7, -9).because
    assert "without a word" in gone(place, 7).because and "memory" in gone(place, 7).next_step
    place.folder.mkdir(parents=True, mode=0o700)
    place.stderr.write_text("Traceback\nMemoryError: all of it\n")
    assert gone(place, 7, 1).because == "MemoryError: all of it"
