"""Which folders of evidence lie behind what a person named: evidence, publications, all of a version, a joined release.

- A name that a person gives may be a link; nothing below it may.
- What is called after a signer, as `publish` lays it out, is that signer's or is put aside; so is what is no evidence.
- A folder of a version or of a joined release holds a limited number of others.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import ManifestError

BUILDERS = "builders"
DIFFERING = "differing"
REPORT = "join.json"
TEXT = "JOINED.txt"
SUMS = "SHA256SUMS"
EVIDENCE = "evidence"
PRODUCTS = "products"
_MOST = 1000


@dataclass(frozen=True)
class Source:
    """A folder of evidence: where it lies, how it is told of, below which folder its products lie (None: its own), and
    who published it (empty: nobody says)."""

    evidence: Path
    said: str
    products: Path | None = None
    signer: str = ""


@dataclass(frozen=True)
class Aside:
    """What was put aside, and why; it is never counted."""

    said: str
    because: str


def is_joined(folder: Path) -> bool:
    """Whether it is laid out as a joined release: it has builders, and no log of its own."""
    return _folder(folder / BUILDERS) and not _there(folder / "log")


def is_evidence(folder: Path) -> bool:
    """Whether it is laid out as evidence."""
    return _folder(folder / "log")


def behind(named: Sequence[Path]) -> tuple[list[Source], list[Aside]]:
    """The evidence behind what was named, in that order.

    Raises:
        ManifestError: one is not there, or has nothing of the kind below it.
    """
    sources: list[Source] = []
    asides: list[Aside] = []
    for path in named:
        if not path.is_dir():
            raise ManifestError(f"the evidence {path}", "there is no such folder", "name one that is there")
        found = list(_below(path))
        if not any(isinstance(each, Source) for each in found):
            because = found[0].because if found and isinstance(found[0], Aside) else "it holds no evidence"
            raise ManifestError(
                str(path), because, "name evidence, a publication, or a folder NAME/VERSION of a site"
            )
        sources += [each for each in found if isinstance(each, Source)]
        asides += [each for each in found if isinstance(each, Aside)]
    if len(sources) > _MOST:
        raise ManifestError("join", f"these are {len(sources)} folders", f"name {_MOST} at most")
    return sources, asides


def inside(joined: Path) -> Iterator[Source | Aside]:
    """The builders of a joined release: those who agree, then those who differ."""
    for place, products in ((BUILDERS, joined), (DIFFERING, None)):
        if not _there(joined / place):
            continue
        for name in _names(joined / place):
            folder, said = joined / place / name, f"{joined}/{place}/{name}"
            if _folder(folder) and is_evidence(folder):
                yield Source(folder, said, products)
            else:
                yield Aside(said, "it is no folder of evidence")


def builders_of(folder: Path) -> list[Path]:
    """The evidence of those who agree in a joined release; none if it is no such folder."""
    if not is_joined(folder):
        return []
    return [each.evidence for each in inside(folder) if isinstance(each, Source) and each.products is not None]


def _below(path: Path) -> Iterator[Source | Aside]:
    if is_evidence(path):
        yield Source(path, str(path))
    elif is_joined(path):
        yield from inside(path)
    elif _folder(path / EVIDENCE):
        yield _publication(path, str(path), path.resolve().name)
    else:
        for name in _names(path):
            if _folder(path / name) and not name.startswith("."):
                yield _publication(path / name, f"{path}/{name}", name)
            elif stat.S_ISLNK(os.lstat(path / name).st_mode):
                yield Aside(f"{path}/{name}", "it is a symbolic link")


def _publication(path: Path, said: str, signer: str) -> Source | Aside:
    inner = path / EVIDENCE
    if _folder(inner) and is_evidence(inner):
        return Source(inner, said, signer=signer)
    return Aside(said, "it has no evidence/ as `publish` lays it out")


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry, _ in zip(entries, range(_MOST + 1), strict=False)]
    if len(names) > _MOST:
        raise ManifestError(
            str(folder), f"more than {_MOST} things lie in it", "name the evidence folders themselves"
        )
    return sorted(names)


def _folder(path: Path) -> bool:
    """Whether it is a folder itself, and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _there(path: Path) -> bool:
    return os.path.lexists(path)
