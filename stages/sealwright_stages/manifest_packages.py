"""Stock packages in the manifest: `[[component.deb]]` and `[[component.rpm]]`.

- A Debian package is named with its suite; its version, if given, is the whole one, and so is its architecture.
- An RPM package names its signers; it carries one signature, and so its threshold is 1.
- Two packages, or a package and a file, that would have one name in the component's folder are refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sealwright_stages.manifest_table import HEX64, PLAIN, Table, address, threshold_of

_DEB = re.compile(r"debian:([a-z][a-z0-9-]*)/([a-z0-9][a-z0-9+.-]+)\Z")
_VERSION = re.compile(r"([0-9]+:)?[0-9][A-Za-z0-9.+~-]*\Z")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*\Z")


@dataclass(frozen=True)
class DebSpec:
    """A binary package of a Debian suite; `version` and `architecture` None: what the index has for this machine."""

    suite: str
    package: str
    version: str | None
    architecture: str | None


@dataclass(frozen=True)
class RpmSpec:
    """An RPM package: address, file name, and whose signature counts."""

    url: str
    name: str
    sha256: str | None
    signers: tuple[str, ...]
    threshold: int


def read_debs(table: Table, files: Sequence[str]) -> tuple[DebSpec, ...]:
    """Read all `[[component.deb]]`; `files` are the names that the component's folder has otherwise."""
    debs = tuple(_deb(each) for each in table.tables("deb"))
    for number, deb in enumerate(debs):
        if any(_same_file(deb, each) for each in debs[:number]) or any(
            name.startswith(f"{deb.package}_") and name.endswith(".deb") for name in files
        ):
            table.fail(("deb", number, "package"), f"two files would be {deb.package}'s", "name each package once")
    return debs


def read_rpms(table: Table) -> tuple[RpmSpec, ...]:
    """Read all `[[component.rpm]]`."""
    return tuple(_rpm(each) for each in table.tables("rpm"))


def _same_file(one: DebSpec, other: DebSpec) -> bool:
    """Whether both could be one file: only two named architectures keep them apart."""
    kinds = {one.architecture, other.architecture}
    return one.package == other.package and (len(kinds) == 1 or bool(kinds & {None, "all"}))


def _deb(table: Table) -> DebSpec:
    value = table.take("package", str)
    version, architecture = table.take_optional("version", str), table.take_optional("architecture", str)
    match = _DEB.match(value)
    if match is None:
        table.fail(("package",), f"package = {value!r} is not debian:SUITE/PACKAGE", "write it so")
    if version is not None and not _VERSION.match(version):
        table.fail(("version",), f"version = {version!r} is no whole Debian version", "copy it from the archive")
    if architecture is not None and not _ARCHITECTURE.match(architecture):
        table.fail(("architecture",), f"architecture = {architecture!r} is none of Debian's", "amd64, all, ...")
    table.done()
    return DebSpec(match.group(1), match.group(2), version, architecture)


def _rpm(table: Table) -> RpmSpec:
    url, sha256 = table.take("url", str), table.take_optional("sha256", str)
    signers = table.texts("signers")
    name = url.rsplit("/", 1)[-1]
    if not signers:
        table.fail((), "an rpm without signers", "say whose signature counts: signers = [...]")
    if not PLAIN.match(name) or not name.endswith(".rpm"):
        table.fail(("url",), f"its last part {name!r} is no plain name of an .rpm", "name the package's own file")
    if "://" in url and ("?" in url or "#" in url):
        table.fail(
            ("url",), "its file's name does not end it: ? or # does", "use an address that ends in the name"
        )
    if sha256 is not None and not HEX64.match(sha256):
        table.fail(("sha256",), "sha256 is not 64 lower-case hex digits", "copy the whole digest")
    if (threshold := threshold_of(table, signers)) > 1:
        table.fail(("threshold",), "an RPM package carries one signature", "leave threshold out")
    table.done()
    return RpmSpec(address(table, "url", url), name, sha256, signers, threshold)
