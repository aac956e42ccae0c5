"""The log behind a proposal: sealed, the one that its SHA256SUMS and its provenance name, with each product in it.

- The checkpoint is signed by the log's key, and continues the newest one that was seen of this origin; a log that was
  seen sealed does not go on.
- The seal record is the last leaf, and says the segments that the log's SHA256SUMS lists.
- Each product of SHA256SUMS is proved to have been collected, by its component, name and SHA-256: by a record of this
  very tree, and by no other kind of record.
- That no later record says something else of a product can't be proved to a signer: `sealwright audit` finds that out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint, split_note
from sealwright_appendlog.proof import parse_proof
from sealwright_appendlog.record import RecordError, decode
from sealwright_appendlog.tree import ProofError, leaf_hash, verify_consistency, verify_inclusion
from sealwright_keyring.signer.documents import Release
from sealwright_keyring.signer.refusals import DocumentError, ForkError

_FIELDS = {"vkey", "checkpoint", "consistency", "seal", "proofs"}
_COLLECTED = "product.collected"
_MAX_HASHES = 128


@dataclass(frozen=True)
class Seen:
    """A checkpoint that was seen: the log's key, the signed note, and whether it was proved to be sealed."""

    vkey: str
    note: str
    sealed: bool = False

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note says. Raises NoteError."""
        return Checkpoint.parse(split_note(self.note)[0])


@dataclass(frozen=True)
class ShownLog:
    """What a proposal shows of its log, its checkpoint verified under its key."""

    key: VerifierKey
    vkey: str
    note: str
    checkpoint: Checkpoint
    consistency: tuple[bytes, ...]
    seal: str
    proofs: Mapping[str, str]

    def seen(self, *, sealed: bool) -> Seen:
        """What is to be remembered of it."""
        return Seen(str(self.key), self.note, sealed)


def read_log(value: Any) -> ShownLog:
    """Read a proposal's `log`.

    Raises:
        DocumentError: it is not of its form, or the checkpoint is not signed by the log's key.
    """
    if not isinstance(value, dict) or set(value) != _FIELDS:
        raise DocumentError(f"a proposal's log has {', '.join(sorted(_FIELDS))}")
    vkey, note, seal = (value[each] for each in ("vkey", "checkpoint", "seal"))
    proofs, hashes = value["proofs"], value["consistency"]
    if not all(isinstance(each, str) for each in (vkey, note, seal)) or not isinstance(proofs, dict):
        raise DocumentError("a proposal's log: key, checkpoint and seal are texts, and the proofs are by path")
    if not all(isinstance(each, str) for each in proofs.values()) or not isinstance(hashes, list):
        raise DocumentError("a proposal's log: a proof is a text, and the consistency proof a list")
    try:
        key = VerifierKey.parse(vkey.removesuffix("\n"))
        return ShownLog(key, vkey, note, open_checkpoint(note, key), _hashes(hashes), seal, proofs)
    except NoteError as error:
        raise DocumentError(f"the log's checkpoint or key is refused: {error}") from error


def check_continues(log: ShownLog, seen: Seen | None) -> None:
    """Look whether the log's checkpoint continues what was seen of this origin.

    Raises:
        ForkError: it does not, or nothing proves it.
    """
    if seen is None:
        return
    old, new = seen.checkpoint, log.checkpoint
    try:
        if str(log.key) != seen.vkey:
            raise ProofError("its key is another one than before")
        if new.size < old.size:
            raise ProofError(
                f"rolled back: it had {old.size} records when it was last seen, now it has {new.size}"
            )
        if seen.sealed and new.size > old.size:
            raise ProofError(f"it was sealed with {old.size} records, and went on to {new.size}")
        if new.size == old.size and new.root != old.root:
            raise ProofError("a fork: there are two trees of the same size")
        if old.size:
            verify_consistency(old.size, old.root, new.size, new.root, log.consistency)
    except ProofError as error:
        raise ForkError(
            f"the log {log.key.name} contradicts what was seen of it: {error}", seen.note, log.note
        ) from error


def check_sealed(log: ShownLog, release: Release) -> None:
    """Look whether `release` is of this very log, which is sealed, and whose every product is in it.

    Raises:
        DocumentError: it is not.
    """
    files, said = release.log.files, release.statement
    for name, data in (("checkpoint.sealed", log.note), ("log.vkey", log.vkey)):
        if files[name] != hashlib.sha256(data.encode("utf-8", "surrogateescape")).hexdigest():
            raise DocumentError(f"{release.log.name} names another {name} than the one that is shown")
    checkpoint = log.checkpoint
    if (said.origin, said.size, said.root) != (checkpoint.origin, checkpoint.size, checkpoint.root.hex()):
        raise DocumentError(
            "the provenance is of another log, or of another state of it, than the one that is shown"
        )
    if not said.is_of(log.key.public):
        raise DocumentError("the provenance names another builder, or another run, than the log's key and root do")
    _check_seal(log, files)
    if odd := sorted(set(log.proofs) ^ set(release.products.files)):
        raise DocumentError(f"{odd[0]} has no proof, or is no product of SHA256SUMS")
    for path, sha256 in release.products.files.items():
        record = _proved(log, path, log.proofs[path])
        body = record.get("body", {})
        told = (record["k"], body.get("e"), f"products/{body.get('component')}/{body.get('name')}")
        if told != ("ev", _COLLECTED, path):
            raise DocumentError(f"the proof of {path} is of a record that does not say that this was collected")
        if body.get("sha256") != sha256:
            raise DocumentError(f"the log says of {path} another SHA-256 than SHA256SUMS")


def _check_seal(log: ShownLog, files: Mapping[str, str]) -> None:
    record = _proved(log, "the seal", log.seal)
    if record["k"] != "seal" or record["n"] != log.checkpoint.size - 1:
        raise DocumentError("the log is not sealed: its last record is not shown to be a seal")
    segments = "".join(f"{sha256}  {path}\n" for path, sha256 in files.items() if path.startswith("data/"))
    told = (record["records"], record["segments"], record["segments_sha256"])
    found = (log.checkpoint.size, segments.count("\n"), hashlib.sha256(segments.encode()).hexdigest())
    if told != found:
        raise DocumentError("the log's SHA256SUMS lists other segments than its seal")


def _proved(log: ShownLog, what: str, text: str) -> dict[str, Any]:
    """The record that a proof carries, if it is in the tree of the log's checkpoint."""
    try:
        proof = parse_proof(text.encode("utf-8", "surrogateescape"))
        if split_note(proof.note)[0] != log.checkpoint.text():
            raise ProofError("it is of another log, or of another checkpoint")
        if not proof.extra:
            raise ProofError("it carries no record")
        verify_inclusion(leaf_hash(proof.extra), proof.index, log.checkpoint.size, proof.path, log.checkpoint.root)
        record = decode(proof.extra)
        if record["n"] != proof.index:
            raise ProofError(f"record {record['n']} stands at {proof.index}")
    except (ProofError, NoteError, RecordError) as error:
        raise DocumentError(f"the proof of {what} is refused: {error}") from error
    return record


def _hashes(values: list[Any]) -> tuple[bytes, ...]:
    if len(values) > _MAX_HASHES or not all(isinstance(each, str) for each in values):
        raise DocumentError("a consistency proof is a short list of hashes in base64")
    try:
        return tuple(base64.b64decode(each.encode("ascii"), validate=True) for each in values)
    except (binascii.Error, ValueError):
        raise DocumentError("a consistency proof's base64 is broken") from None
