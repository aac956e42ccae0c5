"""A Debian archive's signed index: only the bytes that were signed count, and everything below by SHA-256.

- InRelease is judged by the chosen archive keys; one good signature carries it, strangers beside it are
  tolerated (an archive signs with its next key in advance), a bad one is not.
- Suite or Codename must be the one that was asked for; a Valid-Until that has passed is red, and so is a Date
  that is still to come.
- Sources and Packages are those that InRelease names by SHA-256 and size.
- A binary package is the only one of its name, version and architecture that the index has, under a plain path,
  by SHA-256 and size; a choice between two is nobody's here.
- A file that a build made is set beside the one package whose file has that very name; where there is none, what the
  index has instead is said.
"""

from __future__ import annotations

import hashlib
import lzma
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.keyring_files import fingerprints_in
from sealwright_keyring.openpgp import Bad, Weak
from sealwright_stages.verdict import Passed, Warned
from sealwright_stages.verify.codes import RefusedError, passed, shown
from sealwright_stages.verify.deb822 import Deb822Error, Listed, listed, paragraphs
from sealwright_stages.verify.verifier import keyring_of

_MAX_INDEX = 2 << 30
_LEEWAY = 600  # seconds by which a clock may be slow
_SHA256, _SIZE = re.compile(r"[0-9a-f]{64}\Z"), re.compile(r"[1-9][0-9]{0,14}\Z")
_DEB = re.compile(r"([a-z0-9][a-z0-9+.-]+)_([A-Za-z0-9.+~-]+)_([a-z0-9-]+)\.deb\Z")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*)*\Z")
_NEXT = "try another mirror; if it is the same there, ask the archive"


@dataclass(frozen=True)
class Release:
    """What a signed InRelease says: its SHA-256, date and Valid-Until (seconds since 1970), the files it names, the
    verdict, and its bytes."""

    sha256: str
    date: int
    files: Mapping[str, Listed]
    verdict: Passed | Warned
    valid_until: int | None = None
    document: bytes = b""

    def told(self, mirror: str, suite: str) -> dict[str, object]:
        """Which index it was, as evidence."""
        until = "" if self.valid_until is None else _iso(self.valid_until)
        told = {"mirror": mirror, "suite": suite, "date": _iso(self.date), "valid_until": until}
        return {**told, "inrelease_sha256": self.sha256}


@dataclass(frozen=True)
class Binary:
    """A binary package as the index names it: version, architecture, its path in the archive, digest and size."""

    version: str
    architecture: str
    path: str
    known: Listed

    @property
    def file_name(self) -> str:
        """What its file is called."""
        return self.path.rsplit("/", 1)[-1]


def read_release(document: bytes, suite: str, keys: Path) -> Release:
    """Judge an InRelease by the keys in the file `keys`.

    Raises:
        RefusedError: the signature, the suite or the dates are not as demanded.
    """
    digest = hashlib.sha256(document).hexdigest()
    try:
        certificates = keys.read_bytes()
        with keyring_of([certificates], fingerprints_in(certificates)) as keyring:
            verdict, signed = keyring.verify_clearsigned(document)
    except OSError as error:
        raise RefusedError(
            "keyring-unusable", f"the archive's keys {keys} can't be read", "apt install debian-archive-keyring"
        ) from error
    except KeyringError as error:
        raise RefusedError("keyring-unusable", f"the archive's keys: {error.because}", error.next_step) from error
    if isinstance(verdict, Bad):
        raise RefusedError(verdict.reason_code, f"InRelease: {verdict.sentence}", verdict.next_step)
    try:
        fields = next(iter(paragraphs(signed.decode("utf-8"))))
        files = listed(fields, "sha256")
        date = _seconds(fields["date"])
        until = _seconds(fields["valid-until"]) if "valid-until" in fields else None
    except (Deb822Error, UnicodeDecodeError, StopIteration, KeyError, ValueError, TypeError) as error:
        raise RefusedError("archive-index-malformed", f"InRelease: {error}", _NEXT) from error
    if suite not in (fields.get("suite"), fields.get("codename")):
        raise RefusedError(
            "archive-suite-mismatch", f"InRelease is of {fields.get('codename', '?')[:40]}, not {suite}", _NEXT
        )
    now = datetime.now(UTC).timestamp()
    if date > now + _LEEWAY:
        raise RefusedError("archive-in-future", f"InRelease is of {fields['date'][:40]}", "look at the clock")
    if until is not None and until < now:
        raise RefusedError("archive-expired", f"InRelease was valid until {fields['valid-until'][:40]}", _NEXT)
    evidence = {**verdict.evidence, "inrelease_sha256": digest, "date": fields["date"], "suite": suite}
    if isinstance(verdict, Weak):
        judged: Passed | Warned = Warned(
            verdict.reason_code, f"InRelease: {verdict.sentence}", verdict.next_step, digest, evidence
        )
    else:
        judged = passed(f"InRelease of {fields['date']} signed by {verdict.fingerprint}", digest, evidence)
    return Release(digest, date, files, judged, until, document)


