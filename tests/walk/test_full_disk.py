"""A disk that is full, in each folder of the work folder: one error, nothing half done, and it resumes with room."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sealwright_stages.attended.place import Place
from sealwright_stages.attended.protocol import Over
from sealwright_stages.work import WorkFolder
from walk.walking import Walk, files

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
Disk = Callable[[Path, str], contextlib.AbstractContextManager[None]]
_CLONE_NEWNS = 0x20000
BIG = "head -c 4000000 /dev/zero > $OUT/big.out"


@pytest.fixture(scope="session")
def mounts() -> None:
    """Mounts of this process are nobody else's from now on."""
    if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS) != 0:
        pytest.skip("a small disk needs root and a mount namespace")
    if subprocess.run(["mount", "--make-rprivate", "/"], check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk needs mounts of its own")


@pytest.fixture
def disk(mounts: None, walk: Walk) -> Disk:
    """Mounts a disk of a size over a folder of the work folder, while a block runs."""

    @contextlib.contextmanager
    def mounted(folder: Path, size: str) -> Iterator[None]:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "small", str(folder)], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", str(folder)], check=True)

    walk.work.mkdir()
    return mounted


def begun(walk: Walk) -> None:
    """Make the work folder this release's."""
    (walk.work / "release.json").write_text('{"release": "small-1.0"}\n')


def fill(folder: Path, *, leave: int = 0) -> Path:
    """Fill a folder's disk but for `leave` bytes."""
    held = os.statvfs(folder)
    ballast = folder / "ballast"
    with ballast.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, held.f_bavail * held.f_frsize - leave)
    return ballast


def large_file(walk: Walk) -> None:
    """Let the third-party file be a large one, by digest alone."""
    data = os.urandom(2 << 20)
    (walk.folder / "upstream" / "words-1.0.txt").write_bytes(data)
    lines = walk.text.splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if line.startswith("signature"))
    del lines[at : at + 2]
    lines = [f'sha256 = "{hashlib.sha256(data).hexdigest()}"\n' if x.startswith("sha256") else x for x in lines]
    walk.text = "".join(lines)
    walk.manifest.write_text(walk.text)


@pytest.mark.parametrize("what", ["git", "file"])
def test_a_fetch_that_failed_on_a_full_disk_is_the_machines_fault(walk: Walk, disk: Disk, what: str) -> None:
    begun(walk)
    if what == "file":
        large_file(walk)
    with disk(walk.work / "quarantine", "12k" if what == "git" else "1m"):
        walk.run().refused(3, "quarantine", "make room")
        walk.nothing_is_half_done()
    walk.resumes()


def test_sources_are_promoted_whole_or_not_at_all_on_a_full_disk(walk: Walk, disk: Disk) -> None:
    begun(walk)
    with disk(walk.work / "sources", "64k"):
        ballast = fill(walk.work / "sources")
        walk.run().refused(3, "sources", "No space left", "make room")
        ballast.unlink()
        walk.nothing_is_half_done()
        assert files(walk.work / "sources") == []
    walk.resumes()


def test_a_build_that_failed_on_a_full_disk_is_no_verdict_on_its_sources(walk: Walk, disk: Disk) -> None:
    begun(walk)
    walk.change('commands = ["', f'commands = ["{BIG}", "')
    with disk(walk.work / "build", "1m"):
        walk.run().refused(3, "greeting", "full", "make room")
        walk.nothing_is_half_done()
    walk.resumes()


def test_products_are_stored_whole_or_not_at_all_on_a_full_disk(walk: Walk, disk: Disk) -> None:
    begun(walk)
    walk.change('commands = ["', f'commands = ["{BIG}", "')
    with disk(walk.work / "products", "2m"):
        walk.run().refused(3, "products", "No space left", "make room")
        walk.nothing_is_half_done()
    walk.resumes()


def test_a_log_on_a_full_disk_is_lost_its_build_dead_and_it_goes_on_with_room(walk: Walk, disk: Disk) -> None:
    begun(walk)
    walk.change('commands = ["', 'commands = ["head -c 8000000 /dev/zero | tr \'\\\\0\' x", "')
    with disk(walk.work / "log", "8m"):
        walk.run().refused(4, "the log is lost", "look at the log")
        walk.nothing_is_half_done()
        subprocess.run(["mount", "-o", "remount,size=64m", str(walk.work / "log")], check=True)
        walk.resumes()


def test_a_log_whose_disk_others_filled_takes_no_output_and_goes_on_with_room(walk: Walk, disk: Disk) -> None:
    begun(walk)
    with disk(walk.work / "log", "8m"):
        walk.run("--until", "verify").well()
        ballast = fill(walk.work / "log")
        walk.run().refused(4, "the log is lost", "full")
        walk.nothing_is_half_done()
        ballast.unlink()
        walk.resumes()


def test_a_log_whose_disk_others_filled_can_still_be_sealed(walk: Walk, disk: Disk) -> None:
    begun(walk)
    with disk(walk.work / "log", "8m"):
        walk.run("--until", "build").well()
        fill(walk.work / "log")
        walk.resumes()


@pytest.mark.parametrize("leave", [64 << 10, 2 << 20], ids=["the-log", "the-products"])
def test_evidence_is_made_whole_or_not_at_all_on_a_full_disk(walk: Walk, disk: Disk, leave: int) -> None:
    walk.change('commands = ["', f'commands = ["{BIG}", "')
    with disk(walk.work, "32m"):
        begun(walk)
        with disk(walk.work / "log", "16m"):
            walk.run("--until", "build").well()
            ballast = fill(walk.work, leave=leave)
            walk.run().refused(3, "evidence", "No space left", "make room")
            walk.nothing_is_half_done(products=True)
            assert not walk.evidence.exists()
            ballast.unlink()
            walk.resumes()


def test_how_a_run_ended_is_left_on_a_full_disk(walk: Walk, disk: Disk) -> None:
    place = Place(WorkFolder(walk.work))
    with disk(place.folder, "256k"):
        place.take()
        fill(place.folder)
        over = Over(4, "the log is lost", "its authority ended", "look at the log, run again")
        place.leave(over)
        assert place.ended() == over
