"""Takes a build's products out of the folder that the build could write, trusting nothing about it.

- It runs only after every process of the build is dead.
- A product is a regular file with one name: no symbolic link, hard link, FIFO, socket, device or folder.
- Its name is plain: letters, digits and `. _ + ~ -`, at most 200, starting with a letter or digit.
- At most 1000 products, and together no larger than the build's disk limit, however sparse they are.
- Each declared pattern finds at least one product.
- After it was read, its name must still be that file, unchanged: a second name that was taken away just in time shows.
- What is stored is hashed as stored, on disk, and mode 0644; all products appear at once or none does.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from sealwright_stages.errors import BuildError, MachineError
from sealwright_stages.files import remove_tree, sha256_file, sync_folder
from sealwright_stages.ports import Collected

MAX_PRODUCTS = 1000
_MAX_ENTRIES = 100_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}")
_CHUNK = 1 << 20


def collect(folder: Path, patterns: tuple[str, ...], max_bytes: int, destination: Path) -> tuple[Collected, ...]:
    """Store what matches `patterns` in `folder` as `destination`, which must not exist yet; sorted by name.

    Raises:
        BuildError: a product is not what the rules above ask for; nothing is stored.
        MachineError: the disk is full or refuses.
    """
    staging = destination.with_name(f".{destination.name}.new")
    remove_tree(staging)
    try:
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise _refused("the folder of products", "it is gone or no folder any more") from error
    try:
        names = _matching(top, patterns)
        staging.mkdir(mode=0o755)
        products = tuple(_take_all(top, names, max_bytes, staging))
        sync_folder(staging)
        staging.rename(destination)
        sync_folder(destination.parent)
    except OSError as error:
        raise MachineError(
            f"products can't be stored in {destination}",
            error.strerror or str(error),
            "make room, then run again",
        ) from error
    finally:
        os.close(top)
        remove_tree(staging)
    return products


def _matching(top: int, patterns: tuple[str, ...]) -> list[str]:
    """The names that some pattern asks for, sorted; every one is plain."""
    entries: list[str] = []
    with os.scandir(top) as listing:
        for entry in listing:
            entries.append(entry.name)
            if len(entries) > _MAX_ENTRIES:
                raise _refused("the folder of products", f"it holds more than {_MAX_ENTRIES} entries")
    names: set[str] = set()
    for pattern in patterns:
        found = [name for name in entries if fnmatch.fnmatchcase(name, pattern)]
        if not found:
            raise _refused(f"product {pattern!r}", "the build made nothing that matches it", "products-missing")
        names.update(found)
    for name in names:
        if not _NAME.fullmatch(name):
            raise _refused(f"product {name!r}", "its name is not plain")
    if len(names) > MAX_PRODUCTS:
        raise _refused("the products", f"there are {len(names)}, more than {MAX_PRODUCTS}")
    return sorted(names)


def _take_all(top: int, names: list[str], max_bytes: int, staging: Path) -> Iterator[Collected]:
    left = max_bytes
    for name in names:
        product = _take(top, name, left, staging)
        left -= product.size
        yield product


def _take(top: int, name: str, max_bytes: int, staging: Path) -> Collected:
    """Copy one product; nothing about it is believed that was not read from its open descriptor."""
    with _opened(top, name) as (source, before):
        size = before.st_size
        if size > max_bytes:
            raise _refused(f"product {name!r}", f"with {size} bytes it is over the limit of the products")
        path = staging / name
        created = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
        with os.fdopen(created, "wb") as writing:
            left = size
            while left and (chunk := os.read(source, min(_CHUNK, left))):
                writing.write(chunk)
                left -= len(chunk)
            if left or os.read(source, 1) or not _unchanged(top, name, before):
                raise _refused(f"product {name!r}", "it changed while it was read")
            writing.flush()
            os.fchmod(created, 0o644)
            os.fsync(created)
    return Collected(name, sha256_file(path), size)


@contextlib.contextmanager
def _opened(top: int, name: str) -> Iterator[tuple[int, os.stat_result]]:
    """A descriptor of a regular file with one name, and what it is."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        source = os.open(name, flags, dir_fd=top)
    except OSError as error:
        raise _refused(f"product {name!r}", f"it can't be opened as a file: {error.strerror}") from error
    try:
        held = os.fstat(source)
        if not stat.S_ISREG(held.st_mode):
            raise _refused(f"product {name!r}", "it is not a regular file")
        if held.st_nlink != 1:
            raise _refused(f"product {name!r}", f"it has {held.st_nlink} names")
        yield source, held
    finally:
        os.close(source)


def _unchanged(top: int, name: str, before: os.stat_result) -> bool:
    """Whether the name still is the file that was opened, and nothing about that has changed: the time of a change
    moves with each write and with each name that comes or goes, and nobody can set it back."""
    try:
        now = os.stat(name, dir_fd=top, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(now, before) and (now.st_ctime_ns, now.st_nlink, now.st_size) == (
        before.st_ctime_ns,
        1,
        before.st_size,
    )


def _refused(what: str, because: str, code: str = "product-refused") -> BuildError:
    return BuildError(f"{what} is refused", because, "mend the build or its `products`, then build again", code)
