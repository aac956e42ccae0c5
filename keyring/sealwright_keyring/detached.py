"""Detached signatures of any kind, and one verdict for each: which kind a file is, its bytes say.

- OpenPGP, SSH and minisign are told apart by how a file begins; what is none of them is a malformed signature.
- One file holds one kind. An OpenPGP file may hold several persons' signatures, the others hold one each.
- A signature by a kind of key that no chosen person has is one by an unknown key.
- Sequoia's opinion stands beside an OpenPGP signature where it is installed, and decides nothing.
- A signature without a time of its own is judged by the time that the caller gives, else as of now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sealwright_keyring import minisign_keys, ssh
from sealwright_keyring.errors import MalformedError
from sealwright_keyring.judge import bad
from sealwright_keyring.minisign import Minisign, verify_minisign
from sealwright_keyring.openpgp import Keyring
from sealwright_keyring.packets import detached_signatures
from sealwright_keyring.person import Person
from sealwright_keyring.ssh import SshKeygen, verify_ssh
from sealwright_keyring.verdicts import Verdict


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


@dataclass(frozen=True)
class Tools:
    """The programs that check: a keyring of chosen fingerprints out of key files, ssh-keygen, minisign."""

    keyring: Callable[[Sequence[bytes], Collection[str]], AbstractContextManager[Keyring]] = Keyring.of
    ssh: Callable[[], SshKeygen] = SshKeygen
    minisign: Callable[[], Minisign] = Minisign


def kind_of(signature: bytes) -> Kind:
    """Which kind the bytes claim to be; what looks like no other kind is left to the parser of OpenPGP."""
    if signature.startswith(ssh.BEGIN.rstrip()):
        return Kind.SSH
    return Kind.MINISIGN if signature.startswith(minisign_keys.BEGIN) else Kind.OPENPGP


def verdicts_of(
    signature: bytes,
    data: bytes | Path,
    certificates: Sequence[bytes],
    persons: Collection[Person],
    purpose: Purpose,
    tools: Tools,
) -> Sequence[Verdict]:
    """One verdict for each signature in one file, in its order, by the keys of `persons`; at least one.

    Raises:
        KeyringError: the chosen OpenPGP keys can't be used.
    """
    kind = kind_of(signature)
    if kind is Kind.SSH:
        ssh_keys = [key for person in persons for key in person.ssh]
        name, time = purpose.namespace, purpose.signed_at
        return [verify_ssh(signature, data, ssh_keys, namespace=name, signed_at=time, tool=tools.ssh())]
    if kind is Kind.MINISIGN:
        keys = [key for person in persons for key in person.minisign]
        return [verify_minisign(signature, data, keys, signed_at=purpose.signed_at, tool=tools.minisign())]
    chosen = {fingerprint for person in persons for fingerprint in person.openpgp}
    if not chosen:
        return _by_nobody(signature)
    with tools.keyring(certificates, chosen) as keyring:
        found = keyring.verify_detached_many(signature, data, judged_at_signing=purpose.judged_at_signing)
        advice = keyring.opinion(signature, data)
    return [replace(each, evidence={**each.evidence, "sequoia": advice}) for each in found] if advice else found


def _by_nobody(signature: bytes) -> Sequence[Verdict]:
    """The verdicts about what may be OpenPGP signatures, where no chosen person has such a key."""
    base = {"kind": "openpgp", "signature_sha256": hashlib.sha256(signature).hexdigest()}
    try:
        found = detached_signatures(signature)
    except MalformedError as error:
        return [bad("signature-malformed", base, error.because)]
    because = "it is an OpenPGP signature, and no chosen person has such a key"
    names = [hashlib.sha256(packet.raw).hexdigest() for packet in found]
    return [bad("signature-unknown-key", {**base, "packet_sha256": name}, because) for name in names]
