"""What an audit says of a machine's attestation, over real evidence that fits itself in all else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from attestation.quotes import DEVICE, FORGERS, SWTPM, forged, message
from audit.forge import Forger
from sealwright_console.auditing import lines
from sealwright_console.cli import main
from sealwright_stages.attestation.judge import fingerprint, write_words
from sealwright_stages.attestation.words import attestation_words
from sealwright_stages.audit import Audit, Reviewer, audit
from sealwright_stages.manifest_attestation import AttestationSpec

MINE = fingerprint(FORGERS.public_key())
OTHERS = f"sha256:{'0' * 64}"


def asked(forger: Forger, spec: AttestationSpec = DEVICE) -> Path:
    """Evidence of a release whose manifest asks for an attestation by `spec`, and has one."""
    if "[attestation]" not in forger.head:
        forger.head += f'[attestation]\ntpm = "{spec.tpm}"\npcrs = {list(spec.pcrs)}\n'
    evidence = forger.evidence()
    attest(evidence, spec)
    return evidence


def attest(evidence: Path, spec: AttestationSpec = DEVICE) -> None:
    """Put a quote over this evidence's checkpoint there."""
    folder = evidence / "attestation"
    folder.mkdir(exist_ok=True)
    for name, data in forged(message((evidence / "log" / "checkpoint.sealed").read_bytes()), spec).items():
        (folder / name).write_bytes(data)


def mine(forger: Forger, *keys: str) -> Reviewer:
    return Reviewer(forger.folder / "keyring", ("manager-a",), attestation_keys=keys)


def of_it(result: Audit, ok: str) -> list[str]:
    return [finding.detail for finding in result.findings if (finding.what, finding.ok) == ("attestation", ok)]


def no(result: Audit) -> str:
    """The one reason of a no, which is about the attestation."""
    wrong = [finding for finding in result.findings if finding.ok == "bad"]
    assert [finding.rule for finding in wrong] == ["attestation"], wrong
    return wrong[0].detail


def test_a_quote_by_a_key_that_the_reviewer_named_is_good(forger: Forger) -> None:
    evidence = asked(forger)
    result = audit(evidence, mine(forger, OTHERS, MINE))
    assert result.passed and of_it(result, "advice") == []
    assert "whose key you named says the PCRs 0, 4, 7" in of_it(result, "good")[0]
    assert "no quote says" in of_it(result, "unchecked")[0]


def test_a_quote_by_a_key_that_nobody_named_assures_nothing(forger: Forger) -> None:
    result = audit(asked(forger), mine(forger))
    assert result.passed and of_it(result, "good") == []
    assert "signed by a key that nobody vouched for: assures nothing" in of_it(result, "advice")[0]
    assert MINE in of_it(result, "advice")[0]


def test_an_emulated_tpm_assures_nothing_even_where_its_key_was_named(forger: Forger) -> None:
    evidence = asked(forger, SWTPM)
    for keys in ((), (MINE,)):
        result = audit(evidence, mine(forger, *keys))
        assert result.passed and of_it(result, "good") == []
        assert of_it(result, "advice")[0].startswith("emulated: assures nothing")
        assert "! advice attestation: emulated: assures nothing" in "\n".join(lines(result.findings, ""))
    assert attestation_words(evidence) == "emulated: assures nothing"


def test_a_quote_by_another_key_than_those_named_is_a_no(forger: Forger) -> None:
    assert "no key that you named" in no(audit(asked(forger), mine(forger, OTHERS)))


def test_a_named_key_wants_an_attestation(forger: Forger) -> None:
    assert "the manifest asks for no attestation" in no(audit(forger.evidence(), mine(forger, MINE)))


def test_what_the_manifest_wants_and_is_missing_is_a_no(forger: Forger) -> None:
    evidence = asked(forger)
    for name in ("quote.msg", "quote.sig", "ak.pub", "pcrs", "tpm.json"):
        path = evidence / "attestation" / name
        data = path.read_bytes()
        path.unlink()
        assert f"{name} is missing" in no(audit(evidence, mine(forger)))
        path.write_bytes(data)
    shutil.rmtree(evidence / "attestation")
    assert "quote.msg is missing" in no(audit(evidence, mine(forger)))


def test_the_quote_of_another_release_is_a_no(forger: Forger) -> None:
    earlier = asked(forger)
    later = asked(replace(forger, tool="0.0.0", made=forger.made))
    shutil.rmtree(later / "attestation")
    shutil.copytree(earlier / "attestation", later / "attestation")
    assert "over another checkpoint" in no(audit(later, mine(forger, MINE)))


def test_a_file_too_large_is_a_no_that_reads_no_further(forger: Forger) -> None:
    evidence = asked(forger)
    with (evidence / "attestation" / "quote.msg").open("ab") as stream:
        stream.truncate(1 << 30)
    assert "more than 16384 bytes" in no(audit(evidence, mine(forger)))


def test_an_attestation_that_no_manifest_asks_for_is_a_stranger(forger: Forger) -> None:
    evidence = forger.evidence()
    attest(evidence)
    wrong = {finding.rule for finding in audit(evidence, mine(forger)).findings if finding.ok == "bad"}
    assert wrong == {"folder-listed"}


def test_words_that_hide_that_a_tpm_is_emulated_are_a_no(forger: Forger) -> None:
    evidence = asked(forger, SWTPM)
    (evidence / "attestation" / "tpm.json").write_bytes(write_words(DEVICE, "STM", "ST33"))
    assert "says otherwise" in no(audit(evidence, mine(forger)))


def test_an_endorsement_certificate_is_named_as_not_checked(forger: Forger) -> None:
    evidence = asked(forger)
    (evidence / "attestation" / "ek-certificate.der").write_bytes(b"\x30\x00")
    result = audit(evidence, mine(forger, MINE))
    assert result.passed and "neither its chain to a maker" in of_it(result, "unchecked")[1]


def test_pages_say_nothing_better_of_words_that_cant_be_read(tmp_path: Path) -> None:
    assert attestation_words(tmp_path) == ""
    (tmp_path / "attestation").mkdir()
    assert attestation_words(tmp_path) == "not readable: assures nothing"
    for text in ("[]", "{}", '{"emulated":0}', '{"emulated":null}', "x"):
        (tmp_path / "attestation" / "tpm.json").write_text(text)
        assert "assures nothing" in attestation_words(tmp_path) and "named" not in attestation_words(tmp_path)


def test_a_reviewer_names_a_machines_key_by_file_or_fingerprint(
    forger: Forger, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = asked(forger)
    key = evidence / "attestation" / "ak.pub"
    for word, code in ((MINE, 0), (MINE.removeprefix("sha256:"), 0), (str(key), 0), (OTHERS, 1)):
        assert main(["audit", str(evidence), "--attestation-key", word]) == code, word
        assert ("whose key you named" in capsys.readouterr().out) == (code == 0)
    for word in ("sha256:12", str(evidence / "no-such-file"), str(evidence / "SHA256SUMS")):
        assert main(["audit", str(evidence), "--attestation-key", word]) == 2
        assert "--attestation-key" in capsys.readouterr().err
