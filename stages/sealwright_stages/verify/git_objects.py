"""Raw git tags and commits, parsed strictly: what is signed, by what signature, and what it says.

A pure module: bytes in, values or `RefusedError` out.

- An object is at most 1 MiB, without a NUL byte, and its name is the SHA-1 over its very bytes.
- A time lies between 1970 and 2242: what git writes, and what every later stage can say.
- Headers stand once each and in git's order; an unknown header is refused, and `gpgsig` in a tag is unknown.
- A tag names a commit, and bears the name that was asked for.
- A tag's signature is one block at the very end, and nowhere in the text does another one begin. After it there may
  be one proof by OpenTimestamps, which it does not cover: taken off, reported, and not checked.
- A commit's signature is one `gpgsig` header; what it covers is the commit without that header.
- Of a commit of the history only tree, parents and date are read: tree and parents strictly, the date leniently,
  for old and honest commits say who and when in crooked ways.

Source: git's Documentation/gitformat-signature.txt, tag.c and commit.c.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from sealwright_stages.verify.codes import RefusedError, shown

LIMIT = 1 << 20
_ID = re.compile(rb"[0-9a-f]{40}\Z")
_PERSON = re.compile(rb"[^<>\x00-\x1f\x7f]* ?<[^<>\x00-\x1f\x7f]*> ([0-9]{1,18}) [+-][0-9]{4}\Z")
_LATEST = 1 << 33
_ANCESTRY = re.compile(rb"tree [0-9a-f]{40}\n((?:parent [0-9a-f]{40}\n)*)author ")
_PARENT = len(b"parent ") + 40 + 1
_COMMITTED = re.compile(rb"\ncommitter [^\n]*> *([0-9]{1,18})(?![0-9])")
_NAME = re.compile(rb"[!-~][!-~]*\Z")
_ENCODING = re.compile(rb"[A-Za-z0-9._:-]{1,40}\Z")
_BEGIN = re.compile(rb"^-----BEGIN ([A-Z ]+)-----", re.MULTILINE)
_PROOF = re.compile(
    rb"\n-----END [A-Z ]+-----\n(-----BEGIN OPENTIMESTAMPS GIT TIMESTAMP-----\n\n(?:[A-Za-z0-9+/]{1,76}={0,2}\n){1,400}"
    rb"-----END OPENTIMESTAMPS GIT TIMESTAMP-----\n?)\Z"
)
_PGP, _SSH = b"-----BEGIN PGP SIGNATURE-----", b"-----BEGIN SSH SIGNATURE-----"
_SIGNATURE_BEGINS = (
    _PGP,
    b"-----BEGIN PGP MESSAGE-----",
    _SSH,
    b"-----BEGIN SIGNED MESSAGE-----",
)
_NEXT = "ask upstream for a tag that git itself made with `git tag --sign`"


@dataclass(frozen=True)
class Tag:
    """An annotated tag: what it names, under which name, by whom and when; signed bytes, signature, what follows."""

    target: str
    name: str
    tagger: str
    epoch: int
    payload: bytes
    signature: bytes
    proof: bytes = b""


@dataclass(frozen=True)
class Commit:
    """A commit: its tree and parents, the bytes that are signed, and the signature (empty: none)."""

    tree: str
    parents: tuple[str, ...]
    committer: str
    epoch: int
    payload: bytes
    signature: bytes


def object_id(kind: str, raw: bytes) -> str:
    """The name that git gives to an object of `kind` with the content `raw`: 40 hex digits."""
    return hashlib.sha1(b"%s %d\x00" % (kind.encode(), len(raw)) + raw, usedforsecurity=False).hexdigest()


def parse_tag(raw: bytes, asked: str) -> Tag:
    """Parse a signed tag that must bear the name `asked` (without refs/tags/).

    Raises:
        RefusedError: it is not exactly what git writes, another name, no commit, or no plain signature.
    """
    head, body = _split(raw, "tag")
    lines = head.split(b"\n")
    values: dict[bytes, bytes] = {}
    for wanted, line in zip((b"object", b"type", b"tag", b"tagger"), lines, strict=False):
        key, _, value = line.partition(b" ")
        if key != wanted or not value:
            raise _malformed("tag", f"where `{wanted.decode()}` should stand is `{shown(line, 60)}`")
        values[key] = value
    if len(lines) != 4:
        raise _malformed("tag", "it does not have exactly the headers object, type, tag, tagger")
    if not _ID.match(values[b"object"]):
        raise _malformed("tag", "its object header is not well formed")
    epoch = _time(values[b"tagger"], "tag", "tagger")
    if not _NAME.match(values[b"tag"]):
        raise _malformed("tag", "its name holds blanks or other than plain characters")
    if values[b"tag"] != asked.encode():
        raise RefusedError(
            "tag-name-mismatch",
            f"the ref {shown(asked)} leads to a signed tag called {shown(values[b'tag'])}",
            "somebody passes off one release as another: tell upstream by a second channel",
        )
    if values[b"type"] != b"commit":
        raise RefusedError(
            "tag-not-a-commit", f"the tag names a {shown(values[b'type'])}, no commit", "ask for another tag"
        )
    found = _PROOF.search(raw)
    proof = found[1] if found else b""
    payload, signature = _signature_at_end(raw.removesuffix(proof), body.removesuffix(proof))
    return Tag(values[b"object"].decode(), asked, shown(values[b"tagger"]), epoch, payload, signature, proof)


def parse_commit(raw: bytes) -> Commit:
    """Parse a commit, signed or not.

    Raises:
        RefusedError: it is not what git writes.
    """
    head, _ = _split(raw, "commit")
    headers = _headers(head)
    names = [name for name, _ in headers]
    parents = names[1:].count(b"parent")
    order = [b"tree", *[b"parent"] * parents, b"author", b"committer"]
    rest = names[len(order) :]
    if names[: len(order)] != order or set(rest) - {b"encoding", b"gpgsig", b"mergetag"}:
        raise _malformed("commit", "its headers are not those of git, once each and in order")
    if rest.count(b"gpgsig") > 1 or rest.count(b"encoding") > 1:
        raise _malformed("commit", "a header stands in it twice")
    values = [value for _, value in headers]
    if not all(_ID.match(value) for value in values[: parents + 1]):
        raise _malformed("commit", "its tree or parent header is not well formed")
    _time(values[parents + 1], "commit", "author")
    epoch = _time(values[parents + 2], "commit", "committer")
    by_name = dict(headers[len(order) :])
    if b"encoding" in by_name and not _ENCODING.match(by_name[b"encoding"]):
        raise _malformed("commit", "its encoding header is not well formed")
    payload, signature = raw, by_name.get(b"gpgsig", b"")
    if signature:
        payload = _without(raw, b"gpgsig", signature)
        signature += b"\n"
    return Commit(
        tree=values[0].decode(),
        parents=tuple(value.decode() for value in values[1 : parents + 1]),
        committer=shown(values[parents + 2]),
        epoch=epoch,
        payload=payload,
        signature=signature,
    )


def parse_ancestry(raw: bytes) -> tuple[list[str], int]:
    """The parents of a commit of the history, and when it says it was made (0: it does not say).

    Raises:
        RefusedError: its tree and parent headers are not written as git writes them.
    """
    found = _ANCESTRY.match(raw)
    head = raw.partition(b"\n\n")[0]
    if found is None or b"\nparent " in head[found.end() :]:
        raise _malformed("commit", "its tree and parent headers are not those of git")
    lines = found[1]
    parents = [lines[at + 7 : at + 47].decode() for at in range(0, len(lines), _PARENT)]
    committed = _COMMITTED.search(head)
    return parents, int(committed[1]) if committed else 0


def plain_signature(signature: bytes, what: str) -> bytes:
    """The signature, if it is an armored one by OpenPGP or SSH.

    Raises:
        RefusedError: there is none, or it is of another kind.
    """
    if not signature:
        raise RefusedError("signature-missing", f"the {what} is not signed", _NEXT)
    if not signature.startswith((_PGP + b"\n", _SSH + b"\n")):
        kind = shown(signature.split(b"\n", 1)[0], 60)
        raise RefusedError(
            "signature-kind-unsupported",
            f"the {what} bears {kind}, no OpenPGP or SSH signature",
            "ask for another",
        )
    return signature


def _time(person: bytes, what: str, header: str) -> int:
    """Seconds since 1970 of a line `Name <address> SECONDS ZONE`."""
    found = _PERSON.match(person)
    if found is None:
        raise _malformed(what, f"its {header} header is not well formed")
    if int(found[1]) >= _LATEST:
        raise _malformed(what, f"its {header} header bears a time that no clock has shown")
    return int(found[1])


def _split(raw: bytes, what: str) -> tuple[bytes, bytes]:
    """The headers without their last newline, and the message after the empty line."""
    if len(raw) > LIMIT:
        raise RefusedError("object-too-large", f"the {what} is larger than 1 MiB", "ask for another ref")
    if b"\x00" in raw:
        raise _malformed(what, "it holds a NUL byte")
    head, gap, body = raw.partition(b"\n\n")
    if not gap:
        raise _malformed(what, "no empty line ends its headers")
    return head, body


def _headers(head: bytes) -> list[tuple[bytes, bytes]]:
    """Names and values of a commit's headers; continuation lines are joined."""
    found: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\n"):
        if line.startswith(b" "):
            if not found or found[-1][0] not in (b"gpgsig", b"mergetag"):
                raise _malformed("commit", "a header goes on where none may")
            name, value = found[-1]
            found[-1] = (name, value + b"\n" + line[1:])
            continue
        name, _, value = line.partition(b" ")
        if not name or not value:
            raise _malformed("commit", f"`{shown(line, 60)}` is no header")
        found.append((name, value))
    return found


