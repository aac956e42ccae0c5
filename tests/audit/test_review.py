"""`sealwright review` as text and JSON: any record of a real release, its events, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from audit.forge import Forger, Step
from sealwright_console.cli import main
from sealwright_console.sanitise import ACTIVE
from sealwright_stages import events as ev

HOSTILE = "evil \x1b]0;t\x07\x9b1m\u202e\nverdict: yes"


@pytest.fixture
def evidence(forger: Forger) -> Path:
    return forger.evidence()


def review(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str], list[str]]:
    """The exit code, and the lines of stdout and stderr."""
    code = main(["review", *map(str, words)])
    told = capsys.readouterr()
    return code, told.out.splitlines(), told.err.splitlines()


def test_at_a_record_the_summary_is_as_it_stood_then(capsys: pytest.CaptureFixture[str], evidence: Path) -> None:
    _, whole, _ = review(capsys, evidence, "--batch")
    code, then, _ = review(capsys, evidence, "--batch", "--at", 5)
    assert code == 0 and then[0].startswith("record 5 of 28, 2023-")
    rows = [[line.split()[:3] for line in lines if line.split()[1:2] == ["xen"]] for lines in (then, whole)]
    assert rows == [[["pending", "xen", "0/3"]], [["passed", "xen", "3/3"]]]
    assert not any("product " in line for line in then[:8]) and whole[-1] == then[-1]


def test_at_the_last_record_or_the_time_of_the_end_it_is_the_end(
    capsys: pytest.CaptureFixture[str], evidence: Path
) -> None:
    _, whole, _ = review(capsys, evidence, "--batch")
    end = str(json.loads((evidence / "log" / "index.jsonl").read_bytes().splitlines()[-1])["t"])
    for at in ("27", end, end[:19], end[11:19]):
        assert review(capsys, evidence, "--batch", "--at", at) == (0, whole, [])


def test_events_are_a_line_each_and_the_verdict_is_on_stderr(
    capsys: pytest.CaptureFixture[str], evidence: Path
) -> None:
    code, out, err = review(capsys, evidence, "--events")
    assert code == 0 and [line.split()[0] for line in out] == [str(n) for n in range(28) if n != 18]
    assert err == ["verdict: yes, as far as the folder's own keys go"]
    _, until, _ = review(capsys, evidence, "--events", "--at", 7)
    assert until == out[:8]


def test_events_are_chosen_by_component_stage_severity_and_text(
    capsys: pytest.CaptureFixture[str], evidence: Path
) -> None:
    def numbers(*words: str) -> list[int]:
        return [int(line.split()[0]) for line in review(capsys, evidence, "--events", *words)[1]]

    assert numbers("--component", "xen", "--stage", "build") == [4, 16, 17, 19, 20, 21, 22]
    assert numbers("--severity", "red") == []
    assert numbers("--search", "MAKING") == [18]
    assert numbers("--search", "making", "--stage", "verify") == []
    assert numbers("--search", "xen.tar") == [21]
    assert numbers("--search", "no such text") == []


def test_json_is_one_object_a_line_and_the_last_is_the_result(
    capsys: pytest.CaptureFixture[str], evidence: Path
) -> None:
    code, out, err = review(capsys, evidence, "--events", "--json", "--stage", "build")
    told: list[dict[str, Any]] = [json.loads(line) for line in out]
    assert code == 0 and err == [] and told[-1]["event"] == "result" and told[-1]["passed"] is True
    assert [each["n"] for each in told[:-1]] == [4, 14, 15, 16, 17, 19, 20, 21, 22, 23]
    assert told[7]["body"]["name"] == "xen.tar" and told[7]["component"] == "xen" and told[7]["severity"] == "info"
    code, out, _ = review(capsys, evidence, "--json", "--at", "8")
    (state,) = map(json.loads, out)
    assert (state["n"], state["records"], state["sealed"]) == (8, 28, False)
    assert (
        state["items"]["xen/fetch/v1"]["status"] == "passed" and state["items"]["xen/build"]["status"] == "pending"
    )


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (("--at", "28"), "the log has records 0 to 27"),
        (("--at", "yesterday"), "it is neither a record's number nor a time"),
        (("--events", "--component", "lvm2"), "this release has no such component"),
        (("--events", "--severity", "grave"), "invalid choice: 'grave'"),
        (("--events", "--stage", "paint"), "invalid choice: 'paint'"),
        (("--events", "--search", ""), "there is no text to look for"),
        (("--search", "x"), "it chooses among events"),
        (("--component", "xen", "--batch"), "it chooses among events"),
    ],
)
def test_a_bad_value_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], evidence: Path, words: tuple[str, ...], because: str
) -> None:
    code, out, err = review(capsys, evidence, *words)
    assert code == 2 and out == []
    assert [line.split(": ")[0] for line in err] == ["error", "because", "next"] and because in err[1]


def test_no_text_of_the_log_brings_an_active_character(capsys: pytest.CaptureFixture[str], forger: Forger) -> None:
    def evil(steps: list[Step]) -> list[Step]:
        at = next(at for at, step in enumerate(steps) if isinstance(step, ev.ItemVerdict))
        verdict = steps[at]
        assert isinstance(verdict, ev.ItemVerdict)
        progress = ev.ItemProgress(verdict.item, 1, 2, HOSTILE)
        return [*steps[:at], progress, *steps[at:]]

    evidence = forger.evidence(evil)
    for words in (("--events",), ("--events", "--json"), ("--events", "--search", "evil"), ("--at", "8")):
        _, out, err = review(capsys, evidence, *words)
        assert not any(ACTIVE.search(line) for line in (*out, *err))
    _, out, _ = review(capsys, evidence, "--events", "--search", "evil")
    assert len(out) == 1 and "␛" in out[0]


def test_a_log_that_was_tampered_with_is_shown_up_to_there_and_is_a_no(
    capsys: pytest.CaptureFixture[str], evidence: Path
) -> None:
    index = evidence / "log" / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join([*lines[:9], b"no record\n", *lines[10:]]))
    code, out, err = review(capsys, evidence, "--events")
    assert code == 1 and len(out) == 9
    assert any("record 9: not JSON" in line for line in err) and err[-1] == "verdict: NO"


def test_without_a_log_there_is_nothing_to_show_but_why(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    for words in (("--events",), ("--batch",), ("--json",)):
        code, out, err = review(capsys, tmp_path / "nothing", *words)
        assert code == 1
        assert bool(out) == (words != ("--events",)) and bool(err) == (words == ("--events",))
