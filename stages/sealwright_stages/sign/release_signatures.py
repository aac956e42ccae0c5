"""Who of the release's signers has signed: judged strictly, in a clean home, counted as persons."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.openpgp import Good, Keyring
from sealwright_keyring.policy import load_policy
from sealwright_keyring.threshold import count_persons
from sealwright_stages.errors import SigningError

SIGNED = ("SHA256SUMS", "log/SHA256SUMS")


def persons_of(signature: bytes, data: bytes, keyring: Path, names: Collection[str]) -> frozenset[str]:
    """The persons, out of `names`, whose good signature over `data` is in `signature`.

    Raises:
        SigningError: the policy or the verifier does not work.
    """
    try:
        policy = load_policy(keyring)
        allowed = policy.persons_for(None, names)
        chosen = [fpr for person in allowed for fpr in person.openpgp]
        with Keyring.of(policy.certificates, chosen) as ring:
            verdicts = ring.verify_detached_many(signature, data)
    except KeyringError as error:
        raise SigningError("the release's signatures", error.because, error.next_step) from error
    return count_persons([v for v in verdicts if isinstance(v, Good)], policy, [person.name for person in allowed])


def signed_pairs(evidence: Path) -> Iterator[tuple[bytes, bytes]]:
    """Each signature of an evidence folder with the bytes that it is over.

    Raises:
        SigningError: one is missing.
    """
    for name in SIGNED:
        try:
            yield (evidence / f"{name}.asc").read_bytes(), (evidence / name).read_bytes()
        except OSError as error:
            raise SigningError(
                f"{error.filename}", error.strerror or "can't be read", "sign the release, or fetch it again whole"
            ) from error
