"""Judge an RPM package: by our own reading with gpg, and by rpm itself, which must agree.

- First layer: the package is read strictly, and the OpenPGP signature over its main header is judged as every
  signature is, by the chosen keys of the chosen persons.
- Second layer, only where the first says yes: rpmkeys with just the key that the first layer named.
- The signed header must name the package that was asked for, by its file's name: another package of the same
  signer is another package.
- Where the signature header holds what nobody vouches for, it is yellow.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.feed import opened
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Failed, Passed, Verdict, Warned
from sealwright_stages.verify.codes import RefusedError, failed, shown, warned
from sealwright_stages.verify.rpm_keys import RpmKeys, judge_answer
from sealwright_stages.verify.rpm_package import RpmPackage, read_package
from sealwright_stages.verify.settle import renamed
from sealwright_stages.verify.signatures import judge_signature
from sealwright_stages.verify.verifier import keyring_of, rpm_verifier

_EXTRA = "rpm-unsigned-extra"


def judge_rpm(path: Path, trust: Trust, rpmkeys: RpmKeys | None = None) -> Verdict:
    """Judge the package at `path`, whose name is the one that was asked for."""
    subject = ""
    evidence: dict[str, object] = {}
    try:
        with opened(path) as (stream, _):
            package = read_package(stream)
            subject, evidence = package.sha256, _evidence(package)
            return _judge(path.name, package, stream, trust, rpmkeys or rpm_verifier(), evidence)
    except RefusedError as error:
        return failed(error.code, f"{path.name}: {error.reason}", error.next_step, subject, evidence)
    except KeyringError as error:
        reason = f"{path.name}: {error.what}: {error.because}"
        return failed("keyring-unusable", reason, error.next_step, subject, evidence)
    except OSError as error:
        reason = f"{path.name}: {error.strerror or error}"
        return failed("data-unreadable", reason, "run again", subject, evidence)


def _judge(
    name: str, package: RpmPackage, stream: IO[bytes], trust: Trust, rpmkeys: RpmKeys, evidence: dict[str, object]
) -> Verdict:
    signed = judge_signature(package.signature.raw, package.header, trust, name)
    if isinstance(signed, Failed):
        return renamed(signed, package.sha256, evidence)
    evidence["signature"] = dict(signed.evidence)
    if name != package.file_name:
        raise RefusedError(
            "rpm-mismatch",
            f"the signed header is that of {shown(package.nevra)}",
            "look at the address; where it is right, ask whoever serves it why the file bears another name",
        )
    key = _signing_key(signed)
    chosen = {fingerprint for person in trust.persons for fingerprint in person.openpgp}
    with keyring_of(trust.certificates, chosen) as keyring:
        primary, certificate = keyring.certificate_of(key)
    stream.seek(0)
    run, evidence["rpmkeys"] = rpmkeys.ask(package, stream, certificate)
    judge_answer(run, package, {key, primary})
    return _with_extras(signed, package, evidence)


def _signing_key(signed: Passed | Warned) -> str:
    """The fingerprint of the one key that the first layer found to have signed."""
    signatures = signed.evidence["signatures"]
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise RefusedError("verifier-confused", "there is not one verdict on one signature", "report this")
    return str(signatures[0]["key"])


def _with_extras(signed: Passed | Warned, package: RpmPackage, evidence: dict[str, object]) -> Verdict:
    """The verdict of both layers, yellow if there is more in the package than they vouch for."""
    if not package.unsigned:
        return renamed(signed, package.sha256, evidence)
    codes = [signed.code, _EXTRA] if isinstance(signed, Warned) else [_EXTRA]
    reason = f"{signed.reason}; it carries file signatures, which its own does not cover"
    next_step = "get it without file signatures, or waive this by name"
    return warned("+".join(codes), reason, signed.next_step or next_step, package.sha256, evidence)


def _evidence(package: RpmPackage) -> dict[str, object]:
    return {
        "nevra": package.nevra,
        "version": f"{package.version}-{package.release}",
        "size": package.size,
        "header_sha256": package.header_sha256,
        "payload": f"{package.payload[0]}:{package.payload[1]}",
    }
