"""The signer's conversation: one JSON object a line, each way; whatever it does not know it refuses.

- It signs only what was proposed whole, parsed, and then agreed to: by a person who typed the first eight digits
  of the digest over all and the release's name, or by the signer's own policy file.
- The release is the one that the provenance names, which is signed; a request that names another is refused.
- Where it asks on its own terminal, only what is typed there counts; words from the other side do not.
- A proposal can be used once, right or wrong; a newer one replaces it.
- An unknown operation or key, an oversized line, broken JSON is refused, and the conversation goes on.
- Each request and its answer is in the append-only record, on disk, before the answer goes out.
- At most ten signings a process.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from sealwright_keyring.errors import KeyringError, SignerError
from sealwright_keyring.signer import gpg_sign
from sealwright_keyring.signer.documents import Document, DocumentError, check_set, digest, parse
from sealwright_keyring.signer.policy import SigningPolicy
from sealwright_keyring.text import printable

VERSION = "1"
MAX_LINE = 16 << 20
_MAX_SIGNINGS = 10
_DIGITS = 8
_KEYS = {
    "hello": {"op"},
    "propose": {"op", "release", "documents", "context"},
    "sign": {"op", "proposal", "typed_digest", "typed_release"},
}


class Asker(Protocol):
    """A person at the signer's own terminal."""

    def ask(self, lines: Sequence[str]) -> tuple[str, str]:
        """Show `lines`; gives the digits and the release's name as typed. Raises SignerError."""


@dataclass(frozen=True)
class Proposed:
    """What was shown, and waits for a yes."""

    id: str
    release: str
    documents: tuple[Document, ...]
    digest: str
    warnings: tuple[str, ...]
    summary: tuple[str, ...]

    @property
    def products(self) -> int:
        """How many products are to be signed."""
        return sum(len(document.files) for document in self.documents if document.kind == "sha256sums")


