"""Detached signatures of any kind as verdicts: which kind it is, its bytes say; who must have signed, the policy does.

- OpenPGP, SSH and minisign are told apart by how a file begins; what is none of them is a malformed signature.
- One file holds one kind. An OpenPGP file may hold several persons' signatures, the others hold one each; several
  files over the same bytes are counted together.
- A signature that is not good makes it red, in whichever file; so does a stranger's, and one by a kind of key that no
  chosen person has.
- Persons are counted over all kinds: a person with two kinds of keys is one.
- Sequoia's opinion stands beside an OpenPGP signature where it is installed, and decides nothing.
- A signature without a time of its own is judged by the time that the caller gives, else as of now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sealwright_keyring import minisign_keys, ssh
from sealwright_keyring.errors import KeyringError, MalformedError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.judge import bad
from sealwright_keyring.minisign import verify_minisign
from sealwright_keyring.openpgp import Verdict as KeyVerdict
from sealwright_keyring.packets import detached_signatures
from sealwright_keyring.sequoia import REFUSES
from sealwright_keyring.ssh import verify_ssh
from sealwright_stages.files import sha256_file
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Failed, Verdict
from sealwright_stages.verify.codes import failed
from sealwright_stages.verify.settle import settle
from sealwright_stages.verify.verifier import keyring_of, minisign_verifier, ssh_verifier


class Kind(StrEnum):
    """The kinds of signatures that are checked."""

    OPENPGP = "OpenPGP"
    SSH = "SSH"
    MINISIGN = "minisign"


@dataclass(frozen=True)
class Purpose:
    """What signatures are to be for: SSH's namespace, the time of those that have none, how late keys are judged."""

    namespace: str
    signed_at: datetime | None = None
    judged_at_signing: bool = False


FILE = Purpose("file")


def kind_of(signature: bytes) -> Kind:
    """Which kind the bytes claim to be; what looks like no other kind is left to the parser of OpenPGP."""
    if signature.startswith(ssh.BEGIN.rstrip()):
        return Kind.SSH
    return Kind.MINISIGN if signature.startswith(minisign_keys.BEGIN) else Kind.OPENPGP


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
) -> Verdict:
    """Judge several files of detached signatures over the same `data` together."""
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
            found += verdicts_of(file, data, trust, purpose, gpg)
    except KeyringError as error:
        return failed("keyring-unusable", f"{what}: {error.what}: {error.because}", error.next_step, subject)
    return _advised(settle(found, trust, what, subject), found)


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
    kind = kind_of(signature)
    if kind is Kind.SSH:
        ssh_keys = [key for person in trust.persons for key in person.ssh]
        name, time = purpose.namespace, purpose.signed_at
        return [verify_ssh(signature, data, ssh_keys, namespace=name, signed_at=time, tool=ssh_verifier())]
    if kind is Kind.MINISIGN:
        keys = [key for person in trust.persons for key in person.minisign]
        return [verify_minisign(signature, data, keys, signed_at=purpose.signed_at, tool=minisign_verifier())]
    chosen = {fingerprint for person in trust.persons for fingerprint in person.openpgp}
    if not chosen:
        return [_by_nobody(signature)]
    with keyring_of(trust.certificates, chosen, gpg) as keyring:
        found = keyring.verify_detached_many(signature, data, judged_at_signing=purpose.judged_at_signing)
        advice = keyring.opinion(signature, data)
    return [replace(each, evidence={**each.evidence, "sequoia": advice}) for each in found] if advice else found


def _by_nobody(signature: bytes) -> KeyVerdict:
    """The verdict about what may be an OpenPGP signature, where no chosen person has such a key."""
    evidence = {"kind": "openpgp", "signature_sha256": hashlib.sha256(signature).hexdigest()}
    try:
        detached_signatures(signature)
    except MalformedError as error:
        return bad("signature-malformed", evidence, error.because)
    because = "it is an OpenPGP signature, and no chosen person has such a key"
    return bad("signature-unknown-key", evidence, because)
