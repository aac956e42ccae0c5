"""`sealwright sign`: the second and the third person, on a copy or in place."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from sealwright_console.cli import main
from sealwright_stages.audit import Reviewer, audit
from sealwright_stages.errors import SigningError
from sealwright_stages.sign import outside
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
