"""The packages that a Packages list or a dpkg status file names.

- A continuation line is no field, and the first of two equal fields counts.
- A stanza without name, version or architecture names no package.
"""

from __future__ import annotations

from collections.abc import Iterator

from sealwright_stages.ports import Package

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
