"""The rules of the timeline: bars, marks and the cursor stand at their time, and a place means a record."""

from __future__ import annotations

import random
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from sealwright_console.lines import plain
from sealwright_console.views.timeline import record_at, timeline
from sealwright_stages import events as ev
from sealwright_stages.review.past import Past, read_past
from sealwright_stages.state import State
from support.past_log import Output, Seal, Told, write_past
from support.stories import begun, declared, judged, whole_release

QUIET = [Output("build/a", b"x")] * 9


def told() -> list[Told]:
    """A record each second: two stages at once until 31, one from 40 on, a red one at 52, the end at 63."""
    return [
        begun(),
        declared("xen/tag"),
        ev.StageStarted("get-sources"),
        ev.StageStarted("verify"),
        *QUIET * 3,
        ev.StageEnded("get-sources", True),
        ev.StageEnded("verify", True),
        *QUIET,
        ev.StageStarted("build"),
        *QUIET,
        judged("xen/tag", "warned"),
        judged("xen/tag", "failed"),
        *QUIET,
        Seal(),
    ]


def past_of(folder: Path) -> Past:
    return read_past(write_past(folder, told(), step=1000))


def test_stages_at_the_same_time_have_bars_above_each_other(tmp_path: Path) -> None:
    past = past_of(tmp_path)
    times, first, second, marks = (plain(line) for line in timeline(past, past.end, past.size, long=True))
    assert times.startswith("12:39:00") and times.endswith("12:40:04")
    assert first.index("1 get-sources") == 3 and first.index("3 build") == 43
    bar = second.rstrip("┃ ")
    assert second.index("2 verify") == 4 and bar[-1] in "━─" and len(bar) < 40
    assert [marks.index(mark) for mark in "!✗▲"] == [53, 54, 64]


def test_the_short_form_is_one_line_and_red_goes_over_warned(tmp_path: Path) -> None:
    past = past_of(tmp_path)
    (line,) = timeline(past, past.state(30), 50)
    assert cell_len(plain(line)) == 50
    bar = plain(line)[9:-9]
    assert "1" in bar and "2" in bar and "3" in bar and "✗" in bar and bar.index("┃") < bar.index("3")


def test_what_lies_before_the_cursor_is_thick_and_what_lies_behind_it_thin(tmp_path: Path) -> None:
    past = past_of(tmp_path)
    (line,) = timeline(past, past.state(35), 80)
    before, _, behind = plain(line)[9:-9].partition("┃")
    assert "─" not in before and "━" not in behind


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(40, 200), st.booleans())
def test_every_line_fits_and_every_place_means_a_record_near_it(
    tmp_path_factory: Path, seed: int, width: int, long: bool
) -> None:
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    story: list[Told] = []
    for event in whole_release("xen", "lvm2"):
        story += [event, *[Output("build/a", b"x")] * chance.choice((0, 0, 3, 40))]
    past = read_past(
        write_past(tmp_path_factory.mktemp("log"), [*story, Seal()], step=chance.choice((1, 1000, 9**7)))
    )  # type: ignore[attr-defined]
    n = chance.randrange(past.size)
    for line in timeline(past, past.state(n), width, long=long):
        assert cell_len(plain(line)) <= width
    left = 0 if long else 9
    found = [record_at(past, column, width, long=long) for column in range(width)]
    assert all(n is None or 0 <= n < past.size for n in found)
    inside = [n for n in found[left : width - left] if n is not None]
    assert len(inside) >= max(4, width - 2 * left) - 4
    quiet = [n for n in inside if n not in past.red and n not in past.warned]
    assert quiet == sorted(quiet) and (not quiet or quiet[-1] == past.size - 1)


def test_a_log_without_time_has_an_empty_line(tmp_path: Path) -> None:
    assert timeline(Past(tmp_path), State(), 80) == ((),)
    assert record_at(Past(tmp_path), 20, 80, long=False) is None
