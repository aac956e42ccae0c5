"""The private home: nobody else's, gone afterwards, and gone at the next start if its process was killed."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealwright_keyring.gpg import Gpg
from sealwright_keyring.home import PrivateHome, remove_abandoned

HOLD = """
import sys
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.home import PrivateHome
home = PrivateHome(Gpg())
print(home.folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where homes lie during the test."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
    gc.collect()


def holder(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that holds a home below `folder`."""
    env = {"TMPDIR": str(folder), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    argv = [sys.executable, "-c", HOLD]
    child = subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    return child, Path(child.stdout.readline().strip())


def end(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.communicate(timeout=20)


def test_a_home_is_ours_alone_and_gone_afterwards(temporary: Path) -> None:
    home = PrivateHome(Gpg())
    assert home.folder.parent == temporary
    assert home.folder.stat().st_mode & 0o777 == 0o700
    home.close()
    assert list(temporary.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_a_living_ones_home_stays(temporary: Path) -> None:
    dead, left = holder(temporary)
    living, kept = holder(temporary)
    ours = PrivateHome(Gpg())
    try:
        end(dead)
        (left / "pubring.kbx").write_bytes(b"certificates")
        remove_abandoned(Gpg())
        assert sorted(temporary.iterdir()) == sorted([kept, ours.folder])
    finally:
        end(living)
        ours.close()
    remove_abandoned(Gpg())
    assert list(temporary.iterdir()) == []


def test_nothing_but_abandoned_homes_is_removed(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "kept").touch()
    (temporary / "sealwright-home-link").symlink_to(elsewhere)
    (temporary / "sealwright-home-file").touch()
    (temporary / "another").mkdir()
    remove_abandoned(Gpg())
    assert {path.name for path in temporary.iterdir()} == {
        "sealwright-home-link",
        "sealwright-home-file",
        "another",
    }
    assert (elsewhere / "kept").exists()


def test_a_home_that_was_taken_for_abandoned_is_made_again(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    real = fcntl.flock
    swept: list[int] = []

    def late(descriptor: int, how: int) -> None:
        if not swept:
            swept.append(descriptor)
            (folder,) = temporary.iterdir()
            folder.rmdir()
        real(descriptor, how)

    monkeypatch.setattr("sealwright_keyring.home.fcntl.flock", late)
    home = PrivateHome(Gpg())
    assert home.folder.is_dir()
    home.close()
