"""From what gpg said of one signature to a verdict: pure, no clock, no process.

- Good needs: exit code 0, GOODSIG, VALIDSIG with a chosen primary fingerprint, and the facts of our own parser
  and gpg's agreeing.
- A digest other than SHA-2 or SHA-3 of 256 bits or more is refused; so are DSA, ElGamal, RSA below 2048 bits.
- The key above a signing subkey is held to the same rules, since it vouches for the subkey.
- A signature more than 60 seconds in the future is refused; so is one that has itself expired.
- A revoked key is refused, whenever it signed.
- A key that expired after signing is Weak, or Good if the caller judges at the time of signing.
- Text mode, and additions in the unhashed area, are Weak.
- What is wrong with this machine or its programs sends nobody to the signer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sealwright_keyring.errors import MalformedError
from sealwright_keyring.gpg import GpgRun
from sealwright_keyring.home import Key
from sealwright_keyring.packets import SignaturePacket
from sealwright_keyring.status import CLEARSIGNED, Report, ValidSignature, parse
from sealwright_keyring.verdicts import CODES, Bad, Evidence, Good, Verdict, Weak

DIGESTS: Mapping[int, str] = {8: "SHA256", 9: "SHA384", 10: "SHA512", 12: "SHA3-256", 14: "SHA3-512"}
ALGORITHMS: Mapping[int, str] = {1: "RSA", 3: "RSA", 19: "ECDSA", 22: "EdDSA", 27: "Ed25519", 28: "Ed448"}
_BINARY, _TEXT = 0, 1
LEEWAY = timedelta(seconds=60)
_MISSING_KEY = 9
_NEXT: Mapping[str, str] = {
    "signature-unknown-key": "if you trust the signer, add the key by full fingerprint; else get other bytes",
    "signature-bad": "do not use the bytes; fetch them again from elsewhere, and ask the signer",
    "key-expired-at-signing": "get the signer's key afresh, its owner may have extended it; else ask for a new one",
    "key-expired-since": "get the signer's extended key, or waive this by name",
    "text-mode": "ask the signer for a binary signature, or waive this by name",
    "unhashed-extra": "fetch the signature again from elsewhere, or waive this by name",
    "key-revoked": "do not use the bytes; look for a signature by the signer's new key",
    "signature-in-future": "check this machine's clock, then ask the signer",
    "signature-namespace": "look whether it is the signature of these bytes; else ask for one that was made for this",
    "data-unreadable": "find out who writes there, then run again",
    "verifier-missing": "install it, `sealwright doctor` names its package; then run again",
    "verifier-killed": "run `sealwright doctor`, then again; if it dies again, do not use the bytes",
    "verifier-confused": "run `sealwright doctor`; if the machine is fit, report this with the log",
    "verifiers-disagree": "do not use the bytes; report this with the log",
}


@dataclass(frozen=True)
class Rules:
    """What the caller decides: the time now, whether keys are judged at signing time, whether text is expected."""

    now: datetime
    judged_at_signing: bool = False
    clearsigned: bool = False


@dataclass(frozen=True)
class Case:
    """One signature to judge: our reading of its packet, gpg's run over it, the chosen keys."""

    packet: SignaturePacket
    run: GpgRun
    keys: Mapping[str, Key]


def bad(code: str, evidence: Evidence, detail: str = "") -> Bad:
    """A refusal with the code's sentence and next step."""
    sentence = f"{CODES[code]} ({detail})" if detail else CODES[code]
    return Bad(code, sentence, _NEXT.get(code, "ask the signer for a fresh signature"), evidence)


def judge(case: Case, rules: Rules, evidence: Evidence) -> Verdict:
    """The verdict about one signature."""
    if case.run.returncode < 0 or case.run.returncode > 2:
        return bad("verifier-killed", evidence, f"exit status {case.run.returncode}")
    try:
        report = parse(case.run.status, CLEARSIGNED if rules.clearsigned else frozenset())
    except MalformedError as error:
        return bad("verifier-confused", evidence, error.because)
    if report.valid is None:
        return _invalid(case, report, evidence)
    if report.outcome == "REVKEYSIG":
        return bad("key-revoked", evidence)
    if report.outcome == "EXPSIG":
        return bad("signature-expired", evidence)
    # gpg leaves with 0 for a valid signature of an expired key, too; anything else is a trouble of its own.
    if case.run.returncode != 0:
        return bad("verifier-confused", evidence, f"exit status {case.run.returncode} beside {report.outcome}")
    return _valid(case, report, report.valid, rules, evidence)


