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
    """Bytes that claim to be a signature or a key and are not what its standard and our narrower rules allow."""

    def __init__(self, because: str, what: str = "OpenPGP data") -> None:
        super().__init__(what, because, "ask the signer for a plain detached signature")


class SignerError(KeyringError):
    """The signer refuses a request, or can't start."""


class RefusedError(Exception):
    """Inside a check: a key or signature is refused, by a verdict's code; becomes a `Bad` where the check ends."""

    def __init__(self, code: str, because: str = "") -> None:
        super().__init__(because)
        self.code, self.because = code, because
