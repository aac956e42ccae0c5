"""What differs between two products, or two folders of them, as diffoscope tells it.

- Both sides come from strangers, so it reads copies of them in the sandbox of a build: no network, a uid of its own,
  nothing writable but a folder for what it unpacks, limits on time, memory, room and processes, dead when this returns.
- The bytes decide whether two files differ. What diffoscope says comes after, and where it sees nothing, that is said.
- What takes more room than it may have itself is not copied: a product can be 20 GiB of nothing.
- Its exit 0 means same and 1, with a text, different. Anything else, a crash, a limit, no diffoscope: no report, with
  the reason and the cure.
- A report is a stranger's text: made of their names and bytes, of at most `most` bytes, cut at a line. What shows it
  cleans it.
- The same two sides give the same report, as far as diffoscope does: no progress, no colour, one locale, no time of a
  copy, no temporary name.

Source: diffoscope(1).
"""

from __future__ import annotations

import errno
import re
import shutil
import stat
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sealwright_stages import process
from sealwright_stages.build import runner
from sealwright_stages.errors import MachineError
from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.ports import BuildResult, Limits, Report, Sampled
from sealwright_stages.process import BASE_ENVIRONMENT
from sealwright_stages.sandbox.bwrap import Bind, Sandbox
from sealwright_stages.sandbox.ownership import hand_over
from sealwright_stages.state import Record
from sealwright_stages.verify.codes import shown

TOOL, PACKAGE = "diffoscope", "diffoscope-minimal"
LIMITS = Limits(wall=600, memory=2 << 30, disk=4 << 30, processes=64)
MOST = 1 << 20
"""Bytes of a report."""
_SECONDS = 30.0
_BY_HAND = "compare the files by hand"
_AT, _SCRATCH = "/compare", "/unpacked"
_DEPTH = 10  # archives within archives; a package of packages is 4
_SLACK = 64 << 10  # diffoscope stops some way behind what we take
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}")
_TEMPORARY = re.compile(
    rb"/unpacked/[A-Za-z0-9_./-]{0,200}?(?:diffoscope_|tmp)[A-Za-z0-9_]+(?:/tmp[A-Za-z0-9_]+)*"
)
"""A path of diffoscope's own. Its length has an end: in a stranger's line each `/unpacked/` could be the beginning."""


def installed(programs: str = BASE_ENVIRONMENT["PATH"]) -> str:
    """The version of this machine's diffoscope, looked for in `programs`.

    Raises:
        MachineError: it has none, or one that does not start.
    """
    cure = f"apt install {PACKAGE}"
    if shutil.which(TOOL, path=programs) is None:
        raise MachineError(TOOL, "diffoscope is not installed", cure)
    done = process.run([TOOL, "--version"], timeout=_SECONDS)
    version = re.search(rb"[0-9]+(\.[0-9]+)*", done.stdout)
    if done.returncode != 0 or version is None:
        raise MachineError(TOOL, f"diffoscope does not start: {shown(done.complaint())}", cure)
    return version[0].decode()


def report(
    mine: Path,
    other: Path,
    *,
    folder: Path,
    uid: int | None,
    labels: tuple[str, str] = ("mine", "other"),
    only: Collection[str] = (),
    limits: Limits = LIMITS,
    most: int = MOST,
    stop: Callable[[], str] = lambda: "",
    programs: str = BASE_ENVIRONMENT["PATH"],
) -> Report:
    """Say how two files differ, or two folders of plain files; of folders, what is the same is left out.

    `folder` is a new one to work in, gone when this returns; `uid` is what diffoscope runs as (None: as ourselves).
    `labels` name the two sides in the report, `only` the files of two folders that are looked at (none: all).
    `stop()` is asked often; a sentence from it ends the comparison.

    Raises:
        MachineError: the sandbox can't be made or ended.
    """
    remove_tree(folder)
    try:
        pairs = _differing(mine, other, only)
        if not pairs:
            return Report(why_none="the bytes are the same")
        if (size := _size(pairs)) > limits.disk:
            because = f"what differs has {size >> 20} MiB, and a comparison has room for {limits.disk >> 20}"
            return Report(why_none=because, cure=_BY_HAND)
        version = installed(programs)
        words = _copied(pairs, folder, labels, whole=mine.is_dir())
    except OSError as error:
        because = f"{shown(str(error.filename or mine))}: {error.strerror or error}"
        return Report(why_none=because, cure="look at the disk, then compare again")
    except MachineError as error:
        return Report(why_none=error.because, cure=error.next_step)
    else:
        kept = _Kept(most + 1)
        box = _box(folder, uid, limits)
        hand_over(folder / "unpacked", uid)
        argv = (TOOL, *_options(most, limits), *words)
        watched = runner.Watched(kept, _unseen, stop)
        done = runner.run(box, argv, limits, folder / "unpacked", watched)
        return told(done, bytes(kept.text), version, most)
    finally:
        remove_tree(folder)


