"""Who may upload: a keyring of many certificates, read once, out of which those are taken that signed.

- The whole file is split by our own reader; gpg later sees the certificates that signed, never the file.
- The file's SHA-256, and the package that ships it with its version, stand in the evidence.
- A file that is read again after it changed is another keyring.
- A Debian Maintainer may upload some packages only. Whoever signs by the keyring of the maintainers, or is to be held
  against a list of rights (the archive's dm.txt), has no right that the list does not give.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_keyring.certificates import Certificate, certificates
from sealwright_keyring.errors import MalformedError
from sealwright_stages.files import read_small
from sealwright_stages.process import run
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.deb822 import Deb822Error, paragraphs

_MAX_RIGHTS = 16 << 20
_NEXT = "install the keyring's package anew, or name another in the manifest"


@dataclass(frozen=True)
class Uploaders:
    """A keyring file: path, SHA-256, its package with version, and certificates by each of their keys."""

    path: Path
    sha256: str
    package: str
    by_key: Mapping[str, Certificate]

    def find(self, issuers: Sequence[str]) -> tuple[Certificate, ...]:
        """The certificates that `issuers` (fingerprints, or 64-bit ids) name, each once."""
        found = (self.by_key[issuer.upper()] for issuer in issuers if issuer.upper() in self.by_key)
        return tuple({each.fingerprint: each for each in found}.values())

    def evidence(self) -> dict[str, object]:
        """What a reviewer wants to know of it."""
        return {"uploaders": str(self.path), "uploaders_sha256": self.sha256, "uploaders_package": self.package}


def uploaders(path: Path) -> Uploaders:
    """Read a keyring file; the same bytes are read once.

    Raises:
        RefusedError: it is not there, or no keyring.
    """
    try:
        info = path.stat()
        return _read(path, info.st_mtime_ns, info.st_size)
    except OSError as error:
        raise RefusedError("keyring-unusable", f"{path}: {error.strerror}", _NEXT) from error
    except MalformedError as error:
        raise RefusedError("keyring-unusable", f"{path}: {error.because}", _NEXT) from error


def lacking_right(keyring: Path, rights: Path | None, fingerprint: str, package: str) -> tuple[str, str]:
    """Why nothing shows that `fingerprint` may upload `package` (empty: all is well), and the list's SHA-256.

    Raises:
        RefusedError: the list can't be read.
    """
    if rights is None:
        limited = keyring.stem == "debian-maintainers"  # newer ones ship it as .pgp
        return ("the signer may upload some packages only, and no list of rights is named" if limited else ""), ""
    try:
        data = read_small(rights, _MAX_RIGHTS, follow=True)
        for entry in paragraphs(data.decode("utf-8")):
            if entry.get("fingerprint", "").replace(" ", "").upper() == fingerprint:
                allowed = [each.split("(")[0].strip() for each in entry.get("allow", "").split(",")]
                if package in allowed:
                    return "", hashlib.sha256(data).hexdigest()
    except (OSError, UnicodeDecodeError, Deb822Error) as error:
        raise RefusedError("keyring-unusable", f"{rights}: {error}", "get the list of rights anew") from error
    return f"{rights.name} does not let the signer upload {package}", hashlib.sha256(data).hexdigest()


@functools.lru_cache(maxsize=4)
def _read(path: Path, _modified: int, _size: int) -> Uploaders:
    data = path.read_bytes()
    by_key: dict[str, Certificate] = {}
    for certificate in certificates(data):
        for key in (certificate.fingerprint, *certificate.subkeys):
            by_key.setdefault(key, certificate)
            by_key.setdefault(key[-16:], certificate)
    return Uploaders(path, hashlib.sha256(data).hexdigest(), _package(path), by_key)


def _package(path: Path) -> str:
    """Which package ships a file, and its version; empty if none does."""
    owner = run(["dpkg-query", "--search", str(path)], timeout=30)
    if owner.returncode != 0:
        return ""
    name = owner.stdout.decode("utf-8", "replace").split(":", 1)[0]
    version = run(["dpkg-query", "--show", "--showformat=${Version}", name], timeout=30)
    return f"{name} {version.stdout.decode('utf-8', 'replace').strip()}"
