"""Debian's control format, read strictly (deb822(5)): paragraphs of fields, and lists of files.

- A field is `Name: value`; lines that begin with a blank continue it; a field stands once in a paragraph.
- Anything else, also a NUL or a tab before a name, is malformed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)\Z")
_HASHED = re.compile(r"([0-9a-f]{64}) +([0-9]{1,15}) +(\S+)\Z")


class Deb822Error(ValueError):
    """Not Debian's control format; the sentence says why."""


@dataclass(frozen=True)
class Listed:
    """A file as an index names it: SHA-256 in hex, bytes, and its path or name."""

    sha256: str
    size: int
    name: str


def paragraphs(text: str) -> Iterator[Mapping[str, str]]:
    """The paragraphs of `text`, field names in lower case.

    Raises:
        Deb822Error: it is malformed.
    """
    for block in re.split(r"\n(?:[ \t]*\n)+", text.strip("\n")):
        if block:
            yield _paragraph(block)


def _paragraph(block: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in block.split("\n"):
        if line.startswith((" ", "\t")):
            if not name:
                raise Deb822Error("a continuation line without a field")
            fields[name] += "\n" + line.strip()
            continue
        match = _FIELD.match(line)
        if match is None or "\0" in line:
            raise Deb822Error("a line that is no field")
        name = match.group(1).lower()
        if name in fields:
            raise Deb822Error(f"the field {name} stands twice")
        fields[name] = match.group(2).strip()
    return fields


def listed(fields: Mapping[str, str], field: str) -> dict[str, Listed]:
    """The files of a `SHA256` or `Checksums-Sha256` field, by name.

    Raises:
        Deb822Error: it is missing, malformed, or names a file twice.
    """
    if field not in fields:
        raise Deb822Error(f"there is no {field}")
    found: dict[str, Listed] = {}
    for line in fields[field].split("\n"):
        if not line:
            continue
        match = _HASHED.match(line)
        if match is None:
            raise Deb822Error(f"a malformed line in {field}")
        if match.group(3) in found:
            raise Deb822Error(f"{field} names {match.group(3)} twice")
        found[match.group(3)] = Listed(match.group(1), int(match.group(2)), match.group(3))
    return found


def build_depends(fields: Mapping[str, str]) -> str:
    """All build dependencies of a source's paragraph, as one relation field."""
    named = (fields.get(f"build-depends{kind}", "") for kind in ("", "-arch", "-indep"))
    return ", ".join(part.replace("\n", " ").strip().rstrip(",") for part in named if part)
