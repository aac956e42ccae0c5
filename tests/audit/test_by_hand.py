"""HOW-TO-VERIFY.txt is walked as it stands, by a shell that knows nothing: no Sealwright, no home, another place."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit.forge import Forger
from audit.rich import rich
from support.small_release import stop_agent

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
THEIRS = ("YOUR_", "sealwright ")  # what the reader has to fill in, or what is not needed


def commands(text: str) -> list[str]:
    """The lines that the text shows to be typed."""
    typed = [line.strip() for line in text.splitlines() if re.match(r" {5}\S", line)]
    return [line for line in typed if not any(word in line for word in THEIRS)]


@pytest.fixture(scope="module")
def bare() -> Iterator[None]:
    """A machine that has the tools."""
    for tool in ("gpg", "sha256sum", "python3"):
        assert shutil.which(tool, path=ENVIRONMENT["PATH"]), tool
    yield


def walk(evidence: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Every command of the text, one after the other, until one fails."""
    lines = commands((evidence / "HOW-TO-VERIFY.txt").read_text())
    home = folder / "gnupg"
    home.mkdir(mode=0o700)
    script = "set -e\n" + "\n".join(lines).replace('"$(mktemp -d)"', str(home))
    try:
        return subprocess.run(
            ["bash", "--noprofile", "--norc"],
            input=script,
            cwd=evidence,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    finally:
        stop_agent(home)


@pytest.fixture
def moved(forger: Forger, tmp_path: Path) -> Path:
    """Evidence of the rich release, where nobody made it."""
    rich(forger)
    return Path(shutil.copytree(forger.evidence(), tmp_path / "else where"))


def test_the_text_says_every_command_that_a_stranger_needs(bare: None, moved: Path, tmp_path: Path) -> None:
    typed = commands((moved / "HOW-TO-VERIFY.txt").read_text())
    assert len(typed) >= 12 and sum("gpg --verify" in line for line in typed) == 3
    done = walk(moved, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Good signature") == 5
    assert done.stdout.count(": OK") >= 10 and "FAILED" not in done.stdout
    assert re.search(r"^whole: 199 records, \d+ bytes of output, root [0-9a-f]{64}$", done.stdout, re.MULTILINE)
    assert '"e":"item.verdict"' in done.stdout and '"e":"gate.decided"' in done.stdout


def product(evidence: Path) -> None:
    (evidence / "products" / "xen" / "xen.tar").write_bytes(b"evil\n")


def record(evidence: Path) -> None:
    index = evidence / "log" / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b'"verdict":"failed"', b'"verdict":"passed"', 1))


def output(evidence: Path) -> None:
    path = next((evidence / "log" / "data" / "build" / "xen").rglob("*.log"))
    path.write_bytes(path.read_bytes().replace(b"m", b"n", 1))


def sums(evidence: Path) -> None:
    path = evidence / "SHA256SUMS"
    path.write_bytes(path.read_bytes()[::-1])


def signature(evidence: Path) -> None:
    shutil.copy(evidence / "SHA256SUMS.asc", evidence / "log" / "SHA256SUMS.asc")


def stray(evidence: Path) -> None:
    (evidence / "log" / "data" / "build" / "xen" / "more.log").write_bytes(b"x")


@pytest.mark.parametrize("harm", [product, record, output, sums, signature, stray])
def test_a_stranger_finds_what_was_changed(
    bare: None, moved: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    harm(moved)
    done = walk(moved, tmp_path)
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert any(word in told for word in ("FAILED", "BAD signature", "BAD: ")), told


def test_what_the_verifier_does_not_look_at_is_said(moved: Path) -> None:
    """Each of these is changed, verify.py says `whole`, and the text names it as not looked at."""
    text = (moved / "HOW-TO-VERIFY.txt").read_text().split("It does not look at")[1].split("\n\n4.")[0]
    log = moved / "log"
    for name, word in (
        ("SHA256SUMS.asc", "signatures"),
        ("checkpoint", "log/checkpoint"),
        ("tile", "log/tile"),
        ("proofs", "log/proofs"),
    ):
        path = log / name
        shutil.rmtree(path) if path.is_dir() else path.write_bytes(b"junk")
        argv = ["/usr/bin/python3", "-I", str(moved / "verify.py"), str(log)]
        done = subprocess.run(
            argv, env=ENVIRONMENT, cwd="/", capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0 and done.stdout.startswith("whole: ") and word in text
    assert (moved / "verify.py").stat().st_size < 4000
    assert len((moved / "verify.py").read_text().splitlines()) <= 30
