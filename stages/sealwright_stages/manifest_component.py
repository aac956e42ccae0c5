"""One component of the manifest: its sources, whom they are checked against, and what it needs.

- Each component has exactly one main source (`git` or `dsc`), or at least one file or stock package.
- What a git repository and its submodules must say stands in `manifest_git`.
- A file has a digest, a signature, or both; a signature names its signers.
- `signed = "uncompressed"` wants a signature and a compressed file's name, `unpack` an archive's name; what a component
  ends up with has no two names alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.manifest_build import Build, read_build
from sealwright_stages.manifest_git import GitSource, Submodule, read_git, read_submodules
from sealwright_stages.manifest_memory import days
from sealwright_stages.manifest_packages import DebSpec, RpmSpec, read_debs, read_rpms
from sealwright_stages.manifest_table import HEX64, PLAIN, Table, address, threshold_of
from sealwright_stages.unpack.names import archive_kind, decompressor, uncompressed_name, unpacked_name

_DSC = re.compile(r"debian:([a-z][a-z0-9-]*)/([a-z0-9][a-z0-9+.-]+)\Z")


@dataclass(frozen=True)
class DscSource:
    """A Debian source package and the keyring that its uploader must be in."""

    suite: str
    package: str
    uploaders: Path
    rights: Path | None


@dataclass(frozen=True)
class FileSource:
    """A third-party file: address, digest and/or the addresses of its signatures, and what is made of its inside."""

    url: str
    name: str
    sha256: str | None
    signatures: tuple[str, ...]
    signers: tuple[str, ...]
    threshold: int
    signed_uncompressed: bool = False
    unpack: bool = False


@dataclass(frozen=True)
class ComponentSpec:
    """One component as the manifest declares it."""

    name: str
    git: GitSource | None
    dsc: DscSource | None
    files: tuple[FileSource, ...]
    signers: tuple[str, ...]
    threshold: int
    needs: tuple[str, ...]
    build: Build | None
    debs: tuple[DebSpec, ...] = ()
    rpms: tuple[RpmSpec, ...] = ()
    fresh_days: int | None = None
    submodules: tuple[Submodule, ...] = ()

    def repositories(self) -> tuple[GitSource, ...]:
        """The git repositories that it is fetched from."""
        return (*((self.git,) if self.git else ()), *(each.git for each in self.submodules))


def read_component(table: Table) -> ComponentSpec:
    """Read one `[[component]]`."""
    name = table.plain("name")
    if name.endswith((".log", ".jsonl")):
        table.fail(("name",), f"{name!r} would look like a file of the log or of the sources", "rename it")
    signers = table.texts("signers")
    git = read_git(table, signers)
    files, rpms = tuple(_file(file) for file in table.tables("file")), read_rpms(table)
    names = [*(file.name for file in files), *(rpm.name for rpm in rpms)]
    component = ComponentSpec(
        name=name,
        git=git,
        submodules=read_submodules(table, git),
        dsc=_dsc(table),
        files=files,
        signers=signers,
        threshold=threshold_of(table, signers),
        needs=table.texts("needs"),
        build=read_build(table.table("build")) if "build" in table.data else None,
        debs=read_debs(table, names),
        rpms=rpms,
        fresh_days=days(table),
    )
    if component.git and component.dsc:
        table.fail(("dsc",), f"{name} has both git and dsc", "keep one")
    if not (component.git or component.dsc or names or component.debs):
        table.fail((), f"{name} has no source", "give it git, dsc or [[component.file]]")
    _distinct(table, component)
    table.done()
    return component


def _distinct(table: Table, component: ComponentSpec) -> None:
    """Refuse files that would get one name, as they arrive, as they are kept, or as folders."""
    files = component.files
    kept = [uncompressed_name(file.name) if file.signed_uncompressed else file.name for file in files]
    folders = [unpacked_name(file.name) for file in files if file.unpack]
    packages = [rpm.name for rpm in component.rpms]
    for names in ([*(file.name for file in files), *packages], [*kept, *packages], folders):
        if len(set(names)) != len(names):
            table.fail(("file",), f"{component.name} has two files of one name", "rename one at its address")


def _dsc(table: Table) -> DscSource | None:
    value, uploaders = table.take_optional("dsc", str), table.take_optional("uploaders", str)
    rights = table.take_optional("uploader_rights", str)
    if value is None:
        for key, each in (("uploaders", uploaders), ("uploader_rights", rights)):
            if each is not None:
                table.fail((key,), f"{key} without dsc", "remove it")
        return None
    match = _DSC.match(value)
    if match is None:
        table.fail(("dsc",), f"dsc = {value!r} is not debian:SUITE/PACKAGE", "write it so")
    if uploaders is None:
        table.fail(("dsc",), "dsc without uploaders", 'say which keyring: uploaders = "debian-keyring"')
    packaged = Path("/usr/share/keyrings") / f"{uploaders}.gpg"
    keyring = packaged if uploaders and "/" not in uploaders else table.reader.locate(str(uploaders))
    return DscSource(
        match.group(1), match.group(2), keyring, None if rights is None else table.reader.locate(rights)
    )


def _file(table: Table) -> FileSource:
    url = table.take("url", str)
    sha256 = table.take_optional("sha256", str)
    one = isinstance(table.data.get("signature"), str)
    signatures = (table.take("signature", str),) if one else table.texts("signature")
    signers = table.texts("signers")
    if sha256 is not None and not HEX64.match(sha256):
        table.fail(("sha256",), "sha256 is not 64 lower-case hex digits", "copy the whole digest")
    if sha256 is None and not signatures:
        table.fail(("url",), "a file wants sha256, signature, or both", "add one")
    if signatures and not signers:
        table.fail(("signature",), "signature without signers", "say whose signature counts")
    name = url.rsplit("/", 1)[-1]
    if not PLAIN.match(name):
        table.fail(("url",), f"its last part {name!r} is no plain file name", "use an address that ends in one")
    threshold = threshold_of(table, signers)
    signed, unpack = table.take_optional("signed", str), table.take("unpack", bool, False)
    if signed is not None:
        _check_signed(table, signed, signatures, name)
    if unpack and not archive_kind(name):
        table.fail(
            ("unpack",), f"{name} is no archive that is unpacked", "a .tar, .tar.xz and the like, or a .zip"
        )
    table.done()
    return FileSource(
        address(table, "url", url),
        name,
        sha256,
        tuple(address(table, "signature", each) for each in signatures),
        signers,
        threshold,
        signed is not None,
        unpack,
    )


def _check_signed(table: Table, signed: str, signatures: Sequence[str], name: str) -> None:
    if signed != "uncompressed":
        table.fail(("signed",), f"signed = {signed!r} is unknown", 'use "uncompressed", or leave it out')
    if not signatures:
        table.fail(("signed",), "signed without signature", "say where the signature is: signature = ...")
    if not decompressor(name):
        table.fail(
            ("signed",), f"{name} is not compressed as its name says", "it must end in .gz, .xz, .bz2, .zst"
        )
