"""What is told of a build besides its log: each provenance and the SBOM say what the log says, and are signed.

- Both are made anew from the log and the manifest, and compared byte for byte.
- One provenance, at least, is signed by a person who counts.
- A raw Ed25519 signature beside that by OpenPGP is by a key of a person who signed that very envelope, as the reviewer's
  keyring has the keys, or for a person whom that does not have, or has without one, the folder's own. It counts for nobody.
- A bad signature beside a good one is a no: nothing in an envelope goes unchecked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sealwright_keyring.ed25519_keys import Ed25519Key
from sealwright_keyring.policy import Policy
from sealwright_stages.audit_signatures import Required
from sealwright_stages.errors import SealwrightError, SigningError
from sealwright_stages.files import read_small
from sealwright_stages.findings import Finding, advice, bad, good
from sealwright_stages.manifest import Manifest
from sealwright_stages.sign.dsse import Raw, pae, read
from sealwright_stages.sign.provenance import SealedLog, Told, told
from sealwright_stages.sign.release_signatures import persons_of
from sealwright_stages.sign.sbom import SBOM
from sealwright_stages.state import State

_MAX = 256 << 20  # bytes of a provenance, or of an SBOM


def told_files(
    evidence: Path, state: State, manifest: Manifest, log: SealedLog, wants: Required, own: Policy
) -> list[Finding]:
    """Whether each provenance and the SBOM say what the log says; `own` is the policy in the evidence folder."""
    try:
        says = told(state, manifest, log)
    except (SealwrightError, OSError, ValueError) as error:
        why = error.because if isinstance(error, SealwrightError) else str(error)
        return [bad("provenance", f"what it should say can't be told: {why}", "provenance")]
    return [*_sbom(evidence, says), *provenance(evidence, wants, says.statement, own)]


def _sbom(evidence: Path, says: Told) -> list[Finding]:
    try:
        same = read_small(evidence / SBOM, _MAX) == says.sbom
    except OSError as error:
        return [bad(SBOM, error.strerror or str(error), "sbom")]
    if not same:
        return [bad(SBOM, "it says something else than the log", "sbom")]
    return [good(SBOM, "it names what the log says that the products were made from", "sbom")]


def provenance(evidence: Path, wants: Required, said: bytes, own: Policy) -> list[Finding]:
    """Whether each provenance says `said` and no more, and who signed it."""
    findings: list[Finding] = []
    counted: set[str] = set()
    for path in sorted(evidence.glob("provenance.*.dsse.json")):
        try:
            payload, signature, raw = read(read_small(path, _MAX))
            who = persons_of(signature, pae(payload), wants.policy, wants.names)
            if payload != said:
                return [bad("provenance", f"{path.name} says something else than the log", "provenance")]
            findings += _raw(path.name, payload, raw, who or _owners(path.name, own), wants.policy, own)
        except (OSError, ValueError, SigningError) as error:
            return [bad("provenance", f"{path.name}: {error}", "provenance")]
        if not who:
            findings.append(advice("provenance", f"{path.name} is signed by nobody who counts", "provenance"))
        counted |= who
    if not counted:
        return [*findings, bad("provenance", "none is signed by a person who counts", "provenance")]
    return [
        *findings,
        good("provenance", f"it says what the log says, signed by {', '.join(sorted(counted))}", "provenance"),
    ]


def _owners(name: str, own: Policy) -> frozenset[str]:
    """Whose an envelope is by its file's name, where nobody who counts has signed it."""
    return frozenset({name.removeprefix("provenance.").removesuffix(".dsse.json")} & own.persons.keys())


def _raw(
    name: str, payload: bytes, raw: Raw | None, who: frozenset[str], policy: Policy, own: Policy
) -> Iterator[Finding]:
    if raw is None:
        return
    found = [
        (person, key) for person in sorted(who) for key in _keys(person, policy, own) if key.keyid == raw.keyid
    ]
    if not found:
        told = f"{name}: the Ed25519 key {raw.keyid} is of nobody who signed it"
        yield bad("provenance", told, "provenance-raw")
    for person, key in found:
        if key.made(raw.signature, pae(payload)):
            yield good("provenance", f"{name}: Ed25519 signature by {person}, too", "provenance-raw")
        else:
            yield bad("provenance", f"{name}: its Ed25519 signature does not verify", "provenance-raw")


def _keys(person: str, policy: Policy, own: Policy) -> tuple[Ed25519Key, ...]:
    """The Ed25519 keys of a person: the reviewer's word before the folder's."""
    theirs, folders = policy.persons.get(person), own.persons.get(person)
    return (theirs.ed25519 if theirs else ()) or (folders.ed25519 if folders else ())
