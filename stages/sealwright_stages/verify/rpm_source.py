"""A stock RPM package of a component: fetch it, judge it, copy it.

- Its own signature is an item; so is its SHA-256 where one is pinned. Each must be green.
- A package that fails one of its items is deleted.
- The copy is hashed while it is written; it must be the bytes that every item was judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_stages.events import Stage
from sealwright_stages.get_sources import cache
from sealwright_stages.get_sources.addresses import plain_name
from sealwright_stages.get_sources.http_file import fetch_file
from sealwright_stages.get_sources.quarantine import discard
from sealwright_stages.ports import Deleted, ItemSpec, Outcome, Trust, Workshop
from sealwright_stages.verdict import Failed, Green, Verdict
from sealwright_stages.verify.codes import passed, shown
from sealwright_stages.verify.copy import stage_file
from sealwright_stages.verify.file import judge_digest
from sealwright_stages.verify.rpm import judge_rpm


@dataclass(frozen=True)
class RpmSource:
    """A package at `url`, called `name` as rpm calls it; `sha256` (64 hex digits) may be pinned."""

    component: str
    url: str
    name: str
    sha256: str | None
    trust: Trust

    @property
    def fetch_item(self) -> ItemSpec:
        """The item of get-sources."""
        return self._item("fetch", "file", f"fetch {self.name}", Stage.GET_SOURCES)

    @property
    def verify_items(self) -> tuple[ItemSpec, ...]:
        """An item for the signature, one for the digest if it is pinned."""
        signature = self._item("rpm", "rpm", f"signature of {self.name}")
        if self.sha256 is None:
            return (signature,)
        return signature, self._item("file", "digest", f"digest of {self.name}")

    def _item(self, part: str, kind: str, title: str, stage: Stage = Stage.VERIFY) -> ItemSpec:
        return ItemSpec(f"{self.component}/{part}/{self.name}", self.component, stage, kind, title)

    def fetch(self, workshop: Workshop) -> Verdict:
        """Fetch the package; raises FetchError."""
        path = workshop.quarantine / self.name
        if self.sha256 is not None and cache.take(workshop.cache, self.sha256, path):
            size = path.stat().st_size
            evidence = {"url": shown(self.url), "cached": True, "size": size}
            return passed(f"{self.name} taken from the cache, {size} bytes", "", evidence)
        arrived = fetch_file(workshop, self.url, self.name)
        evidence = {"url": shown(arrived.url), "cached": False, "size": arrived.size}
        return passed(f"{self.name} arrived, {arrived.size} bytes", "", evidence)

    def verify(self, workshop: Workshop) -> Outcome:
        """Judge the package by each of its items."""
        path = workshop.quarantine / self.name
        verdicts: dict[str, Verdict] = {}
        for spec in self.verify_items:
            digest = self.sha256 if spec.kind == "digest" else None
            verdicts[spec.id] = judge_digest(path, digest) if digest else judge_rpm(path, self.trust)
        where = {"url": shown(self.url, 1000), "pinned": self.sha256 is not None}
        for item, verdict in verdicts.items():
            verdicts[item] = replace(verdict, evidence={**verdict.evidence, **where})
        gone: list[Deleted] = []
        for item, verdict in verdicts.items():
            if isinstance(verdict, Failed):
                gone += discard(path, item, verdict.reason)
        if self.sha256 is not None and not gone:
            cache.keep(workshop.cache, path, self.sha256)
        return Outcome(verdicts, tuple(gone))

    def stage(self, workshop: Workshop, green: Mapping[str, Green], destination: Path) -> None:
        """Copy the judged bytes to `destination`/files/`name`; raises RefusedError."""
        judged = {green[spec.id].verdict.subject_sha256 for spec in self.verify_items}
        stage_file(workshop.quarantine / self.name, destination, judged)


def rpm_source(component: str, url: str, *, sha256: str | None, trust: Trust) -> RpmSource:
    """The source for a package.

    Raises:
        FetchError: its address has no plain file name at the end.
    """
    return RpmSource(component, url, plain_name(url), sha256, trust)
