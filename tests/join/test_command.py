"""`sealwright join`, as a person and as a program see it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from join.builders import HEAD, Builders
from sealwright_console.cli import main

HEX = re.compile(r"[0-9a-f]{64}")


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    code = main(["join", *(str(word) for word in words)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_the_report_fits_eighty_columns_and_names_each_hash_whole(
    once: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, *once.at("alice", "bob", "carol"))
    lines = out.splitlines()
    assert code == 0 and all(len(line) <= 80 for line in lines), out
    assert lines[0] == "example-1.0: evidence of 3 builders"
    assert [line.split()[-1] for line in lines[3:6]] == ["agrees", "agrees", "DIFFERS"]
    place = lines.index("  products/xen/xen.tar")
    assert lines[place - 1] == "not the same from everybody: 1 of 1 product"
    assert HEX.search(lines[place + 1]) and HEX.search(lines[place + 3])
    assert [lines[place + 2].strip(), lines[place + 4].strip()] == ["alice, bob (agreed)", "carol"]
    assert "  ✓ 2 builders of 2 needed: alice, bob" in lines and "  ✗ 1 person of 2 needed: carol" in lines
    assert "verdict: FINAL, as far as the folder's own keys go" in lines


def test_what_is_not_final_ends_with_one_and_says_what_is_lacking(
    once: Builders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, *once.at("alice", "carol"), "--to", tmp_path / "out")
    assert code == 1 and "verdict: NOT FINAL" in out and "next: have another person build it" in out
    assert f"nothing was written to {tmp_path / 'out'}" in out and not (tmp_path / "out").exists()


def test_a_contradiction_is_told_and_ends_with_one(builders: Builders, capsys: pytest.CaptureFixture[str]) -> None:
    head = HEAD.replace("threshold = 2\nbuilders = 2\n", "")  # one person and one builder are enough
    builders.build("one", 5, "alice", head=head)
    builders.build("two", 6, "bob", head=head, other=True)
    code, out, _ = said(capsys, *builders.at("one", "two"))
    assert code == 1 and "CONTRADICTION: 2 different SHA256SUMS" in out
    assert "verdict: NO\n" in out and "FINAL" not in out
    code, out, _ = said(capsys, *builders.at("one", "two"), "--json")
    assert code == 1 and json.loads(out)["verdict"] == "contradiction"


def test_another_release_is_told_with_both_manifests(
    builders: Builders, capsys: pytest.CaptureFixture[str]
) -> None:
    builders.build("other", 5, "carol", head=HEAD.replace("builders = 2", "builders = 3"))
    code, out, _ = said(capsys, *builders.at("alice", "bob", "other"))
    assert code == 1 and "these are 2 releases" in out and "verdict: NO" in out
    assert len(set(re.findall(r"manifest ([0-9a-f]{64})", out))) == 2


def test_nothing_of_the_evidence_is_printed_as_it_is(
    builders: Builders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = builders.published(tmp_path / "site", "alice")
    for name in ("\x1b[31mred", "b\u202eob", "new\nline: verdict: FINAL", "x" * 200):
        (version / name).mkdir()
    shutil.copytree(builders.folder / "bob", version / "dave/evidence")
    (version / "dave/evidence/\x1b]0;title\x07").write_text("")
    code, out, _ = said(capsys, version)
    assert code == 1 and "\x1b" not in out and "\u202e" not in out and "\x07" not in out
    assert "\nline: verdict" not in out and out.count("✗") >= 5


def test_a_program_gets_one_object_with_every_builder(
    once: Builders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, *once.at("alice", "bob", "carol"), "--json", "--to", tmp_path / "out")
    told = json.loads(out)
    assert (code, told["verdict"], told["final"], told["format"]) == (0, "final", True, 1)
    assert [(each["name"], each["stands"]) for each in told["builders"]] == [
        ("alice", "agrees"),
        ("bob", "agrees"),
        ("carol", "differs"),
    ]
    assert [group["counts"] for group in told["groups"] if group["names"] == ["carol"]] == [False]
    (difference,) = told["differences"]
    assert difference["sha256"]["alice"] == difference["sha256"]["bob"] != difference["sha256"]["carol"]
    assert told["written"]["new"] is True and (tmp_path / "out/join.json").exists()


@pytest.mark.parametrize(
    "words", [("--builders", "0"), ("--builders", "9" * 5000), ("--builders", "٣"), ("--to", "")]
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, tmp_path, *words)
    assert code == 2 and err.startswith("error: the command line")


def test_other_commands_say_which_folders_a_joined_release_has(
    once: Builders, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "out"
    assert said(capsys, *once.at("alice", "bob"), "--to", to)[0] == 0
    for words in (["review", str(to)], ["publish", str(to), "--to", str(tmp_path / "site")]):
        assert main(words) == 2
        assert f"{to}/builders/alice, {to}/builders/bob" in capsys.readouterr().err
    assert main(["review", str(to / "builders/bob"), "--without-products", "--batch"]) == 1
    assert "one builder's evidence, and 2 must agree" in capsys.readouterr().out
    product, ring = str(to / "products/xen/xen.tar"), str(once.folder / "keyring")
    assert main(["audit", str(to)]) == 0
    assert main(["check", product, "--evidence", str(to), "--keyring", ring]) == 0


def test_one_builders_evidence_is_no_release_by_itself(once: Builders, capsys: pytest.CaptureFixture[str]) -> None:
    evidence = once.folder / "alice"
    product, ring = str(evidence / "products/xen/xen.tar"), str(once.folder / "keyring")
    assert main(["check", product, "--evidence", str(evidence), "--keyring", ring]) == 1
    out = capsys.readouterr().out
    assert "2 must agree before it is final" in out and "verdict: NO" in out
