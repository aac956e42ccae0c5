"""Write a joined release: copied, joined again as copied, and renamed into its place whole; or nothing is written.

- `SHA256SUMS` that the builders agreed on, with every good signature over it in one block; the products once.
- Each builder's evidence as it is: without products in `builders/` where they are those above, whole in `differing/`.
- Several copies of one builder's evidence become one: signatures and provenances of all, and the rest of the copy whose
  list of files is the least. So it does not matter in which order or how often they are joined. The page is written
  anew from what lies there then.
- What is written is what was copied, and joined again; evidence that changes meanwhile is refused.
- What stands there already is left as it is: the same bytes are no error, others are refused.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.audit_signatures import Required, required
from sealwright_stages.errors import JoinError, MachineError, ManifestError
from sealwright_stages.files import read_small, remove_tree, sync_folder, write_whole
from sealwright_stages.join.entry import MAX_SUMS, Entry
from sealwright_stages.join.join import Builder, Joined, Stand, weigh
from sealwright_stages.join.report import beside, folder_of
from sealwright_stages.join.signatures import better_envelope, merged_good, together
from sealwright_stages.join.sources import BUILDERS, DIFFERING, PRODUCTS, SUMS, Aside, Source, inside
from sealwright_stages.publish.files import FOLDER, copied, hashed, listing, make_folder
from sealwright_stages.reviewer import Reviewer
from sealwright_stages.seal.pages import write_page
from sealwright_stages.sign.release_signatures import SIGNED

_MAX_SIGNATURE = 1 << 20
_MAX_PROVENANCE = 64 << 20
_AGAIN = "find out who changes it, then join again"


@dataclass(frozen=True)
class Landed:
    """A joined release that stands: where, the SHA-256 of the list of its files, how many these are, and whether it was
    written now."""

    path: Path
    sha256: str
    files: int
    new: bool


def write(joined: Joined, to: Path, reviewer: Reviewer) -> Landed:
    """Write `joined`, which is final, to the new or empty folder `to`.

    Raises:
        ManifestError: `to` lies in what is joined, or that in it.
        JoinError: it is not final, something changed, or other bytes stand there.
        MachineError: it can't be written.
    """
    if joined.agreed is None:
        raise JoinError("nothing was written", "the release is not final", "join more builders' evidence")
    if to.name in ("", ".."):
        raise ManifestError(f"--to {to}", "it has no name of its own", "name the new folder itself")
    _refuse_nested(joined, to)
    try:
        with _staged(to) as folder:
            _fill(joined, folder, reviewer)
            again = joined_in(folder, reviewer, joined.judged.needs.builders)
            if again.asides or again.judged != joined.judged or _places(again) != _places(joined):
                because = again.asides[0].because if again.asides else "it says something else as it was copied"
                raise JoinError("the evidence", f"it changed while it was joined: {because}", _AGAIN)
            for builder in again.builders:
                write_page(builder.copies[0].source.evidence)
            for name, data in {**beside(again), f"{SUMS}.asc": signatures_of(again)}.items():
                write_whole(folder / name, data)
            return _land(folder, to)
    except OSError as error:
        because = error.strerror or str(error)
        raise MachineError(
            f"{to} can't be written", because, "make room or fix the folder, then join again"
        ) from error


def joined_in(folder: Path, reviewer: Reviewer, builders: int = 0, *, keep: bool = False) -> Joined:
    """What the builders in a joined release say.

    Raises:
        ManifestError, JoinError: see `weigh`.
    """
    found = list(inside(folder))
    sources = [each for each in found if isinstance(each, Source)]
    asides = [each for each in found if isinstance(each, Aside)]
    return weigh(sources, asides, reviewer, builders, keep=keep)


def signatures_of(joined: Joined) -> bytes:
    """Every good signature over the agreed `SHA256SUMS`, in one block, by the release's own keys.

    Raises:
        JoinError: the evidence changed.
    """
    agree = [entry for builder in joined.of(Stand.AGREES) for entry in builder.copies]
    try:
        blocks = [read_small(entry.source.evidence / f"{SUMS}.asc", _MAX_SIGNATURE) for entry in agree]
        return merged_good(blocks, agree[0].sums(), _own(agree[0]))
    except (OSError, ValueError) as error:
        raise JoinError("the evidence", f"it changed since it was audited: {error}", _AGAIN) from error


def _fill(joined: Joined, folder: Path, reviewer: Reviewer) -> None:
    """Copy the builders and the products into the new folder."""
    first = joined.of(Stand.AGREES)[0].copies[0]
    write_whole(folder / SUMS, first.sums())
    for place in (BUILDERS, DIFFERING):
        if any(folder_of(builder).startswith(f"{place}/") for builder in joined.builders):
            _make(folder / place)
    for builder in joined.builders:
        _copy_builder(builder, folder / folder_of(builder), reviewer)
    if not reviewer.without_products:
        _copy_products(first, folder)
    for place in (BUILDERS, DIFFERING, "."):
        if (folder / place).is_dir():
            sync_folder(folder / place)


def _copy_builder(builder: Builder, target: Path, reviewer: Reviewer) -> None:
    leave = PRODUCTS if builder.stand is Stand.AGREES or reviewer.without_products else ""
    base = min(builder.copies, key=_rank) if len(builder.copies) > 1 else builder.copies[0]
    _make(target)
    _copy(base.source.evidence, target, leave)
    if not leave and base.source.products is not None:
        _copy_products(base, target)
    if len(builder.copies) > 1:
        _merge(builder.copies, target)


def _copy_products(entry: Entry, target: Path) -> None:
    if entry.products:
        _make(target / PRODUCTS)
        _copy((entry.source.products or entry.source.evidence) / PRODUCTS, target / PRODUCTS)


def _rank(entry: Entry) -> str:
    """What of several copies goes by: their files, but for products and what is merged."""
    top = os.open(entry.source.evidence, FOLDER)
    try:
        files = [file for file in hashed(top, PRODUCTS) if not _merges(file.path)]
    finally:
        os.close(top)
    return hashlib.sha256(listing(files)).hexdigest()


def _merges(path: str) -> bool:
    signatures = [f"{name}.asc" for name in SIGNED]
    return path in (*signatures, "index.html") or (path.startswith("provenance.") and path.endswith(".dsse.json"))


def _merge(copies: Sequence[Entry], target: Path) -> None:
    """Put the signatures and provenances of all copies into one."""
    wants = _own(copies[0])
    folders = [entry.source.evidence for entry in copies]
    for name in SIGNED:
        data = read_small(target / name, MAX_SUMS)
        block = together((read_small(each / f"{name}.asc", _MAX_SIGNATURE) for each in folders), data, wants)
        write_whole(target / f"{name}.asc", block)
    for person in wants.names:
        name = f"provenance.{person}.dsse.json"
        if held := [read_small(each / name, _MAX_PROVENANCE) for each in folders if (each / name).exists()]:
            write_whole(target / name, better_envelope(held, wants))


def _own(entry: Entry) -> Required:
    """Who may sign the release, by its own keys."""
    wants, _ = required(Reviewer(), entry.manifest, entry.policy)
    if wants is None:
        raise JoinError("the release", "nothing says who must have signed it", "use another")
    return wants


def _places(joined: Joined) -> list[str]:
    return [folder_of(builder) for builder in joined.builders]


def _make(path: Path) -> None:
    parent = os.open(path.parent, FOLDER)
    try:
        make_folder(path.name, parent)
    finally:
        os.close(parent)


def _copy(source: Path, target: Path, leave: str = "") -> None:
    top = os.open(source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        there = os.open(target, FOLDER)
        try:
            copied(top, there, leave)
        finally:
            os.close(there)
    finally:
        os.close(top)


@contextlib.contextmanager
def _staged(to: Path) -> Iterator[Path]:
    """A new folder beside `to`, locked; gone after the block unless it was renamed. What a crash left goes first."""
    to.parent.mkdir(parents=True, exist_ok=True)
    folder = to.parent / f".{to.resolve().name}.joining"
    lock = os.open(to.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.lexists(folder):
            remove_tree(folder)
        folder.mkdir(mode=0o755)
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            if os.path.lexists(folder):
                remove_tree(folder)
    except BlockingIOError as error:
        raise MachineError(
            f"{to.parent} is in use", "another join is at work in it", "run again after it"
        ) from error
    finally:
        os.close(lock)


def _land(folder: Path, to: Path) -> Landed:
    """Rename the staged folder to its place, if nothing stands there."""
    sync_folder(folder)
    sha256, count = _listed(folder)
    if to.is_dir() and any(to.iterdir()):
        return _compare(to, sha256, count)
    try:
        folder.rename(to)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise JoinError(
                str(to), "something else stands there", "look at it, and name another folder"
            ) from error
        raise
    sync_folder(to.parent)
    return Landed(to, sha256, count, new=True)


def _compare(to: Path, sha256: str, count: int) -> Landed:
    theirs, _ = _listed(to)
    if theirs != sha256:
        because = f"the SHA-256 of the list of its files is {theirs}, this would be {sha256}"
        raise JoinError(f"{to} holds something else", because, "join into a new folder; what stands there stays")
    return Landed(to, sha256, count, new=False)


def _listed(folder: Path) -> tuple[str, int]:
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files = hashed(top)
    finally:
        os.close(top)
    return hashlib.sha256(listing(files)).hexdigest(), len(files)


def _refuse_nested(joined: Joined, to: Path) -> None:
    """Refuse a target that lies in what is joined or around it; a joined release itself may be named again."""
    target = to.resolve()
    for entry in (entry for builder in joined.builders for entry in builder.copies):
        outer = (entry.source.products or entry.source.evidence).resolve()
        inner = entry.source.evidence.resolve()
        if target != outer and (target.is_relative_to(outer) or inner.is_relative_to(target)):
            if inner.parent.parent == target:
                continue
            raise ManifestError(
                f"--to {to}", f"it and {entry.source.said} lie in one another", "name another folder"
            )
