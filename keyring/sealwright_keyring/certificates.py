"""Certificates (public keys with their user ids and subkeys), split and named before gpg sees them.

- A key file holds certificates only: primary key, then user ids, attributes, subkeys and signatures.
- A secret key among public ones is refused loudly.
- A signature that stands in a block of its own, as a revocation does, is refused: it must not be lost.
- Trust packets, by which a forged keyring can vouch for itself, are dropped.
- A certificate has at most 200 subkeys: gpg tries every one, at a cost that its maker chooses.
- The fingerprint is computed here, from the key's own bytes (RFC 4880, section 12.2).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sealwright_keyring.armor import dearmor_all
from sealwright_keyring.errors import MalformedError
from sealwright_keyring.packets import Packet, packets

MAX_KEY_FILE = 64 << 20
MAX_SUBKEYS = 200
_SIGNATURE, _PUBLIC, _TRUST, _SUBKEY = 2, 6, 12, 14
_SECRET = (5, 7)
_PARTS = (2, 13, 14, 17)


@dataclass(frozen=True)
class Certificate:
    """One certificate: fingerprint of its primary key, those of its subkeys (claimed, unproven), its bytes."""

    fingerprint: str
    subkeys: tuple[str, ...]
    raw: bytes


def certificates(data: bytes) -> tuple[Certificate, ...]:
    """Split a key file, armored or binary, into its certificates.

    Raises:
        MalformedError: it is empty, too large, holds a secret key, or anything that is no certificate.
    """
    if not data:
        raise MalformedError("the key file is empty")
    if len(data) > MAX_KEY_FILE:
        raise MalformedError("the key file is too large")
    blocks = [data] if data[0] & 0x80 else dearmor_all(data, "PUBLIC KEY BLOCK")
    groups: list[list[Packet]] = []
    for block in blocks:
        for number, packet in enumerate(packets(block)):
            if packet.tag == _PUBLIC:
                groups.append([packet])
            elif packet.tag in _PARTS and number:
                groups[-1].append(packet)
            elif packet.tag != _TRUST:
                raise MalformedError(_refusal(packet.tag))
    if not groups:
        raise MalformedError("the key file holds no public key")
    return tuple(_certificate(group) for group in groups)


def _refusal(tag: int) -> str:
    if tag in _SECRET:
        return "it holds a secret key; remove it from here and consider it stolen"
    if tag == _SIGNATURE:
        # Likely a revocation. To pass it over would be to trust a key that its owner took back.
        return "a revocation stands beside its key, not in it; import both, and export the key"
    return f"a packet of type {tag} stands among public keys"


def _certificate(group: list[Packet]) -> Certificate:
    subkeys = tuple(fingerprint_of(packet.body) for packet in group if packet.tag == _SUBKEY)
    if len(subkeys) > MAX_SUBKEYS:
        raise MalformedError(f"a certificate has {len(subkeys)} subkeys, and no honest one has so many")
    raw = b"".join(packet.raw for packet in group)
    return Certificate(fingerprint_of(group[0].body), subkeys, raw)


def fingerprint_of(body: bytes) -> str:
    """The fingerprint of a version 4 key packet's body, 40 upper-case hex digits.

    Raises:
        MalformedError: the key is of another version.
    """
    if not body or body[0] != 4 or len(body) > 0xFFFF:
        raise MalformedError("a key is not of version 4")
    sha1 = hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body, usedforsecurity=False)
    return sha1.hexdigest().upper()
