"""Signed notes, verifier keys and checkpoints (C2SP signed-note, tlog-checkpoint), read strictly.

- A note is text, an empty line, and signature lines `\N{EM DASH} name base64(key id || signature)`. The last empty line
  parts the two.
- A note is UTF-8, and holds no control character but newlines; its text ends in one.
- A signature of an unknown key is passed over, whatever its type; a known key's signature that does not verify
  refuses the note, also beside one that does.
- A note without a signature of a known key is refused.
- A name has no Unicode space and no plus sign. One that we use ourselves is printable, too.
- A checkpoint is exactly origin, size and root: a size below 2^63 without leading zeros, and a root of 32 bytes. The
  specification allows extension lines and recommends none; a log of format 1 has none, so they are refused.

`tests/appendlog/test_specifications.py` goes through the specifications' sentences, one by one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_MAX_NOTE = 1 << 20
_MAX_SIGNATURES = 100
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_SIZES = 1 << 63
DASH = "\N{EM DASH} "


class NoteError(ValueError):
    """A note, key or checkpoint that is refused; the sentence says why."""


@dataclass(frozen=True)
class VerifierKey:
    """A verifier key: name, key id (4 bytes) and Ed25519 public key."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """First four bytes of SHA-256(name, newline, algorithm, key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        """`<name>+<key id in hex>+<base64 of algorithm and key>`."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a verifier key.

        Raises:
            NoteError: it is malformed, or its key id is not its own.
        """
        name, plus, rest = text.partition("+")
        key_id, plus2, encoded = rest.partition("+")
        data = decode_base64(encoded)
        if not (plus and plus2) or data[:1] != _ED25519 or len(data) != 33:
            raise NoteError("not an Ed25519 verifier key")
        key = cls(key_name(name), data[1:])
        if key.key_id.hex() != key_id:
            raise NoteError("the verifier key's id is not its own")
        return key


@dataclass(frozen=True)
class Checkpoint:
    """What a log commits to: its origin, its size in leaves, and its root (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The checkpoint's body."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read a checkpoint's body.

        Raises:
            NoteError: it is not exactly three well-formed lines.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise NoteError("a checkpoint has three lines")
        origin, size, root = lines[:3]
        if not _SIZE.fullmatch(size) or int(size) >= _SIZES:
            raise NoteError("the checkpoint's size is no plain number below 2^63")
        decoded = decode_base64(root)
        if not origin or len(decoded) != 32:
            raise NoteError("the checkpoint has no origin, or its root is not 32 bytes")
        return cls(origin, int(size), decoded)


def sign_note(text: str, name: str, key: Ed25519PrivateKey) -> str:
    """A note over `text` with one signature.

    Raises:
        NoteError: the text or the name can't stand in a note.
    """
    if not text.endswith("\n") or _control(text):
        raise NoteError("the note's text has control characters, or no newline at its end")
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise NoteError("the note's text is not UTF-8") from None
    public = key.public_key().public_bytes_raw()
    line = base64.b64encode(VerifierKey(key_name(name), public).key_id + key.sign(data)).decode()
    return f"{text}\n{DASH}{name} {line}\n"


def open_note(note: str | bytes, keys: Sequence[VerifierKey]) -> str:
    """The text of a note that one of `keys`, at least, has signed.

    Raises:
        NoteError: malformed, unsigned by these keys, or wrongly signed by one of them.
    """
    text, lines = split_note(note)
    verified = 0
    for line in lines:
        name, key_id, signature = signature_line(line)
        for key in keys:
            if key.name == name and key.key_id == key_id:
                try:
                    Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
                except InvalidSignature:
                    raise NoteError(f"the signature of {name} does not verify") from None
                verified += 1
    if not verified:
        raise NoteError("no known key has signed the note")
    return text


def open_checkpoint(note: str | bytes, key: VerifierKey) -> Checkpoint:
    """The checkpoint of a note that `key` has signed, whose origin is the key's name.

    Raises:
        NoteError: as `open_note`, or another log's checkpoint.
    """
    checkpoint = Checkpoint.parse(open_note(note, [key]))
    if checkpoint.origin != key.name:
        raise NoteError(f"it is a checkpoint of {checkpoint.origin!r}, not of {key.name!r}")
    return checkpoint


def split_note(note: str | bytes) -> tuple[str, list[str]]:
    """A note's text and its signature lines, nothing verified.

    Raises:
        NoteError: it is malformed.
    """
    try:
        data = note if isinstance(note, bytes) else note.encode("utf-8")
        whole = data.decode("utf-8")
    except UnicodeError:
        raise NoteError("the note is not UTF-8") from None
    if len(data) > _MAX_NOTE:
        raise NoteError("the note is too large")
    if _control(whole):
        raise NoteError("the note has control characters")
    at = whole.rfind("\n\n")
    if at < 0 or not whole.endswith("\n"):
        raise NoteError("the note has no signatures")
    text, lines = whole[: at + 1], whole[at + 2 : -1].split("\n")
    if not 1 <= len(lines) <= _MAX_SIGNATURES:
        raise NoteError("the note has too many signatures")
    return text, lines


def signature_line(line: str) -> tuple[str, bytes, bytes]:
    """Name, key id (4 bytes) and signature of a signature line.

    Raises:
        NoteError: it is malformed.
    """
    if not line.startswith(DASH):
        raise NoteError("malformed signature line")
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    data = decode_base64(encoded)
    if len(data) < 5:
        raise NoteError("a signature that is too short")
    return _name(name), data[:4], data[4:]


def _control(text: str) -> bool:
    return any(c < " " and c != "\n" for c in text)


def _name(name: str) -> str:
    if not name or "+" in name or any(c.isspace() for c in name):
        raise NoteError("a key's name has no blanks and no plus signs")
    return name


def key_name(name: str) -> str:
    """The name, if a key of ours, or one that we are told to trust, can have it.

    Raises:
        NoteError: it can't.
    """
    if not name.isprintable():
        raise NoteError("a key's name that can't be printed")
    return _name(name)


def told_name(name: str, most: int = 100) -> str:
    """A name from a note, or whatever else comes from outside, as it can be told."""
    return ascii(name[:most])[1:-1]


def shown(text: bytes | str) -> str:
    """Text from outside as a terminal may get it: what can't be printed is escaped, only line feeds stay."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
    )


def decode_base64(text: str) -> bytes:
    """Standard base64 in its one canonical form.

    Raises:
        NoteError: it is not that.
    """
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("broken base64") from None
    if base64.b64encode(data).decode() != text:
        raise NoteError("base64 that is not canonical")
    return data
