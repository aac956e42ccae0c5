"""A third-party file of a component: fetch it and its signatures, judge them, copy it.

- A file that fails one of its items is deleted together with its signatures.
- The copy is hashed while it is written; it must be the bytes that every item was judged by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
from sealwright_stages.verify.copy import copy_judged
from sealwright_stages.verify.file import judge_beside, judge_digest

_HEX = re.compile(r"[0-9a-f]{64}\Z")
_SIGNATURE = ".detached-signature"
_MAX_SIGNATURE = 1 << 20


@dataclass(frozen=True)
class ThirdPartyFile:
    """A file at `url`, called `name`; it has a digest, signatures (their addresses), or both."""

    component: str
    url: str
    name: str
    sha256: str | None
    signatures: tuple[str, ...]
    trust: Trust | None

    @property
    def fetch_item(self) -> ItemSpec:
        """The item of get-sources."""
        item = f"{self.component}/fetch/{self.name}"
        return ItemSpec(item, self.component, Stage.GET_SOURCES, "file", f"fetch {self.name}")

    @property
    def verify_items(self) -> tuple[ItemSpec, ...]:
        """An item for the digest, one for the signature, as far as they are given."""
        items = []
        if self.sha256 is not None:
            items.append(self._item("file", "digest", f"digest of {self.name}"))
        if self.signatures:
            items.append(self._item("file-signature", "file-signature", f"signature of {self.name}"))
        return tuple(items)

    def _beside(self, workshop: Workshop) -> list[Path]:
        """Where the signatures lie."""
        first = workshop.quarantine / (self.name + _SIGNATURE)
        return [first.with_name(first.name + (f"-{n}" if n else "")) for n in range(len(self.signatures))]

    def _item(self, part: str, kind: str, title: str) -> ItemSpec:
        item = f"{self.component}/{part}/{self.name}"
        return ItemSpec(item, self.component, Stage.VERIFY, kind, title)

    def fetch(self, workshop: Workshop) -> Verdict:
        """Fetch the file and its signature; raises FetchError."""
        path = workshop.quarantine / self.name
        if self.sha256 is not None and cache.take(workshop.cache, self.sha256, path):
            evidence: dict[str, object] = {"url": shown(self.url), "cached": True}
        else:
            arrived = fetch_file(workshop, self.url, self.name)
            evidence = {"url": shown(arrived.url), "cached": False}
        beside = [
            fetch_file(workshop, address, path.name, _MAX_SIGNATURE)
            for address, path in zip(self.signatures, self._beside(workshop), strict=True)
        ]
        if beside:
            evidence["signatures"] = [{"url": shown(each.url), "size": each.size} for each in beside]
        size = path.stat().st_size
        where = "taken from the cache" if evidence["cached"] else "arrived"
        return passed(f"{self.name} {where}, {size} bytes", "", {**evidence, "size": size})

    def verify(self, workshop: Workshop) -> Outcome:
        """Judge the file by each of its items."""
        path = workshop.quarantine / self.name
        verdicts: dict[str, Verdict] = {}
        for spec in self.verify_items:
            if spec.kind == "digest":
                verdicts[spec.id] = judge_digest(path, str(self.sha256))
            elif self.trust is not None:
                verdicts[spec.id] = judge_beside(path, self._beside(workshop), self.trust)
        where = {"url": shown(self.url, 1000), "pinned": self.sha256 is not None}
        for item, verdict in verdicts.items():
            verdicts[item] = replace(verdict, evidence={**verdict.evidence, **where})
        gone: list[Deleted] = []
        for item, verdict in verdicts.items():
            if isinstance(verdict, Failed):
                gone += discard(path, item, verdict.reason)
                for beside in self._beside(workshop):
                    gone += discard(beside, item, verdict.reason)
        if self.sha256 is not None and not gone:
            cache.keep(workshop.cache, path, self.sha256)
        return Outcome(verdicts, tuple(gone))

    def stage(self, workshop: Workshop, green: Mapping[str, Green], destination: Path) -> None:
        """Copy the judged bytes to `destination`/files/`name`; raises RefusedError."""
        judged = {green[spec.id].verdict.subject_sha256 for spec in self.verify_items}
        folder = destination / "files"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        copy_judged(workshop.quarantine / self.name, folder / self.name, judged)


def file_source(
    component: str,
    url: str,
    *,
    sha256: str | None = None,
    signature: str | Sequence[str] | None = None,
    trust: Trust | None = None,
) -> ThirdPartyFile:
    """The source for a file with a digest (64 hex digits), detached signatures (one address or several), or both.

    Raises:
        FetchError: its address has no plain file name at the end.
        ValueError: neither digest nor signature, or a signature without trust.
    """
    signatures = (signature,) if isinstance(signature, str) else tuple(signature or ())
    if sha256 is None and not signatures:
        raise ValueError("a file needs a digest or a signature")
    if signatures and trust is None:
        raise ValueError("a signature needs persons who may have made it")
    digest = sha256.lower() if sha256 is not None else None
    if digest is not None and not _HEX.match(digest):
        raise ValueError("a digest is 64 hex digits")
    return ThirdPartyFile(component, url, plain_name(url), digest, signatures, trust)
