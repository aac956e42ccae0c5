"""A comparison as text and as JSON: nothing is lost, nothing is told twice, nothing hostile comes out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from rich.cells import cell_len

from compare.releases import KEY, RELEASES, git, greeting, release, with_greeting
from sealwright_console.cli import main
from sealwright_console.diff_text import WIDTH, lines
from sealwright_console.diffing import as_json
from sealwright_console.sanitise import ACTIVE
from sealwright_stages.compare.both import Compared, Side
from sealwright_stages.compare.compared import compare
from sealwright_stages.compare.difference import MEANING, SECTIONS, Danger
from sealwright_stages.compare.facts import Product, Release, Signature
from sealwright_stages.compare.source_files import FileChanges
from sealwright_stages.findings import advice, bad
from support.stories import HOSTILE_TEXT, sha


def side(made: Release, *, passed: bool = True, provided: str = "") -> Side:
    findings = (advice("signatures", "compare them"), *(() if passed else (bad("log", "record 7 is another"),)))
    return Side(Path("ev"), passed, provided, findings, made, "2026-03-02T12:00:00.000000Z", sha("r"), 9, ())


def compared(a: Release, b: Release, *, passed: bool = True, files: tuple[FileChanges, ...] = ()) -> Compared:
    return Compared(side(a), side(b, passed=passed), compare(a, b), files)


def text(made: Compared) -> str:
    return "\n".join(lines(made))


@settings(max_examples=60)
@given(RELEASES, RELEASES)
def test_every_change_is_told_in_lines_that_fit(a: Release, b: Release) -> None:
    made = compared(a, b)
    told = list(lines(made))
    assert all(cell_len(line) <= WIDTH for line in told)
    flat = "".join("".join(told).split())
    for change in made.difference.changes if made.difference else ():
        assert change.section.value == "durations" or "".join(change.after.split()) in flat


@settings(max_examples=60)
@given(HOSTILE_TEXT, HOSTILE_TEXT)
def test_no_text_from_outside_comes_out_alive(name: str, value: str) -> None:
    hostile = release(
        name=name or "x",
        version=value,
        tool=value,
        declared={name: {value: name}},
        persons={name: {"openpgp": value}},
        signatures=frozenset({Signature(name, value)}),
        components={name: greeting(git(signatures=frozenset({Signature(name, value)}), waived=value))},
    )
    files = FileChanges(name)
    files.take(value, "", name)
    broken = replace(side(hostile, passed=False), left_out=(value,), findings=(bad(name, value),))
    made = Compared(broken, side(release()), compare(hostile, release()), (files,), (value,))
    for line in lines(made):
        assert not ACTIVE.search(line)
        assert cell_len(line) <= WIDTH
    assert json.dumps(as_json(made)).isascii()


def test_what_is_dangerous_stands_before_the_rest_and_is_told_once() -> None:
    other = with_greeting(greeting(git("v1.1", key="C" * 40)), version="1.1")
    told = text(compared(release(), other))
    assert told.index("KEY CHANGED") < told.index("RELEASE\n") < told.index("COMPONENTS\n")
    assert told.count("C" * 40) == told.count(KEY) == 1
    assert told.splitlines()[-1] == "verdict: both are whole; 7 changes, 1 to look at first"


def test_each_danger_has_a_meaning() -> None:
    assert set(MEANING) == set(Danger)


def test_a_side_that_is_not_whole_is_said_first_and_last() -> None:
    told = text(compared(release(), with_greeting(greeting(epoch=1)), passed=False))
    assert told.index("B IS NOT WHOLE") < told.index("record 7 is another") < told.index("INPUTS\n")
    assert told.splitlines()[-1] == "verdict: NO, B is not whole"


def test_what_a_yes_hangs_on_stands_in_the_verdict() -> None:
    a, b = side(release(), provided="if you are right"), side(release(), provided="if you are right")
    told = text(Compared(a, b, compare(release(), release())))
    assert "verdict: both are whole, if you are right; nothing differs" in told


def test_two_builders_are_told_how_many_products_are_identical() -> None:
    other = with_greeting(greeting(products={**greeting().products, "b.tar": Product(sha("b"), 1)}))
    told = text(compared(release(), other))
    assert told.splitlines()[0] == "example-1.0"
    assert "one release, two evidence folders: 1 of 2 products are identical" in told
    assert "PRODUCT DIFFERS" in told


def test_a_product_of_another_tool_says_so() -> None:
    other = with_greeting(greeting(products={"greeting-1.0.tar": Product(sha("b"), 1)}), tool="0.2.0")
    assert "(built by sealwright 0.1.0 and 0.2.0)" in text(compared(release(), other))


def test_products_that_did_not_change_with_their_inputs_are_named() -> None:
    told = text(compared(release(), with_greeting(greeting(epoch=1))))
    assert "greeting: greeting-1.0.tar: the same bytes, although" in told


def test_durations_are_told_with_their_ratio() -> None:
    told = text(compared(release(), with_greeting(greeting(took={**greeting().took, "build": 180_000}))))
    assert "1:00 -> 3:00  (3.0 times)" in told


def test_files_are_counted_and_the_first_ones_named() -> None:
    files = FileChanges("greeting")
    for n in range(30):
        files.take(f"f{n:02}", "1", "2" if n else "")
    told = text(compared(release(), with_greeting(greeting(epoch=1)), files=(files,)))
    assert "greeting: files of its sources: 29 changed, 1 only in A, 0 only in B" in told
    assert "    - f00" in told and "    ~ f19" in told and "f20" not in told
    assert "and 10 more" in told


KEYS = {"format", "whole", "compared", "a", "b", "left_out", "same_release", "differs", "alarms", "changes"}
KEYS |= {"same", "unmoved", "files"}
CHANGE = {"section", "kind", "component", "a_name", "b_name", "field", "a", "b"}


@settings(max_examples=30)
@given(RELEASES, RELEASES)
def test_the_json_has_the_documented_form(a: Release, b: Release) -> None:
    told: dict[str, Any] = json.loads(json.dumps(as_json(compared(a, b))))
    assert told.keys() == KEYS
    assert told["format"] == 1
    assert all(change.keys() == CHANGE for change in told["changes"])
    assert all(alarm.keys() == CHANGE | {"danger"} for alarm in told["alarms"])
    assert list(told["same"]) == [section.value for section in SECTIONS]
    assert json.dumps(as_json(compared(a, b))) == json.dumps(told)


def test_every_word_of_the_json_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "diff.md").read_text()
    words = {*KEYS, *CHANGE, "danger", *(d.value for d in Danger), *(s.value for s in SECTIONS)}
    words |= set(as_json(compared(release(), release()))["a"])  # type: ignore[call-overload]
    words |= {"component", "name", "only_a", "only_b", "changed"}
    assert [word for word in sorted(words) if f"`{word}`" not in page] == []


@pytest.mark.parametrize("words", [[], ["--json"], ["--exit-code"]])
def test_folders_that_are_none_end_with_2_and_no_verdict(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", str(tmp_path), str(tmp_path / "none"), *words]) == 2
    told = capsys.readouterr()
    if words == ["--json"]:
        assert json.loads(told.out)["exit"] == 2 and "compared" not in told.out
    else:
        assert told.out == ""
        assert [line.split(":")[0] for line in told.err.splitlines()] == ["error", "because", "next"]


def test_nothing_to_read_is_told() -> None:
    nothing = side(Release("", ""), passed=False)
    assert "nothing that can be read" in text(Compared(nothing, side(release()), None))
