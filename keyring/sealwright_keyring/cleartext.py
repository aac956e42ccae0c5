"""A clearsigned document, taken apart strictly before gpg sees it (RFC 4880, section 7).

- There is one document, with nothing but blank space before and after it.
- Its header lines are `Hash:` only, at least one, and they name the digest of every signature.
- Lines that begin with a dash are escaped by `- `; `NotDashEscaped` is refused.
- No NUL, form feed or other control character but tab; no line longer than gpg reads whole.
- What gpg gives back as signed must be the text that stands here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sealwright_keyring.armor import enarmor
from sealwright_keyring.errors import MalformedError
from sealwright_keyring.packets import SignaturePacket, detached_signatures

_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_HASH = re.compile(rb"Hash: ?([A-Z0-9]+(?:, ?[A-Z0-9]+)*)\Z")
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_MAX_LINE = 16_000  # gpg cuts lines at 20,000 bytes
_NAMES = {8: b"SHA256", 9: b"SHA384", 10: b"SHA512", 1: b"MD5", 2: b"SHA1", 3: b"RIPEMD160", 11: b"SHA224"}


@dataclass(frozen=True)
class ClearDocument:
    """The parts of a clearsigned document: header lines, text lines as they stand, signatures."""

    headers: tuple[bytes, ...]
    lines: tuple[bytes, ...]
    signatures: tuple[SignaturePacket, ...]

    def with_only(self, packet: SignaturePacket) -> bytes:
        """The same document with just this signature."""
        head = b"\n".join([_BEGIN, *self.headers, b"", *self.lines, b""])
        return head + enarmor(packet.raw, "SIGNATURE")

    @property
    def canonical(self) -> bytes:
        """The text as its signatures cover it: without blanks that end lines, CR LF between lines, none at the end."""
        return b"\r\n".join(line.removeprefix(b"- ").rstrip(b" \t\r") for line in self.lines)

    def agrees(self, text: bytes) -> bool:
        """Tell whether `text`, as gpg gave it, is this text: line by line, without the blanks that end lines."""
        ours = [line.removeprefix(b"- ").rstrip(b" \t\r") for line in self.lines]
        theirs = [line.rstrip(b" \t\r") for line in text.split(b"\n")]
        if theirs and not theirs[-1]:
            theirs.pop()
        return ours == theirs


def split(document: bytes, limit: int) -> ClearDocument:
    """Take a document apart.

    Raises:
        MalformedError: it is not exactly one plain clearsigned document, or larger than `limit` bytes.
    """
    if len(document) > limit:
        raise MalformedError("the document is too large")
    if _CONTROL.search(document):
        raise MalformedError("the document holds control characters")
    lines = [line.removesuffix(b"\r") for line in document.strip(b" \t\r\n").split(b"\n")]
    if lines[0].rstrip() != _BEGIN:
        raise MalformedError("the file does not begin with a signed message")
    if any(len(line) > _MAX_LINE for line in lines):
        raise MalformedError("a line is too long for gpg to read whole")
    marks = [number for number, line in enumerate(lines) if line.rstrip() == _SIGNATURE]
    if len(marks) != 1 or b"" not in [line.rstrip() for line in lines[: marks[0]]]:
        raise MalformedError(f"{len(marks)} signature blocks, or no headers, where one of each is due")
    blank = [line.rstrip() for line in lines].index(b"")
    headers, text = tuple(lines[1:blank]), tuple(lines[blank + 1 : marks[0]])
    for line in text:
        if line.startswith(b"-") and not line.startswith(b"- "):
            raise MalformedError("a line begins with a dash that is not escaped")
    signatures = detached_signatures(b"\n".join([*lines[marks[0] :], b""]))
    _check_hashes(headers, signatures)
    return ClearDocument(headers, text, signatures)


def _check_hashes(headers: tuple[bytes, ...], signatures: tuple[SignaturePacket, ...]) -> None:
    named: set[bytes] = set()
    for header in headers:
        match = _HASH.match(header.rstrip())
        if not match:
            raise MalformedError("the document has a header other than Hash")
        named.update(match[1].replace(b" ", b"").split(b","))
    for signature in signatures:
        if _NAMES.get(signature.digest, b"?") not in named:
            raise MalformedError("the Hash header does not name the signature's digest")
