"""OpenPGP packets, walked by our own strict parser before any tool sees them (RFC 9580, sections 4 and 5).

- A length is definite and lies within the data; partial and indeterminate lengths are refused.
- A detached signature consists of signature packets only: no message, compressed, marker or padding packet.
- A signature is of version 4, has its creation time in the hashed area once, and its numbers end where it does.
- The issuers named in a signature must not contradict each other; they are advice for choosing a key, no more.
- What stands in the unhashed area beyond issuers can be added by anybody, and is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sealwright_keyring.armor import dearmor
from sealwright_keyring.errors import MalformedError

SIGNATURE = 2
MAX_SIGNATURE_FILE = 1 << 18
MAX_SIGNATURES = 32
_CREATED, _ISSUER, _ISSUER_FINGERPRINT = 2, 16, 33
_NUMBERS = {1: 1, 3: 1, 17: 2, 19: 2, 22: 2}  # algorithm -> count of MPIs in a signature


@dataclass(frozen=True)
class Packet:
    """One packet: its tag, its body, and itself with its header."""

    tag: int
    body: bytes
    raw: bytes


@dataclass(frozen=True)
class SignaturePacket:
    """What a signature packet says of itself; only a verifier can tell whether it is true."""

    raw: bytes
    signature_class: int
    algorithm: int
    digest: int
    created: datetime
    issuers: tuple[str, ...]
    unhashed_extra: tuple[int, ...]


class Reader:
    """Takes bytes from the front, and never beyond the end: a MalformedError there."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        end = self.position + count
        if end > len(self.data):
            raise MalformedError("a packet is cut short")
        part = self.data[self.position : end]
        self.position = end
        return part

    def number(self, count: int) -> int:
        """The next `count` bytes as a number, the highest first."""
        return int.from_bytes(self.take(count), "big")

    def more(self) -> bool:
        """Whether anything is left."""
        return self.position < len(self.data)


def packets(data: bytes) -> Iterator[Packet]:
    """Walk the packets of `data`.

    Raises:
        MalformedError: `data` is no plain sequence of packets.
    """
    reader = Reader(data)
    while reader.more():
        start = reader.position
        first = reader.number(1)
        if not first & 0x80:
            raise MalformedError("what should be a packet does not begin like one")
        if first & 0x40:
            tag, length = first & 0x3F, _new_length(reader)
        else:
            tag = first >> 2 & 0x0F
            if first & 3 == 3:
                raise MalformedError("a packet has no definite length")
            length = reader.number(1 << (first & 3))
        body = reader.take(length)
        yield Packet(tag, body, data[start : reader.position])


def _new_length(reader: Reader) -> int:
    first = reader.number(1)
    if first < 192:
        return first
    if first < 224:
        return (first - 192 << 8) + reader.number(1) + 192
    if first == 255:
        return reader.number(4)
    raise MalformedError("a packet has no definite length")


def detached_signatures(signature: bytes) -> tuple[SignaturePacket, ...]:
    """The signature packets of a detached signature file, armored or binary.

    Raises:
        MalformedError: it is empty, too large, or holds anything else.
    """
    if not signature:
        raise MalformedError("the signature is empty")
    if len(signature) > MAX_SIGNATURE_FILE:
        raise MalformedError("the signature file is too large to be one")
    data = signature if signature[0] & 0x80 else dearmor(signature, "SIGNATURE")
    found = []
    for packet in packets(data):
        if packet.tag != SIGNATURE:
            raise MalformedError(f"a packet of type {packet.tag} stands where only signatures may")
        found.append(parse_signature(packet))
        if len(found) > MAX_SIGNATURES:
            raise MalformedError(f"more than {MAX_SIGNATURES} signatures in a file")
    if not found:
        raise MalformedError("the signature holds no signature packet")
    return tuple(found)


def parse_signature(packet: Packet) -> SignaturePacket:
    """Read one signature packet, version 4.

    Raises:
        MalformedError: it is of another version, or breaks a rule of this module.
    """
    reader = Reader(packet.body)
    if (version := reader.number(1)) != 4:
        raise MalformedError(f"the signature is of version {version}; only version 4 is accepted")
    signature_class, algorithm, digest = reader.number(1), reader.number(1), reader.number(1)
    hashed = list(subpackets(reader.take(reader.number(2))))
    unhashed = list(subpackets(reader.take(reader.number(2))))
    reader.take(2)  # the left two octets of the digest
    _numbers(reader, algorithm)
    times = [value for kind, value in hashed if kind == _CREATED]
    if len(times) != 1 or len(times[0]) != 4:
        raise MalformedError("the signature does not say once, hashed, when it was made")
    created = datetime.fromtimestamp(int.from_bytes(times[0], "big"), UTC)
    extra = tuple(kind for kind, _ in unhashed if kind not in (_ISSUER, _ISSUER_FINGERPRINT))
    issuers = _issuers([*hashed, *unhashed])
    return SignaturePacket(packet.raw, signature_class, algorithm, digest, created, issuers, extra)


def subpackets(area: bytes) -> Iterator[tuple[int, bytes]]:
    """Type (without its critical bit) and value of each subpacket of an area.

    Raises:
        MalformedError: the area is no plain sequence of subpackets.
    """
    reader = Reader(area)
    while reader.more():
        first = reader.number(1)
        if first < 192:
            length = first
        elif first < 255:
            length = (first - 192 << 8) + reader.number(1) + 192
        else:
            length = reader.number(4)
        if length == 0:
            raise MalformedError("a signature subpacket is empty")
        body = reader.take(length)
        yield body[0] & 0x7F, body[1:]


def _numbers(reader: Reader, algorithm: int) -> None:
    """Step over the signature's numbers; the packet must end with the last of them."""
    if algorithm not in _NUMBERS:
        return  # judged, and refused, by its algorithm
    for _ in range(_NUMBERS[algorithm]):
        reader.take((reader.number(2) + 7) // 8)
    if reader.more():
        raise MalformedError("bytes follow the signature's numbers")


def _issuers(subpackets: Sequence[tuple[int, bytes]]) -> tuple[str, ...]:
    """The fingerprints if there are any, else the key ids."""
    fingerprints = []
    for kind, value in subpackets:
        if kind == _ISSUER_FINGERPRINT:
            if len(value) != 21 or value[0] != 4:
                raise MalformedError("the signature names its issuer in a form that is not known")
            fingerprints.append(value[1:].hex().upper())
    key_ids = [value.hex().upper() for kind, value in subpackets if kind == _ISSUER]
    if any(len(key_id) != 16 for key_id in key_ids):
        raise MalformedError("the signature holds an issuer id of a wrong length")
    if len({name[-16:] for name in fingerprints + key_ids}) > 1 or len(set(fingerprints)) > 1:
        raise MalformedError("the signature names two different issuers")
    return tuple(dict.fromkeys(fingerprints or key_ids))


def signature_issuers(signature: bytes) -> list[str]:
    """Fingerprints or key ids that a detached signature names: advice on which certificate to load.

    Raises:
        MalformedError: see `detached_signatures`.
    """
    return list(dict.fromkeys(name for part in detached_signatures(signature) for name in part.issuers))
