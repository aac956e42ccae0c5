"""A stock Debian package of a component: the archive's word, from its signed index down to the .deb.

- Signed InRelease -> Packages -> the .deb by SHA-256 and size; the archive's word is the only one there is, and so
  one item.
- A file that is not the one that the index names is deleted.
- It is judged by the very release whose index named it; a second try asks the archive afresh.
- The copy is hashed while it is written; it must be the bytes that were judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.events import Stage
from sealwright_stages.files import sha256_file
from sealwright_stages.get_sources import cache
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.get_sources.quarantine import discard
from sealwright_stages.ports import ItemSpec, Outcome, Workshop
from sealwright_stages.verdict import Failed, Green, Verdict, Warned
from sealwright_stages.verify.archive import Binary, Release
from sealwright_stages.verify.codes import RefusedError, failed, passed, warned
from sealwright_stages.verify.copy import stage_file

_NEXT = "try another mirror; if it is the same there, ask the archive"


@dataclass
class DebSource:
    """One binary package of a suite; remembers between fetch and verify what the signed index named.

    `version` None: the only one that the index has; `architecture` None: the machine's, or `all`.
    """

    component: str
    package: str
    version: str | None
    architecture: str | None
    archive: DebianArchive
    _chosen: tuple[Release, Binary] | None = None
    _tried: bool = False

    @property
    def fetch_item(self) -> ItemSpec:
        """It has arrived."""
        return self._item("fetch-deb", "fetch", f"package {self.name} of {self.archive.suite}", Stage.GET_SOURCES)

    @property
    def verify_items(self) -> tuple[ItemSpec, ...]:
        """The archive's word."""
        return (self._item("deb", "archive", f"{self.name} in the archive's signed index"),)

    @property
    def name(self) -> str:
        """The package as the manifest names it, with its architecture if that is given."""
        return f"{self.package}:{self.architecture}" if self.architecture else self.package

    def _item(self, part: str, kind: str, title: str, stage: Stage = Stage.VERIFY) -> ItemSpec:
        return ItemSpec(f"{self.component}/{part}/{self.name}", self.component, stage, kind, title)

    def fetch(self, workshop: Workshop) -> Verdict:
        """Fetch what the judged index names; raises FetchError."""
        if self._tried:
            self.archive.forget()
        self._tried = True
        release, chosen = self.archive.binary(workshop, self.package, self.version, self.architecture)
        self._chosen = release, chosen
        cached = self.archive.file(workshop, chosen.path, chosen.known, chosen.file_name)
        where = "taken from the cache" if cached else "arrived"
        evidence = {"version": chosen.version, "cached": cached, "size": chosen.known.size, "path": chosen.path}
        return passed(f"{chosen.file_name} {where}, {chosen.known.size} bytes", "", evidence)

    def verify(self, workshop: Workshop) -> Outcome:
        """Judge the file by the signed index; it is deleted if it is another."""
        item = self.verify_items[0].id
        try:
            verdict = self._by_archive(workshop)
        except RefusedError as error:
            verdict = error.verdict()
        _, named = self._named
        path = workshop.quarantine / named.file_name
        if isinstance(verdict, Failed):
            return Outcome({item: verdict}, tuple(discard(path, item, verdict.reason)))
        cache.keep(workshop.cache, path, named.known.sha256)
        return Outcome({item: verdict})

    @property
    def _named(self) -> tuple[Release, Binary]:
        if self._chosen is None:
            raise RefusedError("not-fetched", f"{self.name} was not looked for", "run again")
        return self._chosen

    def _by_archive(self, workshop: Workshop) -> Verdict:
        release, chosen = self._named
        name, known, judged = chosen.file_name, chosen.known, release.verdict
        path = workshop.quarantine / name
        try:
            size, found = path.lstat().st_size, sha256_file(path)
        except OSError as error:
            raise RefusedError("not-fetched", f"{name} is not there: {error}", "run again") from error
        evidence = {
            **judged.evidence,
            "archive": release.told(self.archive.archive.mirror, self.archive.suite),
            "package": f"{self.package}:{chosen.architecture}",
            "version": chosen.version,
            "files": {name: known.sha256},
            "path": chosen.path,
            "size": size,
        }
        if size != known.size:
            return failed(
                "size-mismatch", f"{name} is not as long as the signed index says", _NEXT, found, evidence
            )
        if found != known.sha256:
            reason = f"{name} is not the file that the signed index names"
            return failed("digest-mismatch", reason, _NEXT, found, evidence)
        if isinstance(judged, Warned):
            return warned(judged.code, judged.reason, judged.next_step, found, evidence)
        return passed(f"{name} as in the {judged.reason}", found, evidence)

    def stage(self, workshop: Workshop, green: Mapping[str, Green], destination: Path) -> None:
        """Copy the judged file to `destination`/files; raises RefusedError."""
        judged = {green[spec.id].verdict.subject_sha256 for spec in self.verify_items}
        stage_file(workshop.quarantine / self._named[1].file_name, destination, judged)
