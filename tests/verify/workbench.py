"""What the tests of get-sources and verify work with: throw-away keys, real repositories, a direct sandbox."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sealwright_keyring.policy import Person
from sealwright_stages.ports import Trust, Workshop
from sealwright_stages.process import Completed, run

GIT_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "An Author",
    "GIT_AUTHOR_EMAIL": "author@example.org",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_NAME": "A Committer",
    "GIT_COMMITTER_EMAIL": "committer@example.org",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
}
_INSIDE = re.compile(r"(?<![\w./-])/quarantine\b")  # where a word names it, not where our own path has such a part
TAGGER = b"tagger A Tagger <tagger@example.org> 1700000000 +0000"


class DirectSandbox:
    """A fetch sandbox without walls: it runs the program as it is, with /quarantine put in its place."""

    def __init__(self) -> None:
        self.runs: list[Completed] = []

    def run(
        self,
        argv: Sequence[str],
        *,
        writable: Path,
        readable: Sequence[Path] = (),
        files: Mapping[str, bytes] | None = None,
        timeout: float,
        env: Mapping[str, str] | None = None,
        cancel: threading.Event | None = None,
        on_stderr: Callable[[bytes], None] | None = None,
        network: bool = True,
    ) -> Completed:
        outside = writable.with_name(writable.name + ".files")
        for name, data in (files or {}).items():
            path = outside / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

        def here(word: str) -> str:
            for name in files or {}:
                word = word.replace(name, str(outside / name.lstrip("/")))
            return _INSIDE.sub(str(writable), word)

        environment = {name: here(value) for name, value in (env or {}).items()}
        done = run(
            [here(word) for word in argv],
            timeout=min(timeout, 60),
            env=environment,
            cancel=cancel,
            on_stderr=on_stderr,
        )
        self.runs.append(done)
        return done


def workshop(folder: Path) -> Workshop:
    """A workshop with a fresh quarantine folder below `folder`."""
    quarantine = folder / "quarantine" / "component" / f"item{len(list(folder.glob('quarantine/*/*')))}"
    quarantine.mkdir(parents=True)
    return Workshop(quarantine, folder / "cache", threading.Event(), lambda *_: None, DirectSandbox())


class Keys:
    """A gpg home with throw-away keys, made as they are asked for."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700)
        self.home = home
        self._known: dict[str, str] = {}

    def gpg(self, *words: str, stdin: bytes = b"", check: bool = True) -> bytes:
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--quiet", "--no-options", "--pinentry-mode"]
        argv += ["loopback", "--passphrase", "", "--trust-model", "always", *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0 or not check, done.stderr.decode()
        return done.stdout

    def fingerprint(
        self, name: str, expires: str = "never", options: Sequence[str] = (), algorithm: str = "ed25519"
    ) -> str:
        """The full fingerprint of the key called `name`; it is made when it is first asked for."""
        if name not in self._known:
            self.gpg(*options, "--quick-gen-key", f"{name} <{name}@example.org>", algorithm, "sign", expires)
            listing = self.gpg("--with-colons", "--list-keys", f"<{name}@example.org>").decode()
            self._known[name] = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))
        return self._known[name]

    def certificate(self, *names: str) -> bytes:
        return self.gpg("--armor", "--export", *(self.fingerprint(name) for name in names))

    def sign(self, name: str, data: bytes, *options: str) -> bytes:
        """A detached armored signature."""
        key = self.fingerprint(name)
        return self.gpg("--local-user", key, *options, "--armor", "--detach-sign", stdin=data)

    def clearsign(self, data: bytes, *names: str) -> bytes:
        users = [word for name in names for word in ("--local-user", self.fingerprint(name))]
        return self.gpg(*users, "--digest-algo", "SHA256", "--clearsign", stdin=data)

    def trust(self, *names: str, threshold: int = 1, known: Sequence[str] = ()) -> Trust:
        """Trust in the persons `names`; the certificates of `known` lie beside theirs."""
        persons = tuple(Person(name, (self.fingerprint(name),)) for name in names)
        return Trust((self.certificate(*names, *known),), persons, threshold)


class Repository:
    """A real git repository, into which objects of any shape can be put."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "init", "--quiet", "--bare", str(folder)], check=True, env=GIT_ENVIRONMENT)

    def git(self, *words: str, stdin: bytes = b"") -> bytes:
        argv = ["git", "--git-dir", str(self.folder), *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, check=False, env=GIT_ENVIRONMENT)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def put(self, kind: str, raw: bytes) -> str:
        """Store an object as it is, however odd."""
        return self.git("hash-object", "-t", kind, "-w", "--literally", "--stdin", stdin=raw).decode().strip()

    def tree(self, entries: Sequence[tuple[str, bytes, str]]) -> str:
        """Store a tree of (mode, name, object id), in the order given."""
        lines = [mode.encode() + b" " + name + b"\x00" + bytes.fromhex(id_) for mode, name, id_ in entries]
        return self.put("tree", b"".join(lines))

    def files(self, files: Mapping[str, bytes]) -> str:
        """A flat tree of plain files."""
        return self.tree([("100644", name.encode(), self.put("blob", files[name])) for name in sorted(files)])

    def commit(self, tree: str) -> str:
        return self.git("commit-tree", tree, "-m", "a commit").decode().strip()

    def point(self, ref: str, target: str) -> None:
        """Write a ref by hand, for git refuses odd ones."""
        path = self.folder / ref
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(target + "\n")


def tag_payload(commit: str, name: str, message: bytes = b"a release\n", kind: str = "commit") -> bytes:
    """The bytes of a tag that are signed."""
    head = [f"object {commit}".encode(), f"type {kind}".encode(), f"tag {name}".encode(), TAGGER]
    return b"\n".join(head) + b"\n\n" + message


def signed_tag(
    repository: Repository,
    keys: Keys,
    signer: str,
    name: str = "v1.0",
    tree: str | None = None,
    options: Sequence[str] = (),
) -> str:
    """Put a signed release tag into the repository; returns its commit."""
    commit = repository.commit(tree or repository.files({"README": b"hello\n"}))
    payload = tag_payload(commit, name)
    repository.point(f"refs/tags/{name}", repository.put("tag", payload + keys.sign(signer, payload, *options)))
    return commit


def signed_commit(repository: Repository, keys: Keys, signer: str, tree: str) -> str:
    """Put a signed commit into the repository."""
    who = b"A Person <person@example.org> 1700000000 +0000"
    payload = b"tree %s\nauthor %s\ncommitter %s\n\na commit\n" % (tree.encode(), who, who)
    return repository.put("commit", with_signature(payload, keys.sign(signer, payload)))


def with_signature(payload: bytes, signature: bytes) -> bytes:
    """A commit with its gpgsig header put in."""
    head, _, message = payload.partition(b"\n\n")
    folded = signature.rstrip(b"\n").replace(b"\n", b"\n ")
    return head + b"\ngpgsig " + folded + b"\n\n" + message


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def fake_gpg(folder: Path, script: str) -> str:
    """A program called gpg that does as `script` (sh) says."""
    folder.mkdir()
    path = folder / "gpg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    os.chmod(path, 0o755)  # noqa: S103, PTH101 - a program of the test
    return str(path)
