"""The cache of build roots: one maker at a time, nothing goes that another run uses, what nobody uses goes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealwright_stages.build.debian_root import still
from sealwright_stages.build.root_cache import held, prune, share, use, vacate
from sealwright_stages.build.tree_digest import tree_digest, tree_lines
from sealwright_stages.errors import BuildError, InterruptedRunError
from sealwright_stages.ports import Workshop
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox

DAY = 86400.0


def workshop(notes: list[str] | None = None) -> Workshop:
    nowhere = Path("/nonexistent")
    said = [] if notes is None else notes
    return Workshop(
        nowhere, nowhere, threading.Event(), lambda a, b, note: said.append(note), BwrapFetchSandbox(None)
    )


def place(cache: Path, digit: str = "a", days: float = 0) -> Path:
    """A place in the cache with a root that was last used so many days ago."""
    folder = cache / (digit * 64)
    (folder / "root").mkdir(parents=True)
    for name in ("used", "root.json"):
        (folder / name).touch()
        os.utime(folder / name, (then := time.time() - days * DAY, then))
    return folder


@contextlib.contextmanager
def another_run(file: Path, how: str) -> Iterator[None]:
    """Another process that holds a lock file."""
    script = (
        f"import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.{how}); print(flush=True); input()"
    )
    argv = [sys.executable, "-c", script, str(file)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        yield
        other.communicate(b"\n")


def test_who_waits_for_another_run_is_told_and_can_be_interrupted(tmp_path: Path) -> None:
    folder, notes = place(tmp_path), []
    ours = workshop(notes)
    with another_run(folder / "lock", "LOCK_EX"):
        threading.Timer(0.3, ours.cancel.set).start()
        with pytest.raises(InterruptedRunError), held(folder, ours):
            pass
    assert notes == ["waits for another run, which makes this build root"]
    with held(folder, workshop()):
        pass


def test_a_place_that_went_away_while_it_was_waited_for_is_made_again(tmp_path: Path) -> None:
    folder = place(tmp_path, days=31)
    with another_run(folder / "lock", "LOCK_EX"):
        (folder / "lock").rename(folder / "gone")
        with held(folder, workshop()):
            assert (folder / "lock").exists()


def test_a_root_that_another_run_uses_is_neither_made_anew_nor_removed(tmp_path: Path) -> None:
    folder = place(tmp_path, days=31)
    with another_run(folder / "used", "LOCK_SH"):
        with pytest.raises(BuildError, match="another run uses it"):
            vacate(folder)
        prune(tmp_path, time.time())
        assert (folder / "root").exists()
    vacate(folder)


def test_a_root_that_nobody_has_used_for_thirty_days_goes_and_no_other(tmp_path: Path) -> None:
    old, young, ours = place(tmp_path, "a", 31), place(tmp_path, "b", 29), place(tmp_path, "c", 31)
    foreign = place(tmp_path, "d", 31).rename(tmp_path / "notes")
    with held(ours, workshop()):
        use(ours)
    prune(tmp_path, time.time() + 0.5 * DAY)
    assert not old.exists() and young.exists() and ours.exists() and foreign.exists()
    prune(tmp_path, time.time() + 40 * DAY)
    assert not young.exists() and ours.exists(), "this process uses it"
    vacate(ours)


def test_a_disk_that_shares_no_files_keeps_a_root_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("base", "root"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("same")
        os.utime(tmp_path / name / "file", (1, 1))

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    base, root = tmp_path / "base", tmp_path / "root"
    before = tree_digest(root)
    share(base, tree_lines(base), root, tree_lines(root))
    assert tree_digest(root) == before


def test_a_base_that_was_spoiled_after_it_was_read_does_not_come_into_a_root(tmp_path: Path) -> None:
    base, root = tmp_path / "base", tmp_path / "root"
    for folder in (base, root):
        folder.mkdir()
        (folder / "file").write_text("same")
        os.utime(folder / "file", (1, 1))
    ours, theirs = tree_lines(base), tree_lines(root)
    still(root, theirs)
    (base / "file").write_text("evil")
    os.utime(base / "file", (1, 1))
    share(base, ours, root, theirs)
    with pytest.raises(BuildError, match="changed while it was made"):
        still(root, theirs)
