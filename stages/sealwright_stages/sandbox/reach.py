"""Lets a process of another uid reach folders below a path that only root may walk.

- The real path keeps its modes: the folders appear below /mnt in a mount namespace that only this process
  tree sees.
- A program that is to take all it started with it when it dies gets a process namespace of its own.
- A name is a plain word, so it can't leave /mnt.
- The script is shipped and constant; what it mounts is a table in the form of fstab(5), in its positional parameters.
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
    for name, path in binds.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a staged folder")
        if not path.is_absolute():
            raise ValueError(f"{path} is not absolute")
    files = [name for name, path in binds.items() if not path.is_dir()]
    table = "".join(_line(name, path, name in files) for name, path in binds.items())
    alone = ("--pid", "--fork", "--kill-child") if own_processes else ()
    head = ("unshare", "--mount", "--propagation", "private", *alone, "sh", str(_SCRIPT))
    return (*head, table, " ".join(files), *argv)


def _line(name: str, path: Path, is_file: bool) -> str:
    """A line of fstab(5), whose fields are parted by blanks: those of a path are written in octal."""
    options = "bind" if is_file else "bind,X-mount.mkdir=0755"
    return f"{_quoted(str(path))} {staged(name)} none {options} 0 0\n"


def _quoted(path: str) -> str:
    return "".join(f"\\{ord(char):03o}" if char in "\\ \t\n\r#" else char for char in path)


def staged(name: str) -> Path:
    """Where `reach` puts the folder called `name`."""
    return STAGE / name
