"""Pins: a file of one's own, read strictly, changed whole, and never replaced unless that is asked for."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from sealwright_stages.check.pins import OtherPinError, Pin, keep, now_pinned, read_pins, written
from sealwright_stages.errors import MachineError, ManifestError

A, B = "A" * 40, "B" * 40


def pin(name: str = "example", **keys: tuple[str, ...]) -> Pin:
    """A pin of two persons, or of these."""
    persons = keys or {"manager-a": (A,), "manager-b": (B,)}
    return now_pinned(Pin(name, persons, 1, release="example 1.0", policy_sha256="0" * 64), '/tmp/a "b"\n\udcff')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where pins are kept."""
    return tmp_path / "sealwright" / "pins.toml"


def test_what_is_kept_is_read_again_in_a_file_of_ones_own(file: Path) -> None:
    keep(file, pin())
    keep(file, pin("other", me=(A,)))
    known = read_pins(file)
    assert known["example"].persons == pin().persons and set(known) == {"example", "other"}
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    assert known["example"].source == '/tmp/a "b"\n?'


def test_a_pin_with_other_keys_or_another_threshold_is_never_written_over(file: Path) -> None:
    keep(file, pin())
    before = file.read_bytes()
    for other in (pin(mallory=(A,)), pin(**{"manager-a": (A, B)})):
        with pytest.raises(OtherPinError):
            keep(file, other)
    keep(file, pin())
    assert file.read_bytes() == before
    keep(file, pin(mallory=(B,)), instead=read_pins(file)["example"])
    assert read_pins(file)["example"].persons == {"mallory": (B,)}


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("threshold = 1", "threshold = 3", 7),
        ("threshold = 1", "threshold = true", 7),
        ("threshold = 1", "threshold = 1\nextra = 1", 8),
        (f'["{A}"]', '["ABCD1234"]', 12),
        (f'["{A}"]', f'["{B}"]', 15),
        ("pinned", "pinnned", 4),
        ("[release", "[releases", 1),
        ('policy_sha256 = "0', 'policy_sha256 = "x', 8),
        ("threshold = 1", "threshold = ", 7),
    ],
)
def test_what_is_not_known_in_it_is_refused_with_its_line(file: Path, old: str, new: str, line: int) -> None:
    keep(file, pin())
    text = file.read_text()
    file.write_text(text.replace(old, new, -1 if old == "[release" else 1))
    with pytest.raises(ManifestError) as told:
        read_pins(file)
    assert told.value.what.endswith(f"pins.toml:{line}") or line == 1, told.value.what


@pytest.mark.parametrize("data", [b"\xff\xfe", b"\0", b"[" * 100_000, b"release = 1\n"])
def test_garbage_is_refused(file: Path, data: bytes) -> None:
    keep(file, pin())
    file.write_bytes(data)
    with pytest.raises(ManifestError):
        read_pins(file)


def test_a_file_that_somebody_else_may_have_written_is_refused(file: Path, tmp_path: Path) -> None:
    keep(file, pin())
    for path, mode in ((file, 0o644), (file, 0o620), (file.parent, 0o777)):
        was = path.stat().st_mode & 0o777
        path.chmod(mode)
        with pytest.raises(MachineError):
            read_pins(file)
        path.chmod(was)
    read_pins(file)
    file.rename(tmp_path / "moved")
    file.symlink_to(tmp_path / "moved")
    with pytest.raises(MachineError):
        read_pins(file)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(MachineError):
        read_pins(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_owner_is_refused(file: Path) -> None:
    keep(file, pin())
    os.chown(file, 12345, -1)
    with pytest.raises(MachineError, match="12345"):
        read_pins(file)


def _keeps(file: Path, name: str) -> None:
    keep(file, pin(name, me=(A,)))


def test_those_who_pin_at_the_same_time_lose_nothing(file: Path) -> None:
    fork = multiprocessing.get_context("fork")
    names = [f"release-{number}" for number in range(8)]
    every = [fork.Process(target=_keeps, args=(file, name)) for name in names]
    for process in every:
        process.start()
    for process in every:
        process.join()
    assert set(read_pins(file)) == set(names)


def test_who_is_killed_while_it_writes_leaves_the_old_file_and_nothing_in_the_way(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(file, pin())
    before = file.read_bytes()
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Path, "rename", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        keep(file, pin("other"))
        os._exit(0)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1]) and file.read_bytes() == before
    assert list(file.parent.glob(".*.new"))
    keep(file, pin("other"))
    assert set(read_pins(file)) == {"example", "other"} and not list(file.parent.glob(".*.new"))


def test_an_empty_table_is_no_pin_file_with_something_in_it() -> None:
    assert "[release" not in written({})
