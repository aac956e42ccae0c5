"""Whose keys count for a file that somebody asks about: given, pinned, or met for the first time; never the folder's own.

- Given are a keyring folder, or full fingerprints. Else the pin of that release counts, and nothing else.
- What a release brings is held against its pin: the same persons by their keys, and no lower threshold. A keyring that
  signed steps lead to from the pinned one is followed, for the persons pinned by name and for its own signers.
- Where there is no pin, nothing is trusted. What could be pinned is offered, and a person decides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy, load_policy
from sealwright_keyring.rotation import follow
from sealwright_stages.check.pins import Pin, read_pins
from sealwright_stages.errors import ManifestError
from sealwright_stages.join.sources import builders_of
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.reviewer import Reviewer, Trusted
from sealwright_stages.verify.verifier import tools

KEYRING, GIVEN, PINNED, FOLLOWED, FIRST, OTHER, UNREAD = (
    "keyring", "given", "pinned", "followed", "first", "other", "unread",
)  # fmt: skip


@dataclass(frozen=True)
class Trust:
    """Whose keys count, and why: `how` is one of the words above; the last three are a no.

    `reviewer` is who the audit goes by. `offered` is what the evidence says of its signers, `pin` what is pinned; None
    where there is none. `own` and `manifest` are those in the evidence. `because` says why it is a no.
    """

    how: str
    reviewer: Reviewer
    offered: Pin | None = None
    pin: Pin | None = None
    own: Policy | None = None
    manifest: Manifest | None = None
    because: str = ""

    @property
    def ok(self) -> bool:
        """Whether they are keys that the person asked for, or has pinned."""
        return self.how in (KEYRING, GIVEN, PINNED, FOLLOWED)


def trust_in(
    evidence: Path,
    reviewer: Reviewer,
    pins: Path | None,
    given: Collection[str] = (),
    threshold: int | None = None,
) -> Trust:
    """Decide for an evidence folder. `given` are full fingerprints, of which `threshold` (None: all) must have signed;
    `pins` is the file of pins, None if nobody looks there.

    Raises:
        ManifestError: the pins are refused.
        MachineError: the pins can't be read.
    """
    evidence = next(iter(builders_of(evidence)), evidence)
    try:
        own = load_policy(evidence / "policy")
        manifest = load(evidence / "policy" / "release.toml")
    except (KeyringError, ManifestError) as error:
        return Trust(UNREAD, reviewer, because=f"{error.what}: {error.because}")
    offered = _offered(manifest, own)
    if reviewer.keyring is not None:
        return Trust(KEYRING, reviewer, offered, None, own, manifest)
    if given:
        trusted = _given(given, threshold, own)
        mine = replace(offered, persons=trusted.persons, threshold=trusted.threshold)
        return Trust(GIVEN, replace(reviewer, trusted=trusted), mine, _known(pins, manifest), own, manifest)
    pin = _known(pins, manifest)
    how, because = (FIRST, "") if pin is None else _compared(pin, offered, evidence / "policy", own)
    counts = pin if how == OTHER and pin is not None else offered
    least = pin.threshold if pin is not None and how == PINNED else 1
    trusted = Trusted(counts.persons, max(counts.threshold, least))
    return Trust(how, replace(reviewer, trusted=trusted), offered, pin, own, manifest, because)


def _known(pins: Path | None, manifest: Manifest) -> Pin | None:
    return read_pins(pins).get(manifest.name) if pins is not None else None


def _offered(manifest: Manifest, own: Policy) -> Pin:
    """The release signers whom the evidence names."""
    known = [own.persons[name] for name in manifest.signers if name in own.persons]
    persons = {person.name: person.openpgp for person in known if person.covers(None) and person.openpgp}
    release = f"{manifest.name} {manifest.version}"
    return Pin(manifest.name, persons, manifest.threshold, "", "", release, own.sha256, _version(own))


def _version(policy: Policy) -> int:
    """The number of a keyring that counts its versions; 0 for one that doesn't."""
    return policy.version.number if policy.version else 0


def _given(given: Collection[str], threshold: int | None, own: Policy) -> Trusted:
    """Fingerprints as persons: those of one person in the folder count as one, so that no key counts twice."""
    persons: dict[str, tuple[str, ...]] = {}
    for fingerprint in dict.fromkeys(given):
        person = own.person_of(fingerprint)
        name = person.name if person else fingerprint
        persons[name] = (*persons.get(name, ()), fingerprint)
    return Trusted(persons, threshold or len(persons))


def _compared(pin: Pin, offered: Pin, folder: Path, own: Policy) -> tuple[str, str]:
    """How what a release brings stands to its pin, and why it is a no."""
    if offered.threshold < pin.threshold:
        return OTHER, f"{offered.threshold} of them would be enough now, and {pin.threshold} are pinned"
    if pin.same_keys(offered):
        return PINNED, ""
    if _may_follow(pin, offered, own) and _leads(pin, folder, own):
        return FOLLOWED, ""
    return OTHER, "its keys are not those that you pinned"


def _may_follow(pin: Pin, offered: Pin, own: Policy) -> bool:
    """Whether the keyring could have changed the signers: who is pinned by name, or signs the keyring itself. A manifest
    that names another person of the same keyring is no step of the keyring."""
    allowed = {*pin.persons, *(own.version.signers if own.version else ())}
    return own.sha256 != pin.policy_sha256 and allowed.issuperset(offered.persons)


def _leads(pin: Pin, folder: Path, own: Policy) -> bool:
    """Whether signed steps lead from the pinned keyring to the one in the folder.

    The pinned one is known by its SHA-256 and lies whole in the folder's history; from there on it is the chain's word.
    """
    for trusted in _history(folder):
        if trusted.sha256 == pin.policy_sha256:
            try:
                newest = follow(trusted, folder, tools())
            except (KeyringError, OSError, ValueError):
                return False
            return bool(newest.sha256 == own.sha256)
    return False


def _history(folder: Path) -> Iterator[Policy]:
    try:
        folders = sorted((folder / "history").iterdir())
    except OSError:
        return
    for each in folders:
        try:
            yield load_policy(each)
        except (KeyringError, OSError):
            continue
