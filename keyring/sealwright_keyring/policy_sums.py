"""The list over a policy, `SHA256SUMS`, which its own signers sign: every file that the policy is read from.

- It is the text that sha256sum writes and checks: a digest, two blanks, a name, a line for each file.
- It names `signers.toml` and each key file once, with its digest, and nothing else: what is unlisted was not agreed
  to, and what is listed and gone was taken away.
- The signatures beside it are detached: `SHA256SUMS.asc`, `.sig`, `.minisig`; a file of SSH or minisign holds one, so
  further ones have a name of their own in the middle, as `SHA256SUMS.ada.sig`. That name means nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from sealwright_keyring.errors import PolicyError
from sealwright_keyring.policy import read_key_file
from sealwright_keyring.text import printable

SUMS = "SHA256SUMS"
SIGNATURES = (f"{SUMS}.asc", f"{SUMS}.sig", f"{SUMS}.minisig")
MAKE = "make it with `sealwright keyring digest`, read it, and have it signed"
_BESIDE = re.compile(rf"{SUMS}(?:\.[A-Za-z0-9][A-Za-z0-9_-]{{0,63}})?\.(?:asc|sig|minisig)\Z")
_MOST = 64
_LINE = re.compile(r"([0-9a-f]{64})  ([^\\\r\n]+)\Z")
_PLAIN = re.compile(r"[!-\[\]-~]+\Z")


def sums_text(folder: Path, files: Mapping[str, bytes]) -> bytes:
    """The list over `files`, sorted by name.

    Raises:
        PolicyError: a name is not plain, so that sha256sum would write it in another way.
    """
    for name in files:
        if not _PLAIN.match(name):
            raise PolicyError(
                folder / "keys", 1, f"{printable(name, 100)} is no plain file name", "rename the key file"
            )
    return "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)).encode()


def check_sums(folder: Path, text: bytes, files: Mapping[str, bytes]) -> None:
    """Check that the list names exactly `files`, as they are.

    Raises:
        PolicyError: it does not; with its line.
    """
    listed: dict[str, int] = {}
    for number, line in enumerate(text.decode("ascii", "replace").removesuffix("\n").split("\n"), 1):
        found = _LINE.match(line)
        if found is None:
            raise _wrong(folder, number, "that is no line of a list as sha256sum writes it")
        digest, name = found.groups()
        if name in listed:
            raise _wrong(folder, number, f"it names {printable(name, 100)} twice")
        if name not in files:
            raise _wrong(folder, number, f"it names {printable(name, 100)}, which the policy does not have")
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise _wrong(folder, number, f"{name} is not as it was when the list was made")
        listed[name] = number
    if missing := sorted(set(files) - set(listed)):
        raise _wrong(folder, len(listed), f"it does not name {printable(missing[0], 100)}, which the policy has")


def signature_names(folder: Path) -> tuple[str, ...]:
    """The names of all signatures of the list in a folder, sorted.

    Raises:
        PolicyError: the folder can't be read, or there are too many.
    """
    try:
        names = sorted(filter(is_signature, os.listdir(folder)))  # noqa: PTH208 - names alone, as they are
    except OSError as error:
        raise PolicyError(folder, 1, error.strerror or "it can't be read", "name a keyring folder") from error
    if len(names) > _MOST:
        raise PolicyError(
            folder / SUMS, 1, f"more than {_MOST} signatures lie beside it", "keep just those that count"
        )
    return tuple(names)


def is_signature(name: str) -> bool:
    """Whether a file of this name is a signature of the list."""
    return _BESIDE.match(name) is not None


def read_sums(folder: Path) -> dict[str, bytes]:
    """The list and the signatures that lie beside it, by name; at least one signature.

    Raises:
        PolicyError: the list or every signature is missing, or one of them is no regular file.
    """
    found = {SUMS: read_key_file(folder / SUMS, MAKE)}
    for name in signature_names(folder):
        found[name] = read_key_file(folder / name, "put the signature itself there")
    if len(found) == 1:
        beside = ", ".join(SIGNATURES)
        raise PolicyError(folder / SUMS, 1, "no signature lies beside it", f"have it signed: {beside}")
    return found


def _wrong(folder: Path, line: int, because: str) -> PolicyError:
    return PolicyError(folder / SUMS, line, because, f"find out what changed; if all is right, {MAKE}")
