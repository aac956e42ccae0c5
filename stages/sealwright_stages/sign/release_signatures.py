"""Who of the release's signers has signed: judged strictly, in a clean home, counted as persons.

- A person who may vouch only for components is no release signer.
- A person's time and a key's expiry are judged by when the signature was made: a release that was signed well
  stays so when its signers' keys run out. A revoked key counts nothing, whenever it signed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.openpgp import Good
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
