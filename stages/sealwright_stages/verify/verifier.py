"""The gpg that every check here runs: bytes from outside are never parsed as root.

- As root it runs under a uid that nobody else has, so that a hole in gpg is a hole in an empty folder.
- Every check asks here, also those of evidence and of a release's signatures.
"""

from __future__ import annotations

from sealwright_keyring.gpg import Gpg
from sealwright_stages.sandbox.identity import verifier_uid


def verifier() -> Gpg:
    """The gpg for checks in this process.

    Raises:
        MachineError: root, and there is no uid for it.
    """
    return Gpg(uid=verifier_uid())
