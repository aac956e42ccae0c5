"""Copy a judged file out of the quarantine, and only the bytes that were judged.

- The bytes are hashed as they are written; if they are not those of every verdict, the copy is removed.
- The copy is a new file of mode 644; nothing that exists is overwritten, followed or removed: where something stands
  already, another source of the component has written it, and that is refused.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection
from pathlib import Path

from sealwright_stages.errors import MachineError
from sealwright_stages.verify.codes import RefusedError, path_taken

_CHUNK = 1 << 20


def copy_judged(source: Path, destination: Path, judged: Collection[str]) -> None:
    """Copy `source` to `destination`, whose SHA-256 must be the only one in `judged`.

    Raises:
        RefusedError: the bytes are not those that were judged, or something stands there already.
        MachineError: the disk is full or refuses.
    """
    try:
        found = _copy(source, destination)
    except FileExistsError as error:
        raise path_taken(f"{destination.parent.name}/{destination.name}") from error
    except OSError as error:
        destination.unlink(missing_ok=True)
        raise MachineError(
            f"{destination.name} can't be copied", error.strerror or str(error), "make room, then run again"
        ) from error
    if set(judged) != {found}:
        destination.unlink()
        raise RefusedError(
            "changed-since-verified",
            f"{destination.name} is not the file that was judged",
            "run again; find out who writes into the quarantine",
        )


def stage_file(source: Path, component: Path, judged: Collection[str]) -> None:
    """Copy a judged file to `files/` of a component's folder, which is made if need be; raises as `copy_judged`."""
    folder = component / "files"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    copy_judged(source, folder / source.name, judged)


def _copy(source: Path, destination: Path) -> str:
    reading = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(reading, "rb") as original:
        if not stat.S_ISREG(os.fstat(original.fileno()).st_mode):
            raise OSError(0, "it is no plain file")
        writing = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        digest = hashlib.sha256()
        with os.fdopen(writing, "wb") as copy:
            os.fchmod(copy.fileno(), 0o644)
            while part := original.read(_CHUNK):
                digest.update(part)
                copy.write(part)
    return digest.hexdigest()
