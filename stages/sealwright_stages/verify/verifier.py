"""The programs that every check here runs: bytes from outside are never parsed as root.

- As root they run under a uid that nobody else has, so that a hole in one of them is a hole in an empty folder.
- Every check asks here, also those of evidence and of a release's signatures.
- A keyring that was filled for one check stays open for the next that wants the same keys.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager

from sealwright_keyring.detached import Tools
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.keyrings import Keyrings
from sealwright_keyring.minisign import Minisign
from sealwright_keyring.openpgp import Keyring
from sealwright_keyring.ssh import SshKeygen
from sealwright_stages.sandbox.identity import verifier_uid
from sealwright_stages.verify.rpm_keys import RpmKeys


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


def rpm_verifier() -> RpmKeys:
    """The rpmkeys likewise."""
    return RpmKeys(uid=verifier_uid())


def keyring_of(
    certificate_files: Sequence[bytes], chosen: Collection[str], gpg: Gpg | None = None
) -> AbstractContextManager[Keyring]:
    """The chosen keys, ready to check with.

    Raises:
        KeyringError: on entering; a key is missing or unusable, or gpg is.
    """
    return _open().of(certificate_files, chosen, gpg or verifier())


def tools(gpg: Gpg | None = None) -> Tools:
    """The programs for detached signatures of all kinds."""
    return Tools(lambda files, chosen: keyring_of(files, chosen, gpg), ssh_verifier, minisign_verifier)


@functools.cache
def _open() -> Keyrings:
    return Keyrings()
