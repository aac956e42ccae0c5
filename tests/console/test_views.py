"""What the screens say, without a terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.cells import cell_len

from console import made_up
from sealwright_console.lines import Part, Row, Tone, apart, cut, plain
from sealwright_console.review_opening import signed_as
from sealwright_console.views.detail import detail_rows, title_line
from sealwright_console.views.evidence import Tree
from sealwright_console.views.gate import gate_rows, waivable
from sealwright_console.views.header import (
    gate_word,
    next_word,
    notice_lines,
    stage_status,
    status_line,
    stepper,
)
from sealwright_console.views.overview import (
    Order,
    counts_line,
    empty_line,
    selected_lines,
)
from sealwright_console.views.roll import component_table
from sealwright_stages.events import Stage
from sealwright_stages.findings import Finding
from sealwright_stages.fold import fold
from sealwright_stages.gate import decide
from sealwright_stages.state import State
from sealwright_stages.verdict import Status

TROUBLED = fold(made_up.troubled().entries)
SEALED = fold(made_up.sealed().entries)
RED = "xen/grub-0.97.tar.gz"


def component_rows(state: State, width: int, needle: str = "", **more: Any) -> list[Row]:
    return list(component_table(state, width, needle, **more).rows)


def text(rows: list[Row]) -> str:
    return "\n".join(plain(line) for row in rows for line in row.lines)


def test_the_worst_component_comes_first() -> None:
    assert [row.key for row in component_rows(TROUBLED, 98)][:4] == ["xen", "kde-desktop", "lvm2", "artwork"]


def test_the_filter_looks_at_name_status_and_sentence() -> None:
    assert [row.key for row in component_rows(TROUBLED, 98, "KDE")] == ["kde-desktop"]
    assert [row.key for row in component_rows(TROUBLED, 98, "failed")] == ["xen"]
    assert [row.key for row in component_rows(TROUBLED, 98, "via tor")] == ["lvm2"]


def test_the_filter_says_how_many_it_found_and_of_how_many() -> None:
    table = component_table(TROUBLED, 76, "kde")
    assert plain(counts_line(TROUBLED, table, needle="kde")).startswith(
        "1 of 11 have “kde”  ✗ 1 failed  ! 1 warned"
    )
    assert "“zzz”" in plain(empty_line(TROUBLED, None, "zzz"))


def test_the_table_is_sorted_by_severity_name_or_time() -> None:
    def first(order: Order) -> list[str]:
        return [row.key for row in component_table(TROUBLED, 76, order=order).rows][:3]

    assert first(Order.SEVERITY) == ["xen", "kde-desktop", "lvm2"]
    assert first(Order.NAME) == ["artwork", "core-admin", "doc-site"]
    assert first(Order.TIME) == ["lvm2", "kde-desktop", "xen"]


@pytest.mark.parametrize("width", [60, 76, 90, 104, 116, 160])
def test_the_columns_stand_two_cells_apart_under_their_heads(width: int) -> None:
    table = component_table(TROUBLED, width)
    head = plain(table.head)
    for row in table.rows:
        line = plain(row.lines[0])
        assert cell_len(line) == width
        for name in ("COMPONENT", "VERSION", "SIGNER", "NOW", "UPDATED"):
            if name in head:
                at = head.index(name)
                assert line[at - 2 : at] == "  " and line[at] != " ", (name, line)
    wanted = {76: "STATUS COMPONENT CHECKS NOW", 90: "UPDATED", 104: "VERSION", 116: "SIGNER"}
    assert all(name in head for least, names in wanted.items() if width >= least for name in names.split())


def test_version_and_signer_are_those_of_the_log() -> None:
    lines = {row.key: plain(row.lines[0]) for row in component_rows(TROUBLED, 120)}
    assert "v4.2.1" in lines["artwork"] and "release-key-a" in lines["artwork"]
    assert "release-key-b" not in lines["kde-desktop"][:60], "whose signature is not good has signed nothing"


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
    assert "2 ✗ verify" in plain(stepper(TROUBLED))


def test_the_gate_word_is_that_of_the_gate() -> None:
    assert plain(gate_word(next_word(TROUBLED))) == " ✗ GATE build: CLOSED, 1 red "
    assert plain(gate_word(next_word(SEALED))) == "✓ GATE sign: OPEN"


def test_the_status_line_fits_80_and_100_cells() -> None:
    for width in (78, 98, 118):
        for state in (TROUBLED, SEALED, fold(made_up.building().entries), fold(made_up.Story().entries)):
            said = plain(status_line(state, next_word(state), width))
            assert len(said) == width
            assert all(f"{number} " in said for number in "12345")
            assert re.search(r"sign {2,}.*(CLOSED|OPEN)", said)


def test_only_red_is_loud() -> None:
    def loud(state: State) -> bool:
        return any(part.tone is Tone.ALARM for part in status_line(state, next_word(state), 78))

    assert loud(TROUBLED)
    assert not loud(SEALED) and not loud(fold(made_up.building().entries)) and not loud(fold([]))


def test_the_stage_that_the_release_is_at_is_underlined() -> None:
    for state, here in ((TROUBLED, "verify"), (fold(made_up.building().entries), "build"), (SEALED, "sign")):
        assert [part.text for part in stepper(state) if part.here] == [here]


def test_a_stage_whose_warnings_were_waived_is_not_where_a_release_is_that_went_on() -> None:
    state = fold(made_up.building().entries)
    assert state.stages_ended[Stage.VERIFY] is True
    state.stages_ended[Stage.VERIFY] = False
    assert [part.text for part in stepper(state) if part.here] == ["build"]


def test_a_signed_release_says_so_and_has_no_stage_left() -> None:
    said = status_line(SEALED, next_word(SEALED), 78, signed=Status.PASSED)
    assert "5 ✓ sign" in plain(said) and plain(said).endswith("  ✓ SIGNED")
    assert not [part for part in said if part.here]
    unsealed = fold(made_up.building().entries)
    assert "SIGNED" not in plain(status_line(unsealed, next_word(unsealed), 78, signed=Status.PASSED)), (
        "before its end"
    )


def test_a_release_that_only_its_own_keys_vouch_for_is_no_calm_yes_and_a_no_is_loud() -> None:
    own = status_line(SEALED, next_word(SEALED), 78, signed=Status.WARNED)
    assert plain(own).endswith("! SIGNED, own keys") and "5 ! sign" in plain(own)
    refused = status_line(SEALED, next_word(SEALED), 78, signed=Status.FAILED)
    assert "SIGNED" not in plain(refused) and any(part.tone is Tone.ALARM for part in refused)


def test_good_signatures_are_no_more_than_the_rest_of_an_audit() -> None:
    good = Finding("good", "signatures", "by manager")
    assert signed_as((good,), "") is Status.PASSED
    assert signed_as((good,), "as far as the folder's own keys go") is Status.WARNED
    assert signed_as((good, Finding("bad", "rules", "broken")), "") is Status.FAILED
    assert signed_as((), "") is None


def test_a_long_notice_wraps_and_the_important_part_stands_first() -> None:
    first, second = (plain(line) for line in notice_lines(("✗ " + "word " * 40, "later"), 78))
    assert first.startswith("✗ word") and second.startswith("  word") and second.endswith(" …")
    assert cell_len(second) <= 78 and "later" not in second
    assert [plain(line) for line in notice_lines(("✓ good", "second"), 78)] == ["✓ good  ·  second"]
    (only,) = notice_lines(("✓ good", "x" * 100), 40)
    assert plain(only).endswith("…") and cell_len(plain(only)) == 40


def test_a_line_that_is_cut_says_so_and_parts_stay_apart() -> None:
    line = (Part("left " * 10), Part("more"))
    assert plain(cut(line, 20)) == "left left left left…"
    assert cut(line, 60) == line
    said = plain(apart(line, (Part("right"),), 30))
    assert cell_len(said) == 30 and said.endswith("…  right")


def test_what_has_passed_is_one_line_until_it_is_unfolded() -> None:
    decision = decide(Stage.BUILD, TROUBLED)
    folded, unfolded = gate_rows(TROUBLED, decision), gate_rows(TROUBLED, decision, passed=True)
    assert plain(folded[-1].lines[0]) == "✓ PASSED 19  p shows them"
    assert len(unfolded) == len(folded) + 19


def test_where_all_is_green_one_sentence_says_so_and_counts_the_waivers() -> None:
    table = component_table(SEALED, 76)
    assert plain(counts_line(SEALED, table)) == "✓ all green: 11 components, 34 checks, 1 of them waived"
    said = plain(counts_line(SEALED, table, believed=False))
    assert said == "· as the log says: 11 components, 34 checks, 1 of them waived"


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


def test_what_is_left_of_a_build_stands_beside_it() -> None:
    running = fold(made_up.building().entries)
    rows = text(component_rows(running, 120, left=lambda name: f"about 3 min left of {name}"))
    assert "about 3 min left of xen" in rows and "left of vmm-core" not in rows
    assert "build: about 3 min left" in plain(title_line(running, "xen", "about 3 min left"))
    assert "left" not in plain(title_line(running, "xen"))


def test_what_a_build_took_is_told_on_the_page_of_its_component() -> None:
    took = "2:51 of processor time, read 1.0 MB, wrote 52.4 MB; at most 325 MB of memory, 9 processes, 46.1 MB of disk"
    assert took in text(detail_rows(SEALED, "xen", Tree(), 78))


def test_evidence_names_the_deleted_file() -> None:
    rows = detail_rows(TROUBLED, "xen", Tree(frozenset({RED})), 78)
    assert "deleted     grub-0.97.tar.gz" in text(rows)
