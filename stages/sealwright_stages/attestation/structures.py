"""The three structures of a TPM that a quote is made of, read strictly: what was attested, its signature, its key.

- A structure is read to its last byte: what is short, has more, or says another size is refused.
- What was attested begins with TPM_GENERATED_VALUE and is a quote; a certificate of a key or of a time is none.
- One PCR bank is quoted, that of SHA-256, and the digest over it is SHA-256.
- Signatures are RSASSA, RSAPSS or ECDSA, with SHA-256; keys are RSA from 2,048 bits on, or on P-256 or P-384.

Source: Trusted Platform Module Library, Part 2: Structures, revision 1.59: 10.12 (attestation), 11.2 (signatures),
12.2 (public areas), 6.3 (algorithms). All numbers are big-endian.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec, rsa

AttestationKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
RSASSA, RSAPSS, ECDSA = 0x0014, 0x0016, 0x0018
SCHEMES: Mapping[int, str] = {RSASSA: "rsassa", RSAPSS: "rsapss", ECDSA: "ecdsa"}
MOST_PCRS = 24
_MAGIC = b"\xffTCG"
_QUOTE = 0x8018
_OTHERS = {0x8014: "NV contents", 0x8015: "a command audit", 0x8016: "a session audit", 0x8017: "another key",
           0x8019: "a time", 0x801A: "a creation", 0x801C: "an NV digest"}  # fmt: skip
_SHA256, _NULL, _RSA, _ECC = 0x000B, 0x0010, 0x0001, 0x0023
_DIGESTS = {0x0004: 20, 0x000B: 32, 0x000C: 48, 0x000D: 64, 0x0012: 32, 0x0027: 32, 0x0028: 48, 0x0029: 64}
_CURVES: Mapping[int, type[ec.EllipticCurve]] = {0x0003: ec.SECP256R1, 0x0004: ec.SECP384R1}
_ATTRIBUTES = {1: "fixedTPM", 4: "fixedParent", 5: "sensitiveDataOrigin", 16: "restricted", 18: "sign"}
_LEAST_BITS, _MOST_BITS = 2048, 4096


class StructureError(ValueError):
    """It is no such structure, or one that is not accepted; the text says why."""


@dataclass(frozen=True)
class Quoted:
    """What a TPM says in a quote: the data that it was given, the PCRs by number, the digest over their values (32 bytes),
    and the qualified name of the key."""

    signer: bytes
    extra: bytes
    pcrs: tuple[int, ...]
    digest: bytes


@dataclass(frozen=True)
class TpmSignature:
    """A signature: its scheme, and its one number (RSA) or two (ECDSA)."""

    scheme: int
    numbers: tuple[bytes, ...]


@dataclass(frozen=True)
class TpmKey:
    """The public area of a key: the key, its scheme (0 if it has none of its own), and which attributes of an attestation
    key it lacks."""

    public: AttestationKey
    scheme: int
    lacks: tuple[str, ...]


class _Bytes:
    """Bytes that are taken one after another, to the last."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data, self.at, self.what = data, 0, what

    def take(self, count: int) -> bytes:
        taken = self.data[self.at : self.at + count]
        if len(taken) != count:
            raise StructureError(f"{self.what} ends too early")
        self.at += count
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def sized(self, least: int, most: int) -> bytes:
        """A TPM2B: its size in two bytes, then so many."""
        size = self.number(2)
        if not least <= size <= most:
            raise StructureError(f"{self.what} has a part of {size} bytes, not {least} to {most}")
        return self.take(size)

    def algorithm(self, wanted: int, what: str) -> None:
        if (found := self.number(2)) != wanted:
            raise StructureError(f"{self.what} has {what} 0x{found:04x}, not 0x{wanted:04x}")

    def end(self) -> None:
        if self.at != len(self.data):
            raise StructureError(f"{self.what} has {len(self.data) - self.at} bytes too many")


def parse_quote(data: bytes) -> Quoted:
    """A TPMS_ATTEST of a quote.

    Raises:
        StructureError: it is none, or of something else.
    """
    read = _Bytes(data, "what was attested")
    if read.take(4) != _MAGIC:
        raise StructureError("what was attested does not begin with TPM_GENERATED_VALUE: no TPM made it")
    if (kind := read.number(2)) != _QUOTE:
        raise StructureError(f"it attests {_OTHERS.get(kind, f'0x{kind:04x}')}, and is no quote")
    signer = read.sized(2, 66)
    if _DIGESTS.get(int.from_bytes(signer[:2], "big")) != len(signer) - 2:
        raise StructureError("what was attested names its key by no name of a TPM")
    extra = read.sized(0, 64)
    read.take(16)  # clock, resetCount, restartCount
    if read.number(1) not in (0, 1):
        raise StructureError("what was attested has a clock that is neither safe nor unsafe")
    read.take(8)  # firmwareVersion
    pcrs = _selected(read)
    digest = read.sized(32, 32)
    read.end()
    return Quoted(signer, extra, pcrs, digest)


