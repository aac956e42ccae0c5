"""The signer's conversation: one JSON object a line, each way; whatever it does not know it refuses.

- It signs only what was proposed whole, parsed, proved to be in its sealed log, and then agreed to: by a person who
  typed the first eight digits of the digest over all and the release's name, or by the signer's own policy file.
- All that is shown comes from what is signed; a console's own word is neither asked for nor taken.
- The release is the one that the provenance names; a request that names another is refused.
- Where it asks on its own terminal, only what is typed there counts; words from the other side do not.
- A proposal belongs to the conversation in which it was made, can be used once, right or wrong, and a newer one
  replaces it. Nothing is approved in advance. If what was shown is not so any more, since another conversation signed,
  it is refused.
- Each request and its answer is in the record, on disk, before the answer goes out; and with it the newest checkpoint
  of the log, which is remembered also where the rest of a proposal is refused.
- Many may speak with it; one at a time is answered.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Protocol

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.signer import requests
from sealwright_keyring.signer.differences import differences
from sealwright_keyring.signer.documents import Release, read_release
from sealwright_keyring.signer.history import split_release
from sealwright_keyring.signer.keys import SigningKey
from sealwright_keyring.signer.policy import SigningPolicy
from sealwright_keyring.signer.record import Record, now
from sealwright_keyring.signer.refusals import DocumentError, ForkError
from sealwright_keyring.signer.sealed import check_continues, check_sealed, read_log
from sealwright_keyring.signer.shown import head, lines, summary
from sealwright_keyring.text import printable

VERSION = "2"
_DIGITS = 8
_AGAIN = "nothing was signed; propose it again"
_KEPT = 2000  # characters of a request that the record keeps


class Asker(Protocol):
    """A person at the signer's own terminal."""

    def ask(self, lines: Sequence[str], head: Sequence[str]) -> tuple[str, str]:
        """Show `lines`; gives the digits and the release's name as typed. Raises SignerError."""


@dataclass(frozen=True)
class Proposed:
    """What was shown, and waits for a yes."""

    id: str
    release: Release
    vkey: str
    shown: tuple[str, ...]


class WrongWordsError(DocumentError):
    """What was typed is not what was shown."""


