"""A miniature Debian archive on disk, signed with throw-away keys, which tests then spoil."""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_stages.get_sources.debian import DebianArchive, architecture
from sealwright_stages.ports import Archive, Outcome, Source
from sealwright_stages.verdict import Failed, Passed
from sealwright_stages.verify.deb_source import DebSource
from sealwright_stages.verify.source_debian import DebianSource
from verify.workbench import Keys, sha256, workshop

SOURCES = "main/source/Sources.xz"
DIRECTORY = "pool/main/h/hi"
DEB = b"a package\n"


@dataclass
class Miniature:
    """An archive with one source package, `hi` 1.0-1; each attribute may be changed before `publish`."""

    folder: Path
    keys: Keys
    signers: Sequence[str] = ("archive",)
    uploader: str = "uploader"
    suite: str = "oldstable"
    codename: str = "bookworm"
    date: str = "Sat, 01 Mar 2025 10:00:00 UTC"
    extra: str = ""
    digests: str = "SHA256"
    dsc_files: dict[str, bytes] = field(default_factory=dict)
    dsc_package: str = "hi"
    dsc_head: str = ""
    after_dsc: bytes = b""
    binary_version: str = "1.0-1"
    deb: dict[str, str] = field(default_factory=dict)
    more_debs: str = ""
    source_digests: str = "Checksums-Sha256"
    dsc_digests: str = "Checksums-Sha256"

    def publish(self) -> None:
        """Write it all, consistently but for what was changed."""
        files = {"hi_1.0.orig.tar.gz": b"original\n", "hi_1.0-1.debian.tar.xz": b"packaging\n"}
        dsc = self._dsc({**files, **self.dsc_files})
        signed = self.keys.clearsign(dsc, self.uploader) + self.after_dsc
        pool = self.folder / DIRECTORY
        pool.mkdir(parents=True)
        published = {**files, "hi_1.0-1.dsc": signed}
        (pool / "hi_1.0-1_all.deb").write_bytes(DEB)
        for name, data in published.items():
            (pool / name).write_bytes(data)
        old = f"Checksums-Sha256:\n {'0' * 64} 1 old.dsc\n\n"
        head = "Package: hi\nBinary: hi\nVersion: {}\nDirectory: " + DIRECTORY + "\n"
        sources = head.format("0.9-1") + old + head.format("1.0-1") + f"{self.source_digests}:\n{lines(published)}"
        packages = (
            f"{self._deb()}\n{self.more_debs}"
            f"Package: hi-extra\nSource: hi\nVersion: 1.0-1\nArchitecture: all\nSHA256: {'2' * 64}\n\n"
            f"Package: hi-other\nSource: hi (0.9-1)\nVersion: 1.0-1\nArchitecture: all\nSHA256: {'3' * 64}\n"
        )
        self.release({SOURCES: lzma.compress(sources.encode()), self.packages: lzma.compress(packages.encode())})

    def _deb(self) -> str:
        """The stanza of hi's binary package; a field of `deb` that is empty is left out."""
        fields = {
            "Package": "hi",
            "Version": self.binary_version,
            "Architecture": "all",
            "Filename": f"{DIRECTORY}/hi_1.0-1_all.deb",
            "Size": str(len(DEB)),
            "SHA256": sha256(DEB),
            **self.deb,
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)

    def deb_source(self, version: str | None = None, wanted: str | None = None) -> DebSource:
        """The binary package as a source, with the archive's keyring beside it."""
        keyring = self.folder.parent / "archive.gpg"
        keyring.write_bytes(self.keys.certificate("archive", "archive-next"))
        archive = DebianArchive(Archive(self.folder.as_uri(), keyring), "bookworm")
        return DebSource("c", "hi", version, wanted, archive)

    @property
    def packages(self) -> str:
        return f"main/binary-{architecture()}/Packages.xz"

    def release(self, indexes: dict[str, bytes]) -> None:
        """Write indexes and InRelease."""
        dist = self.folder / "dists/bookworm"
        for name, data in indexes.items():
            (dist / name).parent.mkdir(parents=True, exist_ok=True)
            (dist / name).write_bytes(data)
        text = f"Suite: {self.suite}\nCodename: {self.codename}\nDate: {self.date}\n{self.extra}"
        text += f"{self.digests}:\n{lines(indexes)}"
        (dist / "InRelease").write_bytes(self.keys.clearsign(text.encode(), *self.signers))

    def _dsc(self, files: dict[str, bytes]) -> bytes:
        text = f"Format: 3.0 (quilt)\nSource: {self.dsc_package}\nBinary: hi\nArchitecture: any\nVersion: 1.0-1\n"
        text += "Build-Depends: debhelper-compat (= 13),\n libfoo-dev\nBuild-Depends-Indep: doxygen\n"
        return (text + self.dsc_head + f"{self.dsc_digests}:\n{lines(files)}").encode()

    def source(self) -> DebianSource:
        """The package as a source, with keyrings beside the archive."""
        keyring, uploaders = self.folder.parent / "archive.gpg", self.folder.parent / "uploaders.gpg"
        keyring.write_bytes(self.keys.certificate("archive", "archive-next"))
        uploaders.write_bytes(self.keys.certificate("uploader", "uploader-2"))
        return DebianSource(
            "hi", "hi", DebianArchive(Archive(self.folder.as_uri(), keyring), "bookworm"), uploaders
        )


def lines(files: dict[str, bytes]) -> str:
    """The lines of a field of digests."""
    return "".join(f" {sha256(data)} {len(data)} {name}\n" for name, data in files.items())


def judged(source: Source, folder: Path) -> Outcome:
    """Fetch and judge; of what is red nothing may be left."""
    place = workshop(folder)
    assert isinstance(source.fetch(place), Passed)
    found = source.verify(place)
    if any(isinstance(verdict, Failed) for verdict in found.verdicts.values()):
        assert found.deleted and list(place.quarantine.iterdir()) == []
    return found