def _without(raw: bytes, name: bytes, value: bytes) -> bytes:
    """The commit without its one header `name`."""
    written = name + b" " + value.replace(b"\n", b"\n ") + b"\n"
    before, found, after = raw.partition(b"\n" + written)
    if not found:
        raise _malformed("commit", "its signature header is not written as git writes it")
    return before + b"\n" + after


def _signature_at_end(raw: bytes, body: bytes) -> tuple[bytes, bytes]:
    """Payload and signature of a tag; git signs all bytes before the line that begins the signature."""
    begins = [m.start() for m in _BEGIN.finditer(raw) if m.group().startswith(_SIGNATURE_BEGINS)]
    if not begins:
        raise RefusedError("signature-missing", "the tag is annotated but not signed", _NEXT)
    if len(begins) > 1:
        raise RefusedError(
            "signature-ambiguous", "a signature block begins at more than one place in the tag", _NEXT
        )
    start = begins[0]
    if start < len(raw) - len(body):
        raise _malformed("tag", "a signature begins inside its headers")
    signature = raw[start:]
    kind = signature.split(b"\n", 1)[0][len(b"-----BEGIN ") :]
    # Some real tags lack the last newline; nothing else may follow.
    if not signature.removesuffix(b"\n").endswith(b"\n-----END " + kind) or signature.count(b"\n-----END ") != 1:
        raise RefusedError("signature-ambiguous", "the tag does not end with its signature", _NEXT)
    return raw[:start], signature


def _malformed(what: str, because: str) -> RefusedError:
    return RefusedError("object-malformed", f"the {what} object is malformed: {because}", _NEXT)
