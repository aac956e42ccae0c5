"""The keyring's errors: what was refused, because of what, and what to do next.

- The families are closed; each carries `what`, `because` and `next_step`.
- A refused signature is no error but a `Bad`: errors are for a keyring, policy or signer that can't be used.
"""

from __future__ import annotations

from pathlib import Path


class KeyringError(Exception):
    """A keyring, certificate or tool that can't be used."""

    def __init__(self, what: str, because: str, next_step: str) -> None:
        super().__init__(f"{what}: {because}")
        self.what = what
        self.because = because
        self.next_step = next_step


class PolicyError(KeyringError):
    """`signers.toml` or a key file beside it is wrong; nothing of it is used."""

    def __init__(self, file: Path, line: int, because: str, next_step: str) -> None:
        super().__init__(f"{file}:{line}", because, next_step)
        self.file = file
        self.line = line


class MalformedError(KeyringError):
    """Bytes that claim to be OpenPGP and are not what the standard and our narrower rules allow."""

    def __init__(self, because: str) -> None:
        super().__init__("OpenPGP data", because, "ask the signer for a plain detached signature")


class SignerError(KeyringError):
    """The signer refuses a request, or can't start."""
