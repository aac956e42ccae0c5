"""A small archive of verified bytes, for an apt that has no network: signed index, list of packages, and packages.

- InRelease and the list are the very bytes that were verified; apt judges them again by the chosen keys.
- A package comes by what the signed index says of it: from the cache where its SHA-256 is there, else from the mirror.
  Its size and SHA-256 are checked before apt sees it, and one that differs is red and deleted.
- Packages are fetched a few at a time, each in a quarantine of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_stages.build.packages import Stock
from sealwright_stages.errors import BuildError
from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.get_sources import cache
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.ports import Workshop
from sealwright_stages.verify.archive import Release
from sealwright_stages.verify.deb822 import Listed

_AT_ONCE = 6


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
        missing = [each for each in wanted if not (self.folder / each.path).exists()]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="packages") as pool:
            brought = [pool.submit(self._one, each, number, workshop) for number, each in enumerate(missing)]
            try:
                for done, future in enumerate(brought):
                    future.result()
                    workshop.progress(0, 0, f"{done + 1} of {len(missing)} packages have arrived")
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def _one(self, stock: Stock, number: int, workshop: Workshop) -> None:
        target = self.folder / stock.path
        target.parent.mkdir(parents=True, exist_ok=True)
        known = Listed(stock.package.sha256, stock.size, target.name)
        if cache.take(workshop.cache, known.sha256, target):
            return
        own = replace(workshop, quarantine=workshop.quarantine / f"package-{number}", progress=_silent)
        own.quarantine.mkdir()
        try:
            self.archive.file(own, stock.path, known, "package.deb")
            arrived = own.quarantine / "package.deb"
            self._judge(arrived, stock)
            cache.keep(workshop.cache, arrived, known.sha256)
            target.write_bytes(arrived.read_bytes())
            self._judge(target, stock)
        finally:
            remove_tree(own.quarantine)

    def _judge(self, path: Path, stock: Stock) -> None:
        size, named = path.lstat().st_size, f"{stock.package.name} {stock.package.version}"
        if size == stock.size and sha256_file(path) == stock.package.sha256:
            return
        found = f"{size} bytes, not {stock.size}" if size != stock.size else "another SHA-256"
        path.unlink()
        raise BuildError(
            f"the package {named} of {self.archive.suite} is refused",
            f"what the mirror gives has {found} than the signed index names",
            "try another mirror; if it is the same there, ask the archive",
            "package-mismatch",
        )


def _silent(done: int, total: int, note: str) -> None:
    """The whole tells how far it is, not each package."""
