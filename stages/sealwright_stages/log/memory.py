"""What the console remembers of a log: its key and the newest checkpoint, in files of the console's own.

- The key is pinned at first use; another one later is refused.
- A checkpoint replaces the one before it only with a proof that it continues it.
- What can't be proved is kept beside the remembered note, as `<name>.conflict`.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint
from sealwright_appendlog.tree import ProofError, verify_consistency
from sealwright_stages.errors import LogError
from sealwright_stages.files import write_whole
from sealwright_stages.log.connection import LogLost, LogRollback


def pin(saved: Path, vkey: str) -> None:
    """Remember the log's key on first use.

    Raises:
        LogError: it is none, or another one than before.
    """
    try:
        VerifierKey.parse(vkey)
    except NoteError as error:
        raise LogError("the log's key", str(error), "set the authority up again") from error
    known = _key_file(saved)
    if not known.exists():
        write_whole(known, vkey.encode() + b"\n")
    elif known.read_text().strip() != vkey:
        raise LogError(
            "the log's key is another one than before",
            f"{known} remembers {known.read_text().strip()[:60]}",
            "treat it as tampering: keep both folders, and start the release anew",
        )


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
        self._saved = saved
        try:
            self.key = VerifierKey.parse(_key_file(saved).read_text().strip())
            self.checkpoint = open_checkpoint(saved.read_bytes(), self.key) if saved.exists() else None
        except (OSError, NoteError) as error:
            raise LogLost(f"what is remembered of the log is damaged: {error}") from error

    def take(self, text: str) -> Checkpoint:
        """Take a checkpoint frame: `old <size>`, the proof, an empty line, the signed note.

        Raises:
            LogRollback: it does not provably continue what is remembered; both notes are kept.
        """
        try:
            new, note = self._proved(text)
        except (NoteError, ProofError, binascii.Error, ValueError) as error:
            kept = self._saved.with_name(f"{self._saved.name}.conflict")
            write_whole(kept, text.encode())
            raise LogRollback(
                f"rollback or split view: {error}; both notes are kept: {self._saved}, {kept}"
            ) from error
        if new != self.checkpoint:
            write_whole(self._saved, note.encode())
            self.checkpoint = new
        return new

    def _proved(self, text: str) -> tuple[Checkpoint, str]:
        head, _, note = text.partition("\n\n")
        first, *hashes = head.split("\n")
        new = open_checkpoint(note, self.key)
        old = self.checkpoint
        if old is None:
            return new, note
        if new.size < old.size:
            raise ProofError(f"the log had {old.size} records, now it has {new.size}")
        if first != f"old {old.size}":
            raise ProofError(f"no proof that it continues the checkpoint of {old.size} records")
        proof = [base64.b64decode(value, validate=True) for value in hashes]
        verify_consistency(old.size, old.root, new.size, new.root, proof)
        return new, note


def _key_file(saved: Path) -> Path:
    return saved.with_name(f"{saved.name}.vkey")
