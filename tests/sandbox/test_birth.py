"""What a program that is born in a thread with mounts of its own sees, and what nobody else does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sealwright_stages import process
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.birth import birthplace
from sealwright_stages.sandbox.reach import STAGE, staged

root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


def test_with_nothing_to_show_it_is_popen_itself() -> None:
    with birthplace({}, ()) as spawn:
        assert spawn is subprocess.Popen


@root
def test_folders_and_files_are_seen_at_plain_names_below_a_closed_folder_and_by_nobody_else(
    tmp_path: Path,
) -> None:
    closed = tmp_path / "closed"
    folder, file = closed / "a, b\n# c", closed / "file"
    folder.mkdir(parents=True)
    (folder / "within").write_text("in a folder\n")
    file.write_text("a file\n")
    closed.chmod(0o700)
    before = os.umask(0o027)
    drop = ("setpriv", "--reuid=61184", "--regid=61184", "--clear-groups")
    with birthplace({"one": folder, "two": file}, ()) as spawn:
        look = [*drop, "cat", str(staged("one") / "within"), str(staged("two"))]
        done = process.run(look, timeout=10, spawn=spawn)
        assert done.stdout == b"in a folder\na file\n", done.stderr
        assert os.umask(before) == 0o027, "ours is not touched"
        assert not staged("one").exists()
    assert not staged("one").exists()


@root
def test_what_lies_below_the_place_where_things_are_shown_can_be_shown() -> None:
    """In a mount namespace of a child, since a test writes nothing below /mnt."""
    script = (
        "import pathlib; from sealwright_stages import process; from sealwright_stages.sandbox.birth import birthplace\n"
        "deep = pathlib.Path('/mnt/disk/deep'); deep.mkdir(parents=True); (deep / 'x').write_text('seen')\n"
        "with birthplace({'it': deep}, ()) as spawn:\n"
        "    print(process.run(['cat', '/mnt/it/x'], timeout=10, spawn=spawn).stdout.decode())\n"
    )
    mounted = 'mount -t tmpfs none /mnt && exec "$@"'
    done = subprocess.run(
        [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            mounted,
            "sh",
            sys.executable,
            "-c",
            script,
        ],
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.strip() == b"seen", done.stderr.decode()
    assert Path("/mnt") == STAGE


@root
def test_what_is_not_there_starts_nothing_and_is_named(tmp_path: Path) -> None:
    with birthplace({"it": tmp_path / "gone"}, ()) as spawn, pytest.raises(MachineError, match="gone"):
        process.run(["echo", "ran"], timeout=10, spawn=spawn)


@root
def test_a_program_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    with birthplace({"it": tmp_path}, ()) as spawn, pytest.raises(MachineError, match="no-such-program"):
        process.run(["no-such-program"], timeout=10, spawn=spawn)


_WITHOUT = """
import pathlib
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.birth import birthplace
try:
    with birthplace({"it": pathlib.Path("/usr")}, ()) as spawn:
        spawn(["true"])
except MachineError as error:
    print(error.because, "|", error.next_step)
"""


@root
def test_a_machine_where_nothing_can_be_mounted_is_told_with_its_cure() -> None:
    words = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", sys.executable, "-c", _WITHOUT]
    done = subprocess.run(words, cwd="/", capture_output=True, timeout=30, check=False)
    assert done.stdout == (
        b"unshare: Operation not permitted | "
        b"start as root that may mount and make control groups, or as an ordinary user\n"
    ), done.stderr.decode()
