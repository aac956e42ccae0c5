"""A Debian archive, fetched and judged once per run and shared by all that needs it.

- InRelease is fetched afresh in every run, and after a root that could not be made; it is judged before anything
  that it names is asked for.
- Indexes and files are asked for by what the signed index says, and come from the cache where their SHA-256
  is there.
- A file that is larger than the signed index says is given up while it comes.
- What an index names comes with the release that the index is of, since another one may have been asked meanwhile.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping

from sealwright_stages.errors import FetchError, MachineError
from sealwright_stages.files import remove_tree
from sealwright_stages.get_sources import cache
from sealwright_stages.get_sources.http_file import fetch_file
from sealwright_stages.ports import Archive, Workshop
from sealwright_stages.process import run
from sealwright_stages.verify.archive import (
    Binary,
    Release,
    check_index,
    chosen_binary,
    read_release,
    stanzas,
    unpacked,
)
from sealwright_stages.verify.codes import RefusedError, not_fetched
from sealwright_stages.verify.deb822 import Deb822Error, Listed, listed

_SOURCES = "main/source/Sources.xz"
_MAX_INDEX = 256 << 20


class DebianArchive:
    """One suite of one archive."""

    def __init__(self, archive: Archive, suite: str) -> None:
        self.archive, self.suite = archive, suite
        self._lock = threading.Lock()
        self._release: Release | None = None
        self._texts: dict[str, bytes] = {}

    def forget(self) -> None:
        """Ask the archive afresh from now on."""
        with self._lock:
            self._release = None
            self._texts.clear()

    def source(self, workshop: Workshop, package: str) -> tuple[Release, Mapping[str, str], dict[str, Listed]]:
        """The newest stanza of a source package and its files, with the release whose index names them.

        Raises:
            FetchError: the archive does not have it, or its indexes are refused.
        """
        with self._lock:
            text = self._text(workshop, _SOURCES)
            release = self._released(workshop)
        try:
            found = list(stanzas(text, "Package", package))
            if not found:
                raise not_fetched(
                    "archive-package-missing",
                    f"{package} of {self.suite}",
                    "the archive's signed index does not have it",
                    "look at the package's name and the suite",
                )
            newest = found[0]
            for stanza in found[1:]:
                if _newer(stanza["version"], newest["version"]):
                    newest = stanza
            return release, newest, listed(newest, "checksums-sha256")
        except (Deb822Error, KeyError) as error:
            raise not_fetched(
                "archive-index-malformed", f"{package} of {self.suite}", str(error), "try another mirror"
            ) from error

    def binary(
        self, workshop: Workshop, package: str, version: str | None, wanted: str | None
    ) -> tuple[Release, Binary]:
        """The one binary package of that name, version (if given) and architecture, with the release that names it.

        Without an architecture that is the machine's, or `all` where the index says so.

        Raises:
            FetchError: the index does not have it, has more than one that would do, or is refused.
        """
        release, index = self.packages(workshop, wanted)
        try:
            return release, chosen_binary(index, package, version, wanted or architecture())
        except RefusedError as error:
            what = f"{package} of {self.suite}"
            raise not_fetched(error.code, what, error.reason, error.next_step) from error

    def binaries(self, workshop: Workshop, source: str, version: str) -> dict[str, str]:
        """Published binary packages of a source and version: `name_version_arch.deb` -> SHA-256."""
        _, text = self.packages(workshop)
        found: dict[str, str] = {}
        for field in ("Package", "Source"):
            for stanza in stanzas(text, field, source):
                of = stanza.get("source", stanza["package"]).split(" ")[0]
                if of == source and stanza.get("version") == version and "sha256" in stanza:
                    plain = version.split(":", 1)[-1]
                    found[f"{stanza['package']}_{plain}_{stanza['architecture']}.deb"] = stanza["sha256"]
        return found

    def packages(self, workshop: Workshop, wanted: str | None = None) -> tuple[Release, bytes]:
        """The list of an architecture (this machine's, if None or `all`), with the release that names it.

        Raises:
            FetchError: it did not arrive, or is refused.
        """
        with self._lock:
            named = architecture() if wanted in (None, "all") else wanted
            text = self._text(workshop, f"main/binary-{named}/Packages.xz")
            return self._released(workshop), text

    def file(self, workshop: Workshop, path: str, known: Listed, name: str) -> bool:
        """Bring a file of the pool to `name`; true if it came from the cache. It is judged later, like any."""
        target = workshop.quarantine / name
        if cache.take(workshop.cache, known.sha256, target):
            return True
        fetch_file(workshop, f"{self.archive.mirror}/{path}", name, known.size)
        return False

    def _released(self, workshop: Workshop) -> Release:
        if self._release is None:
            url = f"{self.archive.mirror}/dists/{self.suite}/InRelease"
            path = fetch_file(workshop, url, "InRelease", 4 << 20).path
            document = path.read_bytes()
            path.unlink()
            try:
                self._release = read_release(document, self.suite, self.archive.keyring)
            except RefusedError as error:
                raise FetchError(
                    f"{self.suite} of the archive", error.reason, error.next_step, error.code
                ) from error
        return self._release

    def _text(self, workshop: Workshop, name: str) -> bytes:
        if name in self._texts:
            return self._texts[name]
        release = self._released(workshop)
        known = release.files.get(name)
        if known is None:
            raise not_fetched("archive-digest-missing", name, "InRelease does not name it", "try another mirror")
        target = workshop.quarantine / "index.xz"
        remove_tree(target)
        if not cache.take(workshop.cache, known.sha256, target):
            self._fetch_index(workshop, name, known, target.name)
        data = target.read_bytes()
        try:
            check_index(release, name, data)
            self._texts[name] = unpacked(data)
        except RefusedError as error:
            raise FetchError(name, error.reason, error.next_step, error.code) from error
        else:
            cache.keep(workshop.cache, target, known.sha256)
        finally:
            target.unlink()
        return self._texts[name]

    def _fetch_index(self, workshop: Workshop, name: str, known: Listed, target: str) -> None:
        """By its digest, so that an archive that is just changing gives the right one; else by its name."""
        base = f"{self.archive.mirror}/dists/{self.suite}"
        by_hash = f"{name.rsplit('/', 1)[0]}/by-hash/SHA256/{known.sha256}"
        limit = min(known.size, _MAX_INDEX)
        try:
            fetch_file(workshop, f"{base}/{by_hash}", target, limit)
        except FetchError:
            fetch_file(workshop, f"{base}/{name}", target, limit)


@functools.cache
def architecture() -> str:
    """The machine's Debian architecture. Raises MachineError without dpkg."""
    done = run(["dpkg", "--print-architecture"], timeout=10)
    if done.returncode != 0:
        raise MachineError("dpkg", done.complaint(), "apt install dpkg")
    return done.stdout.decode().strip()


def _newer(one: str, other: str) -> bool:
    return run(["dpkg", "--compare-versions", "--", one, "gt", other], timeout=10).returncode == 0
