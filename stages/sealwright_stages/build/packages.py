"""The packages that a Packages list or a dpkg status file names.

- A continuation line is no field, and the first of two equal fields counts.
- A stanza without name, version or architecture names no package.
- A root's dpkg status is a plain file of its own: no link on the way to it is followed, since it would lead out of the
  root and the machine's own packages would answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sealwright_stages.files import read_small
from sealwright_stages.ports import Package

_STATUS = ("var", "lib", "dpkg", "status")
_MAX_STATUS = 64 << 20

_WANTED = {"Package": "name", "Version": "version", "Architecture": "architecture", "SHA256": "sha256"}


def packages_of(text: str) -> Iterator[Package]:
    """The packages of a list, in its order; a dpkg status file has them without SHA-256."""
    for stanza in text.split("\n\n"):
        found: dict[str, str] = {}
        for line in stanza.split("\n"):
            name, separator, value = line.partition(": ")
            if separator and name in _WANTED:
                found.setdefault(_WANTED[name], value.strip())
        if found.keys() >= {"name", "version", "architecture"}:
            found.setdefault("sha256", "")
            yield Package(**found)


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
