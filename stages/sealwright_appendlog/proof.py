"""Inclusion proofs as files (C2SP tlog-proof): made from a sealed log's tiles, parsed and checked offline.

c2sp.org/tlog-proof@v1
extra <base64>      may be left out; never trusted, since nothing signs it
index <decimal>
<base64 hash>       one a line, from the leaf upwards
<empty line>
<checkpoint note>
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from pathlib import Path

from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint
from sealwright_appendlog.tiles import TileReader
from sealwright_appendlog.tree import HASH_SIZE, ProofError, inclusion_proof, leaf_hash, verify_inclusion

MAGIC = "c2sp.org/tlog-proof@v1"
_MAX_HASHES = 63
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,15})", re.ASCII)


@dataclass(frozen=True)
class TlogProof:
    """A parsed proof: leaf index, path of hashes, the checkpoint's signed note, and what came as extra."""

    index: int
    path: tuple[bytes, ...]
    note: str
    extra: bytes = b""


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
    if lines.pop(0) != MAGIC or not note:
        raise ProofError("not a tlog-proof")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = _decode(lines.pop(0).removeprefix("extra "))
    if not lines or not _INDEX.fullmatch(lines[0]):
        raise ProofError("the proof's index is no plain number")
    if len(lines) > _MAX_HASHES + 1:
        raise ProofError("the proof is too long")
    return TlogProof(int(lines[0].removeprefix("index ")), tuple(map(_hash, lines[1:])), note, extra)


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