def _invalid(case: Case, report: Report, evidence: Evidence) -> Bad:
    if case.run.returncode == 0:
        return bad("verifier-confused", evidence, f"exit status 0 beside {report.outcome}")
    if report.outcome == "BADSIG":
        return bad("signature-bad", evidence)
    if report.error_code == _MISSING_KEY:
        return bad("signature-unknown-key", evidence, ", ".join(case.packet.issuers))
    if case.packet.digest not in DIGESTS:
        return bad("digest-weak", evidence, f"digest {case.packet.digest}")
    if case.packet.algorithm not in ALGORITHMS:
        return bad("algorithm-refused", evidence, f"algorithm {case.packet.algorithm}")
    return bad("signature-bad", evidence, f"gpg's error {report.error_code}")


def _valid(case: Case, report: Report, valid: ValidSignature, rules: Rules, evidence: Evidence) -> Verdict:
    refusal = (
        _identity(case, valid, evidence) or _strength(case, valid, evidence) or _times(valid, rules, evidence)
    )
    if refusal:
        return refusal
    evidence = {**evidence, "key": valid.key}
    weaknesses = []
    expiries = (case.keys[name].expires for name in (valid.key, valid.primary))
    expires = min(filter(None, expiries), default=None)
    if report.outcome == "EXPKEYSIG" or (expires is not None and expires <= rules.now):
        if expires is None:
            return bad("verifier-confused", evidence, "an expired key without a day of expiry")
        if valid.created >= expires:
            return bad("key-expired-at-signing", evidence, f"expired {expires:%Y-%m-%d}")
        evidence = {**evidence, "key_expired": expires.isoformat()}
        if rules.judged_at_signing:
            evidence = {**evidence, "judged_at": "signing"}
        else:
            weaknesses.append("key-expired-since")
    if valid.signature_class == _TEXT and not rules.clearsigned:
        weaknesses.append("text-mode")
    if case.packet.unhashed_extra:
        weaknesses.append("unhashed-extra")
    if weaknesses:
        sentence = "; ".join(CODES[code] for code in weaknesses)
        return Weak("+".join(weaknesses), sentence, valid.primary, valid.created, _NEXT[weaknesses[0]], evidence)
    return Good(valid.primary, valid.created, DIGESTS[valid.digest], ALGORITHMS[valid.algorithm], evidence)


def _identity(case: Case, valid: ValidSignature, evidence: Evidence) -> Bad | None:
    """The key is one of ours, and gpg judged the packet that we read."""
    key = case.keys.get(valid.key)
    if key is None or key.primary != valid.primary or valid.primary not in case.keys:
        return bad("signature-unknown-key", evidence, valid.primary)
    packet = case.packet
    ours = (packet.created, packet.algorithm, packet.digest, packet.signature_class)
    if ours != (valid.created, valid.algorithm, valid.digest, valid.signature_class):
        return bad("verifier-confused", evidence, "gpg judged another signature than ours")
    if packet.issuers and packet.issuers[0][-16:] != valid.key[-16:]:
        return bad("signature-malformed", evidence, "it names another issuer than its key")
    if key.revoked:
        return bad("key-revoked", evidence)
    return None


def _strength(case: Case, valid: ValidSignature, evidence: Evidence) -> Bad | None:
    if valid.digest not in DIGESTS:
        return bad("digest-weak", evidence, f"digest {valid.digest}")
    if valid.algorithm not in ALGORITHMS:
        return bad("algorithm-refused", evidence, f"algorithm {valid.algorithm}")
    for name in (valid.key, valid.primary):
        key = case.keys[name]
        kind = ALGORITHMS.get(key.algorithm)
        if kind is None or (kind == "RSA" and key.bits < 2048):
            return bad("key-weak", evidence, f"{kind or f'algorithm {key.algorithm}'}, {key.bits} bits")
    return None


def _times(valid: ValidSignature, rules: Rules, evidence: Evidence) -> Bad | None:
    if valid.created > rules.now + LEEWAY:
        return bad("signature-in-future", evidence, valid.created.isoformat())
    if valid.expires is not None and valid.expires <= rules.now:
        return bad("signature-expired", evidence)
    expected = {_TEXT} if rules.clearsigned else {_BINARY, _TEXT}
    if valid.signature_class not in expected:
        return bad("signature-class", evidence, f"class 0x{valid.signature_class:02x}")
    return None
