"""The signer's own policy for signing without a person: a file on the signer's side, for one release.

- The file names one release, the most products it may have, and whether warnings are allowed. It may bind the log's
  key and the manifest too, and has to say how many waivers it allows, or there may be none.
- What goes beyond the file is refused; there is no default that allows.
- A release that was signed before with other bytes is a person's to sign again.
- The file and its folder belong to the signer's user or to root, and nobody else can write to them.

    [release]
    name = "example"
    version = "1.0"
    max_products = 100
    allow_warnings = false
    max_waivers = 0                   # may be left out, and is 0 then
    log_key = "<verifier key>"        # may be left out: the key of the log, name and all
    manifest_sha256 = "<64 hex>"      # may be left out: the manifest that was reviewed
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path

from sealwright_appendlog.note import NoteError, VerifierKey
from sealwright_keyring.errors import PolicyError
from sealwright_keyring.signer.documents import Release

_FIELDS = {"name": str, "version": str, "max_products": int, "allow_warnings": bool}
_OPTIONAL = {"max_waivers": int, "log_key": str, "manifest_sha256": str}
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_MAX = 1 << 16


@dataclass(frozen=True)
class SigningPolicy:
    """For which release, and within which limits, the signer signs unasked; an empty text binds nothing."""

    release: str
    max_products: int
    allow_warnings: bool
    max_waivers: int = 0
    log_key: str = ""
    manifest_sha256: str = ""

    def refusal(self, release: Release, vkey: str, signed: str = "") -> str:
        """Why this is not covered; empty if it is. `signed` is the digest under which it was signed before."""
        said, products = release.statement, len(release.products.files)
        if release.name != self.release:
            return f"the signer's policy is for {self.release}, not for {release.name}"
        if products > self.max_products:
            return f"{products} products are more than the policy's {self.max_products}"
        if said.warned and not self.allow_warnings:
            return f"{len(said.warned)} warnings, and the policy allows none"
        if len(said.waivers) > self.max_waivers:
            return f"{len(said.waivers)} waivers are more than the policy's {self.max_waivers}"
        if self.log_key and vkey != self.log_key:
            return "the log's key is not the policy's"
        if self.manifest_sha256 and said.manifest != self.manifest_sha256:
            return "the manifest is not the policy's"
        if signed and signed != release.digest:
            return f"{release.name} was signed before, with other documents"
        return ""


def load_signing_policy(path: Path, owner: int | None = None) -> SigningPolicy:
    """Read the policy, strictly; beside root and this user, `owner` may be the one who has it.

    Raises:
        PolicyError: it can't be read, holds anything but its keys, or others can write to it.
    """
    try:
        raw = tomllib.loads(_read(path, {0, os.geteuid(), *([] if owner is None else [owner])}).decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PolicyError(path, 1, str(error), "mend the signer's policy") from error
    table = raw.get("release")
    kinds = _FIELDS | _OPTIONAL
    if set(raw) != {"release"} or not isinstance(table, dict) or not set(_FIELDS) <= set(table) <= set(kinds):
        wanted = f"it wants [release] with {', '.join(_FIELDS)}, and may have {', '.join(_OPTIONAL)}"
        raise PolicyError(path, 1, wanted, "mend it")
    for key, value in table.items():
        if type(value) is not kinds[key]:
            raise PolicyError(path, 1, f"{key} is not {kinds[key].__name__}", "mend it")
        if type(value) is int and value < 0:
            raise PolicyError(path, 1, f"{key} is less than nothing", "mend it")
    bound = {key: table[key] for key in _OPTIONAL if key in table}
    _check_bound(path, bound)
    release = f"{table['name']}-{table['version']}"
    return SigningPolicy(release, table["max_products"], table["allow_warnings"], **bound)


def _check_bound(path: Path, bound: dict[str, str]) -> None:
    if "log_key" in bound:
        try:
            VerifierKey.parse(bound["log_key"])
        except NoteError as error:
            raise PolicyError(path, 1, f"log_key: {error}", "mend it") from error
    if "manifest_sha256" in bound and not _SHA256.match(bound["manifest_sha256"]):
        raise PolicyError(path, 1, "manifest_sha256 is no SHA-256 in hex", "mend it")


def _read(path: Path, owners: set[int]) -> bytes:
    """The file's bytes, if it and its folder are nobody else's to change."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as stream:
        for what, held in (("it", os.fstat(fd)), ("its folder", path.absolute().parent.stat())):
            if held.st_uid not in owners or held.st_mode & 0o022:
                because = f"{what} can be changed by others than the signer's user and root"
                raise PolicyError(path, 1, because, "chown it to the signer's user, and chmod go-w")
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise PolicyError(path, 1, "it is no plain file", "mend it")
        data = stream.read(_MAX + 1)
    if len(data) > _MAX:
        raise PolicyError(path, 1, "it is too large", "mend it")
    return data
