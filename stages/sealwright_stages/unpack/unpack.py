"""Unpack an archive: read in the sandbox, judged out here, written in the sandbox, and looked at again.

- The archive is read by `inside.py`, boxed in; its listing is judged before a byte of it is unpacked.
- It is written from the plan that was made of the listing, into a new folder of the quarantine.
- What then lies there must be what the plan says, name for name and byte for byte in size; each file has one name.
- Whatever goes wrong, the folder is removed.
- The SHA-256 of the list of its files names the tree from here on.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.files import remove_tree
from sealwright_stages.ports import Workshop
from sealwright_stages.tree_walk import READ, walk
from sealwright_stages.unpack import limits
from sealwright_stages.unpack.boxed import OUT, Boxed, run_boxed
from sealwright_stages.unpack.members import Plan, judge
from sealwright_stages.verify.codes import RefusedError, shown
from sealwright_stages.verify.sources_manifest import Listing, list_folder

FOLDER = "unpacked"
_READING, _WRITING, _PLAN = "reading", "writing", "plan.jsonl"
_PROGRAM = Path(__file__).with_name("inside.py")
_LISTING_ROOM = 512 << 20
_NEXT = "get the file from elsewhere; if it is the same there, ask upstream how it was made"
_BOMB = "don't retry: ask upstream for an archive of ordinary size"


@dataclass(frozen=True)
class Unpacked:
    """A tree that was unpacked: where it lies (in the quarantine), the SHA-256 of its list of files, and more."""

    path: Path
    sha256: str
    evidence: Mapping[str, object]


def unpack(workshop: Workshop, archive: Path, kind: str, name: str, arrived: int) -> Unpacked:
    """Unpack `archive` (`tar` or `zip`, not compressed) into the folder `name`; `arrived` are the bytes as fetched.

    Raises:
        RefusedError: `archive-refused` or `archive-bomb`, with the member's name.
        MachineError: the sandbox can't be made, or the disk is full.
    """
    folder = workshop.quarantine / FOLDER
    room = limits.room(arrived)
    try:
        return _unpacked(workshop, archive, kind, folder / name, room)
    except RefusedError as error:
        remove_tree(folder)
        raise RefusedError(error.code, f"{archive.name}: {error.reason}", error.next_step) from error
    except BaseException:
        remove_tree(folder)
        raise
    finally:
        for part in (_READING, _WRITING, _PLAN):
            remove_tree(workshop.quarantine / part)


def _unpacked(workshop: Workshop, archive: Path, kind: str, target: Path, room: int) -> Unpacked:
    quarantine, size = workshop.quarantine, archive.stat().st_size
    reading, writing, planned = (quarantine / part for part in (_READING, _WRITING, _PLAN))
    words = (kind, str(archive), f"{OUT}/listing", str(limits.MEMBERS))
    scanned = run_boxed(workshop, _program("scan", *words), reading, (archive,), _LISTING_ROOM, size)
    _ended(scanned, "read")
    plan = judge(_lines(reading / "listing"), room)
    planned.write_text(plan.lines(), encoding="ascii")
    words = (kind, str(archive), str(planned), OUT)
    written = run_boxed(
        workshop, _program("extract", *words), writing, (archive, planned), room, size + plan.bytes
    )
    _ended(written, "unpacked")
    listing = _as_planned(writing, plan)
    target.parent.mkdir()
    writing.rename(target)
    evidence: dict[str, object] = {
        "reader": "inside.py, by tarfile and zipfile of the sandbox's python3",
        "members": len(plan.named),
        "files": listing.files,
        "bytes": listing.size,
        "tree_sha256": listing.sha256,
        "duration_ms": scanned.duration_ms + written.duration_ms,
    }
    return Unpacked(target, listing.sha256, evidence)


def _program(*words: str) -> tuple[str, ...]:
    return ("python3", "-I", "-c", _PROGRAM.read_text(encoding="utf-8"), *words)


def _ended(boxed: Boxed, what: str) -> None:
    if boxed.slow:
        raise RefusedError("archive-bomb", f"it was not {what} in time", _BOMB)
    if boxed.run.returncode != 0:
        raise RefusedError("archive-refused", f"it can't be {what}: {boxed.last_words()}", _NEXT)


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a listing that the sandbox wrote: of a plain file, and only as much of it as may be."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise RefusedError("archive-refused", "what was read of it is no plain file", "report this with the log")
    with path.open("rb") as stream:
        while line := stream.readline(1 << 17):
            yield line


def _as_planned(folder: Path, plan: Plan) -> Listing:
    """What lies in `folder`, if it is what the plan says.

    Raises:
        RefusedError: it is not.
    """
    folder.chmod(0o755)
    for found in walk(folder, READ):
        if found.is_folder and stat.S_IMODE(found.held.st_mode) != 0o755:
            raise _other(found.name)
    try:
        listing = list_folder(folder)
    except RefusedError as error:
        raise RefusedError("archive-refused", error.reason, _NEXT) from error
    there = {str(line.pop("path")): line for line in map(json.loads, listing.text.splitlines())}
    wanted = dict(_expected(plan))
    for line in there.values():
        line.pop("sha256", None)
    if there != wanted:
        raise _other(next(path for path in sorted({*there, *wanted}) if there.get(path) != wanted.get(path)))
    return listing


def _expected(plan: Plan) -> Iterator[tuple[str, dict[str, object]]]:
    full = {path.rpartition("/")[0] for path in plan.entries}
    for path, entry in plan.entries.items():
        if entry.kind == "link":
            yield path, {"target": entry.target}
        elif entry.kind == "file":
            yield path, {"mode": f"{entry.mode:o}", "size": entry.size}
        elif path not in full:
            yield path, {"empty": True}


def _other(path: str) -> RefusedError:
    return RefusedError(
        "archive-refused", f"{shown(path)} is not unpacked as the archive says", "report this with the log"
    )
