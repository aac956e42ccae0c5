"""Whose a rebuild's work folder is: one that lay there before, in what was downloaded, is no beginning of ours.

- Evidence comes with other files, and a rebuild is begun beside them: a log that somebody else put there would say that
  all was fetched, verified and built. So a folder is gone on with only if this account began it, at this very place.
- That is told by an HMAC under a key of this account, which lies in its cache and nowhere else. Without the key a rebuild
  begins anew elsewhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
from pathlib import Path

from sealwright_stages.errors import MachineError, ManifestError
from sealwright_stages.files import read_small, write_whole

_KEY = 32
_DIGITS = 32
_MAX_MARKER = 1 << 16


def mark(root: Path, what: str, log: str, cache: Path) -> str:
    """What the work folder `root` is known by: it is of `what`, by the log with that root.

    `cache` is the account's cache folder.

    Raises:
        ManifestError: there is a folder of that rebuild, and this account did not begin it there.
        MachineError: the key can't be kept.
    """
    place = Path(root.parent.resolve(), root.name)
    told = f"{what}\n{log}\n{place}".encode("utf-8", "surrogateescape")
    proof = hmac.new(_key(cache / "rebuild.key"), told, hashlib.sha256).hexdigest()
    own = f"{what}, begun here: {proof[:_DIGITS]}"
    held = _held(root / "release.json")
    if held != own and held.startswith(what):
        raise ManifestError(
            f"{root} was not begun here",
            "a work folder of this rebuild lies there that this account did not begin, or at another place",
            "find out whose it is, then name another with --work DIR",
        )
    return own


def _held(marker: Path) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(read_small(marker, _MAX_MARKER))["release"])
    return ""  # what is not empty and has no marker, the folder itself refuses


def _key(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        key = _read(path)
        if len(key) == _KEY:
            return key
    write_whole(path, secrets.token_bytes(_KEY), 0o600)
    return _read(path)


def _read(path: Path) -> bytes:
    try:
        return read_small(path, _KEY)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise MachineError(
            f"{path} can't be used", error.strerror or str(error), "remove it, run again"
        ) from error
