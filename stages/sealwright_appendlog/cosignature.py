"""Cosignatures of checkpoints by witnesses (C2SP tlog-cosignature, cosignature/v1 with Ed25519), read strictly.

- What is signed is `cosignature/v1`, `time <POSIX seconds>`, and the whole body of the checkpoint.
- A witness is named by a verifier key of type 0x04; a log's key (0x01) is no witness key, nor the other way round.
- A cosignature is eight bytes of time and 64 of signature: another length, or a time of zero or after the year
  9999, is refused.
- A line of a known witness that does not verify refuses the note; a line of nobody known is passed over, and named.
- Two known witnesses have two keys, since the signed message does not name its witness.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sealwright_appendlog.note import (
    DASH,
    NoteError,
    VerifierKey,
    decode_base64,
    key_name,
    signature_line,
    split_note,
    told_name,
)

_COSIGNATURE = b"\x04"
_SIZE = 8 + 64
_LAST = 253_402_300_799  # the end of the year 9999


@dataclass(frozen=True)
class WitnessKey:
    """A witness: its name, and its Ed25519 public key (32 bytes)."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """First four bytes of SHA-256(name, newline, 0x04, key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + _COSIGNATURE + self.public).digest()[:4]

    def __str__(self) -> str:
        """`<name>+<key id in hex>+<base64 of 0x04 and key>`."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(_COSIGNATURE + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> WitnessKey:
        """Read a witness' verifier key.

        Raises:
            NoteError: it is malformed, of another type, or its key id is not its own.
        """
        name, plus, rest = text.partition("+")
        key_id, plus2, encoded = rest.partition("+")
        data = decode_base64(encoded)
        if not (plus and plus2) or data[:1] != _COSIGNATURE or len(data) != 33:
            raise NoteError("not a verifier key of a witness (Ed25519 cosignatures, type 4)")
        key = cls(key_name(name), data[1:])
        if key.key_id.hex() != key_id:
            raise NoteError("the verifier key's id is not its own")
        return key


@dataclass(frozen=True)
class Cosignature:
    """A witness' word that this was the largest consistent tree that it knew at `time` (POSIX seconds)."""

    witness: WitnessKey
    time: int

    def when(self) -> str:
        """The time in UTC, to the second."""
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def cosignature_line(text: str, name: str, key: Ed25519PrivateKey, time: int) -> str:
    """The signature line, without its newline, by which witness `name` cosigns the checkpoint body `text`.

    Raises:
        NoteError: the name or the time can't stand in one.
    """
    witness = WitnessKey(key_name(name), key.public_key().public_bytes_raw())
    signature = key.sign(_message(text, _sane(time)))
    return f"{DASH}{name} {base64.b64encode(witness.key_id + struct.pack('>Q', time) + signature).decode()}"


def parse_cosignature(line: str) -> tuple[str, bytes, int, bytes]:
    """Name, key id (4 bytes), time and signature (64 bytes) of a cosignature's line; nothing is verified.

    Raises:
        NoteError: it is malformed.
    """
    name, key_id, data = signature_line(line)
    if len(data) != _SIZE:
        raise NoteError(f"the cosignature of {told_name(name)} has {len(data)} bytes, not {_SIZE}")
    return name, key_id, _sane(struct.unpack(">Q", data[:8])[0]), data[8:]


def check_cosignatures(
    note: str | bytes, log: VerifierKey, witnesses: Sequence[WitnessKey]
) -> tuple[list[Cosignature], list[str]]:
    """Who of `witnesses` cosigned a note, and the signatures of others than them and the log, as `name+key id`.

    The log's own signature is not looked at here: see `open_checkpoint`.

    Raises:
        NoteError: a line is malformed, or one of a known witness does not verify.
    """
    _distinct(witnesses)
    text, lines = split_note(note)
    known = {(witness.name, witness.key_id): witness for witness in witnesses}
    found: list[Cosignature] = []
    unknown: list[str] = []
    for line in lines:
        name, key_id, _ = signature_line(line)
        if witness := known.get((name, key_id)):
            found.append(_checked(text, line, witness))
        elif (name, key_id) != (log.name, log.key_id):
            unknown.append(f"{told_name(name)}+{key_id.hex()}")
    return found, unknown


def _checked(text: str, line: str, witness: WitnessKey) -> Cosignature:
    _, _, time, signature = parse_cosignature(line)
    try:
        Ed25519PublicKey.from_public_bytes(witness.public).verify(signature, _message(text, time))
    except InvalidSignature:
        raise NoteError(f"the cosignature of {witness.name} does not verify") from None
    return Cosignature(witness, time)


def _distinct(witnesses: Sequence[WitnessKey]) -> None:
    different = set(witnesses)
    if len({witness.public for witness in different}) != len(different):
        raise NoteError("two witnesses with one key: that is one witness")


def _message(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _sane(time: int) -> int:
    if not 0 < time <= _LAST:
        raise NoteError("a cosignature's time is in seconds since 1970, and not after the year 9999")
    return time
