"""Move a component's verified bytes out of the quarantine: all of it, by one rename, or nothing.

- Every verify item of every source needs its `Green`; one that is missing, or stands for another item, refuses.
- The folder is made in the quarantine, listed in a manifest, put on disk, and then renamed into place.
- A folder of an earlier run is moved into the quarantine and removed before.
- If anything is refused on the way, what was staged is removed and nothing was moved.
- Where two sources write the same path, neither wins: the component is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import FetchError, MachineError
from sealwright_stages.files import remove_tree, sync_folder, write_whole
from sealwright_stages.ports import Source, Workshop
from sealwright_stages.verdict import Green
from sealwright_stages.verify.codes import RefusedError, not_fetched, path_taken
from sealwright_stages.verify.sources_manifest import Listing, list_folder

_FSYNC_EACH = 200  # more files than this are put on disk by one sync of everything


@dataclass(frozen=True)
class Promoted:
    """What was moved: the manifest's SHA-256, files and links, bytes."""

    manifest_sha256: str
    files: int
    bytes: int


def promote(
    component: str,
    sources: Sequence[tuple[Source, Workshop]],
    green: Mapping[str, Green],
    staging: Path,
    sources_folder: Path,
) -> Promoted:
    """Stage every source of `component` at `staging` (in the quarantine) and rename it into place.

    The manifest lies beside the folder, as `<component>.manifest.jsonl`.

    Raises:
        FetchError: an item is not green, or the bytes are not those that were judged.
        MachineError: the disk is full or refuses.
    """
    _need_green(component, sources, green)
    try:
        remove_tree(staging)
        staging.mkdir(parents=True)
        staging.chmod(0o755)
        for source, workshop in sources:
            _stage(source, workshop, green, staging)
        listing = list_folder(staging)
        _settle(staging, listing.files)
        _swap(component, staging, sources_folder, listing)
    except RefusedError as error:
        remove_tree(staging)
        raise not_fetched(error.code, f"{component} was not promoted", error.reason, error.next_step) from error
    except OSError as error:
        remove_tree(staging)
        raise MachineError(
            f"{component} can't be promoted", error.strerror or str(error), "make room, then run again"
        ) from error
    return Promoted(listing.sha256, listing.files, listing.size)


def _stage(source: Source, workshop: Workshop, green: Mapping[str, Green], staging: Path) -> None:
    try:
        source.stage(workshop, green, staging)
    except FileExistsError as error:
        raise path_taken(Path(str(error.filename)).name) from error


def _need_green(component: str, sources: Sequence[tuple[Source, Workshop]], green: Mapping[str, Green]) -> None:
    items = [spec.id for source, _ in sources for spec in source.verify_items]
    for item in items:
        found = green.get(item)
        if not isinstance(found, Green) or found.item != item:
            raise _not_green(component, f"{item} is not green")
    if not items:
        raise _not_green(component, "nothing of it was checked")


def _not_green(component: str, because: str) -> FetchError:
    return not_fetched("check-missing", f"{component} was not promoted", because, "report this with the log")


def _swap(component: str, staging: Path, sources_folder: Path, listing: Listing) -> None:
    target = sources_folder / component
    if target.exists() or target.is_symlink():
        old = staging.with_name(staging.name + ".old")
        remove_tree(old)
        target.rename(old)
        remove_tree(old)
    write_whole(sources_folder / f"{component}.manifest.jsonl", listing.text)
    staging.rename(target)
    sync_folder(sources_folder)


def _settle(folder: Path, files: int) -> None:
    """Put a tree on disk."""
    if files > _FSYNC_EACH:
        os.sync()
        return
    for path in _plain(folder):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _plain(folder: Path) -> Iterator[Path]:
    for parent, _, files in os.walk(folder):
        yield Path(parent)
        yield from (Path(parent, name) for name in files if not Path(parent, name).is_symlink())
