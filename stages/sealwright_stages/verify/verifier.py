"""The programs that every check here runs: bytes from outside are never parsed as root.

- As root they run under a uid that nobody else has, so that a hole in one of them is a hole in an empty folder.
- Every check asks here, also those of evidence and of a release's signatures.
"""

from __future__ import annotations

from sealwright_keyring.gpg import Gpg
from sealwright_keyring.minisign import Minisign
from sealwright_keyring.ssh import SshKeygen
from sealwright_stages.sandbox.identity import verifier_uid


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
