"""A rebuild as text: what was found is told, whole and harmless; and what the command line refuses at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from rich.cells import cell_len

from compare.releases import RELEASES, greeting, release, with_greeting
from sealwright_console.cli import main
from sealwright_console.diff_text import WIDTH
from sealwright_console.reproduce_text import lines
from sealwright_console.sanitise import ACTIVE
from sealwright_keyring.policy import Policy
from sealwright_stages.audit import Audit
from sealwright_stages.compare.facts import Product, Release
from sealwright_stages.engine import Ended
from sealwright_stages.errors import Exit
from sealwright_stages.findings import bad, good
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.ports import Report
from sealwright_stages.rebuild.detail import Detail
from sealwright_stages.rebuild.rebuild import Rebuilt
from sealwright_stages.rebuild.report import report
from sealwright_stages.rebuild.results import results
from sealwright_stages.rebuild.strangers import Brought
from sealwright_stages.rebuild.taken import Taken
from sealwright_stages.state import State
from sealwright_stages.verdict import Waiver
from support.release_folder import HEAD, component, write_release
from support.stories import HOSTILE_TEXT, sha

WHAT = ("greeting", "greeting-1.0.tar")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return load(write_release(tmp_path_factory.mktemp("release"), HEAD + component("xen")))


def rebuilt(
    manifest: Manifest,
    mine: Release,
    theirs: Release | None = None,
    *,
    passed: bool = True,
    waivers: tuple[Waiver, ...] = (),
    because: str = "",
    detail: Detail | None = None,
) -> Rebuilt:
    theirs = theirs or release()
    audit = Audit((good("log", "whole") if passed else bad("signatures", "nobody", "signers"),), State(), None)
    policy = Policy(Path("/theirs"), "", {}, (), {})
    taken = Taken(Path("/evidence"), audit, Brought(), manifest, policy, None, theirs, waivers)
    ended = Ended(Exit.CLOSED if because else Exit.DONE, "stopped", because, "look")
    found = results(theirs, mine, State())
    return Rebuilt(taken, Path("/rebuilt"), ended, mine, found, {WHAT: detail} if detail else {})


def text(made: Rebuilt) -> str:
    return "\n".join(lines(made))


@settings(max_examples=20)
@given(RELEASES, RELEASES)
def test_every_product_is_told_and_the_verdict_is_the_last_line(theirs: Release, mine: Release) -> None:
    made = rebuilt(load_cached(), mine, theirs)
    told = list(lines(made))
    assert all(cell_len(line) <= WIDTH for line in told[:-1])
    flat = "".join("".join(told).split())
    for each in made.results.products:
        for product in (each.theirs, each.mine):
            assert product is None or product.sha256 in flat
    assert told[-1].startswith("reproduced: " if made.results.same else "NOT reproduced: ")
    assert report(made)["reproduced"] is made.results.same


_CACHED: list[Manifest] = []


def load_cached() -> Manifest:
    return _CACHED[0]


@pytest.fixture(autouse=True)
def cached(manifest: Manifest) -> None:
    _CACHED[:] = [manifest]


@settings(max_examples=20)
@given(HOSTILE_TEXT, HOSTILE_TEXT)
def test_no_text_from_outside_comes_out_alive(name: str, value: str) -> None:
    mine = with_greeting(greeting(products={name: Product(value, 1)}, sources_sha256=value), tool=value)
    waiver = Waiver(name, value, name, value, "", "")
    detail = Detail("", Report(why_none=value, cure=name))
    made = rebuilt(replace(load_cached(), name=name), mine, waivers=(waiver,), because=value, detail=detail)
    assert not ACTIVE.search(text(made).replace("\n", ""))


def test_what_takes_from_its_worth_stands_before_the_result(manifest: Manifest) -> None:
    waiver = Waiver("greeting/git/v1.0", "key-expired-since", "manager", "known", sha("x"), sha("y"))
    said = text(rebuilt(manifest, release(), passed=False, waivers=(waiver,)))
    worst, accepted, products = (
        said.index(each) for each in ("DID NOT STAND UP", "accepted by manager", "PRODUCTS")
    )
    assert worst < accepted < products
    assert "DID NOT STAND UP" not in text(rebuilt(manifest, release()))


def test_the_warning_of_an_audit_that_said_no_is_one_sentence_in_full_lines(manifest: Manifest) -> None:
    said = text(rebuilt(manifest, release(), passed=False)).splitlines()
    begun = next(number for number, line in enumerate(said) if line.startswith("✗ THIS EVIDENCE"))
    told = said[begun : said.index("  it is one.") + 1]
    assert all(60 < len(line) <= 80 for line in told[:-1]) and all(line.startswith("  ") for line in told[1:])


def test_a_difference_is_told_with_its_report_or_why_there_is_none(manifest: Manifest) -> None:
    mine = with_greeting(greeting(epoch=7, products={WHAT[1]: Product(sha("other"), 300)}))
    none = Detail("", Report(why_none="diffoscope is not installed", cure="apt install diffoscope-minimal"))
    flat = " ".join(text(rebuilt(manifest, mine, detail=none)).split())
    assert "no report: diffoscope is not installed; apt install diffoscope-minimal" in flat
    assert "SOURCE_DATE_EPOCH" in flat
    some = Detail("reports/greeting/greeting-1.0.tar.txt", Report("", "240", cut=True))
    assert "/rebuilt/reports/greeting/greeting-1.0.tar.txt (diffoscope 240, cut)" in text(
        rebuilt(manifest, mine, detail=some)
    )


def test_the_report_for_a_machine_has_no_null_and_no_text_of_diffoscope(manifest: Manifest) -> None:
    mine = with_greeting(greeting(products={}))
    told = report(rebuilt(manifest, mine, detail=Detail("", Report(why_none="x"))))
    assert "None" not in str(told)
    (product,) = told["products"]  # type: ignore[misc, attr-defined]
    assert product["here"] == {"sha256": "", "size": -1} and "text" not in product["report"]


def test_help_says_the_exit_codes_and_what_is_yours(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["reproduce", "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(word in said for word in ("EVIDENCE_DIR", "--mirror", "--sources", "--only", "130 interrupted"))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["nowhere"],
        [".", "--jobs", "0"],
        [".", "--sources", "nowhere"],
        [".", "--mirror", "ftp://example.org"],
        [".", "--mirror", "-x"],
        [".", "--signers", "manager"],
    ],
)
def test_a_wrong_command_line_is_refused_with_2(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", *words]) == Exit.USAGE
    said = capsys.readouterr()
    assert [line.partition(":")[0] for line in said.err.splitlines()] == ["error", "because", "next"]
    assert list(tmp_path.iterdir()) == []
