"""Run the gpg that has the release key: in a home, or Split GPG's wrapper, which has the key in another qube.

- A home's key may be a file, an agent's or a smartcard's: that is between gpg, its agent and scdaemon.
- A passphrase is between gpg-agent, its pinentry and the person; it never passes through here.
- Split GPG gets only the options that its allow-list has (gpg-common.h of qubes-app-linux-split-gpg), spelled out.
- An agent that was not there before is ended again, so that no key stays unlocked behind the signer's back.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_keyring.errors import SignerError
from sealwright_keyring.text import printable

_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_FLAGS = ("--batch", "--no-tty", "--no-options", "--trust-model", "always", "--no-auto-check-trustdb")
_SPLIT_FLAGS = ("--batch", "--trust-model", "always")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}\Z")
_DESKTOP = ("GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR")  # what a pinentry needs to appear
_SPLIT = ("QUBES_GPG_DOMAIN", "HOME")
_NO_PROMPT = (b"Inappropriate ioctl for device", b"No such file or directory", b"No pinentry", b"No such device")
_PROTECTED = "unlock it in its agent, or have a signer elsewhere: docs/how-to/use-your-own-release-key.md"
_SECONDS = 100  # a person may have to type a passphrase
_LOOK = "look at the key and its agent"


@dataclass(frozen=True)
class SigningGpg:
    """A gpg: of this machine with a home, or a program that needs none."""

    home: Path | None = None
    program: str = "gpg"

    def secret_keys(self) -> list[tuple[str, str]]:
        """Full primary fingerprint and user id of each secret key.

        Raises:
            SignerError: gpg fails.
        """
        listing = self.run(["--with-colons", "--fixed-list-mode", "--list-secret-keys"]).decode("utf-8", "replace")
        return _listed(listing)

    def certificate(self, key: str) -> bytes:
        """The certificate of the key with this full fingerprint, as small as it gets. Raises SignerError."""
        return self.run(["--export-options", "export-minimal", "--export", key])

    def sign(self, key: str, data: bytes, *, armor: bool) -> bytes:
        """A detached signature over `data` by the key with this full fingerprint.

        Armored it is over SHA-512. Not armored it goes into an envelope, and is over SHA-256: securesystemslib, which
        is to verify it too, takes no other digest.

        Raises:
            SignerError: gpg fails or makes nothing.
        """
        form = ["--armor"] if armor else []
        digest = "SHA512" if armor else "SHA256"
        words = ["--no-emit-version", "--digest-algo", digest, "--local-user", f"0x{key}", "--output", "-"]
        signature = self.run([*form, *words, "--detach-sign"], data)
        if not signature:
            raise SignerError("gpg", "it made no signature", _LOOK)
        return signature

    def run(self, words: Sequence[str], data: bytes = b"") -> bytes:
        """Run it to its end; gives what it wrote. Raises SignerError."""
        try:
            done = subprocess.run(
                self._argv(words),
                input=data,
                capture_output=True,
                timeout=_SECONDS,
                env=self._environment(),
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SignerError(self.program, str(error), _LOOK) from error
        if done.returncode != 0:
            said = printable(b" / ".join(done.stderr.strip().splitlines())[-300:])
            if any(b"failed: " + sign in done.stderr for sign in _NO_PROMPT):
                raise SignerError("the key's passphrase", f"no prompt can appear for it here ({said})", _PROTECTED)
            raise SignerError(self.program, said or "it said nothing", _LOOK)
        return done.stdout

    def _argv(self, words: Sequence[str]) -> list[str]:
        if self.home is None:
            return [self.program, *_SPLIT_FLAGS, *words]
        return [self.program, "--homedir", str(self.home), *_FLAGS, *words]

    def _environment(self) -> dict[str, str]:
        if self.home is None:
            return {**_environment(), **{name: os.environ[name] for name in _SPLIT if name in os.environ}}
        return {**_environment(), "GNUPGHOME": str(self.home), "HOME": str(self.home)}


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
    gpg = SigningGpg(home)
    with own_agent(home):
        known = {fingerprint for fingerprint, _ in gpg.secret_keys()}
        gpg.run([*no_question, "--quick-generate-key", user, "ed25519", "sign", "never"])
        return next(fingerprint for fingerprint, _ in gpg.secret_keys() if fingerprint not in known)


@contextlib.contextmanager
def own_agent(home: Path | None) -> Iterator[None]:
    """For the time inside an agent may start; it is ended afterwards, unless it ran before. Without a home: nothing.

    Raises:
        SignerError: gpg's tools are missing.
    """
    if home is None:
        yield
        return
    ask = ["gpg-connect-agent", "--homedir", str(home), "--no-autostart", "GETINFO pid", "/bye"]
    there = _tool(ask).startswith(b"D ")  # its exit is 0 either way
    try:
        yield
    finally:
        if not there:
            _tool(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"])


def _listed(listing: str) -> list[tuple[str, str]]:
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


def _tool(argv: Sequence[str]) -> bytes:
    try:
        return subprocess.run(argv, capture_output=True, timeout=20, env=_environment(), check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SignerError(argv[0], str(error), "install gnupg") from error


def _environment() -> dict[str, str]:
    return {**_ENVIRONMENT, **{name: os.environ[name] for name in _DESKTOP if name in os.environ}}
