"""What checking a signature may say: Good, Weak, Bad; and what each reason code means.

- There is no fourth answer, no bool and no None.
- Weak is genuine but imperfect: it needs a person's waiver. Bad has no waiver.
- Every reason code is in `CODES`; several weaknesses of one signature are joined by `+`, so that a waiver
  for one does not cover another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Evidence = Mapping[str, object]
"""JSON-able facts: argument list, status lines, tool and version, fingerprints, times, hashes, milliseconds."""

CODES: Mapping[str, str] = {
    "text-mode": "the signature covers the text with any line ends, not the exact bytes",
    "unhashed-extra": "the signature carries additions that it does not cover; anybody can make those",
    "key-expired-since": "the key has expired since it made the signature",
    "rotation-overdue": "the signature was made after the day by which its signer's key was to be replaced",
    "signature-bad": "the signature does not belong to these bytes, or not to this key",
    "signature-malformed": "what should be a signature breaks the rules for one",
    "signature-unknown-key": "the signature was made by none of the chosen keys",
    "signature-expired": "the signature itself has expired",
    "signature-in-future": "the signature is dated in the future",
    "signature-class": "the signature was not made for a document",
    "signature-namespace": "the SSH signature was made for another purpose than this one",
    "signature-untouched": "the signature was made by a security key that nobody touched",
    "key-expired-at-signing": "the key had expired when it made the signature",
    "key-revoked": "the key has been revoked",
    "key-weak": "the key is too short or of a kind that is refused",
    "digest-weak": "the signature uses a broken or unknown digest",
    "algorithm-refused": "the signature uses an algorithm that is refused",
    "document-malformed": "the clearsigned document is not one plain signed text",
    "data-unreadable": "the signed data can't be read as a regular file",
    "verifier-missing": "the verifying program is missing or of a wrong version",
    "verifier-killed": "the verifying program crashed, was killed, or took too long",
    "verifiers-disagree": "one of the two checks of the signature says yes, and the other does not",
    "verifier-confused": "the verifying program did not say what it always says of a signature",
}


@dataclass(frozen=True)
class Good:
    """The chosen key with this primary fingerprint made this signature over these bytes."""

    fingerprint: str
    created: datetime
    digest: str
    algorithm: str
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True)
class Weak:
    """A chosen key made the signature, but a person must accept what is imperfect about it."""

    reason_code: str
    sentence: str
    fingerprint: str
    created: datetime
    next_step: str
    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True)
class Bad:
    """Refused."""

    reason_code: str
    sentence: str
    next_step: str
    evidence: Evidence = field(default_factory=dict)


Verdict = Good | Weak | Bad
