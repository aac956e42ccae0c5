"""Sign with gpg, from the key home that the signer was given.

- Signatures are detached and over SHA-512, that of an envelope over SHA-256; the key is named by its full fingerprint.
- A passphrase is between gpg-agent, its pinentry and the person; it never passes through here.
- An agent that was not there before is ended again, so that no key stays unlocked behind the signer's back.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from sealwright_keyring.errors import SignerError
from sealwright_keyring.text import printable

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_FLAGS = ("--batch", "--no-tty", "--no-options", "--trust-model", "always", "--no-auto-check-trustdb")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}\Z")
_DESKTOP = ("GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")  # what a pinentry needs to appear
_NO_PROMPT = (b"Inappropriate ioctl for device", b"No such file or directory", b"No pinentry", b"No such device")
_PROTECTED = "unlock it in its agent, or have a signer elsewhere: docs/how-to/use-your-own-release-key.md"
_SECONDS = 100  # a person may have to type a passphrase


def secret_keys(home: Path) -> list[tuple[str, str]]:
    """Fingerprint and user id of each secret key in `home`.

    Raises:
        SignerError: gpg fails.
    """
    listing = _gpg(home, ["--with-colons", "--list-secret-keys"]).decode("utf-8", "replace")
    found: list[tuple[str, str]] = []
    primary = ""
    expecting = False
    for line in listing.splitlines():
        fields = line.split(":")
        if fields[0] in ("sec", "ssb"):
            expecting = fields[0] == "sec"
        elif fields[0] == "fpr" and expecting:
            primary, expecting = fields[9], False
            found.append((primary, ""))
        elif fields[0] == "uid" and found and not found[-1][1]:
            found[-1] = (primary, fields[9])
    return found


def sign(home: Path, key: str, data: bytes, *, armor: bool) -> bytes:
    """A detached signature over `data` by the key with this full fingerprint.

    Raises:
        SignerError: gpg fails or makes nothing.
    """
    form = ["--armor"] if armor else []
    words = [
        *form,
        "--no-emit-version",
        "--digest-algo",
        "SHA512" if armor else "SHA256",  # what goes into an envelope is read by securesystemslib, too
        "--local-user",
        f"0x{key}",
        "--output",
        "-",
        "--detach-sign",
    ]
    signature = _gpg(home, words, data)
    if not signature:
        raise SignerError("gpg", "it made no signature", "look at the key and its agent")
    return signature


def make_throwaway_key(home: Path, name: str) -> str:
    """Make an Ed25519 key without a passphrase, for demos and tests; gives its fingerprint.

    Raises:
        SignerError: gpg fails.
    """
    if not _NAME.match(name):
        raise SignerError(f"the name {printable(name, 60)}", "it is not plain", "use letters, digits, . _ -")
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    user = f"{name} (throw-away, not for releases) <{name}@example.org>"
    no_question = ["--pinentry-mode", "loopback", "--passphrase", ""]
    with own_agent(home):
        known = {fingerprint for fingerprint, _ in secret_keys(home)}
        _gpg(home, [*no_question, "--quick-generate-key", user, "ed25519", "sign", "never"])
        return next(fingerprint for fingerprint, _ in secret_keys(home) if fingerprint not in known)


@contextlib.contextmanager
def own_agent(home: Path) -> Iterator[None]:
    """For the time inside an agent may start; it is ended afterwards, unless it ran before.

    Raises:
        SignerError: gpg's tools are missing.
    """
    ask = ["gpg-connect-agent", "--homedir", str(home), "--no-autostart", "GETINFO pid", "/bye"]
    there = _tool(ask).startswith(b"D ")  # its exit is 0 either way
    try:
        yield
    finally:
        if not there:
            _tool(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"])


def _tool(argv: Sequence[str]) -> bytes:
    try:
        return subprocess.run(argv, capture_output=True, timeout=20, env=_environment(), check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SignerError(argv[0], str(error), "install gnupg") from error


def _environment() -> dict[str, str]:
    return {**_ENVIRONMENT, **{name: os.environ[name] for name in _DESKTOP if name in os.environ}}


def _gpg(home: Path, words: Sequence[str], data: bytes = b"") -> bytes:
    argv = ["gpg", "--homedir", str(home), *_FLAGS, *words]
    try:
        done = subprocess.run(
            argv,
            input=data,
            capture_output=True,
            timeout=_SECONDS,
            env={**_environment(), "GNUPGHOME": str(home), "HOME": str(home)},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SignerError("gpg", str(error), "look at the key and its agent") from error
    if done.returncode != 0:
        said = printable(b" / ".join(done.stderr.strip().splitlines())[-300:])
        if any(b"failed: " + sign in done.stderr for sign in _NO_PROMPT):
            raise SignerError("the key's passphrase", f"no prompt can appear for it here ({said})", _PROTECTED)
        raise SignerError("gpg", said or "it said nothing", "look at the key and its agent")
    return done.stdout
