"""gpg's status lines about one signature, parsed strictly (doc/DETAILS of GnuPG).

- Only expected keywords are accepted, each line is whole, and the last one ends with a line feed.
- One NEWSIG, one outcome, and a VALIDSIG if and only if the outcome is one of a mathematically valid signature.
- The key is named by VALIDSIG's full fingerprints (fields 1 and 10), never by a key id or a user id.
- A contradiction, a repetition or silence is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sealwright_keyring.errors import MalformedError

_PREFIX = b"[GNUPG:] "
VALID_OUTCOMES = frozenset({"GOODSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"})
OUTCOMES = VALID_OUTCOMES | {"BADSIG", "ERRSIG"}
_BESIDE = frozenset(
    {
        "NEWSIG",
        "KEY_CONSIDERED",
        "SIG_ID",
        "VALIDSIG",
        "NO_PUBKEY",
        "KEYEXPIRED",
        "KEYREVOKED",
        "SIGEXPIRED",
        "TRUST_UNDEFINED",
        "TRUST_NEVER",
        "TRUST_MARGINAL",
        "TRUST_FULLY",
        "TRUST_ULTIMATE",
        "NOTATION_NAME",
        "NOTATION_FLAGS",
        "NOTATION_DATA",
        "POLICY_URL",
        "VERIFICATION_COMPLIANCE_MODE",
        "FAILURE",
    }
)
CLEARSIGNED = frozenset({"PLAINTEXT", "PLAINTEXT_LENGTH"})
_HEX = frozenset("0123456789ABCDEF")


@dataclass(frozen=True)
class ValidSignature:
    """A VALIDSIG line: the signing key, its primary key, and the signature's own facts."""

    key: str
    primary: str
    created: datetime
    expires: datetime | None
    algorithm: int
    digest: int
    signature_class: int


@dataclass(frozen=True)
class Report:
    """What gpg said of one signature."""

    outcome: str
    valid: ValidSignature | None
    error_code: int
    keywords: frozenset[str]


def parse(status: bytes, extra: frozenset[str] = frozenset()) -> Report:
    """Parse the whole status output of the verification of one signature.

    Raises:
        MalformedError: gpg did not say what it says of one signature, and nothing else.
    """
    lines = _lines(status)
    keywords = [words[0] for words in lines]
    for keyword in keywords:
        if keyword not in OUTCOMES and keyword not in _BESIDE and keyword not in extra:
            raise MalformedError(f"gpg said {keyword}, which does not belong to a check of one signature")
    counts: Mapping[str, int] = {keyword: keywords.count(keyword) for keyword in keywords}
    outcomes = [words for words in lines if words[0] in OUTCOMES]
    if counts.get("NEWSIG", 0) != 1 or len(outcomes) != 1:
        raise MalformedError("gpg did not give one answer about one signature")
    outcome = outcomes[0]
    if counts.get("VALIDSIG", 0) != int(outcome[0] in VALID_OUTCOMES):
        raise MalformedError("gpg's lines about the signature contradict each other")
    if outcome[0] == "GOODSIG" and "FAILURE" in counts:
        raise MalformedError("gpg reported a failure beside a good signature")
    valid = next((_valid(words) for words in lines if words[0] == "VALIDSIG"), None)
    if valid and outcome[1:2] != [valid.key[-16:]]:
        raise MalformedError("gpg's lines name two different keys")
    error_code = int(outcome[6]) if outcome[0] == "ERRSIG" and outcome[6:7] and outcome[6].isdigit() else 0
    return Report(outcome[0], valid, error_code, frozenset(keywords))


def _lines(status: bytes) -> list[list[str]]:
    if not status:
        raise MalformedError("gpg said nothing")
    if not status.endswith(b"\n"):
        raise MalformedError("gpg's status was cut in the middle of a line")
    lines = []
    for line in status[:-1].split(b"\n"):
        words = line.removeprefix(_PREFIX).decode("utf-8", "backslashreplace").split(" ")
        if not line.startswith(_PREFIX) or not words[0]:
            raise MalformedError("a line of gpg's status is not one")
        lines.append(words)
    return lines


def _valid(words: Sequence[str]) -> ValidSignature:
    try:
        _, key, _, created, expires, version, _, algorithm, digest, signature_class, primary = words
        if version != "4" or not _fingerprint(key) or not _fingerprint(primary):
            raise ValueError
        return ValidSignature(
            key,
            primary,
            datetime.fromtimestamp(int(created), UTC),
            datetime.fromtimestamp(int(expires), UTC) if int(expires) else None,
            int(algorithm),
            int(digest),
            int(signature_class, 16),
        )
    except (ValueError, OverflowError, OSError) as error:
        raise MalformedError("gpg's VALIDSIG line is not of the known form") from error


def _fingerprint(text: str) -> bool:
    return len(text) in (40, 64) and set(text) <= _HEX
