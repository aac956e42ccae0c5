"""The work folder: one release, one console."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sealwright_stages.errors import MachineError, ManifestError
from sealwright_stages.work import WorkFolder

HOLDER = (
    "import sys, signal\n"
    "from pathlib import Path\n"
    "from sealwright_stages.work import WorkFolder\n"
    "with WorkFolder(Path(sys.argv[1])).locked():\n"
    "    print('held', flush=True)\n"
    "    signal.pause()\n"
)


def test_a_new_folder_is_made_and_known_again(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "deep" / "work")
    work.prepare("example-1.0")
    (work.quarantine / "left").write_text("x")
    work.prepare("example-1.0")
    assert (work.quarantine / "left").exists()
    assert json.loads((work.root / "release.json").read_text()) == {"release": "example-1.0"}


def test_a_folder_of_another_release_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    work.prepare("example-1.0")
    work.sources.rmdir()
    with pytest.raises(ManifestError, match=r"it holds example-1\.0"):
        work.prepare("example-1.1")
    assert not work.sources.exists()


def test_a_folder_of_something_else_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    with pytest.raises(ManifestError, match="it holds something else"):
        WorkFolder(tmp_path).prepare("example-1.0")
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"release": '])
def test_a_broken_marker_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "release.json").write_text(text)
    with pytest.raises((MachineError, ManifestError)):
        WorkFolder(tmp_path).prepare("example-1.0")
    assert not (tmp_path / "sources").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "work").write_text("x")
    with pytest.raises(MachineError, match="can't be used"):
        WorkFolder(tmp_path / "work").prepare("example-1.0")


def test_only_their_owner_writes_into_the_folders(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        work = WorkFolder(tmp_path / "work")
        work.prepare("example-1.0")
    finally:
        os.umask(before)
    folders = [work.root, *(entry for entry in work.root.iterdir() if entry.is_dir())]
    modes = {folder.name: folder.stat().st_mode & 0o022 for folder in folders}
    assert set(modes.values()) == {0}
    for written_by_strangers in (work.quarantine, work.build):
        assert written_by_strangers.stat().st_mode & 0o077 == 0
    assert "private" in modes


def test_a_second_console_is_refused_and_told_who_holds_the_folder(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    with work.locked(), pytest.raises(MachineError, match=rf"pid {os.getpid()} ") as caught, work.locked():
        pass
    assert "sealwright status" in caught.value.next_step


def test_the_lock_is_let_go_at_the_end(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    with pytest.raises(RuntimeError), work.locked():
        raise RuntimeError("the run fell over")
    with work.locked():
        work.prepare("example-1.0")


def test_a_dead_console_does_not_hold_the_lock(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(MachineError, match=rf"pid {holder.pid} "), work.locked():
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    with work.locked():
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_nobody_else_can_open_the_lock_and_so_hold_it(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    (tmp_path / "lock").write_text("")
    (tmp_path / "lock").chmod(0o644)  # as an earlier version made it
    with work.locked():
        assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("a diary\n")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "lock").symlink_to("../precious")
    with pytest.raises(MachineError, match="can't be used"), WorkFolder(tmp_path / "work").locked():
        pass
    assert (tmp_path / "precious").read_text() == "a diary\n"


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_a_folder_in_which_others_may_write_is_refused_before_anything_is_touched(
    tmp_path: Path, mode: int
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(MachineError, match="not ours alone") as caught, WorkFolder(folder).locked():
        pass
    assert f"mode {mode:o}" in caught.value.because and list(folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="another uid needs root")
def test_a_folder_of_somebody_else_is_refused_even_by_root(tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(MachineError, match="not ours alone") as caught, WorkFolder(folder).locked():
        pass
    assert "uid 65534" in caught.value.because


def test_whoever_holds_the_lock_knows_when_the_folder_is_another(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path / "work")
    with work.locked() as lock:
        assert lock.stands()
        work.root.rename(tmp_path / "moved")
        assert not lock.stands()
        with work.locked() as second:
            assert second.stands() and not lock.stands()
