"""What somebody who looks at a sealed release brings; light, since a console asks for it before it opens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealwright_appendlog.cosignature import WitnessKey
    from sealwright_appendlog.saved import Saved
    from sealwright_keyring.policy import Policy


@dataclass(frozen=True)
class Trusted:
    """Release signers by the full fingerprints of their OpenPGP keys, and how many of them must have signed. Keys and
    their owners' times are read from the evidence; only a key with such a fingerprint counts."""

    persons: Mapping[str, tuple[str, ...]]
    threshold: int


@dataclass(frozen=True)
class Reviewer:
    """What a reviewer brings: a keyring folder, who must have signed, and how many of them (all if None); the
    witnesses whose cosignatures of the log are checked; checkpoints that were saved of it. `without_products`: the
    products lie elsewhere, and that is known. `trusted`: no keyring, but fingerprints that were given or pinned.
    `policy` is what the keyring leads to for the release that is looked at, once that is known. `attestation_keys`:
    fingerprints of the machines' keys that the reviewer vouches for. `part`: it is one builder's word among several, so
    one person is enough where no `threshold` is given, and no other builder is asked for."""

    keyring: Path | None = None
    signers: tuple[str, ...] = ()
    threshold: int | None = None
    witnesses: tuple[WitnessKey, ...] = ()
    saved: tuple[Saved, ...] = ()
    without_products: bool = False
    trusted: Trusted | None = None
    policy: Policy | None = None
    attestation_keys: tuple[str, ...] = ()
    part: bool = False
