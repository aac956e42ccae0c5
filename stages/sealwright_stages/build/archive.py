"""A Debian archive as the build roots need it: its signed index, and which package has which SHA-256.

- Nothing of the index is read before its signature by a chosen archive key is verified, and then only the
  bytes that were signed.
- It must be the suite that was asked for, and must not be past its Valid-Until.
- A list of packages counts only if its size and SHA-256 are those in the signed index; a cached copy is hashed
  again at every use.
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
from urllib.parse import unquote

from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import KeyringError, MalformedError
from sealwright_keyring.openpgp import Good, Keyring
from sealwright_stages.errors import BuildError, FetchError
from sealwright_stages.files import sha256_file, write_whole
from sealwright_stages.ports import Archive, Package, Workshop

_MAX_INDEX = 4 << 20
_MAX_LIST = 1 << 30  # unpacked
_FETCH_SECONDS = 900.0
_LINE = re.compile(r" ([0-9a-f]{64}) +([0-9]{1,12}) ([A-Za-z0-9._/+-]{1,200})")
_WANTED = {"Package": "name", "Version": "version", "Architecture": "architecture", "SHA256": "sha256"}


@dataclass(frozen=True)
class Index:
    """A verified InRelease: its bytes and SHA-256, when it was made, who signed, and the files that it names."""

    raw: bytes
    sha256: str
    made: datetime
    signer: str
    status: tuple[str, ...]
    files: Mapping[str, tuple[str, int]]


def fetch_index(archive: Archive, suite: str, workshop: Workshop, now: datetime | None = None) -> Index:
    """Fetch and verify `dists/SUITE/InRelease`.

    Raises:
        FetchError: it did not arrive.
        BuildError: it is not verified, of another suite, or out of date.
    """
    raw = _fetch(archive, f"dists/{suite}/InRelease", "InRelease", _MAX_INDEX, workshop)
    good, text = _signed(raw, archive)
    fields, files = _parsed(text)
    now = now or datetime.now(UTC)
    if suite not in (fields.get("Codename"), fields.get("Suite")):
        raise _refused(suite, f"it is for {fields.get('Codename')!r}", "index-other-suite")
    made = _date(suite, fields.get("Date"))
    if "Valid-Until" in fields and _date(suite, fields["Valid-Until"]) < now:
        raise _refused(suite, f"it is out of date since {fields['Valid-Until']}", "index-expired")
    if made > now:
        raise _refused(suite, f"it is dated in the future: {fields['Date']}", "index-in-future")
    status = good.evidence.get("status", ())
    lines = tuple(str(line) for line in status) if isinstance(status, list) else ()
    return Index(raw, hashlib.sha256(raw).hexdigest(), made, good.fingerprint, lines, files)


def fetch_packages(
    archive: Archive, suite: str, index: Index, architecture: str, workshop: Workshop
) -> dict[tuple[str, str, str], Package]:
    """The packages of `main` by name, version and architecture, from a list that `index` names.

    Raises:
        FetchError: it did not arrive.
        BuildError: it is not the list that the index names.
    """
    path = f"main/binary-{architecture}/Packages.xz"
    if path not in index.files:
        raise _refused(suite, f"it names no {path}", "index-malformed")
    sha256, size = index.files[path]
    cached = workshop.cache / "sha256" / sha256
    if not (cached.is_file() and sha256_file(cached) == sha256):
        raw = _fetch(archive, f"dists/{suite}/{path}", "Packages.xz", size, workshop)
        if len(raw) != size or hashlib.sha256(raw).hexdigest() != sha256:
            raise BuildError(
                f"{path} of {suite} is refused",
                "it is not the file that the signed index names",
                "try again: the archive may just be changing; else use another mirror",
                "list-mismatch",
            )
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_whole(cached, raw)
    raw = cached.read_bytes()
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise _refused(suite, "the cached list changed while it was read", "list-mismatch")
    packages = stanzas(_unpacked(raw, suite).decode("utf-8", "surrogateescape"))
    return {(package.name, package.version, package.architecture): package for package in packages}


def stanzas(text: str) -> Iterator[Package]:
    """The packages of a Packages list or a dpkg status file (there without SHA-256); others are skipped."""
    for stanza in text.split("\n\n"):
        found: dict[str, str] = {}
        for line in stanza.split("\n"):
            name, separator, value = line.partition(": ")
            if separator and name in _WANTED:
                found.setdefault(_WANTED[name], value.strip())
        if found.keys() >= {"name", "version", "architecture"}:
            found.setdefault("sha256", "")
            yield Package(**found)


def _fetch(archive: Archive, path: str, name: str, size: int, workshop: Workshop) -> bytes:
    """Fetch a file of at most `size` bytes."""
    url = f"{archive.mirror}/{path}"
    local = [Path(unquote(url.removeprefix("file://")))] if url.startswith("file:///") else []
    argv = [
        *("curl", "--fail", "--silent", "--show-error", "--location", "--max-redirs", "5"),
        *("--proto", "=https,http,file", "--proto-redir", "=https,http", "--max-filesize", str(size)),
        *("--speed-limit", "1024", "--speed-time", "60", "--output", f"/quarantine/{name}", "--", url),
    ]
    done = workshop.sandbox.run(
        argv, writable=workshop.quarantine, readable=local, timeout=_FETCH_SECONDS, cancel=workshop.cancel
    )
    file = workshop.quarantine / name
    if done.returncode != 0 or file.is_symlink() or not file.is_file() or file.stat().st_size > size:
        raise FetchError(f"{path} did not arrive", done.complaint(), "look at the network and the mirror")
    return file.read_bytes()


def _signed(raw: bytes, archive: Archive) -> tuple[Good, bytes]:
    try:
        keys = archive.keyring.read_bytes()
        chosen = [certificate.fingerprint for certificate in certificates(keys)]
        with Keyring.of([keys], chosen) as keyring:
            verdict, text = keyring.verify_clearsigned(raw)
    except (OSError, KeyringError, MalformedError) as error:
        raise BuildError(
            "the archive's index can't be verified", str(error), "mend `archive_keyring`", "keyring-unusable"
        ) from error
    if not isinstance(verdict, Good):
        raise BuildError(
            "the archive's index is refused", verdict.sentence, verdict.next_step, verdict.reason_code
        )
    return verdict, text


def _parsed(text: bytes) -> tuple[dict[str, str], dict[str, tuple[str, int]]]:
    fields: dict[str, str] = {}
    files: dict[str, tuple[str, int]] = {}
    field = ""
    for line in text.decode("utf-8", "replace").splitlines():
        if line.startswith(" "):
            entry = _LINE.fullmatch(line)
            if field == "SHA256" and entry:
                files[entry[3]] = (entry[1], int(entry[2]))
            elif field == "SHA256":
                raise _refused("the archive", f"its line {line[:80]!r} is none", "index-malformed")
            continue
        field, separator, value = line.partition(":")
        if not separator or field in fields:
            raise _refused("the archive", f"its line {line[:80]!r} is none", "index-malformed")
        fields[field] = value.strip()
    return fields, files


def _date(suite: str, text: str | None) -> datetime:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError as error:
        raise _refused(suite, f"it has no readable date: {text!r}", "index-malformed") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unpacked(raw: bytes, suite: str) -> bytes:
    unpacker = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=256 << 20)
    try:
        text = unpacker.decompress(raw, max_length=_MAX_LIST)
    except lzma.LZMAError as error:
        raise _refused(suite, f"its list of packages can't be unpacked: {error}", "list-malformed") from error
    if not unpacker.eof:
        raise _refused(suite, "its list of packages has no end", "list-malformed")
    return text


def _refused(suite: str, because: str, code: str) -> BuildError:
    return BuildError(
        f"the index of {suite} is refused", because, "use another mirror, or look at this machine's clock", code
    )
