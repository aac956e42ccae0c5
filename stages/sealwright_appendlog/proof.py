"""Inclusion proofs as files (C2SP tlog-proof): made from a sealed log's tiles, parsed and checked offline.

c2sp.org/tlog-proof@v1
extra <base64>      the record's line, so that a proof can be checked without the log. Nothing signs it: it is believed
                    only as far as the proof leads from its hash to the signed root
index <decimal>     below 2^63
<base64 hash>       one a line, from the leaf upwards
<empty line>
<checkpoint note>   with the witnesses' cosignatures, if `checkpoint` has some

- `check_proof` proves a line that the caller has; `check_carried` the line that the proof carries.
- A product is proved by a record that says it was collected: no other event that names a hash will do.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealwright_appendlog import layout, record
from sealwright_appendlog.cosignature import Cosignature, WitnessKey, check_cosignatures
from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint, split_note
from sealwright_appendlog.seeking import read_record
from sealwright_appendlog.tiles import TileReader
from sealwright_appendlog.tree import HASH_SIZE, ProofError, inclusion_proof, leaf_hash, verify_inclusion

MAGIC = "c2sp.org/tlog-proof@v1"
_MAX_HASHES = 63
_MAX_NOTE = 1 << 20
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})", re.ASCII)
_MAX_INDEX = (1 << 63) - 1
_COLLECTED = "product.collected"


@dataclass(frozen=True)
class TlogProof:
    """A parsed proof: leaf index, path of hashes, the checkpoint's signed note, and what came as extra."""

    index: int
    path: tuple[bytes, ...]
    note: str
    extra: bytes = b""


def make_proof(log: Path, index: int) -> bytes:
    """The proof that record `index` is in the sealed log at `log`; it carries the record.

    Raises:
        ProofError: there is no such record, or index, tiles and checkpoint do not agree on it.
        OSError: the log can't be read.
    """
    note = layout.whole(log / layout.SEALED, _MAX_NOTE)
    try:
        sealed = Checkpoint.parse(split_note(note)[0])
    except NoteError as error:
        raise ProofError(f"{layout.SEALED}: {error}") from error
    path = inclusion_proof(index, sealed.size, TileReader(log, sealed.size).range_hash)
    try:
        line = read_record(log / layout.INDEX, index)
    except record.RecordError as error:
        raise ProofError(f"{layout.INDEX}: {error}") from error
    verify_inclusion(leaf_hash(line), index, sealed.size, path, sealed.root)
    hashes = "".join(base64.b64encode(value).decode() + "\n" for value in path)
    head = f"{MAGIC}\nextra {base64.b64encode(line).decode()}\nindex {index}\n{hashes}\n"
    return head.encode() + _cosigned(log, note)


def _cosigned(log: Path, sealed: bytes) -> bytes:
    """The note of `checkpoint`, if it is the sealed one and has more signatures; else the sealed one's."""
    try:
        newest = layout.whole(log / layout.CHECKPOINT, _MAX_NOTE)
    except FileNotFoundError:
        return sealed
    return newest if newest.startswith(sealed) else sealed


def parse_proof(data: bytes) -> TlogProof:
    """Read a proof file, strictly.

    Raises:
        ProofError: it is malformed.
    """
    try:
        head, _, note = data.decode("utf-8").partition("\n\n")
    except UnicodeDecodeError:
        raise ProofError("the proof is not UTF-8") from None
    lines = head.split("\n")
    if lines.pop(0) != MAGIC or not note:
        raise ProofError("not a tlog-proof")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = _decode(lines.pop(0).removeprefix("extra "))
        if not extra:
            raise ProofError("a proof's extra line without extra data")
    if not lines or not _INDEX.fullmatch(lines[0]) or int(lines[0].removeprefix("index ")) > _MAX_INDEX:
        raise ProofError("the proof's index is no plain number below 2^63")
    if len(lines) > _MAX_HASHES + 1:
        raise ProofError("the proof is too long")
    return TlogProof(int(lines[0].removeprefix("index ")), tuple(map(_hash, lines[1:])), note, extra)


def check_proof(data: bytes, line: bytes, key: VerifierKey) -> Checkpoint:
    """Check that `data` proves record line `line` to be in the log of `key`; gives the checkpoint.

    Raises:
        ProofError: it does not.
    """
    return _checked(parse_proof(data), line, key)


@dataclass(frozen=True)
class Carried:
    """A record that a proof carries and proves: its fields, the tree that it is in, and who cosigned that."""

    record: Mapping[str, Any]
    checkpoint: Checkpoint
    cosigned: Sequence[Cosignature] = ()


def check_carried(data: bytes, key: VerifierKey, witnesses: Sequence[WitnessKey] = ()) -> Carried:
    """Check the record that a proof carries: that it is in the log of `key`. All of `witnesses` must have cosigned.

    Raises:
        ProofError: it carries none, or does not prove it.
    """
    proof = parse_proof(data)
    if not proof.extra:
        raise ProofError("the proof carries no record")
    checkpoint = _checked(proof, proof.extra, key)
    try:
        fields = record.decode(proof.extra)
        cosigned, _ = check_cosignatures(proof.note, key, witnesses)
    except (record.RecordError, NoteError) as error:
        raise ProofError(str(error)) from error
    if fields["n"] != proof.index:
        raise ProofError(f"record {fields['n']} stands at {proof.index}")
    if missing := set(witnesses) - {cosignature.witness for cosignature in cosigned}:
        raise ProofError(f"witness {min(witness.name for witness in missing)} has not cosigned")
    return Carried(fields, checkpoint, cosigned)


def is_product(carried: Carried, sha256: str) -> bool:
    """Whether the record says that a file with this SHA-256 (hex) was collected as a product."""
    body = carried.record.get("body", {})
    return (carried.record["k"], body.get("e"), body.get("sha256")) == ("ev", _COLLECTED, sha256)


def _checked(proof: TlogProof, line: bytes, key: VerifierKey) -> Checkpoint:
    try:
        checkpoint = open_checkpoint(proof.note, key)
    except NoteError as error:
        raise ProofError(str(error)) from error
    verify_inclusion(leaf_hash(line), proof.index, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint


def _hash(line: str) -> bytes:
    value = _decode(line)
    if len(value) != HASH_SIZE:
        raise ProofError("a hash of a wrong size in a proof")
    return value


def _decode(text: str) -> bytes:
    try:
        value = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise ProofError("broken base64 in a proof") from None
    if base64.b64encode(value).decode() != text:
        raise ProofError("base64 in a proof that is not canonical")
    return value
