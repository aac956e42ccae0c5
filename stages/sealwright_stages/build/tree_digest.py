"""One digest over a whole folder: names, kinds, modes, link targets and every byte.

- Any change that a build could see changes it; times and owners, which it can't rely on, don't count.
- Only folders, regular files and symbolic links are known; anything else is an error.
- BLAKE2b, since half a gigabyte must be read again before every use and SHA-256 takes four times as long.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

_BATCH = 256


def tree_digest(root: Path) -> str:
    """The digest of the folder `root`, as 64 hex digits.

    Raises:
        OSError: something can't be read, or is of no known kind.
    """
    return digest_of(tree_lines(root))


def digest_of(lines: Sequence[bytes]) -> str:
    """The digest of a folder of these entries."""
    total = hashlib.blake2b(digest_size=32)
    for line in lines:
        total.update(line)
    return total.hexdigest()


def tree_lines(root: Path) -> list[bytes]:
    """The entries of the folder `root`, each with the digest of its bytes, in a fixed order.

    Raises:
        OSError: something can't be read, or is of no known kind.
    """
    jobs: list[tuple[str, os.stat_result]] = []
    for path, folders, names in os.walk(root, followlinks=False, onerror=_raise):
        folders.sort()
        for name in sorted((*folders, *names)):
            full = f"{path}/{name}"
            jobs.append((full, os.lstat(full)))
    cut = len(str(root)) + 1
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        batches = [jobs[at : at + _BATCH] for at in range(0, len(jobs), _BATCH)]
        found = pool.map(lambda batch: [_line(full, held, cut) for full, held in batch], batches)
        return [line for lines in found for line in lines]


def _line(full: str, held: os.stat_result, cut: int) -> bytes:
    """One entry, with lengths before what varies, so that no two trees give the same bytes."""
    name = os.fsencode(full[cut:])
    if stat.S_ISREG(held.st_mode):
        content = _content(full)
    elif stat.S_ISLNK(held.st_mode):
        content = os.fsencode(Path(full).readlink())
    elif stat.S_ISDIR(held.st_mode):
        content = b""
    else:
        raise OSError(f"{full} is of no known kind")
    return b"%o %d %d\n%b\n%b\n" % (held.st_mode, len(name), len(content), name, content)


def _content(full: str) -> bytes:
    descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=32)).digest()


def _raise(error: OSError) -> None:
    raise error
