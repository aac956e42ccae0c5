"""Strict verification of OpenPGP signatures, by gpg in a private home and our own reading beside it.

- Each signature of a file is checked by itself: one packet, one run of gpg, one verdict.
- `verify_detached` is Good only if every signature is; a stranger's signature beside a good one is refused
  unless the caller tolerates strangers, and any other bad one always is.
- What the verdict speaks of is the SHA-256 in its evidence: the bytes that gpg was fed.
- Of a clearsigned document only the bytes that gpg says were signed are returned.
- What gpg accepts must pass a second check of the mathematics that knows nothing of gpg; a no there is `Bad`.
- A crash, a missing tool or an odd answer is `Bad`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType

from sealwright_keyring.agreement import trouble
from sealwright_keyring.certificates import certificates
from sealwright_keyring.cleartext import ClearDocument, split
from sealwright_keyring.errors import KeyringError, MalformedError
from sealwright_keyring.feed import opened
from sealwright_keyring.gpg import ATTACHED, Gpg, GpgRun
from sealwright_keyring.home import Key, PrivateHome
from sealwright_keyring.judge import ALGORITHMS, Case, Rules, bad, judge
from sealwright_keyring.packets import SignaturePacket, detached_signatures, signature_issuers
from sealwright_keyring.second import Canonical, DisagreesError, Document, new_hash
from sealwright_keyring.sequoia import opinion
from sealwright_keyring.text import printable
from sealwright_keyring.tool import Tool
from sealwright_keyring.verdicts import Bad, Evidence, Good, Verdict, Weak

__all__ = ["Bad", "Good", "Keyring", "Strangers", "Verdict", "Weak", "signature_issuers"]
MAX_DOCUMENT = 64 << 20
_TEXT = 0x01


class Strangers(StrEnum):
    """What a signature by an unknown key, beside a good one by a chosen key, does to the whole."""

    REFUSE = "refuse"
    TOLERATE = "tolerate"


class Keyring:
    """The chosen keys in a private home; a context manager.

    `sha256` is that of the minimal export of exactly these keys, `version` names the tool.
    """

    def __init__(self, home: PrivateHome) -> None:
        self._home = home
        self.sha256 = home.sha256
        self.version = home.version

    @classmethod
    def of(cls, certificate_files: Sequence[bytes], chosen: Collection[str], *, gpg: Gpg | None = None) -> Keyring:
        """A keyring of the `chosen` full fingerprints, taken out of the bytes of key files.

        Raises:
            KeyringError: a key is missing, unusable or named by less than its full fingerprint; or gpg is.
        """
        found = [certificate for file in certificate_files for certificate in certificates(file)]
        home = PrivateHome(gpg or Gpg())
        try:
            home.load(found, chosen)
        except BaseException:
            home.close()
            raise
        return cls(home)

    def __enter__(self) -> Keyring:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the private home."""
        self._home.close()

    @property
    def fingerprints(self) -> frozenset[str]:
        """The primary fingerprints that it holds."""
        return frozenset(key.primary for key in self._home.keys.values())

    @property
    def primary_keys(self) -> tuple[Key, ...]:
        """The primary keys that it holds, as gpg lists them."""
        return tuple(key for key in self._home.keys.values() if key.fingerprint == key.primary)

    def algorithm_of(self, fingerprint: str) -> str:
        """The kind of a held key, in words; for RSA with its bits."""
        key = self._home.keys[fingerprint]
        name = ALGORITHMS.get(key.algorithm, f"algorithm {key.algorithm} (refused)")
        return f"{name} {key.bits}" if name == "RSA" else name

    def opinion(self, signature: bytes, data: Path | bytes) -> Mapping[str, object]:
        """Sequoia's opinion of a file of signatures by the held keys; empty where it is not installed."""
        return opinion(signature, data, self._home.certificates, Tool("sqv", uid=self._home.gpg.uid))

    def verify_detached_many(
        self,
        signature: bytes,
        data: Path | bytes,
        *,
        now: datetime | None = None,
        judged_at_signing: bool = False,
    ) -> list[Verdict]:
        """One verdict for each signature in the file, in its order; at least one.

        `now` replaces the clock, for gpg too. Keys that expired since are Good if `judged_at_signing`.
        """
        rules = Rules(now or datetime.now(UTC), judged_at_signing)
        base: Evidence = {"signature_sha256": hashlib.sha256(signature).hexdigest(), **self._facts()}
        try:
            found = detached_signatures(signature)
        except MalformedError as error:
            return [bad("signature-malformed", base, error.because)]
        verdicts = [self._detached(packet, data, rules, now, base) for packet in found]
        seen = {verdict.evidence.get("data_sha256") for verdict in verdicts}
        if len(seen) > 1 and not any(verdict.reason_code == "data-unreadable" for verdict in _bad(verdicts)):
            return [bad("data-unreadable", base, "the data changed while it was checked")]
        return verdicts

    def verify_detached(
        self,
        signature: bytes,
        data: Path | bytes,
        *,
        now: datetime | None = None,
        judged_at_signing: bool = False,
        strangers: Strangers = Strangers.REFUSE,
    ) -> Verdict:
        """One verdict for the whole file of signatures over `data`."""
        verdicts = self.verify_detached_many(signature, data, now=now, judged_at_signing=judged_at_signing)
        return combined(verdicts, strangers)

    def verify_clearsigned_many(
        self, document: bytes | Path, *, now: datetime | None = None, judged_at_signing: bool = False
    ) -> tuple[list[Verdict], bytes]:
        """One verdict for each signature of a clearsigned document, and the signed bytes (or none)."""
        rules = Rules(now or datetime.now(UTC), judged_at_signing, clearsigned=True)
        base: Evidence = self._facts()
        try:
            with opened(document) as (stream, _size):
                whole = stream.read(MAX_DOCUMENT + 1)
            base = {**base, "data_sha256": hashlib.sha256(whole).hexdigest()}
            parts = split(whole[: MAX_DOCUMENT + 1], MAX_DOCUMENT)
        except OSError as error:
            return [bad("data-unreadable", base, error.strerror or str(error))], b""
        except MalformedError as error:
            return [bad("document-malformed", base, error.because)], b""
        answers = [self._clearsigned(parts, packet, rules, now, base) for packet in parts.signatures]
        texts = {text for verdict, text in answers if not isinstance(verdict, Bad)}
        if len(texts) > 1:
            return [bad("verifier-confused", base, "one document gave two texts")], b""
        return [verdict for verdict, _ in answers], next(iter(texts), b"")

    def verify_clearsigned(
        self,
        document: bytes | Path,
        *,
        now: datetime | None = None,
        judged_at_signing: bool = False,
        strangers: Strangers = Strangers.TOLERATE,
    ) -> tuple[Verdict, bytes]:
        """One verdict for a clearsigned document, and the bytes that were signed (empty if Bad)."""
        verdicts, text = self.verify_clearsigned_many(document, now=now, judged_at_signing=judged_at_signing)
        verdict = combined(verdicts, strangers)
        return verdict, b"" if isinstance(verdict, Bad) else text

    def _facts(self) -> dict[str, object]:
        return {
            "kind": "openpgp",
            "tool": self.version,
            "tool_uid": self._home.gpg.uid,
            "keyring_sha256": self.sha256,
            "chosen": sorted(self.fingerprints),
        }

    def _detached(
        self, packet: SignaturePacket, data: Path | bytes, rules: Rules, now: datetime | None, base: Evidence
    ) -> Verdict:
        try:
            with opened(data) as (stream, size):
                document = _document(packet)
                run = self._home.gpg.run(
                    self._home.folder,
                    ["--verify", "--", ATTACHED, "-"],
                    stdin=stream,
                    size=size,
                    now=_fake(now),
                    also=document,
                    attached=packet.raw,
                )
        except OSError as error:
            return bad("data-unreadable", base, error.strerror or str(error))
        except KeyringError as error:
            return bad(trouble(error), base, error.because)
        evidence = {**base, **_evidence(run, packet), "data_sha256": run.input_sha256}
        return self._seconded(judge(Case(packet, run, self._home.keys), rules, evidence), packet, document)

    def _seconded(self, verdict: Verdict, packet: SignaturePacket, document: Document | None) -> Verdict:
        """The verdict, if the second check agrees with it; `document` is the hash of what was signed."""
        if isinstance(verdict, Bad):
            return verdict
        try:
            if document is None:
                raise DisagreesError(f"digest {packet.digest} is not known")
            self._home.pinned.check(packet.raw, str(verdict.evidence["key"]), document)
        except DisagreesError as error:
            return bad("verifiers-disagree", verdict.evidence, str(error))
        return replace(verdict, evidence={**verdict.evidence, "second_check": "agrees"})

    def _clearsigned(
        self,
        parts: ClearDocument,
        packet: SignaturePacket,
        rules: Rules,
        now: datetime | None,
        base: Evidence,
    ) -> tuple[Verdict, bytes]:
        """Check the text with this one signature below it."""
        try:
            arguments = ["--output", "-", "--verify", "--", "-"]
            run = self._home.gpg.run(self._home.folder, arguments, stdin=parts.with_only(packet), now=_fake(now))
        except KeyringError as error:
            return bad(trouble(error), base, error.because), b""
        evidence = {**base, **_evidence(run, packet)}
        document = new_hash(packet.digest)
        if document is not None:
            document.update(parts.canonical)
        verdict = self._seconded(judge(Case(packet, run, self._home.keys), rules, evidence), packet, document)
        if not isinstance(verdict, Bad) and not parts.agrees(run.stdout):
            return bad("verifier-confused", evidence, "gpg's signed text is not the document's"), b""
        return verdict, run.stdout


