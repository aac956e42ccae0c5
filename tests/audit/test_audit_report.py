"""What an audit says to a machine, and that the pages about it say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from audit.forge import Forger
from audit.rich import rich
from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.proof import check_proof
from sealwright_console.auditing import lines
from sealwright_console.cli import main
from sealwright_stages import events as ev
from sealwright_stages.findings import Finding, bad, good, unchecked
from sealwright_stages.rules import RULES, known

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "reference"


def said(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    code = main([str(word) for word in words])
    (line,) = capsys.readouterr().out.splitlines()
    table = json.loads(line)
    assert isinstance(table, dict) and code == (0 if table["passed"] else 1)
    return table


def test_the_page_of_rules_says_what_the_code_says() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", (PAGES / "audit-rules.md").read_text(), re.MULTILINE)
    assert dict(rows) == RULES and len(rows) == len(RULES)


def test_each_rule_is_one_that_the_code_names() -> None:
    places = [*(ROOT / "stages" / "sealwright_stages").rglob("*.py")]
    text = "".join(
        path.read_text() for path in places if path.parent.name != "rules" or path.name != "__init__.py"
    )
    assert [rule for rule in RULES if f'"{rule}"' not in text] == []
    with pytest.raises(KeyError):
        known("no-such-rule")


def test_the_report_has_the_keys_of_its_page(forger: Forger, capsys: pytest.CaptureFixture[str]) -> None:
    rich(forger)
    table = said(capsys, "audit", forger.evidence(), "--json", "--keyring", forger.folder / "keyring")
    whole, finding = (PAGES / "audit-report.md").read_text().split("A finding:")
    named = {
        key for row in re.findall(r"^\| (`.*?) \|", whole, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)
    }
    assert set(table) == named
    keys = {
        key for row in re.findall(r"^\| (`.*?) \|", finding, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)
    }
    assert all(set(each) == keys for each in table["findings"])  # type: ignore[attr-defined]
    assert table["verdict"] == "yes" and table["first"] == {} and table["format"] == 1
    told = {each["what"] for each in table["not_checked"]}  # type: ignore[attr-defined]
    assert told >= {"signatures", "witness", "checkpoint", "sources", "build root", "memory", "waivers", "times"}
    counts = {"records": 208, "runs": 3, "items": 18, "products": 7, "waivers": 4, "findings_bad": 0}
    assert counts.items() <= table["counts"].items()  # type: ignore[attr-defined]
    assert "null" not in json.dumps(table)


def test_a_no_names_the_first_record_and_its_rule(forger: Forger, capsys: pytest.CaptureFixture[str]) -> None:
    steps = rich(forger)
    gone = [
        step for step in steps if not (isinstance(step, ev.GateDecided) and step.stage == "build" and step.open)
    ]
    evidence = forger.unsigned(gone)
    table = said(capsys, "audit", evidence, "--json")
    first = table["first"]
    assert isinstance(first, dict) and table["verdict"] == "no"
    assert (first["rule"], first["stream"]) == ("gate-open", "engine") and first["n"] > 0
    assert f"record {first['n']}: " in first["detail"]
    main(["audit", str(evidence)])
    out = capsys.readouterr().out.splitlines()
    assert out[-3].startswith(f"first: record {first['n']} on stream engine; the rule: ")
    assert out[-2].startswith("next: ") and out[-1] == "verdict: NO"


def test_a_log_that_was_published_alone_is_told_from_one_that_lost_its_products(
    forger: Forger, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = forger.evidence()
    for path in sorted((evidence / "products").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    table = said(capsys, "audit", evidence, "--json")
    assert table["first"]["rule"] == "products"  # type: ignore[index]
    table = said(capsys, "audit", evidence, "--json", "--without-products")
    assert table["passed"] and "products" in {each["what"] for each in table["not_checked"]}  # type: ignore[attr-defined]


def test_check_gives_the_proof_of_a_product(forger: Forger, capsys: pytest.CaptureFixture[str]) -> None:
    evidence, mine = forger.evidence(), ("--keyring", forger.folder / "keyring")
    product = evidence / "products" / "xen" / "xen.tar"
    table = said(capsys, "check", product, "--evidence", evidence, *mine, "--json")
    (line,) = (
        each for each in (evidence / "log" / "index.jsonl").read_bytes().splitlines() if b"product.coll" in each
    )
    key = VerifierKey.parse((evidence / "log" / "log.vkey").read_text().strip())
    size = len((evidence / "log" / "index.jsonl").read_bytes().splitlines())
    assert check_proof(str(table["proof"]).encode(), line, key).size == size
    other = evidence / "verify.py"
    assert said(capsys, "check", other, "--evidence", evidence, *mine, "--json")["proof"] == ""


def test_check_follows_the_name_that_a_person_gives_and_says_what_is_wrong_with_that_file(
    forger: Forger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence, latest = forger.evidence(), tmp_path / "latest.tar"
    words = "--evidence", str(evidence), "--keyring", str(forger.folder / "keyring")
    latest.symlink_to(evidence / "products/xen/xen.tar")
    assert main(["check", str(latest), *words]) == 0
    capsys.readouterr()
    other = tmp_path / "other.tar"
    other.write_bytes(b"other")
    for path, told in ((other, "next      don't use it; get the file again"), (tmp_path / "none", "✗ file")):
        assert main(["check", str(path), *words]) == 1
        assert told in capsys.readouterr().out
    (evidence / "log/index.jsonl").write_bytes(b"")
    assert main(["check", str(other), *words]) == 1
    assert "next      fetch the evidence again" in capsys.readouterr().out


def test_what_was_checked_takes_twelve_lines_at_most() -> None:
    many = [good("memory", f"number {n}") for n in range(40)]
    every = [*many, *(good(f"thing {n}", "as it should be") for n in range(20)), unchecked("witness", "nobody")]
    told = list(lines(every, ""))
    assert told[0] == "checked" and told[13] == "not checked" and told[-1] == "verdict: yes"
    assert "number 0 (and 39 more)" in told[1] and "further things" in told[12]


def test_nothing_of_the_evidence_is_printed_as_it_is() -> None:
    evil = Finding(
        "bad", "rules", "\x1b[2Jall is well\nverdict: yes", "gate-open", 7, "\x1b]0;", ("a\x1b[1m\n\x07b",)
    )
    told = "\n".join(lines([evil], ""))
    assert "\x1b" not in told and "\x07" not in told and told.splitlines()[-1] == "verdict: NO"
    assert [line for line in told.splitlines() if line.startswith("verdict")] == ["verdict: NO"]


def test_a_file_that_is_no_product_sends_nobody_to_the_evidence() -> None:
    told = list(lines([bad("file", "no product of this release has these bytes")], ""))
    assert told[-3] == "first: file" and told[-2].startswith("next: get the file again")
    folder = [bad("file", "no product"), bad("products", "xen.tar has 2 bytes", "products", 7)]
    assert list(lines(folder, ""))[-2].startswith("next: fetch the folder again")
