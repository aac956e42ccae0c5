"""`sealwright sign`: the second and the third person, on a copy or in place."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sealwright_console.cli import main
from sealwright_keyring.policy import load_policy
from sealwright_stages.audit import Reviewer, audit
from sealwright_stages.errors import MachineError, SigningError
from sealwright_stages.sign import outside, papers
from support.small_release import Key, write_signing_policy

Copied = Callable[[str], Path]


@dataclass
class Hand:
    """Runs the command as a person whose signer has a policy."""

    folder: Path
    persons: dict[str, Key]

    def sign(self, evidence: Path, who: str, *more: str) -> int:
        policy = self.folder / "policy" / "policy.toml"
        if not policy.exists():
            write_signing_policy(policy, "example", "1.0")
        home = ["--home", str(self.persons[who].home), "--record", str(self.folder / f"record-{who}")]
        return main(["sign", str(evidence), *home, "--policy", str(policy), "--batch", *more])


@pytest.fixture
def hand(persons: dict[str, Key], tmp_path: Path) -> Hand:
    return Hand(tmp_path, persons)


def signatures(evidence: Path) -> dict[str, bytes]:
    return {p.name + p.parent.name: p.read_bytes() for p in evidence.rglob("SHA256SUMS.asc")} | {
        p.name: p.read_bytes() for p in evidence.glob("provenance.*")
    }


def counts(evidence: Path) -> list[str]:
    return [
        f.detail for f in audit(evidence, Reviewer()).findings if f.what == "signatures" and f.rule == "signers"
    ]


def test_persons_are_counted_until_enough_have_signed_and_every_tool_reads_the_one_block(
    hand: Hand, copied: Copied, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = copied("e")
    assert hand.sign(evidence, "manager-a", "--json") == 0
    told = capsys.readouterr()
    assert "manager-a: 1 of 2 needed" in told.err and "have manager-b or manager-c sign too" in told.err
    said = json.loads(told.out)
    assert said["final"] is False and said["persons"] == ["manager-a"] and said["new"] is True
    assert {each["tool"] for each in said["outside"]} >= {"gpg", "gpgv", "sha256sum"}
    assert not audit(evidence).passed
    assert hand.sign(evidence, "manager-b") == 0
    assert "2 of 2 needed" in capsys.readouterr().err
    found = audit(evidence)
    assert found.passed, [f for f in found.findings if f.ok == "bad"]
    assert (evidence / "SHA256SUMS.asc").read_bytes().count(b"-----BEGIN") == 1
    before = signatures(evidence)
    assert hand.sign(evidence, "manager-a") == 0
    assert "has signed already; nothing was asked" in capsys.readouterr().err
    assert signatures(evidence) == before


@pytest.mark.slow
def test_who_signed_first_leaves_no_trace_in_the_bytes_of_the_block(hand: Hand, copied: Copied) -> None:
    one, other = copied("one"), copied("other")
    for who in ("manager-a", "manager-b"):
        assert hand.sign(one, who) == 0
    for name in ("SHA256SUMS.asc", "log/SHA256SUMS.asc"):
        from sealwright_stages.sign.release_signatures import merged

        block = (one / name).read_bytes()
        assert merged([block]) == merged([block, block]) == block
    shutil.copytree(one, other, dirs_exist_ok=True)
    assert hand.sign(other, "manager-c") == 0
    assert counts(other) == ["signed by manager-a, manager-b, manager-c; 2 needed"]


@pytest.mark.slow
def test_evidence_with_a_changed_product_is_not_signed(
    hand: Hand, copied: Copied, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = copied("e")
    product = next(path for path in (evidence / "products").rglob("*") if path.is_file())
    product.write_bytes(product.read_bytes() + b".")
    assert hand.sign(evidence, "manager-a", "--json") == 1
    told = capsys.readouterr()
    assert "nothing was signed" in told.err and json.loads(told.out)["signed"] is False
    assert not signatures(evidence)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("who", "more", "told"),
    [("release-key-a", (), "nobody who may sign"), ("manager-a", ("--as", "manager-b"), "not of manager-b")],
)
def test_a_key_that_is_not_of_whom_it_should_be_signs_nothing(
    hand: Hand, copied: Copied, capsys: pytest.CaptureFixture[str], who: str, more: Sequence[str], told: str
) -> None:
    evidence = copied("e")
    assert hand.sign(evidence, who, *more) == 5
    assert told in capsys.readouterr().err and not signatures(evidence)


@pytest.mark.slow
def test_without_terminal_and_batch_nobody_is_asked_and_nothing_signed(
    hand: Hand, copied: Copied, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = copied("e")
    home = str(hand.persons["manager-a"].home)
    assert main(["sign", str(evidence), "--home", home]) == 2
    assert main(["sign", str(evidence), "--batch"]) == 2
    assert main(["sign", str(evidence), "--home", home, "--record", str(hand.folder / "r"), "--batch"]) == 5
    assert not signatures(evidence)


LIES = {
    "says no": "echo '[GNUPG:] NEWSIG'; echo '[GNUPG:] BADSIG 00 x'; exit 1",
    "is silent": "exit 0",
    "crashes": "kill -SEGV $$",
    "names another key": "echo '[GNUPG:] NEWSIG'; echo '[GNUPG:] GOODSIG 00 x'; "
    "echo '[GNUPG:] VALIDSIG 0 1 2 0 4 0 22 8 00 0'; exit 0",
    "floods": "yes",
}


@pytest.mark.slow
@pytest.mark.parametrize("how", LIES)
@pytest.mark.parametrize("tool", ["GPGV", "SQV"])
def test_a_tool_that_does_not_agree_takes_what_was_signed_back(
    hand: Hand, copied: Copied, monkeypatch: pytest.MonkeyPatch, tool: str, how: str
) -> None:
    evidence = copied("e")
    assert hand.sign(evidence, "manager-a") == 0
    before = signatures(evidence)
    program = Path(tempfile.mkstemp(prefix="liar-", dir="/tmp")[1])  # another uid must reach it
    program.write_text(f"#!/bin/sh\n{LIES[how]}\n")
    program.chmod(0o755)
    monkeypatch.setattr(outside, tool, str(program))
    try:
        assert hand.sign(evidence, "manager-b") == 5
    finally:
        program.unlink()
    assert signatures(evidence) == before and counts(evidence) == ["signed by manager-a; 2 needed"]


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["GPG", "GPGV", "SHA256SUM"])
def test_a_missing_tool_is_red(
    hand: Hand, copied: Copied, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tool: str
) -> None:
    evidence = copied("e")
    monkeypatch.setattr(outside, tool, "no-such-program")
    assert hand.sign(evidence, "manager-a") == 5
    assert "it is missing" in capsys.readouterr().err and not signatures(evidence)


@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_crash_between_the_files_leaves_what_the_next_signing_completes(
    hand: Hand, copied: Copied, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    from sealwright_stages.sign import papers

    evidence = copied("e")
    assert hand.sign(evidence, "manager-a") == 0
    written, real = 0, papers.write_whole

    class Killed(BaseException):
        pass

    def dies(path: Path, data: bytes) -> None:
        nonlocal written
        if written == after:
            raise Killed
        written += 1
        real(path, data)

    monkeypatch.setattr(papers, "write_whole", dies)
    monkeypatch.setattr(papers.Papers, "_put_back", lambda *_: None)  # a dead process puts nothing back
    monkeypatch.setattr(
        "sealwright_stages.sign.another.asked_outside", lambda *_, **__: (_ for _ in ()).throw(Killed())
    )
    with pytest.raises(Killed):
        hand.sign(evidence, "manager-b")
    assert counts(evidence) == [f"signed by manager-a{', manager-b' if after == 3 else ''}; 2 needed"]
    monkeypatch.undo()
    assert hand.sign(evidence, "manager-b") == 0
    assert counts(evidence) == ["signed by manager-a, manager-b; 2 needed"] and audit(evidence).passed


@pytest.mark.slow
@pytest.mark.parametrize("at", ["provenance.manager-b", "SHA256SUMS.asc", "log/SHA256SUMS.asc", "gpg is asked"])
def test_a_sign_that_is_killed_for_good_is_completed_by_the_next(hand: Hand, copied: Copied, at: str) -> None:
    evidence = copied("e")
    assert hand.sign(evidence, "manager-a") == 0
    child = os.fork()
    if not child:
        _dies_at(evidence, at)
        with contextlib.suppress(BaseException):
            hand.sign(evidence, "manager-b")
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    enough = at == "gpg is asked"
    assert counts(evidence) == [f"signed by manager-a{', manager-b' if enough else ''}; 2 needed"]
    assert hand.sign(evidence, "manager-b") == 0
    assert audit(evidence).passed and not list(evidence.rglob(".*"))


def _dies_at(evidence: Path, at: str) -> None:
    """Let this process kill itself as it is about to rename that file into its place, or before the tools are asked."""
    from sealwright_stages.sign import another

    rename = Path.rename

    def renamed(path: Path, target: Path) -> Path:
        if target.relative_to(evidence).as_posix().startswith(at):
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(path, target)

    def asked(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    Path.rename = renamed  # type: ignore[method-assign, assignment]
    if at == "gpg is asked":
        another.asked_outside = asked  # type: ignore[assignment]


def test_what_cannot_be_put_back_is_told_beside_the_first_error(
    copied: Copied, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = copied("e")
    made = papers.Papers(evidence, b"", load_policy(evidence / "policy"), ("manager-a",), "")
    (evidence / "SHA256SUMS.asc").write_bytes(b"before")

    def refuses(*_: object) -> None:
        raise MachineError("it", "the disk is full", "make room")

    with (
        pytest.raises(SigningError, match="gpg says no; and what lay there before could not be put back") as told,
        made.written({"SHA256SUMS.asc": b"new", "log/SHA256SUMS.asc": b"new"}),
    ):
        monkeypatch.setattr(papers, "write_whole", refuses)
        raise SigningError("gpg", "gpg says no", "look at it")
    assert "SHA256SUMS.asc (the disk is full)" in told.value.because and "audit" in told.value.next_step
    assert not (evidence / "log/SHA256SUMS.asc").exists(), "what can be put back is"


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
@pytest.mark.parametrize("how", ["read-only", "full"])
def test_a_disk_that_takes_nothing_is_told_and_leaves_what_was_signed(
    hand: Hand, copied: Copied, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence, disk = copied("e"), tmp_path / "disk"
    assert hand.sign(evidence, "manager-a") == 0
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine mounts nothing")
    try:
        shutil.copytree(evidence, disk / "e")
        before = signatures(disk / "e")
        if how == "full":
            with contextlib.suppress(OSError), (disk / "much").open("wb", buffering=0) as stream:
                while stream.write(bytes(4096)):
                    pass
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        capsys.readouterr()
        assert hand.sign(disk / "e", "manager-b") == 3
        told = capsys.readouterr().err
        assert "can't be written" in told and "put back" not in told and "next:" in told
        assert signatures(disk / "e") == before and counts(disk / "e") == ["signed by manager-a; 2 needed"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.slow
def test_what_changes_between_audit_and_signing_is_not_signed(hand: Hand, copied: Copied) -> None:
    from sealwright_stages.sign.another import sign_evidence, subject_of
    from sealwright_stages.sign.client import SignerProcess
    from sealwright_stages.sign.signing import Typed

    evidence = copied("e")
    _, subject = subject_of(evidence, Reviewer())
    assert subject is not None
    record = hand.folder / "r.jsonl"
    words = ["sealwright-signer", "serve", "--home", str(hand.persons["manager-a"].home), "--record", str(record)]
    signer = SignerProcess([str(Path(sys.executable).parent / words[0]), *words[1:]])

    def ask(question: object) -> Typed:
        (evidence / "HOW-TO-VERIFY.txt").write_text("trust me")
        return Typed("0" * 8, "example-1.0")

    try:
        with pytest.raises(SigningError, match=r"HOW-TO-VERIFY\.txt was changed after it was audited"):
            sign_evidence(subject, signer, ask)
    finally:
        signer.close()
    assert not signatures(evidence)
