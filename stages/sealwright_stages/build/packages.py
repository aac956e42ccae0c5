"""The packages that a Packages list or a dpkg status file names.

- A continuation line is no field, and the first of two equal fields counts.
- A stanza without name, version or architecture names no package.
- A stock package is one with a plain path, a size and a SHA-256; of two that differ under one name, none is.
- A root's dpkg status is a plain file of its own: no link on the way to it is followed, since it would lead out of the
  root and the machine's own packages would answer.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.files import read_small
from sealwright_stages.ports import Package

_STATUS = ("var", "lib", "dpkg", "status")
_MAX_STATUS = 64 << 20
_WANTED = {
    "Package": "name",
    "Version": "version",
    "Architecture": "architecture",
    "SHA256": "sha256",
    "Filename": "path",
    "Size": "size",
}
_SHA256, _SIZE = re.compile(r"[0-9a-f]{64}\Z"), re.compile(r"[1-9][0-9]{0,14}\Z")
_PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*(/[A-Za-z0-9][A-Za-z0-9._+~-]*)*\.deb\Z")

Key = tuple[str, str, str]
"""Name, version and architecture."""


@dataclass(frozen=True)
class Stock:
    """A package as an index names it, with its path in the archive and its bytes."""

    package: Package
    path: str
    size: int


def packages_of(text: str) -> Iterator[Package]:
    """The packages of a list, in its order; a dpkg status file has them without SHA-256."""
    for found in _stanzas(text):
        yield Package(found["name"], found["version"], found["architecture"], found.get("sha256", ""))


def stock_of(text: str) -> Mapping[Key, Stock]:
    """The stock packages of a verified index."""
    listed: dict[Key, Stock | None] = {}
    for found in _stanzas(text):
        key = found["name"], found["version"], found["architecture"]
        sha256, size, path = (found.get(field, "") for field in ("sha256", "size", "path"))
        if not (_SHA256.match(sha256) and _SIZE.match(size) and _PATH.match(path)):
            continue
        stock = Stock(Package(*key, sha256), path, int(size))
        listed[key] = stock if listed.get(key, stock) == stock else None
    return {key: stock for key, stock in listed.items() if stock is not None}


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for stanza in text.split("\n\n"):
        found: dict[str, str] = {}
        for line in stanza.split("\n"):
            name, separator, value = line.partition(": ")
            if separator and name in _WANTED:
                found.setdefault(_WANTED[name], value.strip())
        if found.keys() >= {"name", "version", "architecture"}:
            yield found


def dpkg_status(root: Path) -> str | None:
    """What the dpkg of a root says that is there; None if it has no such file, or one that is none of its own."""
    path = root
    for part in _STATUS:
        path /= part
        if path.is_symlink():
            return None
    with contextlib.suppress(OSError):
        return read_small(path, _MAX_STATUS).decode("utf-8", "surrogateescape")
    return None