def _selected(read: _Bytes) -> tuple[int, ...]:
    if (banks := read.number(4)) != 1:
        raise StructureError(f"it quotes {banks} banks of PCRs, not one")
    read.algorithm(_SHA256, "PCRs of the bank")
    size = read.number(1)
    if size != MOST_PCRS // 8:
        raise StructureError(f"it selects PCRs by {size} bytes, not by {MOST_PCRS // 8}")
    bits = int.from_bytes(read.take(size), "little")
    return tuple(number for number in range(MOST_PCRS) if bits >> number & 1)


def parse_signature(data: bytes) -> TpmSignature:
    """A TPMT_SIGNATURE with SHA-256.

    Raises:
        StructureError: it is none that is accepted.
    """
    read = _Bytes(data, "the signature")
    if (scheme := read.number(2)) not in SCHEMES:
        raise StructureError(f"the signature's scheme is 0x{scheme:04x}, not RSASSA, RSAPSS or ECDSA")
    read.algorithm(_SHA256, "hash")
    most = 48 if scheme == ECDSA else _MOST_BITS // 8
    numbers = tuple(read.sized(1, most) for _ in range(2 if scheme == ECDSA else 1))
    read.end()
    return TpmSignature(scheme, numbers)


def parse_public(data: bytes) -> TpmKey:
    """A TPM2B_PUBLIC of a key that signs.

    Raises:
        StructureError: it is none that is accepted.
    """
    whole = _Bytes(data, "the public area")
    read = _Bytes(whole.sized(10, 4096), "the public area")
    whole.end()
    kind = read.number(2)
    read.algorithm(_SHA256, "a name by")
    attributes = read.number(4)
    read.sized(0, 64)  # authPolicy
    read.algorithm(_NULL, "an inner cipher")  # a key that signs encrypts nothing
    if (scheme := read.number(2)) in SCHEMES:
        read.algorithm(_SHA256, "hash")
    elif scheme != _NULL:
        raise StructureError(f"the key's scheme is 0x{scheme:04x}, not RSASSA, RSAPSS or ECDSA")
    public = _rsa(read) if kind == _RSA else _ecc(read) if kind == _ECC else None
    if public is None:
        raise StructureError(f"it is a key of the kind 0x{kind:04x}, neither RSA nor ECC")
    read.end()
    lacks = tuple(name for bit, name in _ATTRIBUTES.items() if not attributes >> bit & 1)
    return TpmKey(public, 0 if scheme == _NULL else scheme, lacks)


def _rsa(read: _Bytes) -> AttestationKey:
    bits, exponent = read.number(2), read.number(4) or 65537
    modulus = read.sized(_LEAST_BITS // 8, _MOST_BITS // 8)
    if len(modulus) * 8 != bits:
        raise StructureError("the key's size is not the one that it says")
    try:
        return fit(rsa.RSAPublicNumbers(exponent, int.from_bytes(modulus, "big")).public_key())
    except ValueError as error:
        raise StructureError("it is no RSA key") from error


def _ecc(read: _Bytes) -> AttestationKey:
    curve = _CURVES.get(number := read.number(2))
    if curve is None:
        raise StructureError(f"the key's curve is 0x{number:04x}, neither P-256 nor P-384")
    read.algorithm(_NULL, "a derivation")
    x, y = (int.from_bytes(read.sized(1, 48), "big") for _ in range(2))
    try:
        return fit(ec.EllipticCurvePublicNumbers(x, y, curve()).public_key())
    except ValueError as error:
        raise StructureError("it is no point of its curve") from error


def fit(key: object) -> AttestationKey:
    """The key, if it is one that is accepted.

    Raises:
        StructureError: it is another kind, too short, or on another curve.
    """
    if isinstance(key, rsa.RSAPublicKey) and _LEAST_BITS <= key.key_size <= _MOST_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, tuple(_CURVES.values())):
        return key
    raise StructureError(f"the key is neither RSA of {_LEAST_BITS} to {_MOST_BITS} bits nor on P-256 or P-384")