def check_index(release: Release, name: str, data: bytes) -> None:
    """Check that `data` is the file `name` of the release.

    Raises:
        RefusedError: it is not, or the release does not name it.
    """
    known = release.files.get(name)
    if known is None:
        raise RefusedError("archive-digest-missing", f"InRelease names no {name}", _NEXT)
    if len(data) != known.size or hashlib.sha256(data).hexdigest() != known.sha256:
        raise RefusedError("digest-mismatch", f"{name} is not the one that InRelease names", _NEXT)


def unpacked(data: bytes) -> bytes:
    """An xz-packed index, with a limit on its size.

    Raises:
        RefusedError: it is not one, or has no end.
    """
    try:
        machine = lzma.LZMADecompressor(memlimit=1 << 30)
        text = machine.decompress(data, max_length=_MAX_INDEX)
    except lzma.LZMAError as error:
        raise RefusedError("archive-index-malformed", f"an index can't be unpacked: {error}", _NEXT) from error
    if not machine.eof:
        raise RefusedError("archive-index-malformed", "an index has no end", _NEXT)
    return text


def stanzas(index: bytes, field: str, value: str) -> Iterator[Mapping[str, str]]:
    """The paragraphs of a large index in which `field` is `value`, found without parsing the rest.

    Raises:
        Deb822Error: one of them is malformed.
    """
    line = f"{field}: {value}\n".encode()
    text = b"\n" + index if index.startswith(line) else index
    at = text.find(b"\n" + line)
    while at >= 0:
        gap = text.rfind(b"\n\n", 0, at + 1)
        begin = gap + 2 if gap >= 0 else 0
        end = text.find(b"\n\n", at + 1)
        block = text[begin : end if end >= 0 else len(text)]
        yield from paragraphs(block.decode("utf-8", "replace"))
        at = text.find(b"\n" + line, at + len(line))


def chosen_binary(index: bytes, package: str, version: str | None, architecture: str) -> Binary:
    """The one package of that name in a Packages index, of this architecture or `all`; of `version`, if given.

    Raises:
        RefusedError: there is none, more than one, or it is not named by path, size and SHA-256.
    """
    try:
        named = list(stanzas(index, "Package", package))
    except Deb822Error as error:
        raise RefusedError("archive-index-malformed", f"the stanza of {package}: {error}", _NEXT) from error
    found = [each for each in named if each.get("architecture") in (architecture, "all")]
    if version is not None:
        found = [each for each in found if each.get("version") == version]
    wish = f"{package} {version or ''}".strip() + f" for {architecture}"
    if not found:
        others = ", ".join(sorted({shown(each.get("version", "?"), 60) for each in named})) or "no version"
        raise RefusedError(
            "archive-package-missing",
            f"the archive's signed index does not have {wish}; it has {others}",
            "look at the package's name, version and suite",
        )
    if len(found) > 1:
        raise RefusedError(
            "archive-package-ambiguous",
            f"the archive's signed index has {len(found)} packages that are {wish}",
            "name the version and the architecture in the manifest; if they are the same, ask the archive",
        )
    return _binary(found[0])


def published(index: bytes, name: str) -> tuple[Binary | None, str]:
    """The one package of a Packages index whose file is called `name`, or None, and what the index has instead.

    Raises:
        RefusedError: there is more than one, or it is not named by path, size and SHA-256.
    """
    match = _DEB.match(name)
    if match is None:
        return None, "its name is not one that the archive gives to a package"
    package, version, architecture = match.groups()
    try:
        named = list(stanzas(index, "Package", package))
    except Deb822Error as error:
        raise RefusedError("archive-index-malformed", f"the stanza of {package}: {error}", _NEXT) from error
    there = [each for each in named if each.get("architecture") == architecture]
    found = [each for each in there if _without_epoch(each) == version]
    if len(found) > 1:
        reason = f"the archive's signed index has {len(found)} packages with a file {name}"
        raise RefusedError("archive-package-ambiguous", reason, "ask the archive")
    if found:
        return _binary(found[0]), ""
    if not named:
        return None, f"the archive has no {package}"
    if not there:
        return None, f"the archive has no {package} for {architecture}"
    has = ", ".join(sorted({shown(each.get("version", "?"), 60) for each in there}))
    if any(re.fullmatch(re.escape(version) + r"\+b[0-9]+", _without_epoch(each)) for each in there):
        return None, f"the archive has {has}: it has rebuilt it from the same source"
    return None, f"the archive has {has}"


def _without_epoch(stanza: Mapping[str, str]) -> str:
    return stanza.get("version", "").split(":", 1)[-1]


def _binary(stanza: Mapping[str, str]) -> Binary:
    path, size, sha256 = (stanza.get(field, "") for field in ("filename", "size", "sha256"))
    if not sha256:
        raise RefusedError("archive-digest-missing", f"the index names no SHA-256 of {shown(path)}", _NEXT)
    plain = f"{stanza['package']}_{stanza.get('version', '').split(':', 1)[-1]}_{stanza['architecture']}.deb"
    if not (_SHA256.match(sha256) and _SIZE.match(size) and _PATH.match(path)) or path.rsplit("/")[-1] != plain:
        raise RefusedError("archive-index-malformed", f"the index names an odd file, {shown(path)}", _NEXT)
    return Binary(stanza["version"], stanza["architecture"], path, Listed(sha256, int(size), plain))


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _seconds(text: str) -> int:
    return int(parsedate_to_datetime(text).timestamp())
