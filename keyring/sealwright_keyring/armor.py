"""ASCII armor, read strictly (RFC 9580, section 6; RFC 4880, section 6).

- A signature is one block, and nothing but blank space stands around it.
- A key file holds one or more blocks of its kind and no other; prose around them is passed over, as gpg does,
  since each key is chosen by its full fingerprint and nothing is read out of the prose.
- Header lines are `Name: value` in printable ASCII with a known name; a blank line ends them.
- Base64 is canonical, its lines are at most 76 characters long; the CRC-24, where there is one, must be right.
- Line ends are LF or CR LF; no other control character is accepted.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from sealwright_keyring.errors import MalformedError

_HEADER = re.compile(rb"(Version|Comment|MessageID|Hash|Charset): ?[\x20-\x7e]*\Z")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{1,76}={0,2}\Z")
_CRC = re.compile(rb"=([A-Za-z0-9+/]{4})\Z")
_ALLOWED = re.compile(rb"[\n\r\t\x20-\x7e]*\Z")


def dearmor(text: bytes, kind: str) -> bytes:
    """The bytes of the one armor block of `kind`, for instance `SIGNATURE`.

    Raises:
        MalformedError: it is no such block, or something stands around it.
    """
    blocks = _blocks(text, kind, prose=False)
    if len(blocks) != 1:
        raise MalformedError(f"{len(blocks)} armor blocks where one is allowed")
    return blocks[0]


def dearmor_all(text: bytes, kind: str) -> list[bytes]:
    """The bytes of each block of `kind`; at least one, and no block of another kind.

    Raises:
        MalformedError: as above.
    """
    return _blocks(text, kind, prose=True)


def _blocks(text: bytes, kind: str, *, prose: bool) -> list[bytes]:
    if not prose and not _ALLOWED.match(text):
        raise MalformedError("the armor holds control or non-ASCII characters")
    begin, end = f"-----BEGIN PGP {kind}-----".encode(), f"-----END PGP {kind}-----".encode()
    lines = [line.rstrip(b" \t\r") for line in text.split(b"\n")]
    blocks: list[bytes] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        if not line or (prose and b"-----BEGIN " not in line and b"-----END " not in line):
            position += 1
            continue
        if line != begin:
            raise MalformedError(f"something other than a PGP {kind.lower()} stands in the file")
        try:
            stop = lines.index(end, position)
        except ValueError as error:
            raise MalformedError("the armor has no end") from error
        blocks.append(_block(lines[position + 1 : stop]))
        position = stop + 1
    if not blocks:
        raise MalformedError("there is no armor block")
    return blocks


def _block(lines: Sequence[bytes]) -> bytes:
    if b"" not in lines:
        raise MalformedError("no blank line ends the armor's headers")
    blank = list(lines).index(b"")
    for header in lines[:blank]:
        if not _HEADER.match(header):
            raise MalformedError("the armor has a header that is not known")
    body = list(lines[blank + 1 :])
    crc = _CRC.match(body[-1]) if body else None
    if crc:
        body.pop()
    if not body or not all(_BASE64.match(line) for line in body):
        raise MalformedError("the armor's body is not base64")
    data = _decode(b"".join(body))
    if crc and crc24(data) != int.from_bytes(_decode(crc[1]), "big"):
        raise MalformedError("the armor's checksum is wrong")
    return data


def _decode(text: bytes) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise MalformedError("the armor's body is not base64") from error
    if base64.b64encode(data) != text:
        raise MalformedError("the armor's base64 is not canonical")
    return data


def crc24(data: bytes) -> int:
    """The checksum of RFC 4880, section 6.1."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1864CFB
    return crc & 0xFFFFFF


def enarmor(data: bytes, kind: str) -> bytes:
    """One armor block around `data`."""
    text = base64.b64encode(data)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    check = b"=" + base64.b64encode(crc24(data).to_bytes(3, "big"))
    name = kind.encode()
    head, foot = b"-----BEGIN PGP " + name + b"-----", b"-----END PGP " + name + b"-----"
    return b"\n".join([head, b"", *lines, check, foot, b""])