class SignerServer:
    """Answers requests over two streams until the first ends."""

    def __init__(
        self,
        home: Path,
        record: Path,
        policy: SigningPolicy | None = None,
        key: str | None = None,
        asker: Asker | None = None,
    ) -> None:
        self._home, self._policy, self._asker = home, policy, asker
        self._record = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        keys = gpg_sign.secret_keys(home)
        self._keys = [pair for pair in keys if key is None or pair[0] == key.upper()]
        if len(self._keys) != 1:
            raise SignerError(
                f"the key home {home}",
                f"it has {len(self._keys)} keys that fit",
                "name one: --key <full fingerprint>",
            )
        self._proposed: dict[str, Proposed] = {}
        self._signings = 0

    def serve(self, requests: BinaryIO, answers: BinaryIO) -> None:
        """Answer every line of `requests`."""
        while line := requests.readline(MAX_LINE + 1):
            whole = line.endswith(b"\n")
            while not whole and (rest := requests.readline(MAX_LINE)):
                whole = rest.endswith(b"\n")  # the rest of an oversized line is no request
            try:
                if len(line) > MAX_LINE or not line.endswith(b"\n"):
                    raise DocumentError("the request is too long, or cut off")
                answer = self._answer(json.loads(line, object_pairs_hook=_once))
            except (DocumentError, ValueError, RecursionError) as error:
                answer = _refusal(printable(str(error), 300), "send it as docs/reference says")
            except KeyringError as error:
                answer = _refusal(f"{error.what}: {error.because}", error.next_step)
            self._remember(line, answer)
            answers.write(json.dumps(answer, sort_keys=True).encode() + b"\n")
            answers.flush()

    def _answer(self, request: Any) -> dict[str, Any]:
        if not isinstance(request, dict):
            raise DocumentError("a request is a JSON object")
        operation = request.get("op")
        if not isinstance(operation, str) or operation not in _KEYS:
            raise DocumentError("there is no such operation")
        if unknown := set(request) - _KEYS[operation]:
            raise DocumentError(f"the request has an unknown key {sorted(unknown)[0]!r}")
        if operation == "hello":
            keys = [{"fingerprint": fingerprint, "uid": printable(uid, 200)} for fingerprint, uid in self._keys]
            return {"ok": True, "signer": VERSION, "keys": keys}
        if operation == "propose":
            return self._propose(request)
        return self._sign(request)

    def _propose(self, request: Mapping[str, Any]) -> dict[str, Any]:
        context = request.get("context", {})
        if not isinstance(context, dict):
            raise DocumentError("a proposal's context is a JSON object")
        documents = tuple(_document(each) for each in _list(request.get("documents")))
        release = check_set(documents)
        if request.get("release") != release:
            asked = printable(str(request.get("release")), 100)
            raise DocumentError(f"the provenance is of {release}, and the request says {asked}")
        warnings = tuple(printable(str(each), 200) for each in _list(context.get("warnings", [])))
        waivers = [printable(str(each), 200) for each in _list(context.get("waivers", []))]
        summary = [document.summary for document in documents]
        summary.append(f"{len(warnings)} warnings, {len(waivers)} waivers")
        summary += [f"waived: {waiver}" for waiver in waivers[:20]]
        identity = secrets.token_hex(8)
        proposed = Proposed(identity, release, documents, digest(documents), warnings, tuple(summary))
        self._proposed = {identity: proposed}
        refusal = self._policy_refusal(proposed)
        if self._policy is not None and refusal:
            summary.append(f"the signer's policy does not cover this: {refusal}")
        return {
            "ok": True,
            "proposal": identity,
            "summary": summary,
            "digest": proposed.digest,
            "needs": "confirmation" if refusal else "policy",
        }

    def _sign(self, request: Mapping[str, Any]) -> dict[str, Any]:
        proposed = self._proposed.pop(str(request.get("proposal")), None)
        if proposed is None:
            raise DocumentError("nothing was proposed under that name, or it was used already")
        if self._signings >= _MAX_SIGNINGS:
            return _refusal(f"it has signed {_MAX_SIGNINGS} times", "start it again")
        if refusal := self._refusal(proposed, request):
            return _refusal(refusal, "nothing was signed; propose it again")
        self._signings += 1
        key = self._keys[0][0]
        signatures: list[dict[str, str]] = []
        for document in proposed.documents:
            armored = document.kind != "dsse-payload"
            signature = gpg_sign.sign(self._home, key, document.to_sign, armor=armored)
            told = (
                {"armor": signature.decode("ascii")}
                if armored
                else {"base64": base64.b64encode(signature).decode()}
            )
            signatures.append({"name": document.name, **told})
        return {"ok": True, "signatures": signatures, "fingerprint": key}

    def _refusal(self, proposed: Proposed, request: Mapping[str, Any]) -> str:
        typed_digest, typed_release = request.get("typed_digest"), request.get("typed_release")
        if self._asker is not None:
            typed_digest, typed_release = self._asker.ask(_shown(proposed))
        if typed_digest is not None or typed_release is not None:
            typed = str(typed_digest).replace(" ", "").lower()
            if len(typed) < _DIGITS or not hmac.compare_digest(
                typed.encode(), proposed.digest[: max(_DIGITS, len(typed))].encode()
            ):
                return "the typed digits are not the digest's"
            return "" if typed_release == proposed.release else "the typed name is not the release's"
        return self._policy_refusal(proposed)

    def _policy_refusal(self, proposed: Proposed) -> str:
        if self._policy is None or self._asker is not None:
            return "nobody typed the digits, and the signer has no policy of its own"
        return self._policy.refusal(proposed.release, proposed.products, len(proposed.warnings))

    def _remember(self, request: bytes, answer: Mapping[str, Any]) -> None:
        shown = printable(request.decode("utf-8", "replace")[:2000], 2000)
        entry = {"t": datetime.now(UTC).isoformat(), "request": shown, "answer": answer}
        rest = memoryview(json.dumps(entry, sort_keys=True).encode() + b"\n")
        while rest:
            rest = rest[os.write(self._record, rest) :]
        os.fsync(self._record)


def _shown(proposed: Proposed) -> list[str]:
    """What a person sees before typing: release, digest in groups of four, counts, warnings."""
    grouped = " ".join(proposed.digest[start : start + 4] for start in range(0, 64, 4))
    warned = [f"warning: {warning}" for warning in proposed.warnings[:20]]
    return [f"release: {proposed.release}", f"digest:  {grouped}", *proposed.summary, *warned]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DocumentError("a JSON object names a key twice")
    return found


def _document(each: Any) -> Document:
    if not isinstance(each, dict) or set(each) != {"name", "kind", "base64"}:
        raise DocumentError("a document has a name, a kind and base64")
    try:
        data = base64.b64decode(str(each["base64"]), validate=True)
    except ValueError:
        raise DocumentError("a document's base64 is broken") from None
    return parse(str(each["name"]), str(each["kind"]), data)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise DocumentError("a list is wanted")
    return value


def _refusal(because: str, next_step: str) -> dict[str, Any]:
    return {"ok": False, "because": because, "next": next_step}
