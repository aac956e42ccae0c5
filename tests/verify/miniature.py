"""A miniature Debian archive on disk, signed with throw-away keys, which tests then spoil."""

from __future__ import annotations

import lzma
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_stages.get_sources.debian import DebianArchive, architecture
from sealwright_stages.ports import Archive
from sealwright_stages.verify.source_debian import DebianSource
from verify.workbench import Keys, sha256

SOURCES = "main/source/Sources.xz"
DIRECTORY = "pool/main/h/hi"


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

    def publish(self) -> None:
        """Write it all, consistently but for what was changed."""
        files = {"hi_1.0.orig.tar.gz": b"original\n", "hi_1.0-1.debian.tar.xz": b"packaging\n"}
        dsc = self._dsc({**files, **self.dsc_files})
        signed = self.keys.clearsign(dsc, self.uploader) + self.after_dsc
        pool = self.folder / DIRECTORY
        pool.mkdir(parents=True)
        published = {**files, "hi_1.0-1.dsc": signed}
        for name, data in published.items():
            (pool / name).write_bytes(data)
        old = f"Checksums-Sha256:\n {'0' * 64} 1 old.dsc\n\n"
        head = "Package: hi\nBinary: hi\nVersion: {}\nDirectory: " + DIRECTORY + "\n"
        sources = head.format("0.9-1") + old + head.format("1.0-1") + f"Checksums-Sha256:\n{lines(published)}"
        packages = (
            f"Package: hi\nVersion: {self.binary_version}\nArchitecture: all\nSHA256: {'1' * 64}\n\n"
            f"Package: hi-extra\nSource: hi\nVersion: 1.0-1\nArchitecture: all\nSHA256: {'2' * 64}\n\n"
            f"Package: hi-other\nSource: hi (0.9-1)\nVersion: 1.0-1\nArchitecture: all\nSHA256: {'3' * 64}\n"
        )
        self.release({SOURCES: lzma.compress(sources.encode()), self.packages: lzma.compress(packages.encode())})

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
        return (text + self.dsc_head + f"Checksums-Sha256:\n{lines(files)}").encode()

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
