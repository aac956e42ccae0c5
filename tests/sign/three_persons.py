"""Three persons on three uids sign one release; prints a transcript. As root: `python tests/sign/three_persons.py`.

The first walks the release with `sealwright run`. The others sign a copy with `sealwright sign`, and hand it on. Each
key home is its person's own: that the others can't read it is tried first.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from support.small_release import BIN, Key, make_repository, stop_agent, write_keyring, write_signing_policy

UIDS = {"alice": 64801, "bert": 64802, "cora": 64803}
MANIFEST = """[release]
name = "trio"
version = "1.0"
keyring = "keyring"
signers = ["alice", "bert", "cora"]
threshold = 3

[signer]
home = "../home"
policy = "signer-policy/policy.toml"

[[component]]
name = "greeting"
git = "upstream/greeting.git"
tag = "1.0"
signers = ["author"]
[component.build]
environment = "host"
recipe = "commands"
commands = ["cp hello.txt $OUT/hello.txt"]
products = ["*.txt"]
"""


class Trio:
    """The folders of the three persons below one that all may enter; `say` is given the transcript."""

    def __init__(self, base: Path, say: Callable[[str], None]) -> None:
        self.base, self.say = base, say
        base.chmod(0o755)
        self.keys: dict[str, Key] = {}
        for name, uid in {**UIDS, "author": 0}.items():
            (base / name).mkdir(mode=0o755)
            os.chown(base / name, uid, uid)
            (base / name / "home").mkdir(mode=0o700)
            os.chown(base / name / "home", uid, uid)
            made = self.run(
                name, [BIN / "sealwright-signer", "make-throwaway-key", "--home", "home", "--name", name]
            )
            self.keys[name] = Key(name, made.stdout.strip(), base / name / "home")
        work = base / "alice" / "release"
        work.mkdir()
        write_keyring(work / "keyring", list(self.keys.values()))
        make_repository(work / "upstream" / "greeting.git", self.keys["author"], "1.0", {"hello.txt": "Hello.\n"})
        (work / "release.toml").write_text(MANIFEST)
        for name in UIDS:
            write_signing_policy(base / name / "signer-policy" / "policy.toml", "trio", "1.0")
        shutil.copytree(base / "alice" / "signer-policy", work / "signer-policy")
        for name, uid in UIDS.items():
            subprocess.run(["chown", "-R", f"{uid}:{uid}", str(base / name)], check=True)

    def run(self, who: str, words: Sequence[object], ends: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a program as a person, in the person's folder."""
        uid, own = UIDS.get(who, 0), self.base / who
        drop = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"] if uid else []
        env = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(own), "LC_ALL": "C.UTF-8"}
        argv = [str(word) for word in words]
        done = subprocess.run(
            [*drop, *argv], cwd=own, env=env, capture_output=True, text=True, check=False, timeout=100
        )
        self.say(f"{who}$ {shlex.join([Path(argv[0]).name, *argv[1:]])}")
        told = (done.stdout + done.stderr).replace(str(self.base), "…")
        self.say("".join(f"    {line}\n" for line in told.splitlines()) + f"    exit {done.returncode}")
        assert done.returncode == ends, told
        return done

    def walk(self) -> Path:
        """From the manifest to what every tool agrees to; gives the evidence that all three have signed."""
        tool = BIN / "sealwright"
        for who in UIDS:
            for other in set(UIDS) - {who}:
                self.run(who, ["ls", self.base / other / "home"], ends=2)
        self.run("alice", [tool, "run", "release/release.toml", "--batch", "--work", "work"], ends=5)
        evidence = self.base / "alice" / "work" / "evidence"
        for who in ("bert", "cora"):
            self.base.joinpath("alice", "work").chmod(0o755)
            mine = self.base / who / "evidence"
            self.run(who, ["cp", "-r", evidence, mine])
            keyring = ["--keyring", self.base / "alice" / "release" / "keyring"]
            own = ["--home", "home", "--policy", "signer-policy/policy.toml", "--as", who, "--batch"]
            self.run(who, [tool, "sign", mine, *own, *keyring])
            evidence = mine
        self.run(
            "alice", [tool, "audit", evidence, "--keyring", "release/keyring", "--signers", "alice,bert,cora"]
        )
        product = evidence / "products" / "greeting" / "hello.txt"
        self.run("alice", [tool, "check", product, "--evidence", evidence, "--keyring", "release/keyring"])
        ring = self.base / "alice" / "ring.gpg"
        ring.write_bytes(
            b"".join(
                self.run(who, ["gpg", "--homedir", "home", "--output", "own.gpg", "--export"])
                and (self.base / who / "own.gpg").read_bytes()
                for who in UIDS
            )
        )
        for name in ("SHA256SUMS", "log/SHA256SUMS"):
            pair = [evidence / f"{name}.asc", evidence / name]
            gpg = self.run("bert", ["gpg", "--homedir", "home", "--import", ring]) and self.run(
                "bert", ["gpg", "--homedir", "home", "--trust-model", "always", "--verify", *pair]
            )
            assert gpg.stderr.count("Good signature") == 3
            gpgv = self.run("alice", ["gpgv", "--keyring", ring, *pair])
            assert gpgv.stderr.count("Good signature") == 3
            if shutil.which("sqv"):
                self.run("cora", ["sqv", "--signatures", "3", "--keyring", ring, *pair])
        self.run("cora", ["sh", "-c", f"cd {evidence} && sha256sum --check SHA256SUMS"])
        return evidence

    def close(self) -> None:
        """End the agents, and remove all."""
        for key in self.keys.values():
            stop_agent(key.home)
        shutil.rmtree(self.base, ignore_errors=True)


def signed(say: Callable[[str], None]) -> None:
    """The whole of it, in a folder that is gone afterwards."""
    trio = Trio(Path(tempfile.mkdtemp(prefix="trio-", dir="/tmp")), say)
    try:
        trio.walk()
    finally:
        trio.close()


if __name__ == "__main__":
    signed(print)
