"""Archives made by hand: honest ones, and each of the hostile kinds."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence

HONEST: Mapping[str, bytes] = {"thing-1.0/README": b"hello\n", "thing-1.0/src/a.c": b"int main;\n" * 100}


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, **fields: object
) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tar as it would be written, however odd."""
    made = tarfile.TarInfo(name)
    made.type, made.size, made.mode = kind, len(data), 0o755 if kind == tarfile.DIRTYPE else 0o644
    for field, value in fields.items():
        setattr(made, field, value)
    return made, data


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    """A symbolic or hard link."""
    return member(name, b"", kind, linkname=target)


def tar(members: Sequence[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of these members, in this order."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=form, errors="surrogateescape") as archive:
        for made, data in members:
            archive.addfile(made, io.BytesIO(data))
    return raw.getvalue()


def honest_tar(files: Mapping[str, bytes] = HONEST, form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of plain files."""
    return tar([member(name, data) for name, data in files.items()], form)


def zipped(members: Sequence[tuple[str, bytes, int]]) -> bytes:
    """A zip of (name, bytes, full unix mode)."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, mode in members:
            made = zipfile.ZipInfo(name)
            made.create_system, made.external_attr = 3, mode << 16
            made.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(made, data)
    return raw.getvalue()
