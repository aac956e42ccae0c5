"""An audit of evidence whose log was cosigned: by whom, when, and what a bad cosignature does."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.forge import Forger
from sealwright_appendlog import layout
from sealwright_appendlog.cosignature import WitnessKey, cosignature_line
from sealwright_appendlog.note import VerifierKey, split_note
from sealwright_appendlog.witness import Witness, cosign
from sealwright_console.cli import main
from sealwright_stages.audit import Reviewer, audit

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
NAME = "witness.example/w1"
VKEY = WitnessKey(NAME, KEY.public_key().public_bytes_raw())


@pytest.fixture
def evidence(forger: Forger) -> Path:
    return forger.evidence()


def told(evidence: Path, *witnesses: WitnessKey) -> list[tuple[str, str]]:
    result = audit(evidence, Reviewer(witnesses=witnesses))
    return [(found.ok, found.detail) for found in result.findings if found.what == "log"]


def test_an_audit_says_which_witnesses_cosigned_and_when(evidence: Path) -> None:
    log = evidence / "log"
    assert ("advice", f"witness {NAME} has not cosigned") in told(evidence, VKEY)
    vkey = VerifierKey.parse((log / layout.VKEY).read_text().strip())
    cosign(Witness(NAME, KEY, evidence.parent / "seen"), log, vkey, 1_800_000_000, first=True)
    assert ("good", f"cosigned by {NAME} at 2027-01-15T08:00:00Z") in told(evidence, VKEY)
    assert audit(evidence, Reviewer(witnesses=(VKEY,))).passed
    nobody = f"{layout.CHECKPOINT} has a signature of nobody known here: {NAME}+{VKEY.key_id.hex()}"
    assert ("advice", nobody) in told(evidence)


def test_a_yes_says_which_of_the_witnesses_that_were_named_is_missing(evidence: Path) -> None:
    log, both = evidence / "log", (VKEY, WitnessKey("witness.example/w2", bytes(range(32))))
    assert audit(evidence, Reviewer(witnesses=both)).provided.endswith(
        "w1, witness.example/w2 has not cosigned it"
    )
    vkey = VerifierKey.parse((log / layout.VKEY).read_text().strip())
    cosign(Witness(NAME, KEY, evidence.parent / "seen"), log, vkey, 1_800_000_000, first=True)
    said = audit(evidence, Reviewer(evidence.parent / "keyring", ("manager-a",), witnesses=both))
    assert said.passed and said.provided == "though witness.example/w2 has not cosigned it"
    assert (
        audit(evidence, Reviewer(evidence.parent / "keyring", ("manager-a",), witnesses=both[:1])).provided == ""
    )


def test_a_bad_cosignature_of_a_known_witness_is_a_no(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = evidence / "log" / layout.CHECKPOINT
    bad = cosignature_line(split_note(path.read_bytes())[0] + "\n", NAME, KEY, 1_800_000_000)
    with path.open("a") as stream:
        stream.write(f"{bad}\n")
    assert told(evidence, VKEY) == [("bad", f"checkpoint: the cosignature of {NAME} does not verify")]
    assert main(["audit", str(evidence), "--witness", str(VKEY)]) == 1
    assert "does not verify" in capsys.readouterr().out
    assert main(["audit", str(evidence)]) == 0


def test_a_witness_key_that_is_none_is_a_wrong_use(evidence: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(evidence), "--witness", "junk"]) == 2
    assert "--witness" in capsys.readouterr().err
