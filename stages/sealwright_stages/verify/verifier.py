"""The programs that every check here runs: bytes from outside are never parsed as root.

- As root they run under a uid that nobody else has, so that a hole in one of them is a hole in an empty folder.
- Every check asks here, also those of evidence and of a release's signatures.
- A keyring that was filled for one check stays open for the next that wants the same keys.
- No run begins with a gpg whose status lines a signature can forge.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager

from sealwright_keyring.gpg import Gpg
from sealwright_keyring.gpg_fixes import Fix, changelog_of, missing_fixes
from sealwright_keyring.keyrings import Keyrings
from sealwright_keyring.minisign import Minisign
from sealwright_keyring.openpgp import Keyring
from sealwright_keyring.ssh import SshKeygen
from sealwright_keyring.tool import SAFE_PATH
from sealwright_stages import process
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.identity import verifier_uid

_SECONDS = 20.0


def verifier() -> Gpg:
    """The gpg for checks in this process.

    Raises:
        MachineError: root, and there is no uid for it.
    """
    return Gpg(uid=verifier_uid())


def ssh_verifier() -> SshKeygen:
    """The ssh-keygen likewise."""
    return SshKeygen(uid=verifier_uid())


def minisign_verifier() -> Minisign:
    """The minisign likewise."""
    return Minisign(uid=verifier_uid())


def keyring_of(
    certificate_files: Sequence[bytes], chosen: Collection[str], gpg: Gpg | None = None
) -> AbstractContextManager[Keyring]:
    """The chosen keys, ready to check with.

    Raises:
        KeyringError: on entering; a key is missing or unusable, or gpg is.
    """
    return _open().of(certificate_files, chosen, gpg or verifier())


def fixes(program: str = "gpg") -> tuple[str, tuple[Fix, ...]]:
    """The version of the gpg that checks will run, and the fixes that it lacks.

    Raises:
        MachineError: there is none, or it does not say its version.
    """
    path = shutil.which(program, path=SAFE_PATH)
    if path is None:
        raise MachineError("no signature can be checked", f"{program} is missing", "install gnupg")
    done = process.run([path, "--version"], timeout=_SECONDS)
    first = done.stdout.decode("utf-8", "replace").partition("\n")[0]
    if done.returncode != 0 or not first.startswith("gpg (GnuPG"):
        raise MachineError("no signature can be checked", f"{path}: {done.complaint()}", "install gnupg again")
    version = first.rpartition(" ")[2]
    return version, missing_fixes(version, changelog_of(path))


def require_verifier() -> None:
    """Refuse a gpg whose word can't be taken.

    Raises:
        MachineError: it is missing, or lacks a fix that is needed.
    """
    version, missing = fixes()
    for fix in missing:
        if fix.needed:
            raise MachineError(
                f"gpg {version} is not asked",
                f"{fix.name}: {fix.hole}",
                "install a gnupg with that fix, run again",
            )


@functools.cache
def _open() -> Keyrings:
    return Keyrings()
