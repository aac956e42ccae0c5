"""A DSSE envelope that other people's programs read: OpenPGP signatures as securesystemslib has them, and a raw Ed25519.

- An OpenPGP signature is `keyid`, the full fingerprint of the key that made it; `other_headers`, the hashed part of its
  packet; and `sig`, its numbers. From these the packet is put together again, and judged as any other. What nobody
  signed of a packet (its unhashed part) is not kept.
- Only RSA and Ed25519 over SHA-256 have that form. Another signature that counts with us stands as its whole packet,
  which securesystemslib can't verify.
- The raw Ed25519 signature comes first, since sigstore's verifier looks at the first one only. Its `keyid` is the
  SHA-256 over the public key as SubjectPublicKeyInfo (DER).
- An envelope has one form, byte for byte: whatever else is in one is refused.

Sources: https://github.com/secure-systems-lab/dsse (envelope.md, protocol.md), RFC 9580 section 5.2.3, and securesystemslib
1.6 (`signer/_gpg_signer.py`, `_gpg/common.py`).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sealwright_keyring.ed25519_keys import Ed25519Key
from sealwright_keyring.errors import MalformedError
from sealwright_keyring.packets import MAX_SIGNATURES, Packet, Reader, detached_signatures, packets, subpackets

PAYLOAD_TYPE = "application/vnd.in-toto+json"
ED25519_SIGNATURE = 64
_KEYID = re.compile(r"[0-9a-f]{64}")
_RSA, _EDDSA, _SHA256 = 1, 22, 8
_ISSUER, _ISSUER_FINGERPRINT = 16, 33


@dataclass(frozen=True)
class Raw:
    """A raw Ed25519 signature (64 bytes), and the id of the key that made it (64 hex digits)."""

    keyid: str
    signature: bytes


def pae(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding, over which each signature is."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def envelope(payload: bytes, signature: bytes, raw: Raw | None = None) -> bytes:
    """The envelope with the OpenPGP signatures in `signature` (packets, armored or not), and a raw one if there is one.

    Raises:
        ValueError: `signature` holds no OpenPGP signature, or two by one key.
    """
    try:
        found = detached_signatures(signature)
        entries = [_entry(packet) for each in found for packet in packets(each.raw)]
    except MalformedError as error:
        raise ValueError(error.because) from None
    if raw is not None:
        entries.insert(0, {"keyid": raw.keyid, "sig": _base64(raw.signature)})
    if len({entry["keyid"] for entry in entries}) != len(entries):
        raise ValueError("two signatures are by one key")
    body = {"payload": _base64(payload), "payloadType": PAYLOAD_TYPE, "signatures": entries}
    return json.dumps(body, sort_keys=True, indent=1).encode() + b"\n"


def raw_by(keys: Iterable[Ed25519Key], signature: bytes, payload: bytes) -> Raw:
    """The raw signature over `payload`, with the one of `keys` that made it.

    Raises:
        ValueError: none of them has.
    """
    for key in keys:
        if key.made(signature, pae(payload)):
            return Raw(key.keyid, signature)
    raise ValueError("the Ed25519 signature is by no key that signers.toml names for the person")


def opened(data: bytes) -> tuple[bytes, bytes]:
    """Payload and OpenPGP signatures (as packets) of an envelope.

    Raises:
        ValueError: as `read`.
    """
    payload, signature, _ = read(data)
    return payload, signature


def read(data: bytes) -> tuple[bytes, bytes, Raw | None]:
    """Payload, OpenPGP signatures (as packets), and the raw signature of an envelope, if it has one.

    Raises:
        ValueError: it is not one that `envelope` makes, byte for byte.
    """
    try:
        body = json.loads(data)
        payload = base64.b64decode(body["payload"], validate=True)
        entries = [dict(entry) for entry in body["signatures"]]
        raw = _raw(entries[0])
        rest = entries[raw is not None :]
        if len(entries) > MAX_SIGNATURES:
            raise ValueError("it has too many signatures")
        signature = b"".join(_packet(entry, payload) for entry in rest)
        same = envelope(payload, signature, raw) == data
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        raise ValueError("it is no DSSE envelope") from None
    if not same:
        raise ValueError("it is not an envelope of ours, byte for byte")
    return payload, signature, raw


def _raw(entry: Mapping[str, str]) -> Raw | None:
    """The entry as a raw signature; None: it is an OpenPGP one."""
    signature = base64.b64decode(entry["sig"], validate=True)
    if "other_headers" in entry or not _KEYID.fullmatch(entry["keyid"]) or len(signature) != ED25519_SIGNATURE:
        return None
    return Raw(entry["keyid"], signature)


def _entry(packet: Packet) -> dict[str, str]:
    """A signature packet as an entry of the envelope."""
    reader = Reader(packet.body)
    headers = reader.take(4)
    length = reader.take(2)
    hashed = reader.take(int.from_bytes(length, "big"))
    reader.take(reader.number(2) + 2)  # what is not hashed, and the left octets of the digest
    issuers = [value[1:].hex() for kind, value in subpackets(hashed) if kind == _ISSUER_FINGERPRINT]
    keyid = issuers[0] if len(issuers) == 1 else ""
    whole = {"keyid": keyid, "sig": _base64(packet.raw)}
    algorithm, digest = headers[2], headers[3]
    if not keyid or digest != _SHA256 or algorithm not in (_RSA, _EDDSA):
        return whole
    numbers = [reader.take((reader.number(2) + 7) // 8) for _ in range(1 if algorithm == _RSA else 2)]
    if algorithm == _EDDSA:
        if any(len(number) > ED25519_SIGNATURE // 2 for number in numbers):
            return whole
        numbers = [number.rjust(ED25519_SIGNATURE // 2, b"\0") for number in numbers]
    other = headers + length + hashed
    return {"keyid": keyid, "other_headers": other.hex(), "sig": _base64(b"".join(numbers))}


def _packet(entry: Mapping[str, str], payload: bytes) -> bytes:
    """The signature packet of an entry."""
    signature = base64.b64decode(entry["sig"], validate=True)
    if "other_headers" not in entry:
        return signature
    other = bytes.fromhex(entry["other_headers"])
    half = ED25519_SIGNATURE // 2
    numbers = [signature] if other[2] == _RSA else [signature[:half], signature[half:]]
    issuer = bytes([9, _ISSUER]) + bytes.fromhex(entry["keyid"])[-8:]
    trailer = b"\x04\xff" + len(other).to_bytes(4, "big")
    left = hashlib.sha256(pae(payload) + other + trailer).digest()[:2]
    body = other + len(issuer).to_bytes(2, "big") + issuer + left + b"".join(_numbers(numbers))
    return b"\xc2\xff" + len(body).to_bytes(4, "big") + body


def _numbers(numbers: list[bytes]) -> Iterator[bytes]:
    """Numbers as OpenPGP writes them: their length in bits, and no leading zeros."""
    for number in numbers:
        value = int.from_bytes(number, "big")
        bits = value.bit_length()
        yield bits.to_bytes(2, "big") + value.to_bytes((bits + 7) // 8, "big")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
