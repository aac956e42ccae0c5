"""The rules of estimate and durations: a guess about builds, and a record that nobody has to believe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages.durations import Durations
from sealwright_stages.estimate import MARKS, Earlier, Estimate, Kind, makespan, marks_of, remaining, roughly

KIND = Kind("xen", "commands", "debian:bookworm")
SLOW_START = tuple(0 if n < 10 else (n - 10) * 100 for n in range(MARKS + 1))
"""Half of the time without a word, then evenly."""


def words(earlier: list[Earlier], elapsed: float, said: int = 0) -> str:
    estimate = remaining(earlier, elapsed, said)
    return estimate.words if estimate else ""


def test_with_no_earlier_build_nothing_is_said() -> None:
    assert words([], 10) == ""
    assert Estimate(0.0, unknown=3).words == ""


def test_beyond_the_longest_of_the_earlier_it_takes_longer_than_before() -> None:
    earlier = [Earlier(100), Earlier(240)]
    assert words(earlier, 60) == "about 2 min left"
    assert words(earlier, 241) == "longer than before (4 min)"
    marked = [Earlier(240, 1000, SLOW_START)]
    assert words(marked, 300, 500) == "about 2 min left, longer than before (4 min)"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.1, "5 s"), (12, "10 s"), (14, "15 s"), (44, "40 s"), (54.9, "50 s"), (55, "1 min"), (200, "3 min"),
     (1000, "15 min"), (3590, "1 h"), (4700, "1 h 20 min"), (7100, "2 h"), (86400 * 2, "48 h")],
)  # fmt: skip
def test_an_estimate_is_rounded_to_what_it_is_worth(seconds: float, said: str) -> None:
    assert roughly(seconds) == said


def test_what_a_build_has_said_tells_how_far_it_is() -> None:
    before = [Earlier(100, 1000, SLOW_START)]
    twice_as_slow = remaining(before, 150, 500)
    assert twice_as_slow is not None and twice_as_slow.left == pytest.approx(50)
    twice_as_fast = remaining(before, 37.5, 500)
    assert twice_as_fast is not None and twice_as_fast.left == pytest.approx(12.5)


def test_where_the_build_before_was_silent_too_the_time_counts() -> None:
    early = remaining([Earlier(100, 1000, SLOW_START)], 20, 0)
    assert early is not None and early.left == pytest.approx(80)
    plateau = (*tuple(min(n, 5) * 10 for n in range(MARKS)), 60)
    silent = remaining([Earlier(100, 60, plateau)], 50, 50)
    assert silent is not None and silent.left == pytest.approx(50)


def test_without_marks_the_output_counts_the_more_the_larger_it_is() -> None:
    early, late = remaining([Earlier(100, 1000)], 40, 100), remaining([Earlier(100, 1000)], 40, 900)
    assert early is not None and early.left == pytest.approx(0.9 * 60 + 0.1 * 360)
    assert late is not None and late.left == pytest.approx(0.1 * 60 + 0.9 * 40 / 9)


def test_builds_with_marks_are_believed_before_those_without() -> None:
    marked = Earlier(100, 1000, SLOW_START)
    both = remaining([Earlier(500), Earlier(500), marked], 50, 500)
    assert both is not None and both.left == pytest.approx(50 / 3)


def test_marks_are_what_was_said_at_each_twentieth() -> None:
    marks = marks_of([(n / 10, n) for n in range(1001)], 100)
    assert marks == tuple(range(0, 1001, 50))
    assert marks_of([], 100) == ()
    assert marks_of([(50, 7)], 100) == (*[0] * 10, *[7] * 11)


@given(
    st.lists(st.builds(Earlier, st.floats(0.001, 1e6), st.integers(0, 1 << 50), st.just(())), max_size=8),
    st.lists(st.integers(0, 1 << 50), min_size=MARKS + 1, max_size=MARKS + 1).map(sorted).map(tuple),
    st.floats(0, 1e7),
    st.integers(0, 1 << 60),
)
def test_whatever_was_kept_an_estimate_is_never_less_than_nothing(
    earlier: list[Earlier], marks: tuple[int, ...], elapsed: float, said: int
) -> None:
    for known in (earlier, [*earlier, Earlier(60, marks[-1], marks)]):
        estimate = remaining(known, elapsed, said)
        assert (estimate is None) == (not known)
        assert estimate is None or (estimate.left >= 0 and estimate.words is not None)


@pytest.mark.parametrize(
    ("left", "running", "needs", "workers", "seconds"),
    [
        ({"a": 10, "b": 20, "c": 30}, (), {}, 1, 60),
        ({"a": 10, "b": 20, "c": 30}, (), {}, 3, 30),
        ({"a": 10, "b": 20, "c": 30}, (), {"c": ["a"], "b": ["done"]}, 2, 40),
        ({"a": 10, "b": 20, "c": 30}, (), {"b": ["a"], "c": ["b"]}, 8, 60),
        ({"a": 10, "b": 20}, ("a", "b"), {}, 1, 20),
        ({"a": 10, "b": 20, "c": 5}, ("b",), {}, 1, 35),
        ({"a": 10, "b": 20}, (), {"a": ["b"], "b": ["a"]}, 2, 0),
        ({}, (), {}, 2, 0),
    ],
)
def test_builds_side_by_side_take_what_the_workers_have_to_do(
    left: dict[str, float], running: tuple[str, ...], needs: dict[str, list[str]], workers: int, seconds: float
) -> None:
    assert makespan(left, running, needs, workers) == seconds


def test_a_stage_with_builds_that_were_never_timed_takes_at_least() -> None:
    assert Estimate(200, unknown=1).words == "at least 3 min left, 1 build was never timed"
    assert Estimate(200, unknown=2).words == "at least 3 min left, 2 builds were never timed"


def test_a_record_holds_the_newest_few_of_its_kind(tmp_path: Path) -> None:
    durations = Durations(tmp_path / "durations")
    for seconds in range(1, 9):
        durations.keep(KIND, Earlier(seconds, seconds * 10, SLOW_START))
    assert [each.seconds for each in durations.of(KIND)] == [8, 7, 6, 5, 4]
    assert durations.of(KIND)[0] == Earlier(8, 80, SLOW_START)
    for other in (
        Kind("xen", "deb", "debian:bookworm"),
        Kind("xen", "commands", "host"),
        Kind("x", "commands", ""),
    ):
        assert durations.of(other) == ()
    assert len(list((tmp_path / "durations").iterdir())) == 1


_GOOD = {"kind": ["xen", "commands", "debian:bookworm"], "builds": [[60, 7, []]]}


@pytest.mark.parametrize(
    "text",
    [
        b"", b"\xff\x00", b"[]", b"null", b"7", b'{"builds": 7}', b'{"builds": [[1, 2]]}', b"[" * 5000, b"x" * 20_000,
        json.dumps({**_GOOD, "builds": [["NaN", 1, []]]}).encode(),
        json.dumps({**_GOOD, "builds": [[1e400, 1, []]]}).encode(),
        json.dumps({**_GOOD, "builds": [[-5, 1, []]]}).encode(),
        json.dumps({**_GOOD, "builds": [[5, -1, []]]}).encode(),
        json.dumps({**_GOOD, "builds": [[5, 1, "many"]]}).encode(),
        json.dumps({**_GOOD, "kind": ["lvm2", "commands", "host"]}).encode(),
        json.dumps({"builds": [[60, 7, []]]}).encode(),
    ],
)  # fmt: skip
def test_a_record_that_makes_no_sense_is_no_history(tmp_path: Path, text: bytes) -> None:
    durations = Durations(tmp_path)
    durations.keep(KIND, Earlier(60, 7))
    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_bytes()) == _GOOD
    file.write_bytes(text)
    assert durations.of(KIND) == ()
    durations.keep(KIND, Earlier(5))
    assert [each.seconds for each in durations.of(KIND)] == [5]


def test_marks_that_make_no_sense_are_none(tmp_path: Path) -> None:
    durations = Durations(tmp_path)
    for marks in ((1, 2), tuple(range(MARKS, -1, -1)), (-1,) * (MARKS + 1)):
        durations.keep(KIND, Earlier(60, 7, marks))
        assert durations.of(KIND)[0] == Earlier(60, 7)


def test_what_can_not_be_kept_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        Durations(folder).keep(KIND, Earlier(60))
        assert Durations(folder).of(KIND) == ()
