"""Hands a folder to a uid and takes it back, without following anything that lies in it.

- Symbolic links are handed over themselves, never their targets.
- Nothing outside the folder is touched: the walk holds open folders, not paths.
- Not root: the parts share one uid and there is nothing to hand over.
"""

from __future__ import annotations

import os
from pathlib import Path

from sealwright_stages.errors import MachineError


def hand_over(folder: Path, uid: int | None) -> None:
    """Make `uid` (None: nobody to change into) the owner of `folder` and all in it.

    Raises:
        MachineError: an owner can't be changed.
    """
    if uid is None:
        return
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            for _path, _folders, names, here in os.fwalk(".", dir_fd=top, follow_symlinks=False):
                os.fchown(here, uid, uid)
                for name in (*names, *_folders):
                    os.chown(name, uid, uid, dir_fd=here, follow_symlinks=False)
        finally:
            os.close(top)
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
