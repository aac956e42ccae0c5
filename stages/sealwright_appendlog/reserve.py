"""Space on the disk that is kept for a log's end, so that a full disk can't keep it from being ended and sealed.

- It is given up before anything is written at an opening, and taken again once the log stands as it should.
- It is whole or not there at all.
- It gives way to a write that found the disk full, never to an fsync: after a failed one nothing is tried again.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

RESERVED = 4 << 20
"""What the ends of the open streams, the seal, one partial tile of each level and a bundle may need at most."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class SyncError(OSError):
    """An fsync failed, for whatever reason: what the disk holds is not known, and a second try could lie."""


class Reserve:
    """The file `reserve` in the log's folder. `drop` may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "reserve"
        self.held = False

    def take(self) -> None:
        """Take the space, if the disk has it."""
        try:
            with self._path.open("wb") as stream:
                os.posix_fallocate(stream.fileno(), 0, RESERVED)
            self.held = True
        except OSError:
            self.drop()

    def drop(self) -> bool:
        """Give the space back; says whether there was any."""
        self.held = False
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def gives_way(self, error: OSError) -> bool:
        """Whether what failed is worth another try: the disk was full, and the space was still there to give."""
        return disk_is_full(error) and self.drop()


def disk_is_full(error: OSError) -> bool:
    """Whether an error says that there was no space for a write."""
    return error.errno in _FULL and not isinstance(error, SyncError)


def sync(descriptor: int) -> None:
    """Make a file or the names in a folder durable.

    Raises:
        SyncError: they may not be.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise SyncError(error.errno, error.strerror) from error
