"""The witness: cosigns a log's checkpoint after proving that it continues the one that was seen last.

- The log's own signature comes first; a log without records is not cosigned.
- The newer tree must continue the one seen last, by a proof made of the log's tiles and believed only as far as it
  verifies. A smaller tree, another root for the same size, or no proof is refused.
- A refusal keeps both notes beside the state, and gives them to be printed.
- A state file that is missing is made only on request: a witness that forgot is no witness.
- The state is on disk (temporary name, fsync, rename, fsync of the folder) before anything is signed; one run holds
  the state at a time.
- The line is added to `checkpoint`, never to `checkpoint.sealed`, and only if nobody else wrote there meanwhile.
- Who cosigned already does not do so again; a line under the witness' own key that does not verify is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_appendlog import layout
from sealwright_appendlog.cosignature import Cosignature, WitnessKey, check_cosignatures, cosignature_line
from sealwright_appendlog.folder import sync_folder, write_all
from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint, split_note
from sealwright_appendlog.tiles import TileReader
from sealwright_appendlog.tree import ProofError, consistency_proof, verify_consistency

_MAX_NOTE = 1 << 20


class WitnessError(Exception):
    """A checkpoint that is not cosigned, and what to do; `notes` are the one seen last and the new one, if they
    disagree."""

    def __init__(self, what: str, next_step: str, notes: tuple[bytes, ...] = ()) -> None:
        super().__init__(what)
        self.next_step = next_step
        self.notes = notes


@dataclass(frozen=True)
class Witness:
    """Who cosigns: its name, its private key, and the file of what it saw last of this one log."""

    name: str
    key: Ed25519PrivateKey
    state: Path

    @property
    def public(self) -> WitnessKey:
        """The key that others know it by."""
        return WitnessKey(self.name, self.key.public_key().public_bytes_raw())


def cosign(witness: Witness, log: Path, vkey: VerifierKey, now: int, *, first: bool = False) -> Cosignature:
    """Cosign the checkpoint of the log at `log` at `now` (POSIX seconds); gives the cosignature that stands there.

    `first` allows a state file that is missing.

    Raises:
        WitnessError: the tree does not continue what was seen last, or the log went on meanwhile.
        NoteError: the checkpoint, the state or a line of this witness is not what it should be.
        OSError: a file can't be read or written.
    """
    with _held(witness.state):
        note = layout.whole(log / layout.CHECKPOINT, _MAX_NOTE)
        checkpoint = open_checkpoint(note, vkey)
        standing, _ = check_cosignatures(note, vkey, [witness.public])
        seen = _seen(witness.state, first=first)
        _continues(witness, log, vkey, seen, (checkpoint, note))
        if seen is None or split_note(seen)[0] != checkpoint.text():
            _write(witness.state, f".{witness.state.name}.new", note, 0o600)
        if standing:
            return standing[0]
        line = cosignature_line(checkpoint.text(), witness.name, witness.key, now)
        add_line(log / layout.CHECKPOINT, note, line.encode() + b"\n", vkey)
        return Cosignature(witness.public, now)


@contextlib.contextmanager
def _held(state: Path) -> Iterator[None]:
    """Hold the state; two runs could cosign two trees that know nothing of each other."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(state.with_name(f"{state.name}.lock"), flags, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WitnessError(f"another run holds {state}", "let it end, then run this again") from None
        yield
    finally:
        os.close(descriptor)


def _seen(state: Path, *, first: bool) -> bytes | None:
    try:
        return layout.whole(state, _MAX_NOTE)
    except FileNotFoundError:
        if first:
            return None
        next_step = "find the state file; only if this witness never saw this log, add --first"
        raise WitnessError(f"there is no state file {state}", next_step) from None


def _continues(
    witness: Witness, log: Path, vkey: VerifierKey, seen: bytes | None, new: tuple[Checkpoint, bytes]
) -> None:
    """Refuse a tree that does not continue the one seen last."""
    checkpoint, note = new
    if not checkpoint.size:
        raise WitnessError("the log has no records yet", "cosign it when it has some")
    if seen is None:
        return
    try:
        old = open_checkpoint(seen, vkey)
    except NoteError as error:
        raise NoteError(f"the state file {witness.state}: {error}") from error
    next_step = f"do not trust this log: both notes are kept beside {witness.state}; show them to its keeper"
    try:
        if checkpoint.size < old.size:
            raise ProofError("the tree is smaller than it was")
        if checkpoint.size > old.size:
            next_step = f"run this again if the log is being written; if not, {next_step}"
        path = consistency_proof(old.size, checkpoint.size, TileReader(log, checkpoint.size).range_hash)
        verify_consistency(old.size, old.root, checkpoint.size, checkpoint.root, path)
    except ProofError as error:
        _keep(witness.state, seen, note)
        why = f"the log shows {checkpoint.size} records, this witness saw {old.size}: {error}"
        raise WitnessError(why, next_step, (seen, note)) from error


def _keep(state: Path, seen: bytes, note: bytes) -> None:
    """Both notes, beside the state; the same pair is kept once."""
    digest = hashlib.sha256(seen + note).hexdigest()[:16]
    for what, data in (("seen", seen), ("shown", note)):
        path = state.with_name(f"{state.name}.refused-{digest}.{what}")
        _write(path, f".{path.name}.new", data, 0o600)


def add_line(path: Path, note: bytes, line: bytes, vkey: VerifierKey) -> None:
    """Add a signature line to the checkpoint at `path`, if it still is `note` and stays readable.

    Raises:
        WitnessError: another checkpoint lies there.
        NoteError: with the line it would be no note any more.
        OSError: it can't be read or written.
    """
    open_checkpoint(note + line, vkey)
    if layout.whole(path, _MAX_NOTE) != note:
        raise WitnessError("the log wrote another checkpoint meanwhile", "run this again, for that one")
    _write(path, f".{path.name}.cosigned", note + line, 0o644)


def _write(path: Path, temporary_name: str, data: bytes, mode: int) -> None:
    """Write a file whole and durably, or not at all."""
    temporary = path.with_name(temporary_name)
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        try:
            write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
