"""What a release is made from, with throw-away keys: a key, a keyring, a signed repository, a signed file.

The demo and the walks of the tests share it. Everything lies below the folder that the caller names.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Key:
    """A throw-away key: the person whose it is, its fingerprint, and the GnuPG home with the secret part."""

    person: str
    fingerprint: str
    home: Path

    def certificate(self) -> str:
        """The certificate, armored."""
        words = ["--armor", "--export-options", "export-minimal", "--export", self.fingerprint]
        return output(["gpg", "--homedir", self.home, *words], self.home) + "\n"


def output(argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run a program that must succeed; gives its output."""
    words = [str(word) for word in argv]
    return subprocess.run(words, cwd=cwd, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def make_key(home: Path, person: str) -> Key:
    """Make a key in a home of its own."""
    made = output([BIN / "sealwright-signer", "make-throwaway-key", "--home", home, "--name", person], home.parent)
    return Key(person, made, home)


def stop_agent(home: Path) -> None:
    """End the agent that signing in `home` started."""
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False, capture_output=True)


def write_keyring(folder: Path, keys: Sequence[Key]) -> None:
    """Write `signers.toml` and the certificates, one person for each key."""
    (folder / "keys").mkdir(parents=True)
    for key in keys:
        (folder / "keys" / f"{key.fingerprint}.asc").write_text(key.certificate())
    persons = (f'[person.{key.person}]\nopenpgp = ["{key.fingerprint}"]\n' for key in keys)
    (folder / "signers.toml").write_text("\n".join(persons))


def write_signing_policy(path: Path, name: str, version: str) -> None:
    """Write what the signer may sign without asking anybody."""
    path.parent.mkdir(parents=True)
    rules = "max_products = 50\nallow_warnings = false\n"
    path.write_text(f'[release]\nname = "{name}"\nversion = "{version}"\n{rules}')


def sign_file(path: Path, key: Key) -> None:
    """Write a detached signature beside a file."""
    words = ["--batch", "--yes", "--armor", "--detach-sign", path]
    output(["gpg", "--homedir", key.home, *words], path.parent)


def make_repository(
    bare: Path, key: Key, tag: str, files: Mapping[str, str], submodules: Mapping[str, str] | None = None
) -> str:
    """Make a bare repository whose one commit holds `files`, under a tag signed with `key`; gives the commit.

    `submodules` are paths with the commits that stand there.
    """
    work = bare.with_suffix(".work")
    work.mkdir(parents=True)
    for name, text in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)
    person, address = key.person, f"{key.person}@example.org"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(bare.parent),
        "GNUPGHOME": str(key.home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": person,
        "GIT_AUTHOR_EMAIL": address,
        "GIT_COMMITTER_NAME": person,
        "GIT_COMMITTER_EMAIL": address,
    }
    git = ["git", "-c", f"user.signingkey={key.fingerprint}", "-c", "init.defaultBranch=main"]
    output([*git, "init", "--quiet", "."], work, env)
    output([*git, "add", "."], work, env)
    for path, commit in (submodules or {}).items():
        output([*git, "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}"], work, env)
    output([*git, "commit", "--quiet", "-m", "A greeting"], work, env)
    output([*git, "tag", "-s", tag, "-m", f"{bare.stem} {tag}"], work, env)
    output([*git, "clone", "--quiet", "--bare", ".", str(bare)], work, env)
    return output([*git, "rev-parse", "HEAD"], work, env)
