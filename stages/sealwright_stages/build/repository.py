"""A small archive of verified bytes, for an apt that has no network: signed index, list of packages, and packages.

- InRelease and the list are the very bytes that were verified; apt judges them again by the chosen keys.
- A package comes by what the signed index says of it: from the cache where its SHA-256 is there, else from the mirror.
  Its size and SHA-256 are checked before apt sees it, and one that differs is red and deleted.
- Packages are fetched many at a time; one that came so and is not right is asked for once more, on its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_stages.build.packages import Stock
from sealwright_stages.errors import BuildError
from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.get_sources import cache
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.get_sources.many import Wanted, fetch_many
from sealwright_stages.ports import Workshop
from sealwright_stages.verify.archive import Release
from sealwright_stages.verify.deb822 import Listed

_AT_ONCE = 50


@dataclass(frozen=True)
class Index:
    """A verified list of packages: the release that names it, under which name, and its text."""

    release: Release
    name: str
    text: bytes


@dataclass(frozen=True)
class Repository:
    """An archive of one suite in `folder`."""

    folder: Path
    archive: DebianArchive

    def lay(self, index: Index, workshop: Workshop) -> None:
        """Put InRelease and the list of packages there; apt unpacks that where InRelease names it only packed."""
        dists = self.folder / "dists" / self.archive.suite
        packed, plain = dists / index.name, index.name.removesuffix(".xz")
        packed.parent.mkdir(parents=True)
        (dists / "InRelease").write_bytes(index.release.document)
        if plain in index.release.files:
            (dists / plain).write_bytes(index.text)
        else:
            cache.take(workshop.cache, index.release.files[index.name].sha256, packed)

    def bring(self, wanted: Iterable[Stock], workshop: Workshop) -> None:
        """Put packages there.

        Raises:
            BuildError: one is not the one that the signed index names.
            FetchError: one did not arrive.
        """
        missing = [each for each in wanted if not self._cached(each, workshop)]
        for at in range(0, len(missing), _AT_ONCE):
            some = missing[at : at + _AT_ONCE]
            self._fetch(some, workshop)
            workshop.progress(0, 0, f"{at + len(some)} of {len(missing)} packages have arrived")

    def _cached(self, stock: Stock, workshop: Workshop) -> bool:
        target = self.folder / stock.path
        target.parent.mkdir(parents=True, exist_ok=True)
        return cache.take(workshop.cache, stock.package.sha256, target)

    def _fetch(self, some: Sequence[Stock], workshop: Workshop) -> None:
        own = replace(workshop, quarantine=workshop.quarantine / "packages", progress=_silent)
        own.quarantine.mkdir()
        try:
            mirror = self.archive.archive.mirror
            fetch_many(
                own,
                [Wanted(f"{mirror}/{each.path}", f"{number}.deb", each.size) for number, each in enumerate(some)],
            )
            for number, each in enumerate(some):
                self._take(own, own.quarantine / f"{number}.deb", each)
        finally:
            remove_tree(own.quarantine)

    def _take(self, workshop: Workshop, arrived: Path, stock: Stock) -> None:
        """Judge a package that arrived, and take it; what did not come whole is fetched once more, on its own."""
        if not _is(arrived, stock):
            remove_tree(arrived)
            known = Listed(stock.package.sha256, stock.size, arrived.name)
            self.archive.file(workshop, stock.path, known, arrived.name)
            self._judge(arrived, stock)
        cache.keep(workshop.cache, arrived, stock.package.sha256)
        target = self.folder / stock.path
        shutil.copyfile(arrived, target, follow_symlinks=False)
        self._judge(target, stock)

    def _judge(self, path: Path, stock: Stock) -> None:
        if _is(path, stock):
            return
        size, named = path.lstat().st_size, f"{stock.package.name} {stock.package.version}"
        found = f"{size} bytes, not {stock.size}," if size != stock.size else "another SHA-256"
        path.unlink()
        raise BuildError(
            f"the package {named} of {self.archive.suite} is refused",
            f"what the mirror gives has {found} than the signed index names",
            "try another mirror; if it is the same there, ask the archive",
            "package-mismatch",
        )


def _is(path: Path, stock: Stock) -> bool:
    try:
        return path.lstat().st_size == stock.size and sha256_file(path) == stock.package.sha256
    except OSError:
        return False


def _silent(done: int, total: int, note: str) -> None:
    """The whole tells how far it is, not each package."""
