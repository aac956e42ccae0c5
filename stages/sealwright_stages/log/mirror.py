"""A local copy of a log that lies elsewhere: its records as they became durable, and our own output.

- Records come in their order; each checkpoint must be of the first of those that came, so that what is shown and
  resumed is what the log's key has signed.
- What is no record, or not the next one, is not taken; it is a doubt, and no checkpoint agrees any more. The next one
  is waited for, since it is what the log's key has signed beside the one that was seen.
- What follows the last line feed a crash cut off, and is dropped; so is all from the first line on that is not the next
  record, since a machine that lost its power may leave that. It comes again.
"""

from __future__ import annotations

import itertools
from pathlib import Path

from sealwright_appendlog import layout, record
from sealwright_appendlog.note import Checkpoint
from sealwright_appendlog.tree import CompactRange, ProofError, leaf_hash


class Mirror:
    """The copy in `folder`, made if it is not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = folder / layout.INDEX
        folder.mkdir(parents=True, exist_ok=True)
        self.sealed = False
        self.doubt = ""
        self.count = 0
        self._proved = CompactRange()  # of the records that a checkpoint was compared with
        self._proved_bytes = 0
        if self._index.exists():
            whole = 0
            for line in layout.lines(self._index):
                if self._next(line):
                    break
                whole += len(line) + 1
                self._count(line)
            with self._index.open("r+b") as stream:
                stream.truncate(whole)

    def take(self, lines: bytes) -> None:
        """Take whole lines, in their order, as far as they are the next records."""
        good = []
        for line in lines.split(b"\n")[:-1]:
            self.doubt = self.doubt or self._next(line)
            if self.doubt:
                break
            self._count(line)
            good.append(line + b"\n")
        with self._index.open("ab") as stream:
            stream.write(b"".join(good))

    def agrees(self, checkpoint: Checkpoint) -> None:
        """Hold a checkpoint against the records that came before it; there may be more by now.

        Raises:
            ProofError: it is of others, or of more than came.
        """
        if self.doubt:
            raise ProofError(self.doubt)
        if not self._proved.size <= checkpoint.size <= self.count:
            raise ProofError(f"it has {checkpoint.size} records, and {self.count} of the log came here")
        with self._index.open("rb") as stream:
            stream.seek(self._proved_bytes)
            for line in itertools.islice(stream, checkpoint.size - self._proved.size):
                self._proved.append(leaf_hash(line.removesuffix(b"\n")))
                self._proved_bytes += len(line)
        if checkpoint.root != self._proved.root():
            raise ProofError(f"its {checkpoint.size} records are not those that came here")

    def data_file(self, stream: str) -> Path:
        """Where a stream's own copy lies."""
        return self._folder / "data" / stream / "00000000.log"

    def _next(self, line: bytes) -> str:
        """Why `line` is not the next record, or nothing."""
        try:
            n = record.decode(line)["n"]
        except record.RecordError as error:
            return f"what came as record {self.count} is none: {error}"
        return "" if n == self.count else f"record {n} came as record {self.count}"

    def _count(self, line: bytes) -> None:
        self.count += 1
        self.sealed = b'"k":"seal"' in line and record.decode(line)["k"] == "seal"
