"""What lies in a folder, so that a test can say that nothing of it changed."""

from __future__ import annotations

from pathlib import Path


def snapshot(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Inode, time of change and bytes of all that lies in `folder`; a link is its target's name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        held = path.lstat()
        data = (
            str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b"odd"
        )
        found[path.relative_to(folder).as_posix()] = held.st_ino, held.st_mtime_ns, data
    return found