def combined(verdicts: Sequence[Verdict], strangers: Strangers) -> Verdict:
    """One verdict out of those of all signatures of a file; with every signature's evidence."""
    if len(verdicts) == 1:
        return verdicts[0]
    refused = _bad(verdicts)
    unknown = [verdict for verdict in refused if verdict.reason_code == "signature-unknown-key"]
    others = [verdict for verdict in refused if verdict.reason_code != "signature-unknown-key"]
    genuine = [verdict for verdict in verdicts if not isinstance(verdict, Bad)]
    if others:
        return others[0]
    if unknown and (strangers is Strangers.REFUSE or not genuine):
        return unknown[0]
    if not genuine:
        return Bad("verifier-confused", "there was no verdict at all", "run `sealwright doctor`")
    goods = [verdict for verdict in genuine if isinstance(verdict, Good)]
    # Where strangers are tolerated one good signature carries the file; else each must be good.
    if strangers is Strangers.TOLERATE and goods:
        return goods[0]
    return next((verdict for verdict in genuine if isinstance(verdict, Weak)), genuine[0])


def _bad(verdicts: Sequence[Verdict]) -> list[Bad]:
    return [verdict for verdict in verdicts if isinstance(verdict, Bad)]


def _document(packet: SignaturePacket) -> Document | None:
    """What hashes a document as this signature covers it."""
    state = new_hash(packet.digest)
    return Canonical(state) if state is not None and packet.signature_class == _TEXT else state


def _fake(now: datetime | None) -> str:
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S}!" if now else ""


def _evidence(run: GpgRun, packet: SignaturePacket) -> dict[str, object]:
    return {
        "argv": [printable(word) for word in run.argv],
        "exit": run.returncode,
        "status": [printable(line) for line in run.status.splitlines()],
        "stderr": [printable(line, 300) for line in run.stderr.splitlines()[-8:]],
        "packet_sha256": hashlib.sha256(packet.raw).hexdigest(),
        "issuers": list(packet.issuers),
        "signed_at": packet.created.isoformat(),
        "duration_ms": round(run.seconds * 1000),
    }
