"""What the screens say, without a terminal."""

from __future__ import annotations

from dataclasses import replace

from console import made_up
from sealwright_console.lines import Row, Tone, plain
from sealwright_console.views.build import build_lines, builds, busiest, component_of, seal_rows, took_line
from sealwright_console.views.detail import detail_rows, title_line
from sealwright_console.views.evidence import Tree
from sealwright_console.views.gate import gate_rows, waivable
from sealwright_console.views.header import (
    gate_word,
    next_gate,
    stage_status,
    status_line,
    stepper,
    totals,
)
from sealwright_console.views.overview import component_rows, selected_lines
from sealwright_console.views.sign import armed, digest_lines
from sealwright_stages import events as ev
from sealwright_stages.events import Stage
from sealwright_stages.fold import fold
from sealwright_stages.gate import decide
from sealwright_stages.live import Now
from sealwright_stages.ports import Sampled
from sealwright_stages.verdict import Status
from support.stories import Entry, entries_of

TROUBLED = fold(made_up.troubled().entries)
SEALED = fold(made_up.sealed().entries)
RED = "xen/grub-0.97.tar.gz"


def text(rows: list[Row]) -> str:
    return "\n".join(plain(line) for row in rows for line in row.lines)


def test_the_worst_component_comes_first() -> None:
    assert [row.key for row in component_rows(TROUBLED, 98)][:4] == ["xen", "kde-desktop", "lvm2", "artwork"]


def test_the_filter_looks_at_name_status_and_sentence() -> None:
    assert [row.key for row in component_rows(TROUBLED, 98, "KDE")] == ["kde-desktop"]
    assert [row.key for row in component_rows(TROUBLED, 98, "failed")] == ["xen"]
    assert [row.key for row in component_rows(TROUBLED, 98, "via tor")] == ["lvm2"]


def test_a_stage_view_shows_the_items_of_that_stage_only() -> None:
    first = component_rows(TROUBLED, 98, stage=Stage.GET_SOURCES)[0]
    assert first.key == "lvm2"


def test_a_status_is_a_shape_a_word_and_a_tone() -> None:
    first = component_rows(TROUBLED, 98)[0].lines[0][0]
    assert (first.text.strip(), first.tone) == ("✗ failed", Tone.FAILED)


def test_the_selected_component_is_explained_with_its_next_step() -> None:
    now, step = selected_lines(TROUBLED, "xen")
    assert "not the pinned one" in plain(now) and "DELETED" in plain(now)
    assert "compare with another mirror" in plain(step)


def test_a_stage_with_a_failed_item_is_red_even_after_its_end() -> None:
    assert stage_status(TROUBLED, Stage.VERIFY) is Status.FAILED
    assert stage_status(SEALED, Stage.BUILD) is Status.PASSED
    assert stage_status(SEALED, Stage.SIGN) is Status.PENDING
    assert "(2)✗ verify" in plain(stepper(TROUBLED))


def test_the_gate_word_is_that_of_the_gate() -> None:
    assert plain(gate_word(next_gate(TROUBLED))) == "GATE build: CLOSED, 1 failed"
    assert plain(gate_word(next_gate(SEALED))) == "GATE sign: OPEN"


def test_the_status_line_fits_80_and_100_cells() -> None:
    for width in (78, 98):
        assert len(plain(status_line(TROUBLED, next_gate(TROUBLED), width))) == width


def test_a_waived_warning_is_still_counted_as_one() -> None:
    said = plain(totals(SEALED))
    assert "! 1" in said and "(1 waived)" in said


def test_the_gate_panel_shows_each_blocker_with_why_and_what_to_do() -> None:
    decision = decide(Stage.BUILD, TROUBLED)
    said = text(gate_rows(TROUBLED, decision))
    for blocker in decision.blockers:
        assert blocker.what in said and blocker.why in said and blocker.next_step[:30] in said


def test_only_a_warning_can_be_waived() -> None:
    assert [key for key in TROUBLED.items if waivable(TROUBLED, key)] == ["kde-desktop/signature of the tag"]
    red = next(row for row in gate_rows(TROUBLED, decide(Stage.BUILD, TROUBLED)) if row.key == RED)
    assert "waive it" not in text([red])


def test_evidence_shows_fingerprints_whole_in_fours() -> None:
    said = text(detail_rows(TROUBLED, "kde-desktop", Tree(frozenset(TROUBLED.items)), 78))
    assert "0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567" in said


def test_evidence_names_the_deleted_file() -> None:
    rows = detail_rows(TROUBLED, "xen", Tree(frozenset({RED})), 78)
    assert "deleted     grub-0.97.tar.gz" in text(rows)


def test_the_log_opens_at_the_running_build() -> None:
    running = fold(made_up.building().entries)
    assert busiest(running) == "xen"
    first, second, curves, took = (plain(line) for line in build_lines(running, "xen", 98))
    assert "xen" in first and "running" in first
    assert "network: none" in second and "139%" in curves
    assert took.startswith("DISK 45.1 MB in 3,400 files  reads ") and "left" not in first


