"""minisign public keys and the lines that they are written in, read strictly.

- A key file is two lines: a comment, and the canonical base64 of algorithm, id and key; no more.
- Anybody can make a key with any id, so what names a key is the SHA-256 over the key itself.

Source: https://jedisct1.github.io/minisign/ (public key format).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from sealwright_keyring.ed25519_keys import made_by
from sealwright_keyring.errors import MalformedError

BEGIN = b"untrusted comment:"
PREFIX = "minisign:"
LEGACY = b"Ed"
UNTRUSTED = b"untrusted comment: "
MAX_UNTRUSTED = 1024
_COMMENT = re.compile(rb"[^\r\n\x00]*\Z")
_KEY = 42


@dataclass(frozen=True)
class MinisignKey:
    """A public key, the id that its signatures bear, and the comment of its file."""

    key_id: bytes
    public: bytes
    comment: str = ""

    @property
    def fingerprint(self) -> str:
        """`minisign:` and the SHA-256 over the key, without its id, in hex."""
        return PREFIX + hashlib.sha256(self.public).hexdigest()

    @property
    def text(self) -> str:
        """Key and id as minisign writes them."""
        return base64.b64encode(LEGACY + self.key_id + self.public).decode()

    def made(self, signature: bytes, message: bytes) -> bool:
        """Whether this key made `signature` over `message`."""
        return made_by(self.public, signature, message)


def parse_key_file(data: bytes) -> MinisignKey:
    """The key of a `.pub` file: a line of comment, a line of base64.

    Raises:
        MalformedError: it is not just that.
    """
    lines = data.removesuffix(b"\n").split(b"\n")
    if len(lines) != 2:
        raise malformed("it is not two lines: a comment and a key")
    comment = comment_of(lines[0], UNTRUSTED, MAX_UNTRUSTED)
    return parse_key(lines[1], comment.decode("utf-8", "surrogateescape"))


def parse_key(text: bytes, comment: str = "") -> MinisignKey:
    """The key whose base64 is `text`.

    Raises:
        MalformedError: it is none.
    """
    raw = decoded(text, _KEY)
    if raw[:2] != LEGACY:
        raise malformed("it is no Ed25519 key")
    return MinisignKey(raw[2:10], raw[10:], comment)


def malformed(because: str) -> MalformedError:
    """The error of minisign data that breaks its rules."""
    return MalformedError(because, "minisign data")


def comment_of(line: bytes, begin: bytes, most: int) -> bytes:
    text = line.removeprefix(begin)
    if not line.startswith(begin) or len(text) > most or not _COMMENT.match(text):
        raise malformed(f"a line is not `{begin.decode()}...` of at most {most} bytes")
    return text


def decoded(text: bytes, size: int) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise malformed("a line is not base64") from error
    if base64.b64encode(raw) != text or len(raw) != size:
        raise malformed(f"a line is not the canonical base64 of {size} bytes")
    return raw