class Signer:
    """What all conversations share: key, record, policy, the person, and the lock that lets one in at a time."""

    def __init__(
        self,
        key: SigningKey,
        record: Record,
        policy: SigningPolicy | None = None,
        asker: Asker | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.key, self.record, self.policy, self.asker, self.clock = key, record, policy, asker, clock
        self.lock = threading.Lock()

    def policy_refusal(self, release: Release, vkey: str) -> str:
        """Why this is not signed without a person; empty if it is."""
        if self.asker is not None:
            return "this signer asks at its own terminal"
        if self.policy is None:
            return "nobody typed the digits, and the signer has no policy of its own"
        before = self.record.history.releases.get(release.name)
        return self.policy.refusal(release, vkey, before.digest if before else "")


class Conversation:
    """One who speaks with a signer; `peer` is who that is, as the transport knows."""

    def __init__(self, signer: Signer, peer: str = "") -> None:
        self._signer, self._peer = signer, peer
        self._proposed: Proposed | None = None
        self._facts: dict[str, object] = {}

    def serve(self, stream: BinaryIO, answers: BinaryIO) -> None:
        """Answer every line of `stream`.

        Raises:
            KeyringError, OSError: the record can't be written, so nothing is answered any more.
        """
        for line in requests.lines(stream):
            with self._signer.lock:
                answer = self.answer(line)
            answers.write(json.dumps(answer, sort_keys=True).encode() + b"\n")
            answers.flush()

    def answer(self, line: bytes) -> dict[str, Any]:
        """The answer to a line, which is in the record by then. Raises as `serve`."""
        self._facts = {}
        try:
            answer = self._answer(requests.read(line))
        except DocumentError as error:
            if isinstance(error, ForkError):
                self._facts |= {"contradicts": {"seen": error.seen, "shown": error.shown}}
            if isinstance(error, WrongWordsError):
                self._facts["wrong"] = True
            answer = _refusal(printable(str(error), 400), error.next_step)
        except (ValueError, RecursionError) as error:
            answer = _refusal(printable(str(error), 300), "send it as docs/reference/signer-protocol.md says")
        except KeyringError as error:
            answer = _refusal(printable(f"{error.what}: {error.because}", 600), error.next_step)
        self._remember(line, answer)
        return answer

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._facts["op"] = request["op"]
        if request["op"] == "hello":
            key = {"fingerprint": self._signer.key.fingerprint, "uid": self._signer.key.uid}
            return {"ok": True, "signer": VERSION, "keys": [key]}
        if request["op"] == "seen":
            seen = self._signer.record.history.seen.get(requests.text(request["origin"], "the origin"))
            if seen is None:
                return {"ok": True, "size": 0, "root": ""}
            return {"ok": True, "size": seen.checkpoint.size, "root": seen.checkpoint.root.hex()}
        return self._propose(request) if request["op"] == "propose" else self._sign(request)

    def _propose(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._proposed = None
        signer, history = self._signer, self._signer.record.history
        release = read_release(requests.documents(request["documents"]))
        if request["release"] != release.name:
            asked = printable(str(request["release"]), 100)
            raise DocumentError(f"the provenance is of {release.name}, and the request says {asked}")
        log = read_log(request["log"])
        before = history.seen.get(log.key.name)
        check_continues(log, before)
        seen = log.seen(sealed=before is not None and before.sealed)
        if seen != before:
            self._facts["checkpoint"] = {"vkey": seen.vkey, "note": seen.note, "sealed": seen.sealed}
        check_sealed(log, release)
        self._facts["checkpoint"] = {"vkey": seen.vkey, "note": seen.note, "sealed": True}
        self._within_limits()
        shown = self._shown(release, seen.vkey)
        self._facts |= {"release": release.name, "digest": release.digest, "shown": shown}
        self._proposed = Proposed(secrets.token_hex(8), release, seen.vkey, shown)
        refusal = signer.policy_refusal(release, seen.vkey)
        told = summary(shown)
        if signer.policy is not None and signer.asker is None and refusal:
            told.insert(0, f"the signer's policy does not cover this: {refusal}")
        return {
            "ok": True,
            "proposal": self._proposed.id,
            "summary": told,
            "digest": release.digest,
            "needs": "confirmation" if refusal else "policy",
        }

    def _shown(self, release: Release, vkey: str) -> tuple[str, ...]:
        last = self._signer.record.history.last.get(split_release(release.name)[0])
        return tuple(lines(release, differences(release, vkey, last)))

    def _sign(self, request: Mapping[str, Any]) -> dict[str, Any]:
        proposed, self._proposed = self._proposed, None
        if proposed is None or request["proposal"] != proposed.id:
            raise DocumentError("nothing was proposed here under that name, or it was used already", _AGAIN)
        release = proposed.release
        self._facts |= {"release": release.name, "digest": release.digest}
        self._within_limits()
        signed = self._signer.record.history.releases.get(release.name)
        same = signed is not None and signed.digest == release.digest
        if not same and self._shown(release, proposed.vkey) != proposed.shown:
            raise DocumentError("another conversation signed meanwhile: what was shown is not so any more", _AGAIN)
        self._agreed(proposed, request)
        signatures = [self._signer.key.sign(document) for document in release.documents]
        self._facts["signed"] = {
            "release": release.name,
            "digest": release.digest,
            "vkey": proposed.vkey,
            "sha256sums": release.products.data.decode("ascii"),
            "provenance": base64.b64encode(release.provenance.data).decode(),
        }
        return {"ok": True, "signatures": signatures, "fingerprint": self._signer.key.fingerprint}

    def _agreed(self, proposed: Proposed, request: Mapping[str, Any]) -> None:
        """Raise unless a person typed what was shown, or the policy covers it."""
        typed_digest, typed_release = request.get("typed_digest"), request.get("typed_release")
        if self._signer.asker is not None:
            typed_digest, typed_release = self._signer.asker.ask(proposed.shown, head(proposed.release))
        if typed_digest is None and typed_release is None:
            if refusal := self._signer.policy_refusal(proposed.release, proposed.vkey):
                raise DocumentError(refusal, _AGAIN)
            return
        digits = "".join(str(typed_digest).split()).lower()
        expected = proposed.release.digest[: max(_DIGITS, len(digits))]
        if not hmac.compare_digest(digits.encode(), expected.encode()):
            raise WrongWordsError("the typed digits are not the digest's", _AGAIN)
        if typed_release != proposed.release.name:
            raise WrongWordsError("the typed name is not the release's", _AGAIN)

    def _within_limits(self) -> None:
        if refusal := self._signer.record.history.refusal(self._signer.clock()):
            raise refusal

    def _remember(self, line: bytes, answer: Mapping[str, Any]) -> None:
        shown = printable(line[: 2 * _KEPT].decode("utf-8", "replace"), _KEPT)
        peer = {"peer": self._peer} if self._peer else {}
        self._signer.record.append({**self._facts, **peer, "request": shown, "answer": dict(answer)})


def _refusal(because: str, next_step: str) -> dict[str, Any]:
    return {"ok": False, "because": because, "next": next_step}
