"""A build root from a tar that the manifest pins: fetched like a file, judged by its SHA-256, unpacked in a sandbox.

- Nothing of the tar is looked at before its SHA-256 is the pinned one.
- It is unpacked in the fetch sandbox, without a network: no owner, no device, no set-uid bit comes out of it, and
  nothing outside its folder is in reach.
- What comes out of it is bounded: its files, their bytes as they read, holes and all, and so the time to read them.
- A root is known by its tar's SHA-256. A cached one is read again, every byte, before every use; one that differs
  from its record is made anew.
- Nothing is installed into it: packages that are asked for must be in it already, as its own dpkg says.
"""

from __future__ import annotations

import hashlib
import json
import stat
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.build.packages import dpkg_status, packages_of
from sealwright_stages.build.root_cache import add_mount_points, held, out_of_reach, prune, use, vacate
from sealwright_stages.build.tree_digest import tree_digest
from sealwright_stages.errors import BuildError, InterruptedRunError
from sealwright_stages.files import remove_tree, sync_folder, write_whole
from sealwright_stages.get_sources.http_file import fetch_file
from sealwright_stages.ports import Prepared, Workshop
from sealwright_stages.tree_walk import READ, walk
from sealwright_stages.unpack.boxed import OUT, run_boxed
from sealwright_stages.verdict import Failed, Passed, Verdict
from sealwright_stages.verify.codes import shown
from sealwright_stages.verify.file import judge_digest

KIND = "tar:"
_FORM = 1  # of a cached root; a change of how roots are made counts it up
_MAX_FILE = 8 << 30
_RECORD = 10_240  # bytes that GNU tar counts as one
_SHELLS = ("bin/sh", "usr/bin/sh")
_TAR = (
    *("tar", "--extract", "--no-same-owner", "--no-same-permissions", "--delay-directory-restore"),
    *("--anchored", "--exclude=./dev/*", "--exclude=dev/*"),
)


@dataclass(frozen=True)
class Bounds:
    """How much may come out of a tar: bytes of all files together, as they read, and entries of any kind."""

    bytes: int = 64 << 30
    entries: int = 2_000_000


@dataclass(frozen=True)
class _Record:
    """What is known of a cached root: the digest of its folder, and the bytes of its tar."""

    tree: str
    size: int


def prepare_tar(
    name: str, url: str, packages: Sequence[str], workshop: Workshop, bounds: Bounds = Bounds()
) -> Prepared:
    """Make or take from the cache the root of environment `name` (`tar:` and a SHA-256), whose tar is at `url`.

    Raises:
        BuildError: it is not the pinned tar, can't be unpacked, or lacks a package.
        FetchError: it did not arrive.
    """
    sha256 = name.removeprefix(KIND)
    key = hashlib.sha256(json.dumps({"form": _FORM, "tar": sha256}, sort_keys=True).encode()).hexdigest()
    folder = workshop.cache / "environments" / key
    with held(folder, workshop):
        record = _usable(folder) or _make(sha256, url, folder, workshop, bounds)
        use(folder)
    prune(folder.parent, time.time())
    _require(folder / "root", packages)
    return Prepared(name, folder / "root", sha256, (), _verdict(sha256, url, record))


def _verdict(sha256: str, url: str, record: _Record) -> Verdict:
    evidence = {"wanted": sha256, "found": sha256, "size": record.size, "url": shown(url, 1000), "pinned": True}
    return Passed("its tar has the SHA-256 that the manifest pins", sha256, evidence)


def _usable(folder: Path) -> _Record | None:
    """The record of a cached root that still is what was recorded; None if it must be made."""
    try:
        if not out_of_reach(folder, folder / "root.json"):
            return None
        told = json.loads((folder / "root.json").read_bytes())
        record = _Record(str(told["tree"]), int(told["size"]))
        return record if tree_digest(folder / "root") == record.tree else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _make(sha256: str, url: str, folder: Path, workshop: Workshop, bounds: Bounds) -> _Record:
    vacate(folder)
    tar = fetch_file(workshop, url, "root.tar").path
    verdict = judge_digest(tar, sha256)
    size = tar.stat().st_size
    if isinstance(verdict, Failed):
        tar.unlink()
        raise BuildError("the build root's tar is refused", verdict.reason, verdict.next_step, verdict.code)
    for left in folder.glob("making-*"):
        remove_tree(left)  # by a run that was killed
    with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as scratch:
        root = Path(scratch, "root")
        _unpack(tar, root, size, workshop, bounds)
        record = _Record(_digest(root), size)
        remove_tree(folder / "root")
        root.rename(folder / "root")
        sync_folder(folder)
    tar.unlink()
    write_whole(folder / "root.json", json.dumps({"tree": record.tree, "size": size}).encode())
    return record


def _unpack(tar: Path, root: Path, size: int, workshop: Workshop, bounds: Bounds) -> None:
    large = f"it holds more than {bounds.bytes >> 20} MiB"  # GNU tar counts what it reads, in records
    enough = f"--checkpoint-action=exec=echo '{large}' >&2; kill $PPID"
    words = [*_TAR, f"--checkpoint={bounds.bytes // _RECORD + 1}", enough, "--file", str(tar), "--directory", OUT]
    boxed = run_boxed(
        workshop, ["sh", "-c", 'umask 022; exec "$@"', "unpack", *words], root, [tar], _MAX_FILE, size
    )
    if boxed.run.returncode != 0:
        raise _refused("it can't be unpacked" + (" in time" if boxed.slow else ""), boxed.last_words())
    _measure(root, bounds, workshop)
    if not any((root / shell).exists() or (root / shell).is_symlink() for shell in _SHELLS):
        raise _refused(
            "it is no root of a system", "it has no /bin/sh: what is at its top must be usr, bin and so on"
        )
    add_mount_points(root)


def _measure(root: Path, bounds: Bounds, workshop: Workshop) -> None:
    """Holes take no room on the disk, but as long to read as everything else."""
    size = entries = 0
    try:
        for entry in walk(root, READ):
            size += entry.held.st_size if stat.S_ISREG(entry.held.st_mode) else 0
            entries += 1
            if size > bounds.bytes or entries > bounds.entries:
                most = f"{bounds.bytes >> 20} MiB, or more than {bounds.entries} files and folders"
                raise _refused("it is too large", f"it holds more than {most}")
            if workshop.cancel.is_set():
                raise InterruptedRunError(
                    "the build root was not made", "the run was interrupted", "run again to resume"
                )
    except OSError as error:
        raise _refused("it can't be read", shown(error.strerror or str(error))) from error


def _digest(root: Path) -> str:
    try:
        return tree_digest(root)
    except OSError as error:
        because = error.strerror or str(error).removeprefix(f"{root}/")
        raise _refused("it holds what no root may", shown(because)) from error


def _require(root: Path, packages: Sequence[str]) -> None:
    if not packages:
        return
    present = {package.name for package in packages_of(dpkg_status(root) or "")}
    if missing := sorted(set(packages) - present):
        raise BuildError(
            "the build root lacks what the build needs",
            f"{', '.join(missing)}: nothing is installed into a root from a tar",
            "put it into the tar, and pin that",
            "packages-missing",
        )


def _refused(what: str, because: str) -> BuildError:
    return BuildError(
        f"the build root's tar is refused: {what}",
        because,
        "make the tar anew, and pin that",
        "environment-failed",
    )
