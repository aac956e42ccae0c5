"""A product's proof carries its record, and an audit sees to it that it carries no other."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from audit.forge import Forger
from sealwright_appendlog import layout
from sealwright_appendlog.proof import parse_proof
from sealwright_stages.audit import audit


def proof_of(evidence: Path) -> Path:
    (path,) = (evidence / "log" / "proofs").iterdir()
    return path


def said(evidence: Path) -> list[str]:
    """What an audit finds wrong with the proofs."""
    found = audit(evidence)
    return [finding.detail for finding in found.findings if finding.what == "proofs" and finding.ok == "bad"]


def test_a_proof_carries_the_record_of_its_product(forger: Forger) -> None:
    evidence = forger.evidence()
    record = parse_proof(proof_of(evidence).read_bytes()).extra
    assert record in list(layout.lines(evidence / "log" / layout.INDEX))
    assert b'"e":"product.collected"' in record and said(evidence) == []


@pytest.mark.parametrize("extra", [b"hello", None])
def test_a_proof_that_carries_another_record_than_it_proves_is_refused(
    forger: Forger, extra: bytes | None
) -> None:
    evidence = forger.evidence()
    path, other = proof_of(evidence), extra or next(layout.lines(evidence / "log" / layout.INDEX))
    lines = path.read_bytes().split(b"\n")
    lines[1] = b"extra " + base64.b64encode(other)
    path.write_bytes(b"\n".join(lines))
    (why,) = said(evidence)
    assert "another record" in why


def test_a_proof_that_carries_nothing_proves_what_the_log_has(forger: Forger) -> None:
    evidence = forger.evidence()
    lines = proof_of(evidence).read_bytes().split(b"\n")
    proof_of(evidence).write_bytes(b"\n".join([lines[0], *lines[2:]]))
    assert said(evidence) == []
