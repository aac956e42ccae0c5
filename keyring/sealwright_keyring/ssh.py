"""Strict verification of SSH signatures (PROTOCOL.sshsig of OpenSSH): by ssh-keygen and by us, who must agree.

- A signature file is one armored block of version 1, and nothing around it; a second block is refused.
- What it was made for, its namespace, is the one that is asked for: a signature over a file is none over a tag.
- The key inside is one of the chosen ones, byte for byte; a stranger's is refused, and so is a certificate.
- ssh-keygen goes by a list that we write: just the chosen keys, for this namespace, in a private folder. It is asked
  to verify, never merely whether the mathematics fits.
- What ssh-keygen accepts, `cryptography` must accept with the pinned key; a no of either one is `Bad`.
- A signature says no time of its own. What its maker signed may (a tag does): then that is its time, and must not
  lie ahead; else it is judged as of now. The evidence says as of when.
- A crash, a missing tool or an odd answer is `Bad`.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, ClassVar

from cryptography.exceptions import InvalidSignature

from sealwright_keyring.agreement import both_accept, run_evidence, trouble
from sealwright_keyring.errors import KeyringError, MalformedError, RefusedError
from sealwright_keyring.feed import opened
from sealwright_keyring.judge import LEEWAY, bad
from sealwright_keyring.ssh_keys import SshKey, Wire, fingerprint_of, malformed, parse_key
from sealwright_keyring.text import printable
from sealwright_keyring.tool import Hash, Run, Tool
from sealwright_keyring.verdicts import Bad, Evidence, Good, Verdict

BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
_END = b"\n-----END SSH SIGNATURE-----"
_BODY = re.compile(rb"[A-Za-z0-9+/]{1,76}={0,2}\Z")
_MAX_FILE = 1 << 16
_HASHES = ("sha256", "sha512")
_NAMESPACE = re.compile(r"[a-z][a-z0-9.@-]{0,63}\Z")
_PRINCIPAL = "chosen"


@dataclass(frozen=True)
class SshSignature:
    """What a signature says of itself: by which key, for what, by which digest; `value` as on the wire."""

    key: bytes
    namespace: str
    digest: str
    value: bytes

    def message(self, document: bytes) -> bytes:
        """What is signed, for a document with this digest."""
        parts = (self.namespace.encode(), b"", self.digest.encode(), document)
        return b"SSHSIG" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@dataclass(frozen=True)
class SshKeygen(Tool):
    """An ssh-keygen program: its name or path, the seconds that a run may take, and whom to run it as."""

    program: str = "ssh-keygen"
    needs_a_name: ClassVar[bool] = True

    @property
    def version(self) -> str:
        """What the ssh beside it calls itself."""
        return _version(replace(self, program="ssh"))

    def verify(
        self, keys: Sequence[SshKey], signature: bytes, namespace: str, data: tuple[IO[bytes], int], also: Hash
    ) -> Run:
        """Ask it for its verdict, with just these keys to choose from.

        Raises:
            KeyringError: it is missing, too slow, or floods.
        """
        allowed = "".join(f'{_PRINCIPAL} namespaces="{namespace}" {key.line}\n' for key in keys)
        with self.private({"allowed_signers": allowed.encode(), "signature": signature}) as folder:
            words = ["-Y", "verify", "-f", f"{folder}/allowed_signers", "-I", _PRINCIPAL, "-n", namespace]
            words += ["-s", f"{folder}/signature"]
            return self.hold(words, stdin=data[0], size=data[1], also=also)


@functools.cache
def _version(ssh: SshKeygen) -> str:
    try:
        return printable(ssh.hold(["-V"]).stderr.strip(), 100) or "OpenSSH"
    except KeyringError:
        return "OpenSSH"


def parse_signature(data: bytes) -> SshSignature:
    """The one signature in an armored file.

    Raises:
        MalformedError: it is none, or anything else is there.
    """
    if len(data) > _MAX_FILE:
        raise malformed("the signature file is too large to be one")
    if data.count(b"-----BEGIN") > 1:
        raise malformed("more than one signature block where one is allowed")
    if not data.startswith(BEGIN) or not data.removesuffix(b"\n").endswith(_END):
        raise malformed("it is not one armored SSH signature with nothing around it")
    lines = data.removesuffix(b"\n").removeprefix(BEGIN).removesuffix(_END).split(b"\n")
    if not all(_BODY.match(line) for line in lines):
        raise malformed("its body is not base64")
    text = b"".join(lines)
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise malformed("its body is not base64") from error
    if base64.b64encode(blob) != text:
        raise malformed("its base64 is not canonical")
    return _fields(Wire(blob))


def _fields(wire: Wire) -> SshSignature:
    if wire.take(6) != b"SSHSIG" or wire.uint32() != 1:
        raise malformed("it is no signature of version 1")
    key, namespace, reserved, digest = wire.string(), wire.name(), wire.string(), wire.name()
    value = wire.string()
    wire.done()
    if reserved:
        raise malformed("what is reserved in it is not empty")
    return SshSignature(key, namespace, digest, value)


def verify_ssh(
    signature: bytes,
    data: Path | bytes,
    keys: Sequence[SshKey],
    *,
    namespace: str,
    signed_at: datetime | None = None,
    now: datetime | None = None,
    tool: SshKeygen | None = None,
) -> Verdict:
    """The verdict about a file with one signature over `data`, for `namespace` (`git`, `file`).

    `signed_at` is when it was made, as what is signed says or the caller knows; `now` replaces the clock.
    """
    if not _NAMESPACE.match(namespace):
        raise ValueError(f"{namespace!r} is no namespace")
    tool, now = tool or SshKeygen(), now or datetime.now(UTC)
    base: dict[str, object] = {
        "kind": "ssh",
        "signature_sha256": hashlib.sha256(signature).hexdigest(),
        "tool": tool.version,
        "tool_uid": tool.uid,
        "chosen": sorted(key.fingerprint for key in keys),
        "signed_at": signed_at.isoformat() if signed_at else "",
        "time": f"the signature has none of its own; judged as of {signed_at or now:%Y-%m-%d}",
    }
    try:
        found = parse_signature(signature)
        base |= {"namespace": found.namespace, "digest": found.digest, "key": fingerprint_of(found.key)}
        chosen = _chosen(found, keys, namespace, base)
    except MalformedError as error:
        return bad("signature-malformed", base, error.because)
    except RefusedError as error:
        return bad(error.code, base, error.because)
    if isinstance(chosen, Bad):
        return chosen
    if signed_at is not None and signed_at > now + LEEWAY:
        return bad("signature-in-future", base, signed_at.isoformat())
    return _asked(found, signature, data, _Question(chosen, tuple(keys), tool, signed_at or now), base)


def _chosen(found: SshSignature, keys: Sequence[SshKey], namespace: str, base: Evidence) -> SshKey | Bad:
    """The chosen key that the signature names, or why it is refused before it is checked."""
    if found.namespace != namespace:
        return bad("signature-namespace", base, f"it was made for {found.namespace}, and not for {namespace}")
    if found.digest not in _HASHES:
        return bad("digest-weak", base, f"digest {found.digest}")
    parse_key(found.key)  # a kind that is refused is called so, whosever it is
    return next(
        (key for key in keys if key.blob == found.key),
        bad("signature-unknown-key", base, fingerprint_of(found.key)),
    )


@dataclass(frozen=True)
class _Question:
    key: SshKey
    keys: tuple[SshKey, ...]
    tool: SshKeygen
    time: datetime


def _asked(found: SshSignature, signature: bytes, data: Path | bytes, asked: _Question, base: Evidence) -> Verdict:
    """Ask both checks, over one reading of the data."""
    document = hashlib.new(found.digest)
    try:
        with opened(data) as fed:
            run = asked.tool.verify(asked.keys, signature, found.namespace, fed, document)
    except OSError as error:
        return bad("data-unreadable", base, error.strerror or str(error))
    except KeyringError as error:
        return bad(trouble(error), base, error.because)
    evidence = {**base, **run_evidence(run)}
    try:
        ours = _accepts(asked.key, found.value, found.message(document.digest()))
        both_accept(run, yes=_says_yes(run, found, asked.key), no=_says_no(run), ours=ours)
    except MalformedError as error:
        return bad("signature-malformed", evidence, error.because)
    except RefusedError as error:
        return bad(error.code, evidence, error.because)
    evidence["second_check"] = "agrees"
    return Good(asked.key.fingerprint, asked.time, found.digest.upper(), asked.key.algorithm, evidence)


def _accepts(key: SshKey, value: bytes, message: bytes) -> bool:
    try:
        key.check(value, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _says_yes(run: Run, found: SshSignature, key: SshKey) -> bool:
    lines = run.stdout.decode("utf-8", "replace").splitlines()
    yes = f'Good "{found.namespace}" signature for {_PRINCIPAL} with '
    return (
        run.returncode == 0
        and len(lines) == 1
        and lines[0].startswith(yes)
        and lines[0].endswith(f" key {key.fingerprint}")
    )


def _says_no(run: Run) -> bool:
    return run.returncode == 255 and b"Signature verification failed: incorrect signature" in run.stderr
