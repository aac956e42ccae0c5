"""A third-party file of a component: fetch it and its signatures, judge them, unpack it if asked, copy it.

- A file that fails one of its items is deleted together with its signatures and with all that came out of it.
- The copy is hashed while it is written; it must be the bytes that every item was judged by.
- Where the uncompressed bytes are the signed ones, they are what is copied: the container around them nobody signed.
- A file is unpacked only once nothing of it is red, and in a sandbox; the tree that moves on is the one that was judged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sealwright_stages.events import Stage
from sealwright_stages.files import sha256_file
from sealwright_stages.get_sources import cache
from sealwright_stages.get_sources.addresses import plain_name
from sealwright_stages.get_sources.http_file import fetch_file
from sealwright_stages.get_sources.quarantine import discard
from sealwright_stages.ports import Deleted, ItemSpec, Outcome, Trust, Workshop
from sealwright_stages.unpack import decompress, unpack
from sealwright_stages.unpack.decompress import Uncompressed
from sealwright_stages.unpack.names import archive_kind, decompressor, uncompressed_name, unpacked_name
from sealwright_stages.unpack.unpack import Unpacked
from sealwright_stages.verdict import Failed, Green, Verdict
from sealwright_stages.verify.codes import RefusedError, failed, passed, shown
from sealwright_stages.verify.copy import copy_judged
from sealwright_stages.verify.file import judge_beside, judge_digest
from sealwright_stages.verify.settle import renamed
from sealwright_stages.verify.sources_manifest import list_folder

_HEX = re.compile(r"[0-9a-f]{64}\Z")
_SIGNATURE = ".detached-signature"
_MAX_SIGNATURE = 1 << 20


@dataclass(frozen=True)
class Inside:
    """How the inside of a file is dealt with: are the uncompressed bytes the signed ones, is it to be unpacked."""

    signed: bool = False
    unpack: bool = False


@dataclass
class ThirdPartyFile:
    """A file at `url`, called `name`; it has a digest, signatures (their addresses), or both.

    Remembers what it judged of the inside.
    """

    component: str
    url: str
    name: str
    sha256: str | None
    signatures: tuple[str, ...]
    trust: Trust | None
    inside: Inside = Inside()
    _uncompressed: Uncompressed | None = field(default=None, repr=False)
    _unpacked: Unpacked | None = field(default=None, repr=False)

    @property
    def fetch_item(self) -> ItemSpec:
        """The item of get-sources."""
        item = f"{self.component}/fetch/{self.name}"
        return ItemSpec(item, self.component, Stage.GET_SOURCES, "file", f"fetch {self.name}")

    @property
    def verify_items(self) -> tuple[ItemSpec, ...]:
        """An item for the digest, one for the signature, one for the unpacking, as far as they are wanted."""
        items = []
        if self.sha256 is not None:
            items.append(self._item("file", "digest", f"digest of {self.name}"))
        if self.signatures:
            what = f"{uncompressed_name(self.name)} in {self.name}" if self.inside.signed else self.name
            items.append(self._item("file-signature", "file-signature", f"signature of {what}"))
        if self.inside.unpack:
            items.append(self._item("unpack", "unpack", f"unpack {self.name}"))
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
            evidence = {"url": shown(arrived.url), "cached": False, "broken_connections": arrived.broken}
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
        """Judge the file by each of its items, the digest first and its inside last."""
        self._uncompressed = self._unpacked = None
        path = workshop.quarantine / self.name
        verdicts: dict[str, Verdict] = {}
        for spec in self.verify_items:
            if spec.kind == "digest":
                verdicts[spec.id] = judge_digest(path, str(self.sha256))
            elif spec.kind == "unpack":
                verdicts[spec.id] = self._judge_unpacking(workshop, path, verdicts)
            elif self.trust is not None:
                verdicts[spec.id] = self._judge_signature(workshop, path, self.trust)
        where = {"url": shown(self.url, 1000), "pinned": self.sha256 is not None}
        for item, verdict in verdicts.items():
            verdicts[item] = replace(verdict, evidence={**verdict.evidence, **where})
        gone = self._discarded(workshop, verdicts)
        if self.sha256 is not None and not gone:
            cache.keep(workshop.cache, path, self.sha256)
        return Outcome(verdicts, tuple(gone))

    def _discarded(self, workshop: Workshop, verdicts: Mapping[str, Verdict]) -> list[Deleted]:
        """Delete everything of the file if anything of it is red."""
        quarantine, gone = workshop.quarantine, list[Deleted]()
        inside = [quarantine / folder for folder in (decompress.FOLDER, unpack.FOLDER)]
        for item, verdict in verdicts.items():
            if isinstance(verdict, Failed):
                for path in (quarantine / self.name, *self._beside(workshop), *inside):
                    gone += discard(path, item, verdict.reason)
        return gone

    def _judge_signature(self, workshop: Workshop, path: Path, trust: Trust) -> Verdict:
        beside = self._beside(workshop)
        if not self.inside.signed:
            return judge_beside(path, beside, trust)
        try:
            inner = self._decompressed(workshop, path)
        except RefusedError as error:
            return error.verdict(sha256_file(path))
        verdict = judge_beside(inner.path, beside, trust)
        if verdict.subject_sha256 != inner.sha256:
            return _changed(inner.path.name).verdict(sha256_file(path))
        return renamed(verdict, str(inner.evidence["compressed_sha256"]), {"uncompressed": dict(inner.evidence)})

    def _judge_unpacking(self, workshop: Workshop, path: Path, others: Mapping[str, Verdict]) -> Verdict:
        subject = sha256_file(path)
        red = next((verdict for verdict in others.values() if isinstance(verdict, Failed)), None)
        if red is not None or any(verdict.subject_sha256 != subject for verdict in others.values()):
            because = "it is red already" if red is not None else "it has changed since"
            return failed("check-missing", f"{self.name} was not unpacked: {because}", "mend that first", subject)
        try:
            inner = self._decompressed(workshop, path) if decompressor(self.name) else None
            if inner and inner.evidence["compressed_sha256"] != subject:
                raise _changed(self.name)
            archive = inner.path if inner else path
            kind, size = archive_kind(self.name), path.stat().st_size
            found = self._unpacked = unpack.unpack(workshop, archive, kind, unpacked_name(self.name), size)
        except RefusedError as error:
            return error.verdict(subject)
        evidence = {
            **found.evidence,
            "uncompressed": dict(self._uncompressed.evidence if self._uncompressed else {}),
        }
        return passed(f"unpacked: {evidence['files']} files, {evidence['bytes']} bytes", subject, evidence)

    def _decompressed(self, workshop: Workshop, path: Path) -> Uncompressed:
        if self._uncompressed is None:
            self._uncompressed = decompress.decompress(workshop, path)
        return self._uncompressed

    def stage(self, workshop: Workshop, green: Mapping[str, Green], destination: Path) -> None:
        """Put the judged bytes into `destination`/files, the unpacked tree into /unpacked; raises RefusedError."""
        judged = {green[spec.id].verdict.subject_sha256 for spec in self.verify_items}
        path, name = workshop.quarantine / self.name, self.name
        if self.inside.signed:
            inner = self._uncompressed
            if inner is None or judged != {inner.evidence["compressed_sha256"]}:
                raise _changed(self.name)
            path, name, judged = inner.path, uncompressed_name(self.name), {inner.sha256}
        folder = _folder(destination, "files")
        copy_judged(path, folder / name, judged)
        if self.inside.unpack:
            self._stage_tree(_folder(destination, unpack.FOLDER) / unpacked_name(self.name))

    def _stage_tree(self, target: Path) -> None:
        tree = self._unpacked
        if tree is None or target.exists():
            raise _changed(self.name)
        tree.path.rename(target)
        if list_folder(target).sha256 != tree.sha256:
            raise _changed(target.name)


def _folder(destination: Path, name: str) -> Path:
    folder = destination / name
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    return folder


def _changed(name: str) -> RefusedError:
    return RefusedError(
        "changed-since-verified",
        f"{name} is not what was judged",
        "run again; find out who writes into the quarantine",
    )


def file_source(
    component: str,
    url: str,
    *,
    sha256: str | None = None,
    signature: str | Sequence[str] | None = None,
    trust: Trust | None = None,
    inside: Inside = Inside(),
) -> ThirdPartyFile:
    """The source for a file with a digest (64 hex digits), detached signatures (one address or several), or both.

    Raises:
        FetchError: its address has no plain file name at the end.
        ValueError: neither digest nor signature, a signature without trust, or an inside that its name can't have.
    """
    signatures = (signature,) if isinstance(signature, str) else tuple(signature or ())
    if sha256 is None and not signatures:
        raise ValueError("a file needs a digest or a signature")
    if signatures and trust is None:
        raise ValueError("a signature needs persons who may have made it")
    digest = sha256.lower() if sha256 is not None else None
    if digest is not None and not _HEX.match(digest):
        raise ValueError("a digest is 64 hex digits")
    name = plain_name(url)
    if (inside.signed and not (signatures and decompressor(name))) or (inside.unpack and not archive_kind(name)):
        raise ValueError(f"{name} has no such inside")
    return ThirdPartyFile(component, url, name, digest, signatures, trust, inside)
