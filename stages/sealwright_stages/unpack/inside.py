"""Runs inside the sandbox and reads archives: python3 -I -c THIS scan|extract ... Imports nothing of ours.

`scan KIND ARCHIVE LISTING MOST` writes a JSON line for each member (at most one over MOST), and one about the whole.
`extract KIND ARCHIVE PLAN FOLDER` writes what the plan says, which was made from the listing, outside.

- It judges nothing but whether the archive can be read as one: names, kinds and links are judged outside.
- An archive is one whole: no member overlaps another, and nothing but zeros follows the end of a tar.
- Exit 3, with a line that says why: it is no such archive. Anything else but 0: the reader itself broke.
"""

import base64
import json
import os
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

REFUSED = 3
CHUNK = 1 << 20
BLOCK = 512
SPARSE = "a sparse file"
KINDS = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "link"}
KINDS |= {
    tarfile.LNKTYPE: "hard",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}
UNREADABLE = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, struct.error, ValueError, EOFError, OverflowError),
    *(MemoryError, RuntimeError, IndexError),
)


class NotWholeError(ValueError):
    """The archive is not one whole."""


def told(name: bytes, kind: str, mode: int, size: int, at: int, target: bytes = b"") -> dict[str, object]:
    """A member as a line of the listing."""
    texts = {"name": base64.b64encode(name).decode(), "target": base64.b64encode(target).decode()}
    return {**texts, "kind": kind, "mode": mode, "size": size, "at": at}


def tar_members(stream: IO[bytes], length: int) -> Iterator[dict[str, object]]:
    """The members of a tar; `at` is the offset of a file's first byte."""
    with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
        before = -1
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # or each of them would be kept
            said = tar_member(member)
            within = 0 <= member.size <= length - member.offset_data or said["kind"] == SPARSE
            if archive.offset <= before or not within:
                raise NotWholeError("a member does not lie within it")
            before = archive.offset
            yield said
        if set(archive.pax_headers) - {"comment"}:
            raise NotWholeError("a header speaks of all members at once")
        ends(stream, archive.offset, length)


def tar_member(member: tarfile.TarInfo) -> dict[str, object]:
    """One member of a tar."""
    kind = KINDS.get(member.type, "an unknown kind")
    sparse = member.sparse is not None or any(key.startswith("GNU.sparse") for key in member.pax_headers)
    if sparse or member.type == tarfile.GNUTYPE_SPARSE:
        kind = SPARSE
    names = [name.encode("utf-8", "surrogateescape") for name in (member.name, member.linkname)]
    return told(names[0], kind, member.mode, member.size, member.offset_data, names[1])


def ends(stream: IO[bytes], offset: int, length: int) -> None:
    """A tar ends with a block of zeros at least, and with nothing else."""
    stream.seek(offset)
    if offset < 0 or length - offset < BLOCK:
        raise NotWholeError("it is cut off: it has no end")
    while part := stream.read(CHUNK):
        if part.strip(b"\0"):
            raise NotWholeError("something that is no member, or no zeros, stands at its end")


def zip_members(stream: IO[bytes], length: int) -> Iterator[dict[str, object]]:
    """The members of a zip; `at` is a member's number."""
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        tiles(stream, members, archive.start_dir)
        stream.seek(length - 22 - len(archive.comment))
        if stream.read(4) != b"PK\5\6":
            raise NotWholeError("something follows its end")
        for number, member in enumerate(members):
            target = b""
            kind, mode = zip_kind(member)
            if kind == "link":
                if member.file_size > 4096:
                    raise NotWholeError("the target of a link is too long")
                target = archive.read(member)
            yield told(zip_name(member), kind, mode, member.file_size, number, target)


def zip_name(member: zipfile.ZipInfo) -> bytes:
    """The name as its bytes, if there is one way only to read it."""
    if member.orig_filename != member.filename or not (member.flag_bits & 0x800 or member.filename.isascii()):
        raise NotWholeError("a name in it can be read in several ways")
    return member.filename.encode("utf-8", "surrogateescape")


def zip_kind(member: zipfile.ZipInfo) -> tuple[str, int]:
    """What a member is, and its mode; 644 where its maker knew no modes."""
    full = member.external_attr >> 16 if member.create_system == 3 else 0
    form = stat.S_IFMT(full) or (stat.S_IFDIR if member.is_dir() else stat.S_IFREG)
    if member.flag_bits & 0x1:
        return "an encrypted file", 0
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "a file in an unusual compression", 0
    if member.is_dir() != (form == stat.S_IFDIR):
        return "a file and a folder at once", 0
    kind = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link"}.get(form, "a device or pipe")
    return kind, stat.S_IMODE(full) or 0o644


def tiles(stream: IO[bytes], members: list[zipfile.ZipInfo], directory: int) -> None:
    """The members of a zip lie one after the other, from its first byte to its directory."""
    here = 0
    gaps: tuple[int, ...] = (0,)
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset - here not in gaps:
            raise NotWholeError("its members overlap, or something lies between them")
        stream.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", stream.read(4))
        here = member.header_offset + 30 + name + extra + member.compress_size
        gaps = (0, 12, 16, 20, 24) if member.flag_bits & 0x8 else (0,)  # what a data descriptor may take
    if directory - here not in gaps:
        raise NotWholeError("its members overlap, or something lies between them")


def scan(kind: str, archive: str, listing: str, most: str) -> None:
    """Write the listing."""
    count = 0
    with Path(archive).open("rb") as stream, Path(listing).open("w", encoding="ascii") as out:
        length = os.fstat(stream.fileno()).st_size
        for member in (tar_members if kind == "tar" else zip_members)(stream, length):
            count += 1
            out.write(json.dumps(member) + "\n")
            if count > int(most):
                break  # one more than may be is enough to know
        out.write(json.dumps({"members": count, "bytes": length, "python": sys.version.split()[0]}) + "\n")


def extract(kind: str, archive: str, plan: str, folder: str) -> None:
    """Write what the plan says, in its order; nothing that exists is opened."""
    os.umask(0o022)
    with Path(archive).open("rb") as stream, Path(plan).open(encoding="ascii") as lines:
        opened = zipfile.ZipFile(stream) if kind == "zip" else None
        members = opened.infolist() if opened else []
        for line in lines:
            entry: dict[str, Any] = json.loads(line)
            path = Path(folder, entry["path"])
            if entry["kind"] == "folder":
                path.mkdir()
                path.chmod(0o755)
            elif entry["kind"] == "link":
                path.symlink_to(entry["target"])
            elif opened:
                with opened.open(members[entry["at"]]) as inner:
                    write(inner, path, entry["size"], entry["mode"])
            else:
                stream.seek(entry["at"])
                write(stream, path, entry["size"], entry["mode"])


def write(source: IO[bytes], path: Path, size: int, mode: int) -> None:
    """Write exactly `size` bytes into a new file; what is left of a zip's member must be nothing."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "wb") as out:
        os.fchmod(descriptor, mode)
        while size > 0:
            part = source.read(min(CHUNK, size))
            if not part:
                raise NotWholeError("a member ends too early")
            out.write(part)
            size -= len(part)
    if isinstance(source, zipfile.ZipExtFile) and source.read(1):
        raise NotWholeError("a member is longer than it says")


def main() -> int:
    """Do what the arguments say."""
    try:
        {"scan": scan, "extract": extract}[sys.argv[1]](*sys.argv[2:])
    except UNREADABLE as error:
        print(str(error) or type(error).__name__, file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
