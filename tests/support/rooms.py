"""Where the tests put their temporary folders.

- In memory, where the machine has room for it: a disk takes milliseconds for each fsync, and the suite asks for tens
  of thousands. Whoever sets TMPDIR wants them elsewhere.
- Below one of two short paths, since a socket's path has 107 bytes at most (unix(7)), and where other users may enter.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

MOST = 4 << 30  # bytes that the suite may take at once, with all of its workers and some room


def _roomy(folder: Path) -> bool:
    """Whether it has the room, and lets programs and devices be what they are."""
    try:
        there = os.statvfs(folder)
    except OSError:
        return False
    fit = os.access(folder, os.W_OK | os.X_OK) and not there.f_flag & os.ST_NOEXEC
    return fit and there.f_bavail * there.f_frsize >= MOST


ROOM = Path("/dev/shm") if _roomy(Path("/dev/shm")) else Path("/tmp")


def move_in() -> None:
    """Make it the place of all temporary folders of this process and of those that it starts."""
    os.environ.setdefault("TMPDIR", str(ROOM))
    tempfile.tempdir = None  # whatever was asked before: look again


def short_folder(prefix: str) -> Path:
    """A fresh folder with a short path, for whoever makes sockets in it; the caller removes it."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=ROOM))
