"""What the build screen and the builds side by side say, without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from console import made_up
from sealwright_console.figures import bar, curve
from sealwright_console.lines import Line, Tone, plain
from sealwright_console.views.build import Figures, build_lines, builds, busiest, component_of
from sealwright_console.views.builds import (
    OneBuild,
    all_builds,
    arrangement,
    chosen,
    list_head,
    list_rows,
    pane_lines,
)
from sealwright_console.views.curves import curve_lines
from sealwright_console.views.log import LogPlace, place_line
from sealwright_stages import events as ev
from sealwright_stages.fold import fold
from sealwright_stages.live import Ahead, Now
from sealwright_stages.ports import Sampled
from sealwright_stages.state import State
from sealwright_stages.verdict import Status
from support.stories import entries_of

WIDTHS = (76, 78, 98, 118)


def running() -> State:
    return fold(made_up.building().entries)


def red() -> State:
    return fold(made_up.red_build().entries)


def look(**more: int) -> Figures:
    told = {"disk": 7_000_000, "files": 2, "elapsed_ms": 65_000} | more
    now = Now(Sampled(77, 5 << 30, 12, 0, 0, **told), 1000, 2_000_000)
    return Figures(now, "about 3 min left", Ahead(54, 40, 3))


def said(lines: Sequence[Line]) -> str:
    return "\n".join(plain(line) for line in lines)


def test_the_log_opens_at_the_running_build() -> None:
    assert busiest(running()) == "xen"
    shown = said(build_lines(running(), "xen", 118))
    assert "xen  … running" in shown and "139%" in shown and "net none  caps none" in shown
    assert "in:  31 verified files  204 MB" in shown and "no estimate" in shown


def test_limits_are_those_that_the_log_tells_and_a_figure_near_one_warns() -> None:
    state = running()
    shown = said(build_lines(state, "xen", 78, look()))
    assert "2:00:00 of time  12 of 512 processes" in shown and "5.4 GB of 8.6 GB" in shown
    xen = state.components["xen"]
    near = replace(xen, limits=(7200, 11 << 29, 20 << 30, 512))
    (first, _) = curve_lines(near, 78, look().now)
    assert "! 5.4 GB of 5.9 GB" in plain(first) and first[-1].tone is Tone.WARNED
    (first, _) = curve_lines(replace(xen, limits=()), 78, look().now)
    assert plain(first).rstrip().endswith("5.4 GB") and not any(part.tone is Tone.WARNED for part in first)


def test_a_look_that_is_newer_than_the_log_is_shown_with_how_far_it_is() -> None:
    shown = said(build_lines(running(), "xen", 98, look(), "about 1 h left"))
    assert " 54%  running for 1:05" in shown and "about 3 min left +/- 40 s" in shown and "about 1 h left" in shown
    assert " 77%" in shown and "5.4 GB" in shown and "12 of 512 processes" in shown
    assert "7.0 MB of 21.5 GB" in shown
    assert "read 1.0 KB/s, wrote 2.0 MB/s" in said(build_lines(running(), "xen", 118, look()))


def test_the_total_counts_builds_that_wait_too() -> None:
    assert " 18%  2 of 11 done in 1:20" in said(build_lines(running(), "xen", 78))
    assert "0 of 11 done" in said(build_lines(fold(made_up.green().entries), "", 78))


def test_a_red_build_says_why_and_what_to_do_before_anything_else() -> None:
    lines = build_lines(red(), "xen", 78, Figures())
    title, why, then, total, this, *_ = lines
    assert "✗ failed" in plain(title) and "exit 2" in plain(title)
    assert "exit 2: make: *** [all] Error 2" in plain(why) and why[-1].tone is Tone.FAILED
    assert plain(then).startswith("next ") and "read the end of its log" in plain(then)
    assert "1 red" in plain(total) and total[2].tone is Tone.FAILED and total[2].text
    assert "100%" not in plain(this) and "ended after" in plain(this)


def test_a_build_whose_products_are_refused_is_red_though_its_exit_is_0() -> None:
    story = made_up.building()
    story.tell(ev.BuildEnded("xen", 0, 1000, ""))
    story.verdict("xen/build", "failed", "no product matches *.deb", next="look at products")
    shown = said(build_lines(fold(story.entries), "xen", 78))
    assert "✗ failed" in shown and "no product matches" in shown


def test_what_a_build_took_stands_where_its_figures_were() -> None:
    sealed = fold(made_up.sealed().entries)
    shown = said(build_lines(sealed, "xen", 98))
    assert "2:51 in all" in shown and "325 MB at most" in shown and "53.5 MB in all" in shown
    assert "100%  ended after 1:35" in shown and "left" not in shown
    xen = sealed.components["xen"]
    assert xen.end is not None
    looked = replace(xen, end=replace(xen.end, cpu_by="looks"))
    assert "at least 2:51" in said(curve_lines(looked, 98))
    older = replace(xen, end=ev.BuildEnded("xen", 0, 95_000, ""), limits=())
    assert "in all" not in said(curve_lines(older, 98))


def test_what_held_the_limits_is_that_of_the_evidence_whatever_stands_there() -> None:
    state = fold(made_up.sealed().entries)
    item = state.items["xen/build"]
    for evidence, told in (
        ('{"limited_by": {"memory": "cgroup v1", "processes": "cgroup v1"}}', "held by cgroup v1"),
        ('{"limited_by": "x"}', ""),
        ("[1]", ""),
        ("{", ""),
        ('{"limited_by": {"memory": {"\\u001b": 1}}}', "held by {"),
    ):
        state.items["xen/build"] = replace(item, evidence=evidence)
        shown = said(build_lines(state, "xen", 118))
        assert (told in shown) if told else ("held by" not in shown)
        assert "\x1b" not in shown


def test_a_second_build_is_shown_as_one_with_its_own_figures_and_log() -> None:
    story = made_up.sealed()
    events = [ev.from_body(entry.body) for entry in story.entries if entry.kind == "ev"]
    (first,) = [e for e in events if isinstance(e, ev.BuildStarted) and e.component == "xen"]
    state = fold([*story.entries[:-1]])
    assert builds(state).count("xen/reproduce") == 0
    second = replace(first, varied="{}", varied_sha256=made_up.sha("{}"), stream="build/xen/1-1-second")
    state = fold(entries_of([second, ev.BuildSample("xen", 50, 1 << 20, 7, 0, 0, True)]), state)
    names = builds(state)
    assert names[names.index("xen") + 1] == "xen/reproduce" == busiest(state)
    assert component_of("xen/reproduce") == "xen"
    shown = said(build_lines(state, "xen/reproduce", 98))
    assert "second build" in shown and "7 of 512 processes" in shown
    assert "second build" not in said(build_lines(state, "xen", 98))
    state = fold(entries_of([ev.BuildEnded("xen", 3, 5000, "", True)]), state)
    assert "exit 3" in said(build_lines(state, "xen/reproduce", 98))
    assert "exit 0" in said(build_lines(state, "xen", 98))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("state", [running, red, lambda: fold(made_up.sealed().entries)])
def test_no_line_is_wider_than_its_room(width: int, state: object) -> None:
    known: State = state()  # type: ignore[operator]
    for lines in (
        build_lines(known, "xen", width, look(), "longer than before (1 h 20 min)"),
        [
            line
            for row in list_rows(all_builds(known), width, lambda name: look(), "", lambda build: [b"x" * 500])
            for line in row.lines
        ],
        [list_head(width, all_builds(known))],
    ):
        assert all(cell_len(plain(line)) <= width for line in lines)


def test_figures_stand_below_each_other() -> None:
    first, second = (plain(line) for line in build_lines(running(), "xen", 98, look())[-2:])
    assert first.index("MEMORY") == second.index("DISK")
    assert first.index("77%") == second.index("2.0 MB/s") and first.index("5.4 GB") == second.index("7.0 MB")


# the list and the panes


def test_all_builds_are_listed_the_worst_first() -> None:
    found = all_builds(red())
    assert [each.name for each in found][:2] == ["xen", "kde-desktop"]
    assert found[0].status is Status.FAILED and found[1].status is Status.RUNNING
    assert [each.status for each in found][2:] == [Status.PENDING] * 7 + [Status.PASSED] * 2
    assert len(found) == 11


def test_a_row_has_bar_elapsed_estimate_processor_memory_and_last_line() -> None:
    rows = list_rows(all_builds(running()), 76, lambda name: look(), "", lambda build: [b"older", b"CC x.o"])
    (line, below) = rows[0].lines
    assert plain(line).split() == [
        "…",
        "running",
        "xen",
        "━━━━━─────",
        "1:05",
        "3",
        "min",
        "left",
        "77%",
        "5.4",
        "GB",
    ]
    assert plain(below).strip() == "CC x.o"
    assert plain(rows[1].lines[0]).split()[:3] == ["·", "pending", "kde-desktop"] and len(rows[1].lines) == 1


def test_a_red_row_says_why_in_its_tone() -> None:
    (row, *_) = list_rows(all_builds(red()), 76, lambda name: Figures(), "", None)
    assert "exit 2: make" in plain(row.lines[1]) and row.lines[1][-1].tone is Tone.FAILED


def test_panes_need_room() -> None:
    assert arrangement(80, 40, 11).panes == arrangement(109, 40, 11).panes == arrangement(120, 12, 11).panes == 0
    assert arrangement(120, 33, 11).panes == 4 and arrangement(120, 20, 11).panes == 2
    plan = arrangement(120, 33, 3)
    assert plan.listed == 3 and plan.columns == 2


def test_the_selected_build_has_a_pane_whatever_its_place() -> None:
    found = all_builds(red())
    assert [each.name for each in chosen(found, "core-admin", 2)] == ["xen", "core-admin"]
    assert [each.name for each in chosen(found, "xen", 2)] == ["xen", "kde-desktop"]
    assert [each.name for each in chosen(found, "lvm2", 4)] == ["xen", "kde-desktop", "vmm-core", "core-admin"]
    assert chosen([], "", 4) == []


def pane(build: OneBuild, tail: Sequence[bytes], *, height: int = 6) -> tuple[Line, ...]:
    return pane_lines(build, look(), "", tail, (58, height), selected=True)


def test_a_pane_shows_the_newest_output_that_there_is_room_for() -> None:
    shown = pane(all_builds(running())[0], [b"line %d" % number for number in range(9)])
    assert [plain(line).strip() for line in shown[2:]] == ["line 5", "line 6", "line 7", "line 8"]
    assert plain(shown[0]).startswith("> xen") and "77%" in plain(shown[1])
    assert all(cell_len(plain(line)) <= 58 for line in shown)


def test_a_red_pane_says_why_and_what_to_do() -> None:
    shown = said(pane(all_builds(red())[0], [b"make: *** [all] Error 2"]))
    assert "why   exit 2" in shown and "next  read the end" in shown and "e make: ***" in shown


@given(st.binary(max_size=300))
def test_no_output_is_active_in_a_pane_or_a_row(data: bytes) -> None:
    build = all_builds(running())[0]
    rows = list_rows([build], 76, lambda name: Figures(), "", lambda build: [data])
    for line in (*pane(build, [data]), *rows[0].lines):
        assert all(character.isprintable() for character in plain(line))
        assert cell_len(plain(line)) <= 76


# where the log is


def test_what_a_search_says_stands_whole_at_80_columns() -> None:
    place = LogPlace(False, 15_384_617, 15_384_617, errors=12, warnings=1_234, said="not found: " + "x" * 40)
    assert (
        "not found: " + "x" * 40 in plain(place_line(place, 78)) and cell_len(plain(place_line(place, 78))) <= 78
    )
    flood = LogPlace(True, 15_384_617, 15_384_617, rate=98_100, errors=1, warnings=17)
    assert plain(place_line(flood)).endswith("98,100 lines/s   e 1 error   w 17 warnings")
    assert plain(place_line(flood, 78)).endswith("98,100 lines/s   e 1   w 17")


# bars and curves


@given(st.floats(0, 1), st.integers(2, 60))
def test_a_bar_is_full_only_at_the_end(part: float, width: int) -> None:
    done, rest = bar(part, width)
    assert len(done) + len(rest) == width
    assert (not rest) == (part == 1) and (not done) == (part == 0)


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 1 << 40)), max_size=50), st.integers(1, 40))
def test_a_curve_has_its_width_and_its_peak(points: list[tuple[int, int]], width: int) -> None:
    told = [(f"2026-03-02T12:{at // 60 % 60:02}:{at % 60:02}+00:00", value) for at, value in sorted(points)]
    drawn = curve(told, width)
    assert len(drawn) <= width
    spread = len({at for at, _ in told}) > 1 and told[0][0] < told[-1][0]
    if spread and width > 1 and sorted(told) == told:
        assert len(drawn) == width and (not any(value for _, value in told) or "▇" in drawn)
