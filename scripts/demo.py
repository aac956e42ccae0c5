"""The demo: a real release of three Debian packages and one git component, with throw-away keys.

`demo.py DIR [--tampered]` makes the inputs below DIR, runs `sealwright run` on them (the console on a terminal, else
`--batch`), then `audit` and `check` on the evidence. Nothing outside DIR is touched. With `--tampered` one byte of the
third-party file is changed and a verifier that prints its error and exits 0 stands first on the PATH: the gate must
stay closed.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.small_release import (
    BIN,
    make_key,
    make_repository,
    sign_file,
    stop_agent,
    write_keyring,
    write_signing_policy,
)

SUITE = "bookworm"
PACKAGES = ("catdoc", "ucf", "hello")

MANIFEST = """[release]
name = "demo"
version = "{version}"
keyring = "keyring"
signers = ["demo-manager"]

[signer]
home = "signer-home"
policy = "signer-policy/policy.toml"

[[component]]
name = "greeting"
git = "upstream/greeting.git"
tag = "v{version}"
signers = ["demo-author"]
[[component.file]]
url = "upstream/words-1.0.txt"
sha256 = "{sha256}"
signature = "upstream/words-1.0.txt.asc"
signers = ["demo-author"]
[component.build]
environment = "debian:{suite}"
recipe = "commands"
commands = ["cp $FILES/words-1.0.txt .", "make", "make install DESTDIR=$OUT"]
products = ["*.tar"]
limits = {{ wall = "5m", memory = "2G", disk = "1G", processes = 128 }}
"""
DEBIAN = """
[[component]]
name = "{name}"
dsc = "debian:{suite}/{name}"
uploaders = "debian-keyring"
[component.build]
environment = "debian:{suite}"
recipe = "deb"
limits = {{ wall = "10m", memory = "4G", disk = "4G", processes = 512 }}
"""
MAKEFILE = """greeting.tar: greeting.txt words-1.0.txt
\ttar --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner -cf $@ $^
install: greeting.tar
\tcp greeting.tar $(DESTDIR)/
"""
BAD_GPG = """#!/bin/sh
echo 'gpg: BAD signature' >&2
exit 0
"""


def make_inputs(folder: Path, version: str = "1.0") -> None:
    """Make keys, repository, third-party file and manifest, once."""
    upstream = folder / "upstream"
    upstream.mkdir(parents=True)
    author = make_key(folder / "author-home", "demo-author")
    write_keyring(folder / "keyring", [author, make_key(folder / "signer-home", "demo-manager")])
    write_signing_policy(folder / "signer-policy" / "policy.toml", "demo", version)
    words = upstream / "words-1.0.txt"
    # Other words each time, so that no cache of an earlier run has them.
    words.write_text(f"hello {time.time_ns()}\n" * 100)
    sign_file(words, author)
    files = {"greeting.txt": "A greeting, signed.\n", "Makefile": MAKEFILE}
    make_repository(upstream / "greeting.git", author, f"v{version}", files)
    text = MANIFEST.format(sha256=hashlib.sha256(words.read_bytes()).hexdigest(), suite=SUITE, version=version)
    text += "".join(DEBIAN.format(name=name, suite=SUITE) for name in PACKAGES)
    (folder / "release.toml").write_text(text)


def tamper(folder: Path) -> dict[str, str]:
    """Change one byte of the third-party file, and put the lying verifier first on the PATH."""
    words = folder / "upstream" / "words-1.0.txt"
    data = bytearray(words.read_bytes())
    data[0] ^= 1
    words.write_bytes(data)
    liar = folder / "liar" / "gpg"
    liar.parent.mkdir()
    liar.write_text(BAD_GPG)
    liar.chmod(0o755)
    return {**os.environ, "PATH": f"{liar.parent}:{os.environ['PATH']}"}


def sealwright(words: Sequence[str | Path], env: dict[str, str]) -> int:
    """Run `sealwright` where the caller stands, shown as it would be typed there: what it says of paths fits there."""
    shown = (os.path.relpath(word) if isinstance(word, Path) else word for word in (BIN / "sealwright", *words))
    print("$", shlex.join(shown), file=sys.stderr, flush=True)
    return subprocess.run([str(BIN / "sealwright"), *map(str, words)], env=env, check=False).returncode


def main() -> int:
    """Run the demo; its exit code is 0 when all went as promised."""
    base, tampered = Path(sys.argv[1]).absolute(), "--tampered" in sys.argv[2:]
    folder = base / time.strftime("%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    begun = time.monotonic()
    make_inputs(folder)
    env = {**os.environ, "XDG_CACHE_HOME": str(base / "cache"), "XDG_STATE_HOME": str(base / "state")}
    if tampered:
        env = {**tamper(folder), "XDG_CACHE_HOME": str(base / "cache"), "XDG_STATE_HOME": str(base / "state")}
    terminal = all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr))
    words: list[str | Path] = ["run", folder / "release.toml", "--work", folder / "work"]
    try:
        code = sealwright([*words, *([] if terminal else ["--batch"])], env)
    finally:
        for home in ("author-home", "signer-home"):
            stop_agent(folder / home)
    print(f"the run took {time.monotonic() - begun:.0f} s, exit {code}", file=sys.stderr)
    return after_tampered(folder, code) if tampered else after(folder, code, env)


def after(folder: Path, code: int, env: dict[str, str]) -> int:
    """Audit and check the evidence as a stranger would."""
    if code != 0:
        return code
    evidence = folder / "work" / "evidence"
    whose: list[str | Path] = ["--keyring", folder / "keyring", "--signers", "demo-manager"]
    code = sealwright(["audit", evidence, *whose], env)
    product = next((evidence / "products").glob("*/*.deb"))
    code = code or sealwright(["check", product, "--evidence", evidence, *whose], env)
    code = code or subprocess.run([sys.executable, "-I", "verify.py", "log"], cwd=evidence, check=False).returncode
    code = (
        code
        or subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=evidence, check=False).returncode
    )
    print(f"the evidence lies in {evidence}", file=sys.stderr)
    return code


def after_tampered(folder: Path, code: int) -> int:
    """Check that the gate stayed closed: exit 1, the file gone from everywhere, no build started."""
    if code not in (0, 1):
        print("the run ended before the gate was asked: nothing is shown", file=sys.stderr)
        return code
    work = folder / "work"
    log = (work / "log" / "index.jsonl").read_text()
    bad = (folder / "upstream" / "words-1.0.txt").read_bytes()
    copies = [p for p in work.rglob("*") if p.is_file() and not p.is_symlink() and p.read_bytes() == bad]
    kept = [
        what
        for what, wrong in (
            (f"exit code {code} instead of 1", code != 1),
            (f"the file is still at {copies}", bool(copies)),
            ("a build was started", '"e":"build.started"' in log),
            ("the log does not say why", '"code":"digest-mismatch"' not in log),
            ("there is evidence of a release", (work / "evidence").exists()),
        )
        if wrong
    ]
    for line in kept:
        print(f"error: {line}", file=sys.stderr)
    print("the gate held" if not kept else "THE GATE DID NOT HOLD", file=sys.stderr)
    return 2 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
