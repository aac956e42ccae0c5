"""What the console remembers of a log: its key and the newest checkpoint, in files of the console's own.

- The key is pinned at first use; another one later is refused.
- A checkpoint replaces the one before it only with a proof that it continues it.
- What can't be proved is kept beside the remembered note, and both are told (see `exhibits`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint
from sealwright_appendlog.tiles import TileReader
from sealwright_appendlog.tree import ProofError, consistency_proof, verify_consistency
from sealwright_stages.errors import LogError
from sealwright_stages.files import write_whole
from sealwright_stages.log import exhibits
from sealwright_stages.log.connection import LogLost, LogRollback

_MAX_NOTE = 1 << 20


def pin(saved: Path, vkey: str, log_dir: Path | None = None) -> None:
    """Remember the log's key on first use. `log_dir` is where the log's own files lie, if they do here.

    Raises:
        LogError: it is none, or another one than before; both checkpoints are kept, if there are two.
    """
    try:
        VerifierKey.parse(vkey)
    except NoteError as error:
        raise LogError("the log's key", str(error), "set the authority up again") from error
    file = _key_file(saved)
    if not file.exists():
        write_whole(file, vkey.encode() + b"\n")
        return
    known = file.read_text().strip()
    if known != vkey:
        why = f"its key is {vkey[:200]}, another one than before; {file} remembers {known[:200]}"
        pieces = {exhibits.SEEN: _note(saved)}
        if log_dir is not None:
            pieces[exhibits.SHOWN] = _note(log_dir / layout.CHECKPOINT)
        raise exhibits.log_error(exhibits.keep(saved, why, pieces))


def pinned(saved: Path) -> VerifierKey | None:
    """The log's key, if one is remembered.

    Raises:
        LogLost: what is remembered is none.
    """
    try:
        return VerifierKey.parse(_key_file(saved).read_text("ascii").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise LogLost(f"what is remembered of the log is damaged: {error}") from error


class Memory:
    """The remembered checkpoint of one log."""

    def __init__(self, saved: Path) -> None:
        """Read what is remembered.

        Raises:
            LogLost: it is damaged, or no key is pinned.
        """
        self.saved = saved
        self.note = b""
        self.checkpoint: Checkpoint | None = None
        try:
            self.key = VerifierKey.parse(_key_file(saved).read_text().strip())
            if saved.exists():
                self.note = layout.whole(saved, _MAX_NOTE)
                self.checkpoint = open_checkpoint(self.note, self.key)
            self.first_note = self.note  # as it was when this console began
        except (OSError, NoteError) as error:
            raise LogLost(f"what is remembered of the log is damaged: {error}") from error

    def take(self, text: str, agrees: Callable[[Checkpoint], None] = lambda checkpoint: None) -> Checkpoint:
        """Take a checkpoint frame: `old <size>`, the proof, an empty line, the signed note.

        `agrees` raises ProofError where the checkpoint is not what else is known of the log.

        Raises:
            LogRollback: it does not provably continue what is remembered; both notes are kept.
        """
        head, _, note = text.partition("\n\n")
        try:
            new = self._proved(head, note)
            agrees(new)
        except (NoteError, ProofError, binascii.Error, ValueError) as error:
            proof = head.encode() if "\n" in head else b""
            pieces = {exhibits.SEEN: self.note, exhibits.SHOWN: note.encode(), exhibits.PROOF: proof}
            raise exhibits.keep(self.saved, f"rollback or split view: {error}", pieces) from error
        if new != self.checkpoint:
            write_whole(self.saved, note.encode())
            self.note, self.checkpoint = note.encode(), new
        return new

    def contradicted(self, log_dir: Path, why: str) -> LogRollback | None:
        """What to raise where the log's own newest checkpoint can't be a later one of what is remembered: a look at the
        files of an authority that does not answer, because of `why`.

        Raises:
            MachineError: the disk is full or the folder refuses.
        """
        old, shown = self.checkpoint, _note(log_dir / layout.CHECKPOINT)
        if old is None or shown in (b"", self.note):
            return None
        try:
            new = open_checkpoint(shown, self.key)
            proof = consistency_proof(old.size, new.size, TileReader(log_dir, new.size).range_hash)
            verify_consistency(old.size, old.root, new.size, new.root, proof)
        except (NoteError, ProofError) as error:
            said = f"{why}; and its newest checkpoint does not continue the one that was seen: {error}"
            return exhibits.keep(self.saved, said, {exhibits.SEEN: self.note, exhibits.SHOWN: shown})
        return None

    def _proved(self, head: str, note: str) -> Checkpoint:
        first, *hashes = head.split("\n")
        new = open_checkpoint(note, self.key)
        old = self.checkpoint
        if old is None:
            return new
        if new.size < old.size:
            raise ProofError(f"the log had {old.size} records, now it has {new.size}")
        if first != f"old {old.size}":
            raise ProofError(f"no proof that it continues the checkpoint of {old.size} records")
        proof = [base64.b64decode(value, validate=True) for value in hashes]
        verify_consistency(old.size, old.root, new.size, new.root, proof)
        return new


def _key_file(saved: Path) -> Path:
    return saved.with_name(f"{saved.name}.vkey")


def _note(path: Path) -> bytes:
    """A note's bytes, if it can be read: it is kept, not believed."""
    try:
        return layout.whole(path, _MAX_NOTE)
    except OSError:
        return b""
