"""An error and the evidence that goes with it, as they are said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealwright_console.complaints import complain, print_result
from sealwright_stages.errors import Exhibit, LogError

NOTE = b"example.org/log\n7\nroot\n\n\xe2\x80\x94 example.org/log c2ln\n"
ERROR = LogError(
    "the log contradicts what it said before",
    "rollback",
    "begin anew",
    (
        Exhibit("the checkpoint seen last", Path("/w/seen"), NOTE),
        Exhibit("shown now", Path("/w/shown"), b"\x1b[31m"),
    ),
)


def test_evidence_comes_before_the_error_each_line_set_off_and_dead(capsys: pytest.CaptureFixture[str]) -> None:
    complain(ERROR)
    assert capsys.readouterr().err.splitlines() == [
        "evidence: the checkpoint seen last, kept as /w/seen",
        "  | example.org/log",
        "  | 7",
        "  | root",
        "  |",
        "  | \N{EM DASH} example.org/log c2ln",
        "evidence: shown now, kept as /w/shown",
        "  | \N{SYMBOL FOR ESCAPE}[31m",
        "error: the log contradicts what it said before",
        "because: rollback",
        "next: begin anew",
    ]


def test_evidence_without_end_is_cut_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    complain(LogError("a", "b", "c", (Exhibit("much", Path("/w/much"), b"x\n" * 1000),)))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) < 80 and lines[-4] == "  (930 more lines are in the file)"


def test_the_result_names_the_files_of_the_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(4, ERROR.what, ERROR.because, ERROR.next_step, ERROR.exhibits)
    print_result(0, "done", "", "")
    first, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [told["file"] for told in first["evidence"]] == ["/w/seen", "/w/shown"]
    assert "evidence" not in last
