"""Quotes for the tests: those that swtpm 0.7.1 made, recorded, and those of a key that a forger holds.

The recorded ones are over `CHECKPOINT`, by an RSA key with either padding and by an ECC key; beside them lie what the same
TPM attested otherwise: another checkpoint, another bank, two, other PCRs, a time, a key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sealwright_stages.attestation.judge import write_key, write_pcrs, write_words
from sealwright_stages.attestation.structures import parse_public
from sealwright_stages.manifest_attestation import AttestationSpec

CHECKPOINT = b"example.org/log\n7\n" + b"A" * 43 + "=\n\n— example.org/log AAAA\n".encode()
SWTPM = AttestationSpec("swtpm:port=2321", (0, 4, 7), "", True)
DEVICE = AttestationSpec("device:/dev/tpmrm0", (0, 4, 7))
KINDS = ("rsassa", "rsapss", "ecdsa")
_RECORDED: Mapping[str, Mapping[str, str]] = json.loads(Path(__file__).with_name("recorded.json").read_text())
FORGERS = ec.derive_private_key(0x5EA1, ec.SECP256R1())
VALUES = bytes(range(96))


def piece(name: str, part: str) -> bytes:
    """One recorded piece."""
    return bytes.fromhex(_RECORDED[name][part])


def recorded(kind: str) -> dict[str, bytes]:
    """The files of `attestation/` with a recorded quote."""
    return {
        "quote.msg": piece(kind, "message"),
        "quote.sig": piece(kind, "signature"),
        "ak.pub": write_key(parse_public(piece(kind, "public")).public),
        "pcrs": write_pcrs(SWTPM.pcrs, piece(kind, "values")),
        "tpm.json": write_words(SWTPM, "IBM", "SW   TPM"),
    }


def message(checkpoint: bytes = CHECKPOINT, *, magic: bytes = b"\xffTCG", kind: int = 0x8018) -> bytes:
    """A TPMS_ATTEST of the PCRs 0, 4 and 7 of the SHA-256 bank, as a TPM lays it out."""
    name = b"\x00\x0b" + bytes(32)
    extra = hashlib.sha256(checkpoint).digest()
    head = magic + kind.to_bytes(2, "big") + b"\x00\x22" + name + b"\x00\x20" + extra
    clock = bytes(16) + b"\x01" + bytes(8)
    return head + clock + b"\0\0\0\1\0\x0b\x03\x91\0\0\0\x20" + hashlib.sha256(VALUES).digest()


def signed(data: bytes) -> bytes:
    """A TPMT_SIGNATURE by the forger's key."""
    numbers = decode_dss_signature(FORGERS.sign(data, ec.ECDSA(SHA256())))
    return b"\x00\x18\x00\x0b" + b"".join(b"\x00\x20" + number.to_bytes(32, "big") for number in numbers)


def forged(data: bytes, spec: AttestationSpec = DEVICE) -> dict[str, bytes]:
    """The files of `attestation/` around anything that the forger's key signed; its TPM calls itself one of a maker."""
    return {
        "quote.msg": data,
        "quote.sig": signed(data),
        "ak.pub": write_key(FORGERS.public_key()),
        "pcrs": write_pcrs(spec.pcrs, VALUES),
        "tpm.json": write_words(spec, "STM", "ST33"),
    }
