"""Detached signatures of any kind as verdicts: which kind it is, its bytes say; who must have signed, the policy does.

- How one file is judged is `sealwright_keyring.detached`'s; several files over the same bytes are counted together.
- A signature that is not good makes it red, in whichever file; so does a stranger's, and one by a kind of key that no
  chosen person has.
- Persons are counted over all kinds: a person with two kinds of keys is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sealwright_keyring import detached
from sealwright_keyring.detached import Kind, Purpose, kind_of
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.openpgp import Bad
from sealwright_keyring.openpgp import Verdict as KeyVerdict
from sealwright_keyring.sequoia import REFUSES
from sealwright_stages.files import sha256_file
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Failed, Verdict
from sealwright_stages.verify.codes import failed
from sealwright_stages.verify.settle import settle
from sealwright_stages.verify.verifier import tools

__all__ = ["FILE", "Kind", "Purpose", "judge_signature", "judge_signatures", "kind_of", "verdicts_of"]

FILE = Purpose("file")


def judge_signature(
    signature: bytes,
    data: bytes | Path,
    trust: Trust,
    what: str,
    *,
    purpose: Purpose = FILE,
    gpg: Gpg | None = None,
) -> Verdict:
    """Judge one file of detached signatures over `data`; `what` names it in the sentences."""
    return judge_signatures([signature], data, trust, what, purpose=purpose, gpg=gpg)


def judge_signatures(
    files: Sequence[bytes],
    data: bytes | Path,
    trust: Trust,
    what: str,
    *,
    purpose: Purpose = FILE,
    gpg: Gpg | None = None,
    beside: Collection[str] = (),
) -> Verdict:
    """Judge several files of detached signatures over the same `data` together.

    `beside` names signatures by strangers that were found good by other keys, and are passed over here: each by its
    packet's or its file's SHA-256.
    """
    subject = hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else sha256_file(data)
    if not trust.persons:
        return failed(
            "keyring-unusable",
            f"{what}: none of the chosen persons may vouch for it today",
            "look at their components, not_before and not_after in signers.toml",
            subject,
        )
    found: list[KeyVerdict] = []
    try:
        for file in files:
            found += [
                each for each in verdicts_of(file, data, trust, purpose, gpg) if not _is_of_others(each, beside)
            ]
    except KeyringError as error:
        return failed("keyring-unusable", f"{what}: {error.what}: {error.because}", error.next_step, subject)
    return _advised(settle(found, trust, what, subject), found)


def _is_of_others(verdict: KeyVerdict, beside: Collection[str]) -> bool:
    if not isinstance(verdict, Bad) or verdict.reason_code != "signature-unknown-key":
        return False
    return verdict.evidence.get("packet_sha256", verdict.evidence.get("signature_sha256")) in beside


def _advised(verdict: Verdict, found: Sequence[KeyVerdict]) -> Verdict:
    """The verdict with a word about Sequoia, where that refuses what is accepted."""
    advice = [each.evidence.get("sequoia") for each in found]
    refused = any(isinstance(each, Mapping) and each.get("says") == REFUSES for each in advice)
    if isinstance(verdict, Failed) or not refused:
        return verdict
    return replace(verdict, reason=f"{verdict.reason}; Sequoia would refuse it, which is advice: see the evidence")


def verdicts_of(
    signature: bytes, data: bytes | Path, trust: Trust, purpose: Purpose, gpg: Gpg | None = None
) -> Sequence[KeyVerdict]:
    """One verdict for each signature in one file; at least one.

    Raises:
        KeyringError: the chosen OpenPGP keys can't be used.
    """
    return detached.verdicts_of(signature, data, trust.certificates, trust.persons, purpose, tools(gpg))
