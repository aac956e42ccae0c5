"""Lets a process of another uid reach folders below a path that only root may walk.

- The real path keeps its modes: the folders appear below /mnt in a mount namespace that only this process
  tree sees.
- A program that is to take all it started with it when it dies gets a process namespace of its own.
- A name is a plain word, so it can't leave /mnt.
- The script is shipped and constant; names and paths are its positional parameters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

STAGE = Path("/mnt")
_SCRIPT = Path(__file__).with_name("stage-mounts.sh")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def reach(binds: Mapping[str, Path], argv: Sequence[str], *, own_processes: bool = False) -> tuple[str, ...]:
    """Give the argument list that runs `argv` (as root, who is to drop its uid) with `binds` at /mnt/NAME.

    With no binds it is `argv` itself. With `own_processes` nothing that it started outlives it, daemons included.

    Raises:
        ValueError: a name is not a plain word, or a path is not absolute.
    """
    if not binds:
        return tuple(argv)
    pairs: list[str] = []
    for name, path in binds.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a staged folder")
        if not path.is_absolute():
            raise ValueError(f"{path} is not absolute")
        pairs += [name, str(path)]
    alone = ("--pid", "--fork", "--kill-child") if own_processes else ()
    head = ("unshare", "--mount", "--propagation", "private", *alone, "sh", str(_SCRIPT))
    return (*head, *pairs, "--", *argv)


def staged(name: str) -> Path:
    """Where `reach` puts the folder called `name`."""
    return STAGE / name