def _differing(mine: Path, other: Path, only: Collection[str]) -> list[tuple[Path | None, Path | None]]:
    """The files that are not the same on both sides; None where a side lacks one.

    Raises:
        OSError: something is no regular file, or can't be read.
    """
    if not mine.is_dir():
        return [] if sha256_file(mine) == sha256_file(other) else [(mine, other)]
    sides = [
        {path.name: path for path in side.iterdir() if not only or path.name in only} for side in (mine, other)
    ]
    names = sorted(sides[0].keys() | sides[1].keys())
    pairs = [(sides[0].get(name), sides[1].get(name)) for name in names]
    for path in (path for pair in pairs for path in pair if path is not None):
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path.name)
    return [(a, b) for a, b in pairs if a is None or b is None or sha256_file(a) != sha256_file(b)]


def _size(pairs: list[tuple[Path | None, Path | None]]) -> int:
    """Bytes that a copy of all of them takes, however sparse they are."""
    return sum(path.lstat().st_size for pair in pairs for path in pair if path is not None)


def _copied(
    pairs: list[tuple[Path | None, Path | None]], folder: Path, labels: tuple[str, str], *, whole: bool
) -> tuple[str, str]:
    """Copy what is compared to where the sandbox sees it; gives the two paths, from there."""
    places = [folder / "inputs" / label for label in labels]
    for place in (folder, folder / "inputs", *places, folder / "unpacked"):
        place.mkdir()
        place.chmod(0o755)  # another uid is to read it, whatever our umask is
    names = ["", ""]
    for pair in pairs:
        for side, path in enumerate(pair):
            if path is not None:
                names[side] = path.name if _NAME.fullmatch(path.name) else "file"
                shutil.copyfile(path, places[side] / names[side], follow_symlinks=False)
                (places[side] / names[side]).chmod(0o644)
    return labels if whole else (f"{labels[0]}/{names[0]}", f"{labels[1]}/{names[1]}")


def _options(most: int, limits: Limits) -> tuple[str, ...]:
    return (
        *("--text", "-", "--text-color", "never", "--no-progress", "--use-dbgsym", "no"),
        *("--exclude-directory-metadata", "yes", "--max-container-depth", str(_DEPTH)),
        *("--max-text-report-size", str(most + _SLACK), "--timeout", str(max(1, limits.wall // 3))),
    )


def _box(folder: Path, uid: int | None, limits: Limits) -> Sandbox:
    return Sandbox(
        uid=uid,
        binds=(Bind(folder / "inputs", _AT), Bind(folder / "unpacked", _SCRATCH, writable=True)),
        files={"/etc/passwd": b"root:x:0:0:root:/nonexistent:/bin/false\n", "/etc/group": b"root:x:0:\n"},
        environment={**BASE_ENVIRONMENT, "TMPDIR": _SCRATCH, "PYTHONHASHSEED": "0"},
        folder=_AT,
        hostname="compare",
        processes=limits.processes,
        memory=limits.memory,
        file_size=limits.disk,
        scratch=64 << 20,
        grouped=True,
    )


def told(done: BuildResult, said: bytes, version: str, most: int) -> Report:
    """What a run of diffoscope on files that differ came to; `said` is all its text, or more than `most` of it."""
    if done.killed_because:
        return Report(version=version, why_none=f"diffoscope was ended: {done.killed_because}", cure=_BY_HAND)
    if done.exit == 0:
        because = "diffoscope finds no difference, and yet the bytes differ"
        return Report(version=version, why_none=because, cure=_BY_HAND)
    if done.exit != 1 or not said:
        because = f"diffoscope failed with exit {done.exit}, last saying: {shown(done.last_line) or 'nothing'}"
        return Report(version=version, why_none=because, cure=f"{_BY_HAND}, or with a newer {PACKAGE}")
    cut = len(said) > most
    if cut:
        said = said[: said.rfind(b"\n", 0, most) + 1] or said[:most]
    return Report(_TEMPORARY.sub(_SCRATCH.encode(), said).decode("utf-8", "backslashreplace"), version, cut)


def _unseen(_sample: Sampled) -> None:
    """Nobody looks on."""


@dataclass
class _Kept:
    """An output stream that keeps the first bytes of what it is told, and nothing of what goes wrong."""

    most: int
    text: bytearray = field(default_factory=bytearray)

    def write(self, channel: Literal["D", "E"], data: bytes) -> None:
        """Keep as much as there is room for."""
        if channel == "D":
            self.text += data[: self.most - len(self.text)]

    def finish(self, exit_status: int) -> Record:
        """Never asked: a run does not end its stream."""
        raise AssertionError("a report has no stream to end")

    def abort(self) -> None:
        """Nothing to let go of."""
