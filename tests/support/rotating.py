"""Keyrings with versions: written, signed and kept in a history as a person would do it by hand, with real keys.

- A key is named `KIND:NAME`, with the kinds `gpg`, `ssh` and `mini`.
- Nothing here uses the code that reads or rotates a keyring, but for the list to be signed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Protocol

from support.other_keys import OtherKeys
from support.small_release import Key

_FIELD = {"gpg": "openpgp", "ssh": "ssh", "mini": "minisign"}
_BESIDE = {"gpg": "asc", "ssh": "sig", "mini": "minisig"}


class Gpg(Protocol):
    """A gpg home with keys by name."""

    def fingerprint(self, name: str) -> str: ...
    def certificate(self, *names: str) -> bytes: ...
    def sign(self, name: str, data: bytes, *options: str) -> bytes: ...


class OneHome:
    """Throw-away keys of a small release, each in its own home, by the name of its person."""

    def __init__(self, *keys: Key) -> None:
        self.keys = {key.person: key for key in keys}

    def fingerprint(self, name: str) -> str:
        return self.keys[name].fingerprint

    def certificate(self, *names: str) -> bytes:
        return "".join(self.keys[name].certificate() for name in names).encode()

    def sign(self, name: str, data: bytes, *options: str) -> bytes:
        words = [
            "gpg",
            "--homedir",
            str(self.keys[name].home),
            "--batch",
            *options,
            "--armor",
            "--detach-sign",
            "-",
        ]
        return subprocess.run(words, input=data, check=True, capture_output=True).stdout


class Ring:
    """A keyring folder. `made` remembers signatures, since the same key signs the same list again and again."""

    def __init__(self, folder: Path, gpg: Gpg, others: OtherKeys, made: dict[tuple[str, bytes], bytes]) -> None:
        self.folder, self.gpg, self.others, self.made = folder, gpg, others, made
        folder.mkdir(parents=True, exist_ok=True)

    def copy(self, folder: Path) -> Ring:
        """The same keyring in another place."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Ring(folder, self.gpg, self.others, self.made)

    def write(
        self,
        persons: Mapping[str, Sequence[str]],
        version: object,
        signers: Sequence[str] | None = None,
        threshold: object = 2,
        since: date | None = None,
        more: str = "",
    ) -> None:
        """Write signers.toml and keys/ of a version. `more` is put into the first person's table."""
        shutil.rmtree(self.folder / "keys", ignore_errors=True)
        (self.folder / "keys").mkdir()
        names = ", ".join(f'"{name}"' for name in (signers or list(persons)))
        text = f"[policy]\nversion = {version}\nsigners = [{names}]\nthreshold = {threshold}\n"
        text += f"since = {since}\n" if since else ""
        for name, keys in persons.items():
            text += f"[person.{name}]\n{more}"
            more = ""
            for kind, field in _FIELD.items():
                if own := [key for key in keys if key.startswith(f"{kind}:")]:
                    text += f"{field} = [{', '.join(self._put(key) for key in own)}]\n"
        (self.folder / "signers.toml").write_text(text)

    def _put(self, key: str) -> str:
        kind, name = key.split(":")
        if kind == "gpg":
            (self.folder / "keys" / f"{name}.asc").write_bytes(self.gpg.certificate(name))
            return f'"{self.gpg.fingerprint(name)}"'
        file = self.others.ssh_file(name) if kind == "ssh" else self.others.minisign_file(name)
        public = file.with_suffix(f"{file.suffix}.pub")
        (self.folder / "keys" / f"{name}-{kind}.pub").write_bytes(public.read_bytes())
        return f'"{name}-{kind}.pub"'

    def list(self) -> bytes:
        """Write the list over it, as sha256sum would; gives it."""
        files = sorted(["signers.toml", *(f"keys/{path.name}" for path in (self.folder / "keys").iterdir())])
        digests = {name: hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in files}
        text = "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()
        (self.folder / "SHA256SUMS").write_bytes(text)
        return text

    def sign(self, *keys: str) -> None:
        """List it, and have it signed by just these keys."""
        for path in self.folder.glob("SHA256SUMS.*"):
            path.unlink()
        text = self.list()
        for key in keys:
            (self.folder / beside(key)).write_bytes(self.signature(key, text))

    def signature(self, key: str, text: bytes) -> bytes:
        """The key's signature over a list."""
        kind, name = key.split(":")
        if (key, text) not in self.made:
            by = {"gpg": self.gpg.sign, "ssh": self.others.ssh_sign, "mini": self.others.minisign_sign}[kind]
            self.made[key, text] = by(name, text)
        return self.made[key, text]

    def keep(self, number: object) -> None:
        """Put the current version into the history, as `number`."""
        target = self.folder / "history" / str(number)
        shutil.copytree(self.folder, target, ignore=shutil.ignore_patterns("history"))
        for path in self.folder.glob("SHA256SUMS*"):
            path.unlink()


def beside(key: str) -> str:
    """The name under which a key's signature lies beside the list."""
    kind, name = key.split(":")
    return f"SHA256SUMS.{name}.{_BESIDE[kind]}"
