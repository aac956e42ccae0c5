"""A world of throw-away keys, made once: signers, an outsider, an impostor, and keys that must not count."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.rooms import short_folder

DATA = b"the bytes that were meant\n"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"}


@dataclass
class World:
    """One GnuPG home with all keys; `fpr` by short name."""

    home: Path
    fpr: dict[str, str] = field(default_factory=dict)

    def gpg(self, *words: str, stdin: bytes = b"", time: str = "") -> bytes:
        clock = ["--faked-system-time", f"{time}!"] if time else []
        argv = ["gpg", "--homedir", str(self.home), "--no-options", "--batch", "--no-tty", "--quiet", "--yes"]
        argv += ["--trust-model", "always", "--pinentry-mode", "loopback", "--passphrase", "", *clock, *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, env=ENVIRONMENT, check=False, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def make(
        self, name: str, algorithm: str = "ed25519", *, uid: str = "", expire: str = "never", time: str = ""
    ) -> str:
        before = set(self.listed())
        user = uid or f"{name} <{name}@example.org>"
        self.gpg("--quick-generate-key", user, algorithm, "cert,sign", expire, time=time)
        (new,) = set(self.listed()) - before
        self.fpr[name] = new
        return new

    def listed(self) -> list[str]:
        lines = self.gpg("--with-colons", "--list-secret-keys").decode().splitlines()
        found, primary = [], False
        for line in lines:
            if line.startswith(("sec:", "ssb:")):
                primary = line.startswith("sec:")
            elif line.startswith("fpr:") and primary:
                found.append(line.split(":")[9])
                primary = False
        return found

    def sign(
        self, *names: str, data: bytes = DATA, options: tuple[str, ...] = (), time: str = "", armor: bool = True
    ) -> bytes:
        users = [word for name in names for word in ("--local-user", self.fpr.get(name, name))]
        form = ["--armor"] if armor else []
        return self.gpg(*form, *users, *options, "--output", "-", "--detach-sign", stdin=data, time=time)

    def clearsign(self, *names: str, data: bytes = DATA) -> bytes:
        users = [word for name in names for word in ("--local-user", self.fpr[name])]
        return self.gpg(*users, "--digest-algo", "SHA256", "--output", "-", "--clear-sign", stdin=data)

    def cert(self, *names: str) -> bytes:
        return self.gpg("--export", *(self.fpr[name] for name in names))


def revoke(world: World, name: str) -> None:
    revocation = world.home / "openpgp-revocs.d" / f"{world.fpr[name]}.rev"
    text = revocation.read_text().replace(":-----BEGIN", "-----BEGIN")
    world.gpg("--import", stdin=text.encode())


def revoke_subkey(world: World, name: str) -> None:
    """Revoke the first subkey; the primary key stands."""
    argv = ["gpg", "--homedir", str(world.home), "--no-options", "--no-tty", "--command-fd", "0", "--quiet"]
    argv += ["--trust-model", "always", "--pinentry-mode", "loopback", "--passphrase", ""]
    argv += ["--expert", "--edit-key", world.fpr[name]]
    talk = b"key 1\nrevkey\ny\n0\n\ny\nsave\n"
    subprocess.run(argv, input=talk, capture_output=True, env=ENVIRONMENT, check=True, timeout=60)


def populate(world: World) -> None:
    world.make("s1", uid="Signer One <one@example.org>")
    world.gpg("--quick-add-key", world.fpr["s1"], "ed25519", "sign", "never")
    world.make("s2", "rsa3072")
    world.make("outsider")
    world.make("impostor", uid="Signer One <one@example.org>")
    world.make("small", "rsa1024")
    world.make("expired", expire="20210101T000000", time="20200101T000000")
    world.make("revoked")
    world.make("donor")
    world.gpg("--quick-add-key", world.fpr["donor"], "ed25519", "sign", "never")
    world.make("halfrevoked")
    world.gpg("--quick-add-key", world.fpr["halfrevoked"], "ed25519", "sign", "never")


@contextlib.contextmanager
def a_world(filled: bool = True) -> Iterator[World]:
    """A world in a folder with a short name (gpg-agent's sockets want that), gone afterwards."""
    home = short_folder("sw-keys-")
    made = World(home)
    try:
        if filled:
            populate(made)
        yield made
    finally:
        subprocess.run(
            ["gpgconf", "--homedir", str(home), "--kill", "all"], env=ENVIRONMENT, check=False, timeout=30
        )
        shutil.rmtree(home, ignore_errors=True)
