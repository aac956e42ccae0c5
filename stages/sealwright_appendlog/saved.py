"""Checkpoints of a log that somebody saved earlier: does the log that lies here still begin with them?

- A saved checkpoint is a signed note of this very log; one of another key or origin is no note of this log.
- The root over the first records, as many as it names, is computed from the index; it must be the note's.
- A log that is shorter than a checkpoint that was saved of it was rolled back.
- Cosignatures of known witnesses on a saved note are checked too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sealwright_appendlog.cosignature import Cosignature, WitnessKey, check_cosignatures
from sealwright_appendlog.note import Checkpoint, NoteError, VerifierKey, open_checkpoint
from sealwright_appendlog.tree import CompactRange


@dataclass(frozen=True)
class Saved:
    """A signed note as it was saved, and where it comes from, in words."""

    name: str
    note: bytes


@dataclass(frozen=True)
class Continued:
    """A saved checkpoint that the log continues: of how many records, and who had cosigned it."""

    name: str
    size: int
    cosigned: tuple[Cosignature, ...]


class SavedError(Exception):
    """The log does not continue a checkpoint that was saved of it; `notes` are the saved one and the sealed one."""

    def __init__(self, what: str, notes: tuple[bytes, bytes]) -> None:
        super().__init__(what)
        self.notes = notes


@dataclass
class SavedCheck:
    """Takes the tree as it grows, and compares it with each checkpoint that was saved."""

    saved: Sequence[Saved]
    key: VerifierKey
    witnesses: Sequence[WitnessKey]
    sealed: bytes
    _wanted: dict[int, list[tuple[Saved, Checkpoint]]] = field(default_factory=dict)
    _problem: SavedError | None = None
    _continued: list[Continued] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the notes; what is none of this log's is told at the end, as what is wrong with the log itself goes
        first."""
        for each in self.saved:
            try:
                checkpoint = open_checkpoint(each.note, self.key)
            except NoteError as error:
                self._say(each, f"it is no note of this log: {error}")
                continue
            self._wanted.setdefault(checkpoint.size, []).append((each, checkpoint))

    def take(self, tree: CompactRange) -> None:
        """Take the tree after its next record (and once before the first)."""
        for each, checkpoint in self._wanted.pop(tree.size, ()):
            if tree.root() != checkpoint.root:
                self._say(each, f"the first {checkpoint.size} records are others than those that it was made of")
                continue
            try:
                cosigned, _ = check_cosignatures(each.note, self.key, self.witnesses)
            except NoteError as error:
                self._say(each, str(error))
                continue
            self._continued.append(Continued(each.name, checkpoint.size, tuple(cosigned)))

    def end(self, size: int) -> list[Continued]:
        """What the log continues, which has `size` records in all.

        Raises:
            SavedError: it does not continue one of them.
        """
        for wanted in self._wanted.values():
            for each, checkpoint in wanted:
                self._say(
                    each, f"the log had {checkpoint.size} records then, and has {size} now: it was rolled back"
                )
        if self._problem is not None:
            raise self._problem
        return self._continued

    def _say(self, saved: Saved, what: str) -> None:
        if self._problem is None:
            self._problem = SavedError(f"saved checkpoint {saved.name}: {what}", (saved.note, self.sealed))
