"""Hands a folder to a uid and takes it back, without following anything that lies in it.

- Symbolic links are handed over themselves, never their targets.
- Nothing outside the folder is touched, however deep or odd it is: see `tree_walk`.
- What is lent goes back to whom it belonged, however the loan ends; where that is a part's uid, to us.
- Not root: the parts share one uid and there is nothing to hand over.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.identity import is_ephemeral
from sealwright_stages.tree_walk import READ, walk


def hand_over(folder: Path, uid: int | None, gid: int | None = None) -> None:
    """Make `uid` (None: nobody to change into) the owner of `folder` and all in it, with its own group or `gid`.

    Raises:
        MachineError: an owner can't be changed.
    """
    if uid is None:
        return
    try:
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "it is no folder")
        for entry in walk(folder, READ):
            os.chown(entry.name, uid, uid if gid is None else gid, dir_fd=entry.parent, follow_symlinks=False)
    except OSError as error:
        raise MachineError(
            f"{folder} can't be handed to uid {uid}", error.strerror or str(error), "run `sealwright doctor`"
        ) from error


def take_back(folder: Path, uid: int | None) -> None:
    """Make ourselves the owner again of what was handed to `uid`.

    Raises:
        MachineError: an owner can't be changed.
    """
    if uid is not None:
        hand_over(folder, os.geteuid())


@contextlib.contextmanager
def lent(folder: Path, uid: int | None) -> Iterator[None]:
    """Lend `folder` and all in it to `uid` (None: nobody to change into) for the time inside.

    Raises:
        MachineError: an owner can't be changed.
    """
    if uid is None:
        yield
        return
    before = folder.lstat()
    try:
        hand_over(folder, uid)
        yield
    finally:
        ours = is_ephemeral(before.st_uid)
        hand_over(folder, os.geteuid() if ours else before.st_uid, os.getegid() if ours else before.st_gid)
