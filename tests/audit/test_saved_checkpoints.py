"""Checkpoints that somebody saved of a log: the log continues each of them, or both notes are shown."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.forge import Forger
from audit.rich import rich
from sealwright_appendlog import layout
from sealwright_appendlog.cli import main as appendlog
from sealwright_appendlog.cosignature import WitnessKey, cosignature_line
from sealwright_appendlog.note import Checkpoint, sign_note, split_note
from sealwright_appendlog.saved import Saved
from sealwright_console.cli import main
from sealwright_stages import events as ev
from sealwright_stages.audit import Reviewer, audit

WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
VKEY = WitnessKey("witness.example/w1", WITNESS.public_key().public_bytes_raw())


def saved(folder: Path, note: bytes) -> Path:
    path = folder / "saved.note"
    path.write_bytes(note)
    return path


def told(evidence: Path, *files: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit and words of an audit by the folder's own keys."""
    words = [word for file in files for word in ("--checkpoint", str(file))]
    code = main(["audit", str(evidence), *words])
    return code, capsys.readouterr().out


def test_a_log_continues_every_checkpoint_that_it_had(forger: Forger, capsys: pytest.CaptureFixture[str]) -> None:
    evidence = forger.evidence()
    notes = [*forger.notes, (evidence / "log" / layout.SEALED).read_bytes()]
    assert len(notes) > 2
    files = [forger.folder / f"{number}.note" for number in range(len(notes))]
    for path, note in zip(files, notes, strict=True):
        path.write_bytes(note)
    code, out = told(evidence, *files, capsys=capsys)
    assert code == 0 and out.count("it continues the checkpoint of") == len(notes)
    assert "no checkpoint that you saved earlier" not in out
    assert "no checkpoint that you saved earlier" in told(evidence, capsys=capsys)[1]
    words = [word for path in files for word in ("--checkpoint", str(path))]
    assert appendlog(["verify", str(evidence / "log"), *words]) == 0
    assert capsys.readouterr().out.count("continues: the checkpoint of") == len(notes)


def broken(evidence: Path, note: bytes, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a no that says what, and prints both notes."""
    file = saved(evidence.parent, note)
    code, out = told(evidence, file, capsys=capsys)
    assert code == 1 and what in out and "[saved-checkpoint]" in out and out.endswith("verdict: NO\n"), out
    sealed = (evidence / "log" / layout.SEALED).read_bytes()
    for each in (note, sealed):
        for line in split_note(each)[0].splitlines():
            assert f"           {line}\n" in out
    assert appendlog(["verify", str(evidence / "log"), "--checkpoint", str(file)]) == 4
    assert "saved earlier:\n" in capsys.readouterr().out


def test_a_log_that_was_rolled_back_is_refused(forger: Forger, capsys: pytest.CaptureFixture[str]) -> None:
    steps = rich(forger)
    longer = forger.unsigned(steps)
    note = (longer / "log" / layout.SEALED).read_bytes()
    broken(forger.unsigned(steps[:-20]), note, "it was rolled back", capsys)


def test_a_log_with_another_past_is_refused(forger: Forger, capsys: pytest.CaptureFixture[str]) -> None:
    forger.evidence()
    notes = forger.notes

    def another(steps: list[object]) -> list[object]:
        return [ev.ItemStarted("xen/git/v1") if n == 5 else step for n, step in enumerate(steps)]

    steps = forger.tale(forger.declared()[0], forger.tool)
    broken(forger.unsigned(another(steps)), notes[-1], "are others than those", capsys)  # type: ignore[arg-type]


def test_a_note_of_another_log_is_refused(forger: Forger, capsys: pytest.CaptureFixture[str]) -> None:
    evidence = forger.evidence()
    stranger = Ed25519PrivateKey.generate()
    foreign = sign_note(
        Checkpoint("example.org/log/forged", 3, bytes(32)).text(), "example.org/log/forged", stranger
    )
    broken(evidence, foreign.encode(), "it is no note of this log", capsys)
    code, out = told(evidence, saved(forger.folder, b"\xffjunk"), capsys=capsys)
    assert code == 1 and "it is no note of this log" in out


def test_the_empty_log_is_continued_by_each(forger: Forger, capsys: pytest.CaptureFixture[str]) -> None:
    evidence = forger.evidence()
    origin = (evidence / "log" / layout.VKEY).read_text().partition("+")[0]
    for root, code in (
        (Checkpoint(origin, 0, hashlib.sha256().digest()), 0),
        (Checkpoint(origin, 0, bytes(32)), 1),
    ):
        note = sign_note(root.text(), origin, forger.key)
        assert told(evidence, saved(forger.folder, note.encode()), capsys=capsys)[0] == code


def test_cosignatures_on_a_saved_note_are_checked(forger: Forger) -> None:
    evidence = forger.evidence()
    note = forger.notes[-1]
    line = cosignature_line(split_note(note)[0], VKEY.name, WITNESS, 1_800_000_000).encode() + b"\n"
    result = audit(evidence, Reviewer(witnesses=(VKEY,), saved=(Saved("ci", note + line),)))
    assert any("in ci, cosigned by witness.example/w1" in finding.detail for finding in result.findings)
    bad = cosignature_line("other\n1\nAAAA\n", VKEY.name, WITNESS, 1_800_000_000).encode() + b"\n"
    result = audit(evidence, Reviewer(witnesses=(VKEY,), saved=(Saved("ci", note + bad),)))
    assert not result.passed and result.first is not None and result.first.rule == "saved-checkpoint"


def test_a_file_that_can_not_be_read_is_a_wrong_use(forger: Forger, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(forger.folder), "--checkpoint", str(forger.folder / "none")]) == 2
    assert "--checkpoint" in capsys.readouterr().err
