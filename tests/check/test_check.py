"""From a downloaded file to the truth: each link holds or is named, and keys count that were given or pinned."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from audit.forge import Forger
from audit.rich import rich
from sealwright_console.cli import main
from sealwright_stages.check.hashing import hash_file


@pytest.fixture
def evidence(forger: Forger) -> Path:
    """Evidence of the rich release."""
    rich(forger)
    return forger.evidence()


def told(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """What a check ends with, and what it says on stdout."""
    code = main(["check", *map(str, words)])
    return code, capsys.readouterr().out


def table(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """What `--json` says of one file."""
    found: dict[str, Any] = json.loads(told(capsys, *words, "--json")[1].splitlines()[-1])
    return found


def broken(found: dict[str, Any]) -> list[str]:
    """The links that do not hold."""
    return [link["link"] for link in found["links"] if link["ok"] == "bad"]


def test_keys_that_lie_in_the_folder_are_nobodys_word_until_they_are_pinned(
    evidence: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = evidence / "products/xen/xen.tar"
    code, said = told(capsys, product)
    assert code == 1 and "--pin" in said and said.splitlines()[-1].startswith("verdict: NO, not yet")
    assert not state.exists()
    code, said = told(capsys, product, "--pin")
    assert code == 0 and state.exists()
    code, said = told(capsys, product)
    lines = said.splitlines()
    assert code == 0 and lines[-1] == "verdict: YES, a product of example 1.0" and "pinned on" in said
    assert len(lines) <= 15 and max(map(len, lines[1:])) <= 80


def test_nothing_is_pinned_from_evidence_on_which_something_is_wrong(
    evidence: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (evidence / "SHA256SUMS").write_bytes((evidence / "SHA256SUMS").read_bytes()[:-1])
    assert told(capsys, evidence / "products/xen/xen.tar", "--pin")[0] == 1 and not state.exists()


def test_other_keys_than_the_pinned_ones_are_a_no_with_both_lists(
    evidence: Path, forger: Forger, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, evidence / "products/xen/xen.tar", "--pin")[0] == 0
    fingerprint = forger.signers[0].fingerprint
    state.write_text(state.read_text().replace(fingerprint, "C" * 40))
    before = state.read_bytes()
    code, said = told(capsys, evidence / "products/xen/xen.tar", "--pin")
    assert code == 1 and "C" * 40 in said and fingerprint in said and "OTHER KEYS" in said.splitlines()[-1]
    assert state.read_bytes() == before
    assert main(["check", str(evidence / "products/xen/xen.tar"), "--repin"]) == 2  # nobody can type digits
    code, _ = told(capsys, evidence / "products/xen/xen.tar", "--repin", "--fingerprint", fingerprint)
    assert code == 0 and fingerprint in state.read_text()


def test_a_lower_threshold_than_the_pinned_one_is_a_no(
    evidence: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, evidence / "products/xen/xen.tar", "--pin")[0] == 0
    text = state.read_text().replace("threshold = 1", "threshold = 2")
    more = '\n[release."example".person."manager-b"]\nopenpgp = ["' + "D" * 40 + '"]\n'
    state.write_text(text + more)
    assert "keys" in broken(table(capsys, evidence / "products/xen/xen.tar"))


def test_fingerprints_that_are_given_count_and_no_others(
    evidence: Path, forger: Forger, capsys: pytest.CaptureFixture[str]
) -> None:
    product, mine = evidence / "products/xen/xen.tar", forger.signers[0].fingerprint
    assert told(capsys, product, "--fingerprint", mine)[0] == 0
    assert told(capsys, product, "--fingerprint", f"{mine},{'E' * 40}")[0] == 1
    assert told(capsys, product, "--fingerprint", f"{mine},{'E' * 40}", "--threshold", 1)[0] == 0
    assert told(capsys, product, "--fingerprint", "E" * 40)[0] == 1
    assert main(["check", str(product), "--fingerprint", mine[-16:]]) == 2
    for words in (["--threshold", "1"], ["--signers", "manager-a"]):
        assert main(["check", str(product), *words]) == 2 and "--fingerprint FPR" in capsys.readouterr().err


def test_a_file_that_is_no_product_is_told_for_what_it_is(
    evidence: Path, forger: Forger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "--evidence", evidence, "--fingerprint", forger.signers[0].fingerprint
    empty, cut, other = tmp_path / "empty", tmp_path / "xen.tar", tmp_path / "renamed"
    empty.touch()
    cut.write_bytes((evidence / "products/xen/xen.tar").read_bytes()[:-1])
    assert "empty" in told(capsys, empty, *words)[1] and "cut off" in told(capsys, cut, *words)[1]
    shutil.copy(evidence / "products/xen/xen.tar", other)
    assert table(capsys, other, *words)["products"][0]["path"] == "products/xen/xen.tar"
    source = tmp_path / "tallow.tar.gz"
    source.write_text("tallow")
    found = table(capsys, source, *words)
    assert found["kind"] == "input" and not found["passed"]
    code, said = told(capsys, source, *words)
    assert code == 1 and said.splitlines()[-1] == "verdict: NO, an input of the release, not a product"
    assert told(capsys, evidence / "products", *words)[0] == 0
    assert told(capsys, evidence / "products", source, *words)[0] == 1


def test_a_pipe_a_device_and_a_folder_are_never_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        found = hash_file(path)
        assert not found.sha256 and "no regular file" in found.trouble


@pytest.mark.parametrize("data", [b"y" * 99, b""], ids=["longer", "cut"])
def test_a_file_that_changes_while_it_is_read_has_no_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    path, readv, done = tmp_path / "file", os.readv, list[int]()
    path.write_bytes(b"x" * 10)

    def read(descriptor: int, buffers: list[bytearray]) -> int:
        if not done:
            done.append(path.write_bytes(data))
        return readv(descriptor, buffers)

    monkeypatch.setattr(os, "readv", read)
    assert "changed" in hash_file(path).trouble


def test_one_changed_byte_of_what_the_answer_relies_on_turns_the_yes_into_a_no(
    forger: Forger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = forger.evidence()
    product = shutil.copy(evidence / "products/xen/xen.tar", tmp_path / "xen.tar")
    words = "--evidence", evidence, "--fingerprint", forger.signers[0].fingerprint
    assert told(capsys, product, *words)[0] == 0
    chance = random.Random(7)  # noqa: S311 - where to change a byte
    files = sorted(p for p in evidence.rglob("*") if p.is_file() and "products" not in p.parts)
    for path in chance.sample(files, 12):
        data = path.read_bytes()
        at = chance.randrange(len(data)) if data else 0
        changed = bytearray(data or b"\0")
        changed[at] ^= 1 << chance.randrange(7)
        path.write_bytes(bytes(changed))
        code, said = told(capsys, product, *words)
        assert code == 1 or path.suffix == ".asc", (path, at)  # armor may say the same in another way
        assert "Traceback" not in said and "\x1b" not in said
        path.write_bytes(data)


def test_the_commands_repeat_each_link_as_they_are_printed(
    forger: Forger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = Path(shutil.copytree(forger.evidence(), tmp_path / "else 'where'; $x"))
    odd = Path(os.fsdecode(bytes(tmp_path) + b"/a'b\"$(x)\n\\\xff;.tar"))
    shutil.copy(evidence / "products/xen/xen.tar", odd)
    words = "--evidence", evidence, "--fingerprint", forger.signers[0].fingerprint, "--json", "-v"
    found = table(capsys, odd, *words)
    script = "\n".join(line for part in found["by_hand"] for line in part["commands"])

    def run() -> int:
        argv = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        return subprocess.run(argv, env=env, capture_output=True, check=False, timeout=60).returncode

    assert len(found["by_hand"]) == 9 and run() == 0
    for name in ("SHA256SUMS", "log/index.jsonl", "log/checkpoint.sealed", "log/SHA256SUMS"):
        path, data = evidence / name, (evidence / name).read_bytes()
        path.write_bytes(data.replace(b"a", b"b", 1))
        assert run() != 0, name
        path.write_bytes(data)


@pytest.mark.parametrize("right", [True, False])
def test_at_a_terminal_a_key_is_pinned_by_who_types_its_last_digits(
    forger: Forger, state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], right: bool
) -> None:
    evidence, typed = forger.evidence(), forger.signers[0].fingerprint[-8:].lower()
    terminal = io.StringIO(f"{typed if right else typed[::-1] + '0'}\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    monkeypatch.setattr("sealwright_console.checking._terminal", lambda options: True)
    assert told(capsys, evidence / "products/xen/xen.tar")[0] == (0 if right else 1)
    assert state.exists() is right


def test_a_link_in_a_folder_is_told_and_never_followed_nor_left_out(
    evidence: Path, forger: Forger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who checks a folder is told of all that lies in it: a link beside good files is no yes for the folder."""
    words = "--evidence", evidence, "--fingerprint", forger.signers[0].fingerprint
    folder = tmp_path / "got"
    folder.mkdir()
    shutil.copy(evidence / "products/xen/xen.tar", folder)
    assert told(capsys, folder, *words)[0] == 0
    for link, goal in (("linked", evidence / "products/xen/xen.tar"), ("folder", evidence), ("nowhere", "/none")):
        (folder / link).symlink_to(goal)
        code, said = told(capsys, folder, *words)
        assert code == 1 and "not followed" in said and "NO, 1 of 2 files" in said.splitlines()[-1]
        (folder / link).unlink()
    (tmp_path / "mine").symlink_to(evidence / "products/xen/xen.tar")
    assert told(capsys, tmp_path / "mine", *words)[0] == 0
