"""Real source packages of today's Debian: upstream's signatures on their tarballs, and uploaders' on their .dsc.

- Packages are spread evenly over the alphabet, so that two surveys of one day ask the same ones.
- A mirror need not have every file: what does not arrive is counted apart, and the next package is asked.
- The keys of a tarball are those that the package itself ships, all of them chosen.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.keyring_files import fingerprints_in
from sealwright_keyring.policy import Person
from sealwright_stages.errors import FetchError
from sealwright_stages.get_sources.apt_sources import mirror_from_machine
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.ports import Archive, Trust, Workshop
from sealwright_stages.verify.deb822 import listed, paragraphs
from sealwright_stages.verify.signatures import judge_signature
from sealwright_stages.verify.source_debian import DebianSource
from survey.tally import NOT_JUDGED, Tally
from verify.workbench import workshop

_KEYRINGS = Path("/usr/share/keyrings")
_SIGNED = re.compile(r"(.*\.orig\.tar\.[a-z0-9]+)\.asc\Z")
_PACKAGING = re.compile(r".*\.debian\.tar\.[a-z0-9]+\Z")
_KEYS = re.compile(r"(\./)?debian/upstream/signing-key[^/]*\.(asc|pgp|gpg)\Z")
_SMALL = 6 << 20


def archive(suite: str) -> DebianArchive:
    """The machine's own archive."""
    return DebianArchive(Archive(mirror_from_machine(suite), _KEYRINGS / "debian-archive-keyring.gpg"), suite)


def tarballs(debian: DebianArchive, work: Path, count: int) -> Tally:
    """Judge `count` tarballs by the detached signatures beside them and the keys that the package ships."""
    tally = Tally("upstream tarballs with the keys that their Debian package ships")
    signed = []
    for stanza in _stanzas(debian, workshop(work)):
        files = listed(stanza, "checksums-sha256")
        asc = next((name for name in files if _SIGNED.match(name)), None)
        packaging = next((name for name in files if _PACKAGING.match(name)), None)
        if asc and packaging and files[_SIGNED.sub(r"\1", asc)].size < _SMALL:
            signed.append((stanza, files, asc, packaging))
    for stanza, files, asc, packaging in _spread(signed, 12 * count):
        if tally.judged == count:
            break
        place = workshop(work)
        tarball = _SIGNED.sub(r"\1", asc)
        try:
            for name in (tarball, asc, packaging):
                debian.file(place, f"{stanza['directory']}/{name}", files[name], name)
            trust = _trust(place.quarantine / packaging)
            verdict = judge_signature(
                (place.quarantine / asc).read_bytes(), place.quarantine / tarball, trust, tarball
            )
            tally.add(tarball, verdict)
        except FetchError as error:
            tally.note(NOT_JUDGED, tarball, error.code, str(error))
        except (KeyringError, LookupError, tarfile.TarError) as error:
            tally.note(NOT_JUDGED, tarball, type(error).__name__, str(error))
    return tally


def packages(debian: DebianArchive, work: Path, count: int) -> Tally:
    """Judge `count` source packages as the dsc kind does, by debian-keyring: archive and uploader."""
    tally = Tally("source packages, two items each, by the uploaders of debian-keyring")
    small = []
    for stanza in _stanzas(debian, workshop(work)):
        if sum(file.size for file in listed(stanza, "checksums-sha256").values()) < 1 << 19:
            small.append(stanza["package"])
    for package in _spread(sorted(set(small)), 12 * count):
        if tally.judged == 2 * count:
            break
        source = DebianSource(package, package, debian, _KEYRINGS / "debian-keyring.gpg")
        place = workshop(work)
        try:
            source.fetch(place)
        except FetchError as error:
            tally.note(NOT_JUDGED, package, error.code, str(error))
            continue
        for item, verdict in source.verify(place).verdicts.items():
            tally.add(item, verdict)
    return tally


def _stanzas(debian: DebianArchive, place: Workshop) -> Iterator[Mapping[str, str]]:
    debian.source(place, "hello")
    text = debian._texts["main/source/Sources.xz"]
    for block in text.split(b"\n\n"):
        yield from paragraphs(block.decode("utf-8", "replace"))


def _spread(found: list[Any], count: int) -> list[Any]:
    """Up to `count` of `found`, every third first, so that a third of them covers the alphabet too."""
    chosen = [found[number * len(found) // count] for number in range(count)] if len(found) > count else found
    return [*chosen[::3], *chosen[1::3], *chosen[2::3]]


def _trust(packaging: Path) -> Trust:
    with tarfile.open(packaging) as tar:
        member = next((m for m in tar.getmembers() if m.isfile() and _KEYS.match(m.name)), None)
        stream = tar.extractfile(member) if member else None
        if stream is None:
            raise LookupError("the package ships no upstream key")
        keys = stream.read(1 << 20)
    return Trust((keys,), (Person("upstream", fingerprints_in(keys)),))
