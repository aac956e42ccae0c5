"""Build roots: the host's /usr, a pinned tar, or a Debian suite of which every package is in the verified index.

- A Debian suite has a base root, which is an item of the environment, and a root of that for each component.
- A host or a tar is one root for all that name it.
- An environment of another kind is refused before anything is fetched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sealwright_stages.build.bootstrap import Wish
from sealwright_stages.build.debian_root import Listed, Shelf
from sealwright_stages.build.host import prepare_host
from sealwright_stages.build.packages import stock_of
from sealwright_stages.build.repository import Index
from sealwright_stages.build.tar_root import KIND, prepare_tar
from sealwright_stages.errors import BuildError, FetchError
from sealwright_stages.events import Stage
from sealwright_stages.get_sources.debian import DebianArchive, architecture
from sealwright_stages.manifest_table import HEX64
from sealwright_stages.ports import ItemSpec, Prepared, Workshop


@dataclass
class _Listing:
    """The newest list that was read, so that it is read once for all roots of a run."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    sha256: str = ""
    listed: Listed = field(default_factory=dict)


@dataclass(frozen=True)
class Environments:
    """Makes build roots in the cache.

    `archive` gives the Debian archive of a suite, `tars` where the tar with a SHA-256 is.
    """

    archive: Callable[[str], DebianArchive]
    tars: Mapping[str, str] = field(default_factory=dict)
    _listing: _Listing = field(default_factory=_Listing, compare=False)

    def items(self, name: str) -> tuple[ItemSpec, ...]:
        """The items of environment `name` itself.

        Raises:
            BuildError: there is no such kind of environment.
        """
        suite, component = _suite(name), f"environment {name}"
        if suite is not None:
            title = f"packages of Debian {suite}, by its signed index"
            return (ItemSpec(f"{component}/apt", component, Stage.VERIFY, "apt", title),)
        if name.startswith(KIND):
            title = "build root from a tar, pinned by the manifest"
            return (ItemSpec(f"{component}/tar", component, Stage.VERIFY, "digest", title),)
        return ()

    def root_item(self, name: str, component: str) -> ItemSpec | None:
        """The item of the root that a component has for itself: in a Debian suite.

        Raises:
            BuildError: there is no such kind of environment.
        """
        if _suite(name) is None:
            return None
        title = f"build root of {component}, by the signed index"
        return ItemSpec(f"{component}/environment", f"environment {name}", Stage.VERIFY, "apt", title)

    def prepare(
        self,
        name: str,
        packages: Sequence[str],
        build_depends: Sequence[str],
        workshop: Workshop,
        *,
        own: bool = False,
    ) -> Prepared:
        """Make or take from the cache a build root with these packages; `own`: as that of a component.

        Raises:
            BuildError: the environment, its index or a package is refused.
            FetchError: the index or a package did not arrive.
        """
        suite = _suite(name)
        if name.startswith(KIND):
            return prepare_tar(name, self.tars[name.removeprefix(KIND)], packages, workshop)
        if suite is None:
            return prepare_host(packages, build_depends)
        wish = Wish.of(suite, architecture(), packages, build_depends)
        archive = self.archive(suite)
        shelf = self._shelf(archive, workshop)
        try:
            root, record = shelf.root(wish)
        except (BuildError, FetchError):
            archive.forget()  # it may just be changing: the next try asks afresh
            raise
        return Prepared(name, root, record.sha256, record.packages, shelf.verdict(wish, record, own=own))

    def _shelf(self, archive: DebianArchive, workshop: Workshop) -> Shelf:
        release, text = archive.packages(workshop)
        name = f"main/binary-{architecture()}/Packages.xz"
        with self._listing.lock:
            known = release.files[name].sha256
            if self._listing.sha256 != known:
                self._listing.listed = stock_of(text.decode("utf-8", "surrogateescape"))
                self._listing.sha256 = known
            listed = self._listing.listed
        return Shelf(archive, Index(release, name, text), listed, workshop)


def _suite(name: str) -> str | None:
    """The suite of `debian:SUITE`, None for `host` and `tar:SHA256`."""
    kind, _, rest = name.partition(":")
    if name == "host" or (kind == "tar" and HEX64.match(rest)):
        return None
    if kind == "debian" and rest:
        return rest
    next_step = "use `host`, `debian:SUITE` or `tar:` with a SHA-256"
    raise BuildError(f"environment {name!r} is refused", "no such build root is made", next_step)
