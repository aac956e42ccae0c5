"""A Debian source package as a source: the archive's word and the uploader's word are two items.

- archive: signed InRelease -> Sources -> .dsc and each file by SHA-256 and size; the very release whose index named
  them is the one that is told of.
- uploader: the .dsc's own signature, by a key of the chosen keyring, judged at the time of signing; where it
  bears several, each must be good, and a stranger's beside is red.
- The .dsc lists exactly the files that the archive lists, with the same digests; nothing unlisted is there. Its lists of
  weak digests prove nothing, but may not name other files or sizes either.
- A signer of whom nothing shows the right to upload this package is yellow: the archive's word stands beside it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_keyring.errors import KeyringError, MalformedError
from sealwright_keyring.openpgp import Bad, Good, Strangers, Weak, signature_issuers
from sealwright_stages.errors import FetchError
from sealwright_stages.events import Stage
from sealwright_stages.files import sha256_file
from sealwright_stages.get_sources import cache
from sealwright_stages.get_sources.addresses import is_plain_name
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.get_sources.quarantine import discard
from sealwright_stages.ports import Deleted, ItemSpec, Outcome, Workshop
from sealwright_stages.verdict import Failed, Green, Verdict, Warned
from sealwright_stages.verify.archive import Release
from sealwright_stages.verify.codes import RefusedError, failed, not_fetched, passed, warned
from sealwright_stages.verify.copy import copy_judged
from sealwright_stages.verify.deb822 import Deb822Error, Listed, build_depends, listed, paragraphs
from sealwright_stages.verify.uploaders import lacking_right, uploaders
from sealwright_stages.verify.verifier import keyring_of

_NEXT = "try another mirror; if it is the same there, ask the archive"
_WEAK = re.compile(r"[0-9a-f]{32,40} +([0-9]{1,15}) +(\S+)\Z")
_MARK = b"\n-----BEGIN PGP SIGNATURE-----\n"


@dataclass
class DebianSource:
    """One source package of a suite; remembers between fetch and verify what the signed index named."""

    component: str
    package: str
    archive: DebianArchive
    uploaders: Path
    rights: Path | None = None
    _files: dict[str, Listed] = field(default_factory=dict)
    _stanza: Mapping[str, str] = field(default_factory=dict)
    _release: Release | None = None
    _tried: bool = False

    @property
    def fetch_item(self) -> ItemSpec:
        """It has arrived."""
        title = f"source package {self.package} of {self.archive.suite}"
        return ItemSpec(
            f"{self.component}/fetch/{self.package}", self.component, Stage.GET_SOURCES, "fetch", title
        )

    @property
    def verify_items(self) -> tuple[ItemSpec, ...]:
        """The archive's word, and the uploader's."""
        return (
            self._item("archive", f"{self.package} in the archive's signed index"),
            self._item("uploader", f"uploader's signature on {self.package}'s .dsc"),
        )

    def _item(self, kind: str, title: str) -> ItemSpec:
        return ItemSpec(f"{self.component}/{kind}/{self.package}", self.component, Stage.VERIFY, kind, title)

    def fetch(self, workshop: Workshop) -> Verdict:
        """Fetch what the judged index names; raises FetchError."""
        if self._tried:
            self.archive.forget()  # a second try asks the archive afresh
        self._tried = True
        self._release, self._stanza, self._files = self.archive.source(workshop, self.package)
        cached = 0
        for name, known in self._files.items():
            if not is_plain_name(name):
                raise not_fetched("archive-index-malformed", self.package, "it names an odd file", _NEXT)
            cached += self.archive.file(workshop, f"{self._stanza['directory']}/{name}", known, name)
        version = self._stanza["version"]
        listing = "".join(f"{known.sha256} {name}\n" for name, known in sorted(self._files.items()))
        digest = hashlib.sha256(listing.encode()).hexdigest()
        told = f"version {version}: {len(self._files)} files, {cached} of them from the cache"
        return passed(told, digest, {"version": version, "directory": self._stanza["directory"]})

    def verify(self, workshop: Workshop) -> Outcome:
        """Judge both items; all files are deleted if either fails."""
        archive_item, uploader_item = (spec.id for spec in self.verify_items)
        verdicts: dict[str, Verdict] = {}
        facts: dict[str, object] = {}
        try:
            verdicts[archive_item] = self._by_archive(workshop)
        except RefusedError as error:
            verdicts[archive_item] = error.verdict()
        try:
            verdicts[uploader_item], facts = self._by_uploader(workshop)
        except RefusedError as error:
            verdicts[uploader_item] = error.verdict()
        except MalformedError as error:
            verdicts[uploader_item] = failed("signature-malformed", f".dsc: {error.because}", error.next_step)
        except KeyringError as error:
            reason = f"{error.what}: {error.because}"
            verdicts[uploader_item] = failed("keyring-unusable", reason, error.next_step)
        deleted: list[Deleted] = []
        for item, verdict in verdicts.items():
            if isinstance(verdict, Failed):
                for name in self._files:
                    deleted += discard(workshop.quarantine / name, item, verdict.reason)
        if not deleted:
            for name, known in self._files.items():
                cache.keep(workshop.cache, workshop.quarantine / name, known.sha256)
            facts["references"] = self._references(workshop)
        return Outcome(verdicts, tuple(deleted), facts)

    def _references(self, workshop: Workshop) -> dict[str, str]:
        """What the archive published of this very version; nothing where it has no list of binaries."""
        try:
            return self.archive.binaries(workshop, self.package, self._stanza["version"])
        except FetchError as error:
            if error.code != "archive-digest-missing":
                raise
            return {}

    def _by_archive(self, workshop: Workshop) -> Verdict:
        release = self._release
        if release is None:
            raise RefusedError("not-fetched", f"{self.package} was not looked for", "run again")
        for name, known in self._files.items():
            path = workshop.quarantine / name
            try:
                right = path.lstat().st_size == known.size and sha256_file(path) == known.sha256
            except OSError as error:
                raise RefusedError("not-fetched", f"{name} is not there: {error}", "run again") from error
            if not right:
                raise RefusedError("digest-mismatch", f"{name} is not the file that the signed index names", _NEXT)
        evidence = {
            **release.verdict.evidence,
            "archive": release.told(self.archive.archive.mirror, self.archive.suite),
            "package": self.package,
            "version": self._stanza["version"],
            "files": {name: known.sha256 for name, known in self._files.items()},
        }
        subject = self._files[self._dsc].sha256
        if isinstance(release.verdict, Warned):
            return warned(
                release.verdict.code, release.verdict.reason, release.verdict.next_step, subject, evidence
            )
        return passed(f"{len(self._files)} files as in the {release.verdict.reason}", subject, evidence)

    @property
    def _dsc(self) -> str:
        names = [name for name in self._files if name.endswith(".dsc")]
        if len(names) != 1:
            raise RefusedError("dsc-malformed", "the index does not name exactly one .dsc", _NEXT)
        return names[0]

    def _by_uploader(self, workshop: Workshop) -> tuple[Verdict, dict[str, object]]:
        document = (workshop.quarantine / self._dsc).read_bytes()
        subject = hashlib.sha256(document).hexdigest()
        if _MARK not in document:
            return failed("signature-missing", "the .dsc is not signed", "ask the uploader", subject), {}
        keys = uploaders(self.uploaders)
        chosen = keys.find(signature_issuers(document[document.index(_MARK) + 1 :]))
        if not chosen:
            return failed(
                "signature-unknown-key",
                f"the key that signed the .dsc is not in {self.uploaders.name} ({keys.package or 'no package'})",
                "choose a newer keyring, or another source",
                subject,
                keys.evidence(),
            ), {}
        names = [each.fingerprint for each in chosen]
        with keyring_of([each.raw for each in chosen], names) as keyring:
            verdict, signed = keyring.verify_clearsigned(
                document, judged_at_signing=True, strangers=Strangers.REFUSE
            )
        evidence = {**verdict.evidence, **keys.evidence()}
        if isinstance(verdict, Bad):
            reason = f".dsc: {verdict.sentence}"
            return failed(verdict.reason_code, reason, verdict.next_step, subject, evidence), {}
        fields = self._check_dsc(signed)
        return self._uploaded(verdict, subject, evidence), _facts(verdict, fields)

    def _uploaded(self, verdict: Good | Weak, subject: str, evidence: dict[str, object]) -> Verdict:
        """What a genuine signature by a key of the keyring is worth."""
        lacking, rights_sha256 = lacking_right(self.uploaders, self.rights, verdict.fingerprint, self.package)
        if rights_sha256:
            evidence["rights_sha256"] = rights_sha256
        weak = [(verdict.reason_code, verdict.sentence, verdict.next_step)] if isinstance(verdict, Weak) else []
        if lacking:
            weak.append(("uploader-rights-unproven", lacking, "name a newer list, ask the archive, or waive this"))
        if not weak:
            return passed(f".dsc signed by {verdict.fingerprint}", subject, evidence)
        codes, reasons, next_steps = zip(*weak, strict=True)
        return warned("+".join(codes), f".dsc: {'; '.join(reasons)}", next_steps[0], subject, evidence)

    def _check_dsc(self, signed: bytes) -> Mapping[str, str]:
        try:
            fields = next(iter(paragraphs(signed.decode("utf-8"))))
            files = listed(fields, "checksums-sha256")
        except (Deb822Error, UnicodeDecodeError, StopIteration) as error:
            raise RefusedError("dsc-malformed", f".dsc: {error}", _NEXT) from error
        if (fields.get("source"), fields.get("version")) != (self.package, self._stanza.get("version")):
            raise RefusedError("dsc-mismatch", "the .dsc is of another package or version", _NEXT)
        theirs = {name: known for name, known in self._files.items() if name != self._dsc}
        if set(files) != set(theirs):
            raise RefusedError("dsc-file-unlisted", "the .dsc and the index name other files", _NEXT)
        if files != theirs:
            raise RefusedError("dsc-mismatch", "the .dsc and the index name other digests", _NEXT)
        sizes = {name: known.size for name, known in files.items()}
        for weak in ("files", "checksums-sha1"):
            if weak in fields and _weakly_listed(fields[weak]) != sizes:
                raise RefusedError("dsc-file-unlisted", f"the .dsc names other files under {weak}", _NEXT)
        return fields

    def stage(self, workshop: Workshop, green: Mapping[str, Green], destination: Path) -> None:
        """Copy the judged files to `dsc/`."""
        folder = destination / "dsc"
        folder.mkdir()
        folder.chmod(0o755)
        subjects = {green[spec.id].verdict.subject_sha256 for spec in self.verify_items}
        for name, known in self._files.items():
            judged = {known.sha256, *subjects} if name == self._dsc else {known.sha256}
            copy_judged(workshop.quarantine / name, folder / name, judged)


def _facts(verdict: Good | Weak, fields: Mapping[str, str]) -> dict[str, object]:
    """What a build wants to know: build dependencies, and the time of the signature."""
    return {"build_depends": build_depends(fields), "epoch": int(verdict.created.timestamp())}


def _weakly_listed(text: str) -> dict[str, int]:
    """Names and sizes of a field of MD5 or SHA-1 digests.

    Raises:
        RefusedError: it is malformed, or names a file twice.
    """
    rows = [match for line in text.split("\n") if line for match in [_WEAK.match(line)]]
    found = {match[2]: int(match[1]) for match in rows if match}
    if len(found) != len(rows):
        raise RefusedError("dsc-malformed", "a malformed list of files in the .dsc", _NEXT)
    return found
