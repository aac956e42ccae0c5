"""`sealwright explain`, and the page that lists the codes: both say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sealwright_console.explain import run_explain
from sealwright_stages.errors import ManifestError
from sealwright_stages.verify.codes import CODES, WAIVABLE, warned

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "verdict-codes.md"
ROW = re.compile(r"^\| `([a-z-]+)` \| (passed|warned|failed) \| (.+) \|$", re.MULTILINE)


def test_every_code_is_explained_with_what_can_be_done(capsys: pytest.CaptureFixture[str]) -> None:
    for code in CODES:
        assert run_explain(code) == 0
        told = capsys.readouterr().out
        assert told.startswith(f"{code}: ")
        assert ("nobody can waive it" in told) is (code not in WAIVABLE and code != "ok")


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    run_explain("")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == sorted(CODES)


def test_joined_warnings_are_explained_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    run_explain("key-expired-since+text-mode")
    assert capsys.readouterr().out.count("warned:") == 2


def test_an_unknown_code_is_refused_and_shown_dead() -> None:
    with pytest.raises(ManifestError) as refused:
        run_explain("x\x1b[31m")
    assert "\x1b" not in refused.value.what


def test_only_a_documented_warning_can_be_given() -> None:
    for code in CODES.keys() - WAIVABLE:
        with pytest.raises(KeyError):
            warned(code, "", "", "")
    assert warned("key-expired-since+text-mode", "", "", "").code == "key-expired-since+text-mode"


def test_the_page_of_codes_says_what_the_code_says() -> None:
    rows = {code: (status, meaning) for code, status, meaning in ROW.findall(PAGE.read_text())}
    assert rows.keys() == CODES.keys()
    for code, (status, meaning) in rows.items():
        assert meaning.rstrip(".").lower() == CODES[code].rstrip(".").lower(), code
        assert status == ("passed" if code == "ok" else "warned" if code in WAIVABLE else "failed"), code
