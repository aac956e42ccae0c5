"""What an audit says of the machine's attestation: whether the quote is good, and what that assures.

- Where the manifest asks for none, there is none to judge; a reviewer who named a key then gets a no.
- A quote that is missing, wrong, or by another key than those that the reviewer named is a no.
- An emulated TPM assures nothing, and a key that nobody vouched for assures nothing: both are said, in these words.
- What no quote says is named as not checked: what the PCRs should be, what ran since, whose TPM it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_stages.attestation import judge
from sealwright_stages.attestation.structures import StructureError
from sealwright_stages.attestation.words import EMULATED, FOLDER
from sealwright_stages.files import read_small
from sealwright_stages.findings import Finding, advice, bad, good, unchecked
from sealwright_stages.manifest import Manifest
from sealwright_stages.manifest_attestation import AttestationSpec
from sealwright_stages.reviewer import Reviewer

_WHAT = "attestation"
_NOTE = 1 << 20


def attestation(evidence: Path, manifest: Manifest, reviewer: Reviewer) -> list[Finding]:
    """Each thing to say of it; of nothing asked for and nothing named, nothing."""
    spec, named = manifest.attestation, reviewer.attestation_keys
    if spec is None:
        told = "you named a machine's key, and the manifest asks for no attestation"
        return [bad(_WHAT, told, _WHAT)] if named else []
    try:
        attested = judge.judge(read(evidence), spec, read_small(evidence / "log" / layout.SEALED, _NOTE))
    except (StructureError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        return [bad(_WHAT, f"no good quote, which the manifest asks for: {why or error}", _WHAT)]
    if named and attested.fingerprint not in named:
        return [bad(_WHAT, f"it is signed by {attested.fingerprint}, which is no key that you named", _WHAT)]
    return [*_worth(attested, spec, vouched=bool(named)), *_open(evidence, attested)]


def _worth(attested: judge.Attested, spec: AttestationSpec, *, vouched: bool) -> Iterator[Finding]:
    pcrs = f"the PCRs {judge.numbers(attested.pcrs)} (digest {attested.digest})"
    by = f"{attested.fingerprint} signed {pcrs} and this sealed checkpoint"
    if attested.emulated:
        words = f", which calls itself {attested.words}" if attested.words else ""
        yield advice(_WHAT, f"{EMULATED}; a TPM of software{words}, at {spec.tpm}: {by}", _WHAT)
    elif not vouched:
        told = f"{judge.UNKNOWN}; {by}. Whoever knows the machine's key names it: --attestation-key"
        yield advice(_WHAT, told, _WHAT)
    else:
        yield good(_WHAT, f"the TPM whose key you named says {pcrs} beside this sealed checkpoint: {by}", _WHAT)


def _open(evidence: Path, attested: judge.Attested) -> Iterator[Finding]:
    told = "what these PCRs should be, and what ran after the machine was started, no quote says"
    yield unchecked(_WHAT, f"{told}; that the key is in a TPM is the word of who set it up")
    path = evidence / FOLDER / judge.CERTIFICATE
    if path.exists():
        sha256 = hashlib.sha256(read_small(path, judge.LIMIT)).hexdigest()
        told = f"the endorsement certificate (SHA-256 {sha256}) was not read: neither its chain to a maker"
        yield unchecked(_WHAT, f"{told} is checked, nor that the key is in that TPM")


def read(evidence: Path) -> dict[str, bytes]:
    """The files of the quote that are there.

    Raises:
        OSError: one can't be read, or is larger than any is.
    """
    folder = evidence / FOLDER
    return {name: read_small(folder / name, judge.LIMIT) for name in judge.NAMES if (folder / name).exists()}


def listed(manifest: Manifest) -> set[str]:
    """The path of every file of an attestation that this release may have."""
    names = (*judge.NAMES, judge.CERTIFICATE) if manifest.attestation else ()
    return {f"{FOLDER}/{name}" for name in names}
