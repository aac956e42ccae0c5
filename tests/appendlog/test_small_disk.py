"""The real program on a small ext4 whose blocks or inodes are used up, at each phase: nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from appendlog.faulting import prepare, reopened
from appendlog.loading import Loads
from appendlog.real_program import connect, served
from appendlog.test_full_disk import fill_disk
from sealwright_appendlog import layout

PHASES = ("begin", "append", "checkpoint", "seal", "recover")


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Path]:
    """A loop-mounted file system of 24 MiB with some hundred inodes; needs root and the right to mount."""
    image, folder = tmp_path / "image", tmp_path / "small"
    folder.mkdir()
    with image.open("wb") as stream:
        stream.truncate(24 << 20)
    make = ["mkfs.ext4", "-q", "-N", "200", image]
    mount = ["mount", "-o", "loop", image, folder]
    for words in (make, mount):
        if os.geteuid() != 0 or subprocess.run(words, check=False, capture_output=True).returncode != 0:
            pytest.skip("mounting an ext4 needs root")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def use_up(disk: Path, what: str) -> list[Path]:
    """Take all blocks, or all inodes, that are left; gives what to remove to have them back."""
    if what == "blocks":
        fill_disk(disk)
        return [disk / "somebody-else"]
    taken = []
    with contextlib.suppress(OSError):
        for number in itertools.count():
            (disk / f"somebody-elses-{number}").touch(exist_ok=False)
            taken.append(disk / f"somebody-elses-{number}")
    assert os.statvfs(disk).f_ffree == 0
    return taken


@contextlib.contextmanager
def _ending(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """Where the authority lets go of its client, wait for its own end: a signal then would hide its exit status."""
    try:
        yield
    except (EOFError, OSError):
        child.wait(20)


@pytest.mark.parametrize("what", ["blocks", "inodes"])
@pytest.mark.parametrize("phase", PHASES)
def test_what_was_acknowledged_on_a_disk_that_was_used_up_is_there(ext4: Path, phase: str, what: str) -> None:
    root = ext4 / "root"
    kept = prepare(root, "recover" if phase == "recover" else "append")
    lines: list[bytes] = []
    taken = use_up(ext4, what) if phase in ("begin", "recover") else []
    with served(root) as child, _ending(child), contextlib.ExitStack() as stack:
        engine = stack.enter_context(contextlib.closing(connect(root)))
        engine.hello("engine")
        engine.wait("C")
        for number in range(60):
            if number == 30 and phase in ("append", "checkpoint"):
                taken = use_up(ext4, what)
            engine.say("J", b'{"number":%d,"filling":"%s"}' % (number, b"x" * 3000))
            lines.append(engine.wait_line())
            if number in (29, 40) and phase == "checkpoint":
                engine.wait("C")
        taken = taken or use_up(ext4, what)
        engine.say("S")
        lines.append(engine.wait_line())
        engine.wait("C")
    assert child.wait(20) in (0, 4)
    sealed = (root / "log" / layout.SEALED).exists()
    print(f"\n{phase}, no {what}: exit {child.returncode}, {len(lines)} acknowledged, sealed: {sealed}")
    assert what == "inodes" or sealed or phase == "begin", "space for the end is reserved"
    for each in taken:
        each.unlink()
    reopened(root)
    held = list(layout.lines(root / "log" / layout.INDEX))
    assert held[: len(kept)] == kept and set(lines) <= set(held)


def test_builds_that_fill_the_disk_lose_nothing_that_was_acknowledged_and_their_log_is_sealed_there(
    ext4: Path,
) -> None:
    root = ext4 / "root"
    prepare(root, "append")
    with served(root) as child:
        loads = Loads(root, seed=1, builds=3)
        loads.start()
        loads.join()
        assert child.wait(20) == 4
    fill_disk(ext4)
    reopened(root)
    assert loads.check()["bytes acknowledged"] > 5 << 20
