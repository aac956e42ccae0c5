"""What a verifying program is fed: bytes, or a regular file that is no link, in parts of bounded size.

- What it reads as a file of its own may be sealed memory, so a check writes no file, and nobody can change it.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

CHUNK = 1 << 20
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK


def parts(source: bytes | IO[bytes]) -> Iterator[bytes]:
    """The parts of `source`, in their order; none of them is empty."""
    if isinstance(source, bytes):
        if source:
            yield source
        return
    while part := source.read(CHUNK):
        yield part


@contextmanager
def opened(data: Path | bytes) -> Iterator[tuple[IO[bytes], int]]:
    """A stream over `data` and its size.

    Raises:
        OSError: a path that is no regular file, or is a symbolic link.
    """
    if isinstance(data, bytes):
        with tempfile.SpooledTemporaryFile(max_size=len(data) + 1) as memory:
            memory.write(data)
            memory.seek(0)
            yield memory, len(data)
        return
    descriptor = os.open(data, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        facts = os.fstat(stream.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(0, "it is not a regular file")
        yield stream, facts.st_size


@contextmanager
def in_memory(content: bytes) -> Iterator[int]:
    """A descriptor of sealed memory with this content, open at its beginning; nobody can change what it holds."""
    descriptor = os.memfd_create("content", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "wb", closefd=False) as stream:
            stream.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        yield descriptor
    finally:
        os.close(descriptor)
