"""Publish evidence: audited, copied, audited again as copied, and put in its place whole; or nothing is written.

- What isn't a yes for the reviewer, or isn't final by the release's own manifest, is not published.
- What is published is what was audited: the copy is, before it appears.
- Products may be left out, if they are asked to lie elsewhere. They were audited all the same.
- A release that stands there with the same bytes is left as it is, and so is one with other bytes, which is refused.
- The pages that list are made anew from what lies there, and pages that aren't ours are left alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_stages.audit import Audit, Reviewer, as_part, audit
from sealwright_stages.errors import MachineError, PublishError
from sealwright_stages.publish.facts import Facts, read_facts
from sealwright_stages.publish.files import (
    FOLDER,
    File,
    copied,
    hashed,
    listing,
    make_folder,
    read_file,
    write_file,
)
from sealwright_stages.publish.list_pages import list_pages
from sealwright_stages.publish.markup import MARK
from sealwright_stages.publish.place import EVIDENCE, FILES, INDEX, Place, place_of, refuse_nested
from sealwright_stages.publish.release_page import release_page
from sealwright_stages.publish.site import Site, locked

GIT_LIMIT = 100 << 20
"""Bytes of a file that large git hosts refuse from here on."""

PRODUCTS = "products"

_ATTRIBUTES = b"* -text !eol -ident -filter !working-tree-encoding -export-subst -export-ignore\n"
_IGNORE = b"!*\n"
_SITE = {
    ".gitattributes": b"* -text\n/index.html merge=union\n/*/index.html merge=union\n/*/*/index.html merge=union\n",
    ".nojekyll": b"",
}
_MAX_PAGE = 64 << 20


@dataclass(frozen=True)
class Landed:
    """A release that stands in the site: where, the SHA-256 of its list of files, and those files."""

    place: Place
    sha256: str
    files: tuple[File, ...]
    new: bool


@dataclass(frozen=True)
class Published:
    """What came of it: the audit, and what stands in the site, if the audit was a yes. `notices` are for a person."""

    audit: Audit
    landed: Landed | None = None
    pages: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def publish(evidence: Path, site: Path, reviewer: Reviewer | None = None, signer: str = "") -> Published:
    """Publish `evidence` in the folder `site`, as `signer`'s if several have signed.

    Raises:
        ManifestError: they lie in one another.
        PublishError: it is not fit, or other bytes stand in its place.
        MachineError: the site can't be written, or is in use.
    """
    refuse_nested(evidence, site)
    reviewer = as_part(evidence, reviewer or Reviewer())
    found = audit(evidence, replace(reviewer, without_products=False))
    if not found.passed:
        return Published(found)
    told = read_facts(evidence, found)
    place = place_of(told, signer)
    with locked(site) as open_site:
        standing = open_site.standing(place)
        if standing is None:
            landed = _land(open_site, evidence, place, reviewer)
            notices: list[str] = []
        else:
            try:
                landed, notices = _compare(standing, evidence, told, place, _left_out(reviewer))
            finally:
                os.close(standing)
        pages, left = _write_pages(open_site)
    return Published(found, landed, tuple(pages), (*notices, *left, *_large(landed)))


def relist(site: Path) -> tuple[Sequence[str], Sequence[str]]:
    """Make the pages that list anew from what lies in `site`; gives their paths, and notices for a person.

    Raises:
        MachineError: the site can't be written, or is in use.
    """
    if not site.is_dir():
        raise MachineError(f"{site} can't be used", "there is no such folder", "name the folder of a site")
    with locked(site) as open_site:
        return _write_pages(open_site)


def _land(site: Site, evidence: Path, place: Place, reviewer: Reviewer) -> Landed:
    """Copy the evidence, audit the copy, and put it in its place."""
    with site.staged(place) as (path, folder):
        make_folder(EVIDENCE, folder)
        files = _copied(evidence, folder, _left_out(reviewer))
        again = audit(path / EVIDENCE, reviewer)
        if bad := [finding for finding in again.findings if finding.ok == "bad"]:
            because = f"its copy is no yes any more: {bad[0].what}: {bad[0].detail}"
            raise PublishError("the evidence", because, "find out who changes it, then publish again")
        told = read_facts(path / EVIDENCE, again)
        if place != place_of(told, place.signer):
            raise PublishError("the evidence", "it became another release meanwhile", "find out who changes it")
        for name, data in _beside(told, place, files).items():
            write_file(name, data, folder)
        site.land(place)
    return Landed(place, _digest(files), tuple(files), new=True)


def _copied(evidence: Path, folder: int, leave: str) -> list[File]:
    top = os.open(evidence, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        target = os.open(EVIDENCE, FOLDER, dir_fd=folder)
        try:
            return copied(top, target, leave)
        finally:
            os.close(target)
    finally:
        os.close(top)


def _beside(told: Facts, place: Place, files: Sequence[File]) -> dict[str, bytes]:
    """What lies beside the evidence in a publication."""
    return {
        ".gitattributes": _ATTRIBUTES,
        ".gitignore": _IGNORE,
        FILES: listing(files, f"{EVIDENCE}/"),
        INDEX: release_page(told, place, files),
    }


def _digest(files: Sequence[File]) -> str:
    """The SHA-256 of `FILES`, which names every file of the evidence and its SHA-256."""
    return hashlib.sha256(listing(files, f"{EVIDENCE}/")).hexdigest()


def _left_out(reviewer: Reviewer) -> str:
    return PRODUCTS if reviewer.without_products else ""


def _compare(standing: int, evidence: Path, told: Facts, place: Place, leave: str) -> tuple[Landed, list[str]]:
    """Whether what stands there is the same evidence; nothing is changed.

    Raises:
        PublishError: it is another, or more lies there.
    """
    top = os.open(evidence, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files = hashed(top, leave)
    finally:
        os.close(top)
    ours, theirs = _digest(files), _digest(_standing_files(standing))
    aside = "a published release never changes: give this one another version, or publish it elsewhere"
    listed = listing(files, f"{EVIDENCE}/")
    if ours != theirs and read_file(FILES, standing, _MAX_PAGE) == listed:
        unlike = set(listing(_standing_files(standing), f"{EVIDENCE}/").splitlines()) ^ set(listed.splitlines())
        because = f"{min(line[66:] for line in unlike).decode()} is not what was published then"
        raise PublishError(f"{place} was changed since it was published", because, "put it back as it was")
    if ours != theirs:
        raise PublishError(f"{place} is published with other bytes", f"it is {theirs}, this is {ours}", aside)
    expected = _beside(told, place, files)
    names = set(os.listdir(standing))
    if odd := names ^ {EVIDENCE, *expected}:
        because = f"{min(odd)} is {'missing' if min(odd) not in names else 'no part of it'}"
        raise PublishError(f"{place} was changed since it was published", because, "put it back as it was")
    notices = []
    for name, data in expected.items():
        held = read_file(name, standing, _MAX_PAGE)
        if held != data and (name != INDEX or held is None or _maker(held) == _maker(data)):
            because = f"{name} is not what was written then"
            raise PublishError(f"{place} was changed since it was published", because, "put it back as it was")
        if held != data:
            notices.append(f"{place}/{name} was made by another version, and is not compared")
    return Landed(place, ours, tuple(files), new=False), notices


def _standing_files(standing: int) -> list[File]:
    try:
        inner = os.open(EVIDENCE, FOLDER, dir_fd=standing)
    except OSError:
        return []
    try:
        return hashed(inner)
    finally:
        os.close(inner)


def _maker(held: bytes) -> bytes:
    """The version that made a page, by its own word."""
    return held.partition(MARK)[2].partition(b'"')[0]


def _write_pages(site: Site) -> tuple[list[str], list[str]]:
    """Write the pages that list, and what git must know; gives their paths, and what was left alone."""
    written, left = [], []
    pages = {(folder, INDEX): data for folder, data in list_pages(site.fd).items()}
    for (folder, name), data in {**{("", name): data for name, data in _SITE.items()}, **pages}.items():
        path = f"{folder}/{name}" if folder else name
        if site.put(folder, name, data, MARK):
            written.append(path)
        else:
            left.append(f"{path} is not ours and was left as it is")
    return written, left


def _large(landed: Landed) -> list[str]:
    return [
        f"{file.path} has {file.size} bytes: large git hosts refuse files of {GIT_LIMIT >> 20} MiB and more"
        for file in landed.files
        if file.size >= GIT_LIMIT
    ]
