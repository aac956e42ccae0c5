"""The packets of a detached OpenPGP signature, counted and read independently of gpg (RFC 9580, 4 and 5.2).

- A signature file is one armor block with nothing before or after it, or binary packets.
- It holds signature packets (tag 2) of version 4 to 6 only, each with a definite length, and at least one.
- What an unhashed area says (the issuer) is advice for choosing certificates; nothing is decided by it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

_BEGIN = b"-----BEGIN PGP SIGNATURE-----"
_END = b"-----END PGP SIGNATURE-----"
_MAX_SIZE = 1 << 20
_ISSUER, _ISSUER_FINGERPRINT = 16, 33


class PacketError(ValueError):
    """Not a plain detached signature; the sentence says why."""


@dataclass(frozen=True)
class SignaturePacket:
    """A signature packet: its class, algorithms (RFC 9580 numbers) and who it says made it (advice)."""

    version: int
    kind: int
    public_algorithm: int
    hash_algorithm: int
    issuers: tuple[str, ...]


def signature_packets(signature: bytes) -> list[SignaturePacket]:
    """The packets of a detached signature, armored or binary.

    Raises:
        PacketError: it holds anything else.
    """
    if len(signature) > _MAX_SIZE:
        raise PacketError("the signature is larger than 1 MiB")
    data = signature if signature[:1] >= b"\x80" else dearmor(signature)
    packets = [_signature(tag, body) for tag, body in _walk(data)]
    if not packets:
        raise PacketError("there is no signature in it")
    return packets


def signature_issuers(signature: bytes) -> list[str]:
    """Who a signature says made it: fingerprints or 64-bit ids, in upper-case hex. Advice only."""
    return [issuer for packet in signature_packets(signature) for issuer in packet.issuers]


def dearmor(armored: bytes) -> bytes:
    """The bytes of the one armor block that `armored` is.

    Raises:
        PacketError: text around the block, a second block, broken base64 or checksum.
    """
    lines = [line.rstrip(b" \t\r") for line in armored.strip(b"\r\n").split(b"\n")]
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise PacketError("it is not one armor block with nothing around it")
    if any(line.startswith(b"-----") for line in lines[1:-1]):
        raise PacketError("it has more than one armor block")
    at = 1
    while at < len(lines) - 1 and lines[at]:
        if not re.match(rb"[A-Za-z]+: ", lines[at]) and not re.fullmatch(rb"[A-Za-z]+:", lines[at]):
            raise PacketError("malformed armor header")
        at += 1
    body = lines[at + 1 : -1]
    checksum = body.pop()[1:] if body and re.fullmatch(rb"=[A-Za-z0-9+/]{4}", body[-1]) else None
    try:
        data = base64.b64decode(b"".join(body), validate=True)
        if checksum is not None and base64.b64decode(checksum) != _crc24(data):
            raise PacketError("the armor's checksum is wrong")
    except binascii.Error:
        raise PacketError("broken base64 in the armor") from None
    return data


def _crc24(data: bytes) -> bytes:
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = (crc << 1) ^ (0x1864CFB if crc & 0x800000 else 0)
    return (crc & 0xFFFFFF).to_bytes(3, "big")


def _walk(data: bytes) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    at = 0
    try:
        while at < len(data):
            first = data[at]
            if not first & 0x80:
                raise PacketError("not OpenPGP packets")
            tag, at, length = _new_header(data, at) if first & 0x40 else _old_header(data, at)
            if at + length > len(data):
                raise PacketError("a packet is cut off")
            found.append((tag, data[at : at + length]))
            at += length
    except IndexError:
        raise PacketError("a packet is cut off") from None
    return found


def _new_header(data: bytes, at: int) -> tuple[int, int, int]:
    tag, first = data[at] & 0x3F, data[at + 1]
    if first < 192:
        return tag, at + 2, first
    if first < 224:
        return tag, at + 3, ((first - 192) << 8) + data[at + 2] + 192
    if first == 255:
        return tag, at + 6, int.from_bytes(data[at + 2 : at + 6], "big")
    raise PacketError("a packet of partial length")


def _old_header(data: bytes, at: int) -> tuple[int, int, int]:
    tag, kind = (data[at] >> 2) & 0x0F, data[at] & 3
    if kind == 3:
        raise PacketError("a packet of indefinite length")
    width = 1 << kind
    if at + 1 + width > len(data):
        raise PacketError("a packet is cut off")
    return tag, at + 1 + width, int.from_bytes(data[at + 1 : at + 1 + width], "big")


def _signature(tag: int, body: bytes) -> SignaturePacket:
    if tag != 2:
        raise PacketError(f"a packet of tag {tag}, where only signatures may stand")
    if len(body) < 12 or body[0] not in (4, 6):
        raise PacketError(f"a signature of version {body[0] if body else '?'}, which is not accepted")
    width = 2 if body[0] == 4 else 4
    hashed, at = _area(body, 4, width)
    unhashed, _ = _area(body, at, width)
    issuers = tuple(dict.fromkeys([*_issuers(hashed), *_issuers(unhashed)]))
    return SignaturePacket(body[0], body[1], body[2], body[3], issuers)


def _area(body: bytes, at: int, width: int) -> tuple[bytes, int]:
    length = int.from_bytes(body[at : at + width], "big")
    end = at + width + length
    if end > len(body):
        raise PacketError("a signature's subpackets are cut off")
    return body[at + width : end], end


def _issuers(area: bytes) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(area):
        first = area[at]
        if first < 192:
            length, at = first, at + 1
        elif first < 255:
            length, at = ((first - 192) << 8) + int.from_bytes(area[at + 1 : at + 2], "big") + 192, at + 2
        else:
            length, at = int.from_bytes(area[at + 1 : at + 5], "big"), at + 5
        if length < 1 or at + length > len(area):
            raise PacketError("a signature's subpackets are cut off")
        kind, value = area[at] & 0x7F, area[at + 1 : at + length]
        if kind == _ISSUER and len(value) == 8:
            found.append(value.hex().upper())
        elif kind == _ISSUER_FINGERPRINT and len(value) in (21, 33):
            found.insert(0, value[1:].hex().upper())
        at += length
    return found
