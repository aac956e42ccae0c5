"""A small Debian archive of real packages, signed with a throw-away key, which tests then spoil."""

from __future__ import annotations

import lzma
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_stages.build.apt_plan import REPOSITORY, Scratch, planned
from sealwright_stages.build.packages import Stock, stock_of
from sealwright_stages.build.repository import Index, Repository
from sealwright_stages.files import sha256_file
from sealwright_stages.get_sources.debian import DebianArchive, architecture
from sealwright_stages.ports import Archive, Workshop
from verify.workbench import Keys, sha256

LIST = f"main/binary-{architecture()}/Packages"


@dataclass
class StockArchive:
    """An archive of the suite `toy`: `tool` needs `library`; each is a package that dpkg-deb made."""

    folder: Path
    keys: Keys
    date: str = "Sat, 01 Mar 2025 10:00:00 UTC"
    extra: str = ""
    stanzas: list[str] = field(default_factory=list)

    def publish(self) -> None:
        """Make the packages and sign the index."""
        self.stanzas = [self.add("library", "2.0-1"), self.add("tool", "1:1.0-1", "Depends: library (>= 2)\n")]
        self.sign()

    def add(self, name: str, version: str, more: str = "") -> str:
        """Put a package into the pool; gives its stanza of the list."""
        tree = self.folder.parent / f"{name}-{version}"
        (tree / "DEBIAN").mkdir(parents=True)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@example.org>\n{more}"
        (tree / "DEBIAN" / "control").write_text(f"{control}Description: {name}\n")
        (tree / name).write_text(f"{name} {version}\n")
        deb = self.deb(name, version)
        deb.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, deb], check=True, capture_output=True)
        path = deb.relative_to(self.folder)
        return f"{control}Filename: {path}\nSize: {deb.stat().st_size}\nSHA256: {sha256_file(deb)}\n\n"

    def deb(self, name: str, version: str) -> Path:
        """Where a package lies in the pool."""
        return self.folder / "pool/main" / f"{name}_{version.split(':', 1)[-1]}_all.deb"

    def sign(self) -> None:
        """Write and sign the index."""
        text = "".join(self.stanzas).encode()
        dist = self.folder / "dists/toy"
        files = {LIST: text, f"{LIST}.xz": lzma.compress(text)}
        for name, data in files.items():
            (dist / name).parent.mkdir(parents=True, exist_ok=True)
            (dist / name).write_bytes(data)
        digests = "".join(f" {sha256(data)} {len(data)} {name}\n" for name, data in files.items())
        head = f"Suite: toy\nCodename: toy\nDate: {self.date}\n{self.extra}"
        text = f"{head}Architectures: all {architecture()}\nComponents: main\nSHA256:\n{digests}".encode()
        (dist / "InRelease").write_bytes(self.keys.clearsign(text, "archive"))

    def archive(self) -> DebianArchive:
        """It, as a run sees it."""
        keyring = self.folder.parent / "archive.asc"
        keyring.write_bytes(self.keys.certificate("archive"))
        return DebianArchive(Archive(self.folder.as_uri(), keyring), "toy")


def index_of(archive: DebianArchive, workshop: Workshop) -> Index:
    """The archive's verified list."""
    release, text = archive.packages(workshop)
    return Index(release, f"{LIST}.xz", text)


def brought(
    archive: DebianArchive, index: Index, asked: str, folder: Path, workshop: Workshop, status: bytes = b""
) -> list[Stock]:
    """What apt wants for a relation field, all of it judged and laid ready for apt."""
    folder.mkdir()
    keys = folder / "archive.asc"
    keys.write_bytes(archive.archive.keyring.read_bytes())
    stock = stock_of(index.text.decode())
    repository = Repository(folder / REPOSITORY, archive)
    repository.lay(index, workshop)
    scratch = Scratch(folder, folder, keys.name, lambda argv: argv)
    wanted = planned(scratch, "toy", architecture(), ["satisfy", "--", asked], status, stock, workshop)
    repository.bring(wanted, workshop)
    return wanted
