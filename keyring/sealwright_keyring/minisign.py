"""Strict verification of minisign signatures: by the minisign program and by us, who must agree.

- A signature file is four lines: untrusted comment, signature, trusted comment, the signature over both; no more.
- The document is signed by its BLAKE2b-512 (`ED`). The older kind (`Ed`) signs the document itself, which is as
  good, but can't be checked without holding it whole: it is accepted up to 64 MiB, and refused beyond.
- Which kind a signature is, it does not cover: one over a document's hash also is an older one over the file that
  holds just that hash. So the older kind is refused over 64 bytes.
- The key's id in the signature chooses among the chosen keys; anybody can make a key with that id.
- The trusted comment belongs to what is signed; altered, the whole is refused. The untrusted one may be anything, and
  is nothing but shown, escaped, like the other.
- What minisign accepts, `cryptography` must accept with the pinned key; a no of either one is `Bad`.
- A signature has no time of its own (the usual trusted comment is text that a person chose): it is judged
  as of now, or as of when the caller knows that it was made.

Source: https://jedisct1.github.io/minisign/ (signature format), minisign 0.11.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from sealwright_keyring.agreement import both_accept, run_evidence, trouble
from sealwright_keyring.errors import KeyringError, MalformedError, RefusedError
from sealwright_keyring.feed import opened
from sealwright_keyring.judge import bad
from sealwright_keyring.minisign_keys import (
    LEGACY,
    MAX_UNTRUSTED,
    UNTRUSTED,
    MinisignKey,
    comment_of,
    decoded,
    malformed,
)
from sealwright_keyring.text import printable
from sealwright_keyring.tool import Hash, Run, Tool
from sealwright_keyring.verdicts import Good, Verdict

MAX_LEGACY = 64 << 20
_HASHED = b"ED"
_TRUSTED = b"trusted comment: "
_MAX_TRUSTED = 8192
_SIGNATURE, _GLOBAL = 74, 64
_HASH = 64  # bytes of a BLAKE2b-512


@dataclass(frozen=True)
class MinisignSignature:
    """What a signature file says; the comments as they came."""

    hashed: bool
    key_id: bytes
    signature: bytes
    trusted: bytes
    over_both: bytes
    untrusted: bytes


@dataclass(frozen=True)
class Minisign(Tool):
    """A minisign program: its name or path, the seconds that a run may take, and whom to run it as."""

    program: str = "minisign"

    @property
    def version(self) -> str:
        """What it calls itself."""
        return _version(self)

    def verify(self, key: MinisignKey, file: bytes, data: tuple[IO[bytes], int], also: Hash) -> Run:
        """Ask it for its verdict on a signature over a hash; `data` (stream, size) goes through a pipe.

        Raises:
            KeyringError: it is missing, too slow, or floods.
        """
        with self.private({"signature": file}) as folder:
            words = ["-V", "-H", "-P", key.text, "-x", f"{folder}/signature", "-m", "/dev/stdin"]
            return self.hold(words, stdin=data[0], size=data[1], also=also)

    def verify_legacy(self, key: MinisignKey, file: bytes, document: bytes) -> Run:
        """The same for a signature over the document itself, which minisign wants as a file.

        Raises:
            KeyringError: as above.
        """
        with self.private({"signature": file, "document": document}) as folder:
            words = ["-V", "-P", key.text, "-x", f"{folder}/signature", "-m", f"{folder}/document"]
            return self.hold(words, stdin=document, size=len(document))


@functools.cache
def _version(tool: Minisign) -> str:
    try:
        return printable(tool.hold(["-v"]).stdout.strip(), 100) or "minisign"
    except KeyringError:
        return "minisign"


def parse_signature(data: bytes) -> MinisignSignature:
    """The signature in a file.

    Raises:
        MalformedError: it is not exactly its four lines.
    """
    lines = data.removesuffix(b"\n").split(b"\n")
    if len(lines) != 4:
        raise malformed("it is not the four lines of a minisign signature")
    untrusted = comment_of(lines[0], UNTRUSTED, MAX_UNTRUSTED)
    raw = decoded(lines[1], _SIGNATURE)
    trusted = comment_of(lines[2], _TRUSTED, _MAX_TRUSTED)
    if raw[:2] not in (_HASHED, LEGACY):
        raise malformed("it is no Ed25519 signature")
    return MinisignSignature(
        raw[:2] == _HASHED, raw[2:10], raw[10:], trusted, decoded(lines[3], _GLOBAL), untrusted
    )


def verify_minisign(
    signature: bytes,
    data: Path | bytes,
    keys: Sequence[MinisignKey],
    *,
    signed_at: datetime | None = None,
    tool: Minisign | None = None,
) -> Verdict:
    """The verdict about a signature file over `data`; `signed_at` is when it was made, if the caller knows."""
    tool, as_of = tool or Minisign(), signed_at or datetime.now(UTC)
    base: dict[str, object] = {
        "kind": "minisign",
        "signature_sha256": hashlib.sha256(signature).hexdigest(),
        "tool": tool.version,
        "tool_uid": tool.uid,
        "chosen": sorted(key.fingerprint for key in keys),
        "time": f"the signature has none of its own; judged as of {as_of:%Y-%m-%d}",
    }
    try:
        found = parse_signature(signature)
        base |= {
            "key_id": found.key_id[::-1].hex().upper(),  # as minisign writes it
            "digest": "blake2b-512" if found.hashed else "none (legacy)",
            "trusted_comment": printable(found.trusted),
            "untrusted_comment": printable(found.untrusted),
        }
        return _asked(found, signature, data, _Question(tuple(keys), tool, as_of), base)
    except MalformedError as error:
        return bad("signature-malformed", base, error.because)
    except OSError as error:
        return bad("data-unreadable", base, error.strerror or str(error))
    except KeyringError as error:
        return bad(trouble(error), base, error.because)


@dataclass(frozen=True)
class _Question:
    keys: tuple[MinisignKey, ...]
    tool: Minisign
    time: datetime


def _asked(
    found: MinisignSignature, file: bytes, data: Path | bytes, asked: _Question, base: dict[str, object]
) -> Verdict:
    """Ask both checks, over one reading of the data."""
    same_id = [key for key in asked.keys if key.key_id == found.key_id]
    if not same_id:
        return bad("signature-unknown-key", base, f"key id {base['key_id']}")
    # Of several keys with one id, the one that made the signature; if none did, any will say so.
    own = next((key for key in same_id if key.made(found.over_both, found.signature + found.trusted)), same_id[0])
    with opened(data) as (stream, size):
        if found.hashed:
            state = hashlib.blake2b()
            run = asked.tool.verify(own, file, (stream, size), state)
            message = state.digest()
        else:
            message = stream.read(MAX_LEGACY + 1)
            if len(message) > MAX_LEGACY:
                return bad("algorithm-refused", base, "a legacy signature over more than 64 MiB")
            if len(message) == _HASH:
                return bad("algorithm-refused", base, "a legacy signature over what may be the hash of a document")
            run = asked.tool.verify_legacy(own, file, message)
    evidence = {**base, **run_evidence(run), "key": own.fingerprint}
    ours = own.made(found.signature, message) and own.made(found.over_both, found.signature + found.trusted)
    try:
        both_accept(run, yes=_says_yes(run), no=_says_no(run), ours=ours)
    except RefusedError as error:
        return bad(error.code, evidence, error.because)
    evidence["second_check"] = "agrees"
    digest = "BLAKE2B-512" if found.hashed else "none"
    return Good(own.fingerprint, asked.time, digest, "Ed25519", evidence)


def _says_yes(run: Run) -> bool:
    return run.returncode == 0 and run.stdout.startswith(b"Signature and comment signature verified\n")


def _says_no(run: Run) -> bool:
    said = run.stdout + run.stderr
    return run.returncode == 1 and (
        b"Signature verification failed" in said or b"Comment signature verification failed" in said
    )
