"""Three persons build one real release, each on a machine of one's own; two get the same bytes, one doesn't.

`pytest -m slow -s tests/join/test_three_builders.py` prints what they see.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from join.builders import PERSONS
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.readiness import require_sandbox
from support.small_release import (
    BIN,
    make_key,
    make_repository,
    sign_file,
    stop_agent,
    write_keyring,
    write_signing_policy,
)

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]
MANIFEST = """[release]
name = "small"
version = "1.0"
keyring = "keyring"
signers = ["alice", "bob", "carol"]
threshold = 2
builders = 2

[signer]
home = "signer-home"
policy = "signer-policy/policy.toml"

[[component]]
name = "greeting"
git = "upstream/greeting.git"
tag = "v1.0"
signers = ["author"]
[[component.file]]
url = "upstream/words-1.0.txt"
sha256 = "{sha256}"
signature = "upstream/words-1.0.txt.asc"
signers = ["author"]
[component.build]
recipe = "commands"
commands = [
  "cat $FILES/words-1.0.txt greeting.txt > $OUT/greeting.txt",
  "echo built with $(nproc) processors > $OUT/built.txt",
]
products = ["*.txt"]
limits = {{ wall = "5m", memory = "1G", disk = "1G", processes = 64 }}
"""


@pytest.fixture
def base() -> Iterator[Path]:
    """The folder of all three, with upstream in it; each has the same manifest and keyring, and a key of one's own."""
    try:
        require_sandbox()
    except MachineError as error:
        pytest.skip(f"no sandbox here: {error.because}")
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor: nothing makes the third build differ")
    folder = Path(tempfile.mkdtemp(prefix="sw3-"))
    keys = {name: make_key(folder / f"key-{name}", name) for name in (*PERSONS, "author")}
    make_repository(folder / "upstream/greeting.git", keys["author"], "v1.0", {"greeting.txt": "A greeting.\n"})
    words = folder / "upstream/words-1.0.txt"
    words.write_text("hello\n" * 100)
    sign_file(words, keys["author"])
    text = MANIFEST.format(sha256=hashlib.sha256(words.read_bytes()).hexdigest())
    write_keyring(folder / "keyring", list(keys.values()))
    for name in PERSONS:
        own = folder / name
        own.mkdir()
        shutil.copytree(folder / "keyring", own / "keyring")
        shutil.copytree(folder / "upstream", own / "upstream")
        write_signing_policy(own / "signer-policy/policy.toml", "small", "1.0")
        stop_agent(keys[name].home)
        keys[name].home.rename(own / "signer-home")
        (own / "release.toml").write_text(text)
    yield folder
    stop_agent(keys["author"].home)
    for name in PERSONS:
        stop_agent(folder / name / "signer-home")
    shutil.rmtree(folder)


class Desk:
    """Runs commands in the folder of all three, as they would be typed, and prints them with what they say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        self.env["TMPDIR"] = str(folder)
        for what in ("CACHE", "STATE"):
            self.env[f"XDG_{what}_HOME"] = str(folder / what.lower())

    def types(self, line: str, *, last: int = 0) -> tuple[int, str]:
        """Exit code and output of a command; of its output the `last` lines are printed, or all."""
        words = ["bash", "-c", line]
        done = subprocess.run(
            words, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False, timeout=300,
        )  # fmt: skip
        lines = done.stdout.replace(str(self.folder), "~").splitlines()
        print(f"\n$ {line}", *lines[-last:], sep="\n")
        print(f"[exit {done.returncode}]")
        assert "Traceback" not in done.stdout and "\x1b" not in done.stdout
        return done.returncode, "\n".join(lines)


def test_two_agree_and_one_differs_and_two_of_three_persons_make_it_final(base: Path) -> None:
    desk = Desk(base)
    everybody = "--keyring alice/keyring --signers alice,bob,carol --threshold 2"
    for name in PERSONS:
        few = "taskset -c $(taskset -pc $$ | grep -o '[0-9]*$') " if name == "carol" else ""
        code, out = desk.types(f"(cd {name} && {few}sealwright run release.toml --batch)", last=5)
        assert code == 6 and "error: signed, not final: 1 of 2 builders" in out
    code, _ = desk.types("(cd alice && sealwright run release.toml --batch)", last=3)
    assert code == 6  # nothing is signed twice, and it says the same
    evidence = {name: f"{name}/small-1.0.release/evidence" for name in PERSONS}
    for name in PERSONS:
        code, _ = desk.types(f"sealwright publish {evidence[name]} --to {name}/site", last=3)
        assert code == 0
        desk.types(
            f"mkdir -p site && cp -rn {name}/site/. site/", last=1
        )  # as git merges them: test_git has the real one
    code, out = desk.types(f"sealwright join {evidence['alice']} {evidence['carol']} {everybody}")
    assert code == 1 and "verdict: NOT FINAL" in out
    code, out = desk.types(f"sealwright join site/small/1.0 {everybody} --to joined")
    assert code == 0 and "verdict: FINAL\n" in out
    assert "not the same from everybody: 1 of 2 products\n  products/greeting/built.txt" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    code, out = desk.types(f"sealwright audit joined {everybody}")
    assert code == 0 and out.endswith("verdict: yes")
    code, out = desk.types(
        f"sealwright check joined/products/greeting/greeting.txt --evidence joined {everybody}", last=2
    )
    assert code == 0
    code, out = desk.types(
        f"sealwright check joined/differing/carol/products/greeting/built.txt --evidence joined {everybody}"
    )
    assert code == 1
    script = "\n".join(
        line.strip() for line in (base / "joined/JOINED.txt").read_text().splitlines() if line[:5] == " " * 5
    )
    (base / "by-hand.sh").write_text(script)
    code, out = desk.types("(cd joined && sh -e ../by-hand.sh) 2>&1 | grep -E '^gpg: Good|: OK|whole'")
    assert code == 0 and out.count("Good signature") == 4 and out.count(": OK") == 2 and out.count("whole") == 2
    code, out = desk.types(f"sealwright join joined alice/site/small/1.0 {everybody} --to joined")
    assert code == 0 and "already joined" in out