def test_a_look_that_is_newer_than_the_log_is_shown_with_what_is_left() -> None:
    running = fold(made_up.building().entries)
    now = Now(Sampled(77, 5 << 30, 12, 0, 0, disk=7_000_000, files=2, elapsed_ms=65_000), 1000, 2_000_000)
    first, _, curves, took = (plain(line) for line in build_lines(running, "xen", 98, now, "about 3 min left"))
    assert "wall 1:05  about 3 min left" in first
    assert " 77%" in curves and "5.4 GB" in curves and "12 processes" in curves
    assert took == "DISK 7.0 MB in 2 files  reads 1.0 KB/s  writes 2.0 MB/s"
    rows = text(component_rows(running, 120, left=lambda name: f"about 3 min left of {name}"))
    assert "about 3 min left of xen" in rows and "left of vmm-core" not in rows
    assert "build: about 3 min left" in plain(title_line(running, "xen", "about 3 min left"))
    assert "left" not in plain(title_line(running, "xen"))


def test_what_a_build_took_is_told_when_it_has_ended() -> None:
    took = "2:51 of processor time, read 1.0 MB, wrote 52.4 MB; at most 325 MB of memory, 9 processes, 46.1 MB of disk"
    assert plain(build_lines(SEALED, "xen", 98)[3]) == f"took {took}"
    assert took in text(detail_rows(SEALED, "xen", Tree(), 78))
    looked = replace(SEALED.components["xen"], end=replace(SEALED.components["xen"].end, cpu_by="looks"))
    assert plain(took_line(looked)).startswith("took at least 2:51")
    assert plain(took_line(replace(looked, end=ev.BuildEnded("xen", 0, 95_000, "")))) == "", "an older log"


def test_the_seal_view_shows_every_product_with_its_hash() -> None:
    said = text(seal_rows(SEALED))
    assert all(name in said for _, name in SEALED.products)
    assert "the log is sealed" in said and "identical to" in said


def test_signing_is_armed_by_digest_and_name_only() -> None:
    request = made_up.request()
    digits = made_up.DIGEST[:8]
    assert armed(SEALED, request, digits, "example-1.0")
    assert armed(SEALED, request, f" {digits[:4].upper()} {digits[4:]}", "example-1.0 ")
    for typed_digest, typed_release in (
        ("", ""),
        (digits[:7], "example-1.0"),
        (made_up.DIGEST[:9], "example-1.0"),
        (digits, "example-1."),
        (digits, ""),
        ("", "example-1.0"),
    ):
        assert not armed(SEALED, request, typed_digest, typed_release)
    assert not armed(SEALED, made_up.request("0" * 63), "0" * 8, "example-1.0")
    assert not armed(SEALED, None, digits, "example-1.0")


def test_a_red_item_or_a_closed_gate_disarms_signing() -> None:
    digits = made_up.DIGEST[:8]
    assert not armed(TROUBLED, made_up.request(), digits, "example-1.0")
    unsealed = fold(made_up.building().entries)
    assert not armed(unsealed, made_up.request(), digits, "example-1.0")


def test_the_digest_is_shown_in_full() -> None:
    said = "".join(plain(line) for line in digest_lines(made_up.request()))
    assert said.replace(" ", "").removeprefix("digest") == made_up.DIGEST


def test_a_second_build_is_shown_as_one_with_its_own_figures_and_log() -> None:
    story = made_up.sealed()
    (first,) = [e for e in map(_event, story.entries) if isinstance(e, ev.BuildStarted) and e.component == "xen"]
    varied = {"varied": "{}", "varied_sha256": made_up.sha("{}"), "stream": "build/xen/1-1-second"}
    state = fold([*story.entries[:-1]])
    assert builds(state).count("xen/reproduce") == 0
    told = [replace(first, **varied), ev.BuildSample("xen", 50, 1 << 20, 7, 0, 0, True)]  # type: ignore[arg-type]
    state = fold(entries_of(told), state)
    names = builds(state)
    assert names[names.index("xen") + 1] == "xen/reproduce" == busiest(state)
    assert component_of("xen/reproduce") == "xen"
    lines = [plain(line) for line in build_lines(state, "xen/reproduce", 98)]
    assert lines[0].startswith("SECOND BUILD xen (") and "7 processes" in lines[2]
    assert plain(build_lines(state, "xen", 98)[0]).startswith("BUILD xen (")
    state = fold(entries_of([ev.BuildEnded("xen", 3, 5000, "", True)]), state)
    assert "exit 3" in plain(build_lines(state, "xen/reproduce", 98)[0])
    assert "exit 0" in plain(build_lines(state, "xen", 98)[0])


def _event(entry: Entry) -> ev.Event | None:
    return ev.from_body(entry.body) if entry.kind == "ev" else None
