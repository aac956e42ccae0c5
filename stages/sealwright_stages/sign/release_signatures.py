"""Who of the release's signers has signed: judged strictly, in a clean home, counted as persons.

- A person who may vouch only for components is no release signer.
- A person's time and a key's expiry are judged by when the signature was made: a release that was signed well
  stays so when its signers' keys run out. A revoked key counts nothing, whenever it signed.
- Signatures of several persons are one armor block, in an order that is theirs, not that of their coming: `merged`
  says nothing of whether they are good, `kept` takes what is, one for each key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sealwright_keyring.armor import enarmor
from sealwright_keyring.errors import KeyringError, MalformedError
from sealwright_keyring.openpgp import Good
from sealwright_keyring.packets import MAX_SIGNATURE_FILE, MAX_SIGNATURES, SIGNATURE, detached_signatures, packets
from sealwright_keyring.policy import Policy
from sealwright_keyring.threshold import count_persons
from sealwright_stages.errors import SigningError
from sealwright_stages.files import read_small
from sealwright_stages.verify.verifier import keyring_of

SIGNED = ("SHA256SUMS", "log/SHA256SUMS")
_MAX_SIGNATURE = 1 << 20
SKEW = timedelta(days=1)
"""By which the clocks of a signer and of a log may differ, and only that is told."""
_MAX_SUMS = 64 << 20


def persons_of(signature: bytes, data: bytes, policy: Policy, names: Collection[str]) -> frozenset[str]:
    """The persons, out of `names`, whose good signature over `data` is in `signature`.

    Raises:
        SigningError: the policy or the verifier does not work.
    """
    return frozenset(person for person, _ in signatures_by(signature, data, policy, names))


def signers_of(
    signature: bytes, data: bytes, policy: Policy, names: Collection[str]
) -> frozenset[tuple[str, str]]:
    """The same persons, each with the primary fingerprint of a key by which it signed.

    Raises:
        SigningError: the policy or the verifier does not work.
    """
    return frozenset((name, each.fingerprint) for name, each in signatures_by(signature, data, policy, names))


def signed_at(signature: bytes, data: bytes, policy: Policy, names: Collection[str]) -> dict[str, datetime]:
    """The same persons, each with the time of the first such signature, as it says itself.

    Raises:
        SigningError: the policy or the verifier does not work.
    """
    first: dict[str, datetime] = {}
    for name, each in signatures_by(signature, data, policy, names):
        first[name] = min(each.created, first.get(name, each.created))
    return first


def ahead_of_seal(signed: datetime, sealed: str) -> timedelta:
    """By how much something was signed before the log says that it was `sealed`; nothing or less if it was not.

    A signature's time has whole seconds, and so the seal's is compared without its fraction.
    """
    return datetime.fromisoformat(sealed).replace(microsecond=0) - signed.astimezone(UTC)


def signatures_by(signature: bytes, data: bytes, policy: Policy, names: Collection[str]) -> list[tuple[str, Good]]:
    """Each good signature over `data` that counts, with the person whose it is, in the order of the file.

    Raises:
        SigningError: the policy or the verifier does not work.
    """
    good = good_signatures(signature, data, policy, names)
    allowed = policy.release_signers(names) if good else ()
    return [(name, each) for each in good for name in sorted(count_persons([each], allowed))]


def good_signatures(signature: bytes, data: bytes, policy: Policy, names: Collection[str]) -> list[Good]:
    """The good signatures over `data`, by keys of the release signers out of `names`; when isn't asked.

    Raises:
        SigningError: the policy or the verifier does not work.
    """
    try:
        chosen = [fpr for person in policy.release_signers(names) for fpr in person.openpgp]
        if not chosen:
            return []
        with keyring_of(policy.certificates, chosen) as ring:
            verdicts = ring.verify_detached_many(signature, data, judged_at_signing=True)
    except KeyringError as error:
        raise SigningError("the release's signatures", error.because, error.next_step) from error
    return [verdict for verdict in verdicts if isinstance(verdict, Good)]


def merged(blocks: Iterable[bytes]) -> bytes:
    """One armor block with each signature packet of `blocks` once, sorted by issuer, then by bytes; empty of none.

    A block is a detached signature file, armored or binary, or empty. The result is the same in whatever order and
    how often the blocks come (commutative, associative, idempotent); a packet's header is written in one form only
    (RFC 9580, section 4.2.2), so that it can't make two of one. Nothing is judged here: see `kept`.

    Raises:
        SigningError: a block is no detached signature file, or there are more signatures, or more bytes of them, than
            a file of signatures may have.
    """
    found: set[tuple[str, bytes]] = set()
    try:
        for block in blocks:
            for each in detached_signatures(block) if block else ():
                (packet,) = packets(each.raw)
                found.add(("".join(each.issuers), _framed(packet.body)))
                if len(found) > MAX_SIGNATURES:
                    raise MalformedError(f"more than {MAX_SIGNATURES} signatures in all")
    except MalformedError as error:
        raise SigningError("the signatures", error.because, "merge files of detached signatures only") from error
    data = enarmor(b"".join(raw for _, raw in sorted(found)), "SIGNATURE") if found else b""
    if len(data) > MAX_SIGNATURE_FILE:
        raise SigningError("the signatures", "they are too large to be signatures", "look for who made them so")
    return data


def kept(signature: bytes, data: bytes, policy: Policy, names: Collection[str]) -> bytes:
    """Of a file of signatures those that count: good over `data`, by a release signer; the earliest of each key.

    In the form of `merged`; empty if none is good. What stands beside them, and what can't be read at all, is left out.

    Raises:
        SigningError: the policy or the verifier does not work.
    """
    if not signature:
        return b""
    try:
        raw = {hashlib.sha256(each.raw).hexdigest(): each.raw for each in detached_signatures(signature)}
    except MalformedError:
        return b""
    best: dict[str, tuple[datetime, bytes]] = {}
    for _, good in signatures_by(signature, data, policy, names):
        made, key = (good.created, raw[str(good.evidence["packet_sha256"])]), str(good.evidence["key"])
        best[key] = min(made, best.get(key, made))
    return merged(each for _, each in best.values())


def _framed(body: bytes) -> bytes:
    """A signature packet with a header as GnuPG writes it: in the old format, of the shortest length."""
    kind = 0 if len(body) <= 0xFF else 1 if len(body) <= 0xFFFF else 2
    return bytes([0x80 | SIGNATURE << 2 | kind]) + len(body).to_bytes(1 << kind, "big") + body


def signed_pairs(evidence: Path) -> Iterator[tuple[bytes, bytes]]:
    """Each signature of an evidence folder with the bytes that it is over.

    Raises:
        SigningError: one is missing.
    """
    for name in SIGNED:
        try:
            yield read_small(evidence / f"{name}.asc", _MAX_SIGNATURE), read_small(evidence / name, _MAX_SUMS)
        except OSError as error:
            raise SigningError(
                f"{error.filename}", error.strerror or "can't be read", "sign the release, or fetch it again whole"
            ) from error
