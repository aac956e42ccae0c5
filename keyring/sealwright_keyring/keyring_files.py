"""Take one certificate out of a large keyring file that the machine's own packages ship.

- gpg reads the file in place and exports the one certificate, minimal; nothing else of it is imported, and
  what comes out is checked again like any stranger's key file when it is used.
- A certificate is asked for by full fingerprint or 64-bit id, of its primary key or of a subkey.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.home import complaint
from sealwright_keyring.text import printable

_IDENTITY = re.compile(r"[0-9A-Fa-f]{16}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}")


def certificate_from_keyring_file(path: Path, identity: str, gpg: Gpg | None = None) -> bytes | None:
    """The certificate (minimal, binary) whose primary key or subkey is `identity`; None if there is none.

    Raises:
        KeyringError: the identity is no fingerprint, the file can't be read, or gpg fails.
    """
    if not _IDENTITY.fullmatch(identity):
        raise KeyringError(printable(identity, 80), "it is no fingerprint", "give all its hex digits")
    if not path.is_file():
        raise KeyringError(f"the keyring {path}", "there is no such file", "install it, or name another")
    with tempfile.TemporaryDirectory(prefix="sealwright-keys-") as home:
        options = ["--lock-never", "--no-default-keyring", "--keyring", str(path.absolute())]
        wanted = ["--export-options", "export-minimal", "--export", "--", f"0x{identity}"]
        tool = gpg or Gpg()
        tool.own(Path(home))
        run = tool.run(Path(home), [*options, *wanted])
    if run.returncode != 0:
        raise KeyringError(f"the keyring {path.name}", complaint(run), "install it anew, or name another")
    return run.stdout or None


def fingerprints_in(data: bytes) -> tuple[str, ...]:
    """The primary fingerprints of a key file.

    Raises:
        MalformedError: it is no file of certificates.
    """
    return tuple(certificate.fingerprint for certificate in certificates(data))
