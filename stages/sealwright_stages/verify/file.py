"""Judge a third-party file: by the SHA-256 that the manifest pins, by its detached signatures, or by both.

- The digest and the signatures are two items; each must be green, and both speak of the same bytes.
- A signature is judged over the file that lies there, and hashed as it is read; an SSH one must be made for a file.
- A page of HTML saved as a signature is a malformed signature, not a missing one.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from pathlib import Path

from sealwright_keyring.gpg import Gpg
from sealwright_stages.files import sha256_file
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Verdict
from sealwright_stages.verify.codes import failed, passed
from sealwright_stages.verify.signatures import judge_signatures

_MAX_SIGNATURE = 1 << 20


def judge_digest(path: Path, wanted: str) -> Verdict:
    """Judge a file by its SHA-256, given as 64 hex digits."""
    found = sha256_file(path)
    evidence = {"wanted": wanted, "found": found, "size": path.stat().st_size}
    if not hmac.compare_digest(found, wanted.lower()):
        return failed(
            "digest-mismatch",
            f"{path.name} has the SHA-256 {found}, and {wanted} is pinned",
            "find out why it changed; never copy the new digest into the manifest to make it fit",
            found,
            evidence,
        )
    return passed(f"{path.name} has the pinned SHA-256", found, evidence)


def judge_beside(path: Path, signatures: Sequence[Path], trust: Trust, gpg: Gpg | None = None) -> Verdict:
    """Judge a file by the detached signatures that lie beside it, of whatever kinds, together."""
    for signature in signatures:
        if not signature.is_file() or signature.is_symlink() or signature.stat().st_size == 0:
            return failed(
                "signature-missing",
                f"a signature of {path.name} did not arrive, or is empty",
                "look at its address",
                sha256_file(path),
            )
        if signature.stat().st_size > _MAX_SIGNATURE:
            return failed(
                "signature-malformed",
                f"a signature of {path.name} is larger than 1 MiB",
                "look at its address",
                sha256_file(path),
            )
    return judge_signatures([each.read_bytes() for each in signatures], path, trust, path.name, gpg=gpg)
