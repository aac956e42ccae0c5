"""The doors by which something signed comes in, and the rows of attacks that are tried at each of them.

- At every door the real check of that kind of item decides, over bytes that the row has written.
- `carrier` is what arrives: a signature file, a raw git object, or a clearsigned document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from hostile.pen import Evil, Pen
from sealwright_keyring.errors import MalformedError
from sealwright_keyring.packets import detached_signatures
from sealwright_keyring.policy import Person
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.ports import Trust, Workshop
from sealwright_stages.verdict import Verdict
from sealwright_stages.verify.archive import Release, read_release
from sealwright_stages.verify.codes import WAIVABLE, RefusedError
from sealwright_stages.verify.deb822 import Listed
from sealwright_stages.verify.file import judge_beside
from sealwright_stages.verify.git import Wanted, judge
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.source_debian import DebianSource
from verify.workbench import tag_payload, with_signature, workshop

FILE, TAG, COMMIT, DSC, INRELEASE = "file", "git tag", "git commit", ".dsc", "InRelease"
ALL = (FILE, TAG, COMMIT, DSC, INRELEASE)
DETACHED, GIT, CLEAR = ALL[:3], (TAG, COMMIT), (DSC, INRELEASE)
_NAMES = {1: "MD5", 2: "SHA1", 3: "RIPEMD160", 8: "SHA256", 9: "SHA384", 10: "SHA512", 11: "SHA224"}
_PERSON = b"A Person <person@example.org> 1700000000 +0000"
_ORIGINAL = b"original\n"


@dataclass(frozen=True, eq=False)
class Row:
    """One attack or oddity: what is written, who is trusted, and the verdict's code that is wanted.

    `wanted` is one code for all doors, or by door with "*" for the others; `ok` means green.
    """

    number: str
    name: str
    make: Callable[[Pen], bytes]
    wanted: str | Mapping[str, str]
    doors: tuple[str, ...] = ALL
    spoil: Callable[[bytes], bytes] = bytes
    tree: Callable[[Evil], str] | None = None
    persons: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"s1": ("s1",), "s2": ("s2",)})
    known: tuple[str, ...] = ()
    certificate: str = ""
    threshold: int = 1

    def code(self, door: str) -> str:
        """The code that is wanted at a door; a signed commit adds its own weakness to what is not red."""
        wanted = self.wanted if isinstance(self.wanted, str) else self.wanted.get(door, self.wanted.get("*", ""))
        if door != COMMIT or wanted not in ("ok", *WAIVABLE):
            return wanted
        return "commit-signed-only" + ("" if wanted == "ok" else f"+{wanted}")


def judged(evil: Evil, row: Row, door: str) -> Verdict:
    """What the check behind `door` says of the row."""
    tree = row.tree(evil) if row.tree else ""
    pen = Pen(evil, payload(evil, door, tree), door in CLEAR)
    signature = row.make(pen)
    if door == FILE:
        return _file(evil, pen, row, signature)
    if door in GIT:
        return _git(evil, pen, row, signature, door)
    document = row.spoil(clearsigned(pen.shown, signature))
    return _dsc(evil, row, document) if door == DSC else _inrelease(evil, row, document)


def clearsigned(text: bytes, signature: bytes) -> bytes:
    """A clearsigned document, as gpg writes one around a signature."""
    try:
        found = {_NAMES[each.digest] for each in detached_signatures(signature)}
    except MalformedError:
        found = {"SHA256", "SHA512"}
    lines = [b"- " + line if line.startswith(b"-") else line for line in text.split(b"\n")[:-1]]
    head = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: " + ", ".join(sorted(found)).encode()
    return head + b"\n\n" + b"\n".join(lines) + b"\n" + signature


def payload(evil: Evil, door: str, tree: str) -> bytes:
    digest = hashlib.sha256(_ORIGINAL).hexdigest()
    if door in GIT:
        repository = evil.repository
        tree = tree or repository.files({"README": b"hello\n"})
        if door == TAG:
            raw = b"tree %s\nauthor %s\ncommitter %s\n\nx\n" % (tree.encode(), _PERSON, _PERSON)
            return tag_payload(repository.put("commit", raw), "v1.0")
        return b"tree %s\nauthor %s\ncommitter %s\n\na commit\n" % (tree.encode(), _PERSON, _PERSON)
    if door == DSC:
        text = f"Source: hi\nVersion: 1.0-1\nChecksums-Sha256:\n {digest} {len(_ORIGINAL)} hi_1.0.orig.tar.gz\n"
    elif door == INRELEASE:
        text = "Suite: oldstable\nCodename: bookworm\nDate: Sat, 01 Mar 2025 10:00:00 UTC\n"
        text += f"SHA256:\n {digest} {len(_ORIGINAL)} main/source/Sources.xz\n"
    else:
        text = "the bytes that were meant\n"
    return text.encode()


def _trust(evil: Evil, row: Row) -> Trust:
    names = [name for person in row.persons.values() for name in person]
    certificates = [evil.certificate(row.certificate if row.certificate else name) for name in names]
    persons = tuple(
        Person(person, tuple(evil.world.fpr[name] for name in keys)) for person, keys in row.persons.items()
    )
    return Trust((*certificates, *map(evil.certificate, row.known)), persons, row.threshold)


def _key_file(evil: Evil, row: Row) -> Path:
    path = evil.work / "keys.gpg"
    path.write_bytes(b"".join(dict.fromkeys(_trust(evil, row).certificates)))
    return path


def _file(evil: Evil, pen: Pen, row: Row, signature: bytes) -> Verdict:
    data, beside = evil.work / "x-1.tar.gz", evil.work / "x-1.tar.gz.asc"
    data.write_bytes(pen.shown)
    beside.write_bytes(row.spoil(signature))
    return judge_beside(data, [beside], _trust(evil, row))


def _git(evil: Evil, pen: Pen, row: Row, signature: bytes, door: str) -> Verdict:
    raw = pen.shown + signature if door == TAG else with_signature(pen.shown, signature)
    kind = "tag" if door == TAG else "commit"
    id_ = evil.repository.put(kind, row.spoil(raw))
    ref = "refs/tags/v1.0" if door == TAG else "refs/heads/main"
    evil.repository.point(ref, id_)
    wanted = Wanted(ref, "v1.0", None) if door == TAG else Wanted(ref, None, id_)
    return judge(ObjectStore(evil.repository.folder), wanted, _trust(evil, row))


def _inrelease(evil: Evil, row: Row, document: bytes) -> Verdict:
    try:
        return read_release(document, "bookworm", _key_file(evil, row)).verdict
    except RefusedError as error:
        return error.verdict()


class _NoArchive:
    """An archive that vouches for nothing: here it is about the uploader's word alone."""

    def release(self, _workshop: Workshop) -> tuple[Release, bytes]:
        raise RefusedError("fetch-failed", "there is no archive", "none")


def _dsc(evil: Evil, row: Row, document: bytes) -> Verdict:
    place = workshop(evil.work)
    name = "hi_1.0-1.dsc"
    files = {name: document, "hi_1.0.orig.tar.gz": _ORIGINAL}
    for file, data in files.items():
        (place.quarantine / file).write_bytes(data)
    listed = {k: Listed(hashlib.sha256(data).hexdigest(), len(data), k) for k, data in files.items()}
    archive = cast("DebianArchive", _NoArchive())
    stanza = {"version": "1.0-1"}
    source = DebianSource("hi", "hi", archive, _key_file(evil, row), _files=listed, _stanza=stanza)
    return source.verify(place).verdicts["hi/uploader/hi"]
