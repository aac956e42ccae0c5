"""Inclusion proofs as files (C2SP tlog-proof): made from a sealed log's tiles, parsed and checked offline.

c2sp.org/tlog-proof@v1
index <decimal>
<base64 hash>       one a line, from the leaf upwards
<empty line>
<checkpoint note>
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint
from sealwright_appendlog.tiles import TileReader
from sealwright_appendlog.tree import HASH_SIZE, ProofError, inclusion_proof, leaf_hash, verify_inclusion

MAGIC = "c2sp.org/tlog-proof@v1"
_MAX_HASHES = 63


@dataclass(frozen=True)
class TlogProof:
    """A parsed proof: leaf index, path of hashes, and the checkpoint's signed note."""

    index: int
    path: tuple[bytes, ...]
    note: str


def make_proof(log: Path, index: int) -> bytes:
    """The proof that record `index` is in the sealed log at `log`.

    Raises:
        ProofError: there is no such record, or a tile is missing.
        OSError: the log can't be read.
    """
    note = (log / "checkpoint.sealed").read_text("utf-8")
    try:
        size = Checkpoint.parse(note.split("\n\n", 1)[0] + "\n").size
    except NoteError as error:
        raise ProofError(f"checkpoint.sealed: {error}") from error
    path = inclusion_proof(index, size, TileReader(log, size).range_hash)
    hashes = "".join(base64.b64encode(value).decode() + "\n" for value in path)
    return f"{MAGIC}\nindex {index}\n{hashes}\n{note}".encode()


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
    if len(lines) < 2 or lines[0] != MAGIC or not lines[1].startswith("index ") or not note:
        raise ProofError("not a tlog-proof")
    number = lines[1].removeprefix("index ")
    if not number.isascii() or not number.isdigit() or str(int(number)) != number or len(lines) > _MAX_HASHES + 2:
        raise ProofError("the proof's index is no plain number, or it is too long")
    return TlogProof(int(number), tuple(_hash(line) for line in lines[2:]), note)


def check_proof(data: bytes, line: bytes, key: VerifierKey) -> Checkpoint:
    """Check that `data` proves record line `line` to be in the log of `key`; gives the checkpoint.

    Raises:
        ProofError: it does not.
    """
    proof = parse_proof(data)
    try:
        checkpoint = open_checkpoint(proof.note, key)
    except NoteError as error:
        raise ProofError(str(error)) from error
    verify_inclusion(leaf_hash(line), proof.index, checkpoint.size, proof.path, checkpoint.root)
    return checkpoint


def _hash(line: str) -> bytes:
    try:
        value = base64.b64decode(line.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise ProofError("broken base64 in a proof") from None
    if len(value) != HASH_SIZE:
        raise ProofError("a hash of a wrong size in a proof")
    return value
