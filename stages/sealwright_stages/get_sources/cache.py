"""A cache of files by their SHA-256, shared by releases.

- What comes out of it is hashed again each time; a spoiled file is removed and counts as absent.
- Only bytes that were just hashed go in; a full disk only means that they are not kept.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import threading
from pathlib import Path

from sealwright_stages.files import sha256_file

_HEX = re.compile(r"[0-9a-f]{64}\Z")


def take(cache: Path, sha256: str, target: Path) -> bool:
    """Copy the cached file to `target` if its bytes still have that SHA-256; tells whether it is there."""
    path = _place(cache, sha256)
    try:
        shutil.copyfile(path, target, follow_symlinks=False)
        if sha256_file(target) == sha256:
            return True
        path.unlink()
    except OSError:
        pass
    target.unlink(missing_ok=True)
    return False


def keep(cache: Path, source: Path, sha256: str) -> None:
    """Copy a file whose SHA-256 was just checked into the cache."""
    path = _place(cache, sha256)
    temporary = path.with_name(f".{sha256}.{os.getpid()}.{threading.get_ident()}.new")
    with contextlib.suppress(OSError):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, temporary, follow_symlinks=False)
            if sha256_file(temporary) == sha256:
                temporary.rename(path)
    with contextlib.suppress(OSError):
        temporary.unlink(missing_ok=True)


def _place(cache: Path, sha256: str) -> Path:
    if not _HEX.match(sha256):
        raise ValueError("a cached file is named by 64 hex digits in lower case")
    return cache / "sha256" / sha256
