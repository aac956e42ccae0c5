"""What the seal and sign screens say, without a terminal."""

from __future__ import annotations

import hashlib
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from console import finishes, made_up
from console.hostile import attack
from sealwright_console.figures import clock
from sealwright_console.lines import Line, Row, plain
from sealwright_console.views.header import gate_word, next_word, signed_live, status_line
from sealwright_console.views.request import (
    Groups,
    copied,
    digest_lines,
    digit_rows,
    request_lines,
    said_lines,
    thing_lines,
)
from sealwright_console.views.seal import copied as copied_row
from sealwright_console.views.seal import seal_rows, sealing_lines, selected_lines
from sealwright_console.views.sign import armed, asleep, of_these, waiting_lines
from sealwright_console.views.signers import (
    after_lines,
    bar_line,
    by_hand,
    check_lines,
    outcome_line,
    publishing,
    signer_lines,
    work_lines,
)
from sealwright_stages import events as ev
from sealwright_stages.events import Stage
from sealwright_stages.finish import Act, Check, Finish, Signer, Thing, digest_over
from sealwright_stages.fold import fold
from sealwright_stages.sign import client
from sealwright_stages.state import State
from sealwright_stages.verdict import Status
from support.stories import entries_of

SEALED = fold(made_up.sealed().entries)
TROUBLED = fold(made_up.troubled().entries)
BUILDING = fold(made_up.building().entries)
DIGITS = made_up.DIGEST[:8]
WIDTHS = pytest.mark.parametrize("width", [76, 96, 116])


def text(lines: tuple[Line, ...] | list[Line]) -> str:
    return "\n".join(plain(line) for line in lines)


def rows_text(rows: list[Row]) -> str:
    return "\n".join(plain(line) for row in rows for line in row.lines)


# -- arming -----------------------------------------------------------------------------------------------


def test_signing_is_armed_by_digest_and_name_only() -> None:
    request = made_up.request()
    assert armed(SEALED, request, DIGITS, "example-1.0")
    assert armed(SEALED, request, f" {DIGITS[:4].upper()} {DIGITS[4:]}", "example-1.0 ")
    for typed_digest, typed_release in (
        ("", ""),
        (DIGITS[:7], "example-1.0"),
        (made_up.DIGEST[:9], "example-1.0"),
        (DIGITS, "example-1."),
        (DIGITS, ""),
        ("", "example-1.0"),
    ):
        assert not armed(SEALED, request, typed_digest, typed_release)
    assert not armed(SEALED, made_up.request("0" * 63), "0" * 8, "example-1.0")
    assert not armed(SEALED, None, DIGITS, "example-1.0")


def test_a_red_item_or_a_closed_gate_disarms_signing() -> None:
    assert not armed(TROUBLED, made_up.request(), DIGITS, "example-1.0")
    assert "red" in asleep(TROUBLED, made_up.request())
    assert not armed(BUILDING, made_up.request(), DIGITS, "example-1.0")
    assert "the gate is closed" in asleep(BUILDING, made_up.request())
    unsealed = fold(made_up.sealed().entries[:-1])
    assert not armed(unsealed, made_up.request(), DIGITS, "example-1.0")
    assert "not sealed" in asleep(unsealed, made_up.request())


def test_a_digest_that_is_not_over_the_documents_that_are_shown_disarms() -> None:
    other = made_up.request(made_up.sha("another"))
    assert not of_these(other) and not armed(SEALED, other, made_up.sha("another")[:8], "example-1.0")
    assert "not over these documents" in asleep(SEALED, other)
    assert "not over these documents" in text(request_lines(other, SEALED, Finish(), Groups.FOUR, 76))
    none = made_up.request(digest_over(()), ())
    assert not armed(SEALED, none, "", "example-1.0") and not of_these(none)
    assert not armed(SEALED, made_up.request(hashlib.sha256(b"").hexdigest(), ()), "e3b0c442", "example-1.0")


def test_the_digest_is_over_all_documents_in_the_order_of_their_names() -> None:
    lines = "".join(f"{each.sha256}  {each.name}\n" for each in sorted(made_up.THINGS, key=lambda t: t.name))
    assert digest_over(made_up.THINGS[::-1]) == hashlib.sha256(lines.encode()).hexdigest() == made_up.DIGEST


# -- what is signed ---------------------------------------------------------------------------------------


@WIDTHS
@pytest.mark.parametrize("groups", Groups)
def test_each_digest_is_shown_in_full_and_fits(width: int, groups: Groups) -> None:
    request = made_up.request()
    lines = request_lines(request, SEALED, finishes.asking(), groups, width)
    said = text(lines).replace(" ", "").replace("\n", "")
    for thing in made_up.THINGS:
        rows = digit_rows(thing.sha256, groups, width - 30)
        assert "".join(rows).replace(" ", "") == thing.sha256
        assert all(row.replace(" ", "") in said for row in rows)
    assert all(cell_len(plain(line)) <= width for line in lines)
    shown = text(digest_lines(made_up.DIGEST, groups, width)).replace(" ", "").replace("\n", "")
    assert shown.removeprefix("digest") == made_up.DIGEST


def test_the_digits_to_type_stand_in_front_and_bright() -> None:
    for groups in Groups:
        bright = digest_lines(made_up.DIGEST, groups, 76)[0][1]
        assert bright.text.replace(" ", "") == DIGITS and bright.tone == "key"


def test_groups_are_of_four_of_eight_or_none() -> None:
    digits = made_up.DIGEST
    assert digit_rows(digits, Groups.NONE, 70) == [digits]
    assert [len(piece) for piece in digit_rows(digits, Groups.EIGHT, 50)[0].split()] == [8] * 4
    assert [len(piece) for piece in digit_rows(digits, Groups.FOUR, 90)[0].split()] == [4] * 16
    assert [g.following for g in Groups] == [Groups.EIGHT, Groups.NONE, Groups.FOUR]


def test_what_is_copied_is_ungrouped_and_what_sha256sum_says() -> None:
    lines = copied(made_up.THINGS, made_up.DIGEST).splitlines()
    assert lines[0] == f"{made_up.THINGS[0].sha256}  SHA256SUMS" and lines[-1].startswith(made_up.DIGEST)


def test_root_warnings_rebuilds_and_the_signers_words_are_told() -> None:
    request, finish = made_up.request(), finishes.asking()
    said = text(request_lines(request, SEALED, finish, Groups.FOUR, 116))
    assert "✓ root computed here 12:46:03 = authority's; 229 records" in said
    assert "! kde-desktop/signature of the tag: extension seen on the key server (release-manager-1)" in said
    assert "✓ 11 identical" in said and "11 products" in said
    behind = text(said_lines(request, SEALED, finish, Groups.NONE, 116))
    assert finish.root in behind and "11 components, 11 products" in behind and "0 warnings, 1 waivers" in behind
    unknown = text(request_lines(request, SEALED, Finish(), Groups.FOUR, 116))
    assert "not computed here yet" in unknown and "authority's" not in unknown


@WIDTHS
def test_all_that_decides_has_room_on_the_smallest_screen(width: int) -> None:
    lines = request_lines(made_up.request(), SEALED, finishes.asking(), Groups.FOUR, width)
    assert len(lines) <= 11


# -- who has signed ---------------------------------------------------------------------------------------


def signers_text(finish: Finish) -> str:
    return text(signer_lines(finish, 76))


def test_a_person_has_signed_only_by_verified_signatures_over_each_file() -> None:
    done = finishes.finish(*finishes.SIGNED, threshold=2)
    assert "1 of 2 needed" in signers_text(done) and "✓ manager-1" in signers_text(done)
    assert "· manager-2" in signers_text(done) and "not asked here" in signers_text(done)
    half = replace(done, checks=done.checks[:1])
    assert "0 of 2 needed" in signers_text(half) and "! manager-1" in signers_text(half)
    assert "signed SHA256SUMS only" in signers_text(half)
    counted = replace(done, checks=())  # the step says that it was counted, and nothing stands behind it
    assert "0 of 2" in signers_text(counted) and "✓ manager-1" not in signers_text(counted)
    assert not replace(finishes.finish(*finishes.SIGNED), checks=()).final
    stranger = tuple(replace(check, person="mallory") for check in done.checks)
    assert "0 of 2" in plain(bar_line(replace(done, checks=stranger)))


def test_who_is_asked_waits_and_fingerprints_stand_in_fours() -> None:
    said = signers_text(finishes.finish(*finishes.ASKING, running=True, threshold=2))
    assert "… manager-1" in said and "asked, waiting since 12:46:06" in said
    assert "0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567" in said
    lost = signers_text(finishes.finish(*finishes.AT_WORK, failed="the signer is gone: killed"))
    assert "✗ manager-1" in lost and "has not signed" in lost


def test_the_bar_is_full_only_when_enough_have_signed() -> None:
    full, half = finishes.finish(*finishes.SIGNED), finishes.finish(*finishes.SIGNED, threshold=2)
    assert "▁" not in plain(bar_line(full)) and "1 of 1 ✓ enough" in plain(bar_line(full))
    assert plain(bar_line(half)).count("█") == plain(bar_line(half)).count("▁")
    assert "█" not in plain(bar_line(replace(full, threshold=0)))


def test_while_the_signer_works_it_is_told_since_when_and_what_to_look_at() -> None:
    finish = finishes.finish(*finishes.AT_WORK, running=True)
    said = text(work_lines(finish, 76))
    assert "0:23" in said and "12:46:07" in said and "signer.example.org" in said and "prompt of the key" in said
    assert "given up after 2 min" in said and client._PATIENCE == 120


def test_a_refusal_is_red_with_its_reason_and_the_next_step() -> None:
    finish = finishes.finish(*finishes.AT_WORK, failed="the signer refused: the typed digits are not the digest's")
    lines = work_lines(finish, 76)
    assert "typed digits are not" in text(lines) and "next  run again to sign" in text(lines)
    assert any(part.tone == "failed" and "refused" in part.text for line in lines for part in line)
    assert "NOT SIGNED" in plain(outcome_line(finish, "example-1.0"))


def test_a_tampered_policy_that_stops_the_signing_is_told_too() -> None:
    finish = finishes.finish(*finishes.SEALING, Act.POLICY, failed="nothing was signed: release.toml is another")
    assert "release.toml is another" in text(work_lines(finish, 76))
    assert signed_live(finish) is Status.FAILED


# -- afterwards -------------------------------------------------------------------------------------------


def test_what_was_verified_is_told_by_program_and_nothing_else_is_claimed() -> None:
    said = text(check_lines(finishes.finish(*finishes.SIGNED), 116))
    assert said.count("gpg (GnuPG) 2.2.40 good, own check agrees") == 2
    done = finishes.finish(*finishes.SIGNED)
    two = replace(done, checks=(*done.checks, replace(done.checks[0], person="manager-2")))
    assert text(check_lines(two, 116)).count("manager-2: gpg") == 1 and "manager" not in said
    counted = done.step(Act.COUNT)
    assert counted is not None and f"the disk at {clock(counted.ended)} UTC" in said, "and not how they lie now"
    assert "gpgv" not in said and "sqv" not in said
    assert check_lines(finishes.finish(*finishes.AT_WORK, running=True), 76) == []


def test_the_commands_by_hand_are_those_of_the_evidence_and_quoted() -> None:
    finish = replace(finishes.finish(*finishes.SIGNED), folder="/srv/it's here/evidence")
    commands = by_hand(finish)
    assert shlex.split(commands[0]) == ["cd", "/srv/it's here/evidence"]
    assert commands[4:] == (
        "gpg --verify SHA256SUMS.asc SHA256SUMS",
        "gpg --verify log/SHA256SUMS.asc log/SHA256SUMS",
        "sha256sum -c SHA256SUMS",
        "(cd log && sha256sum -c SHA256SUMS)",
        "python3 -I verify.py log",
    )
    words = shlex.split(publishing(finish, Path("/srv/key ring")))
    assert words[:2] == ["sealwright", "publish"] and words[2] == finish.folder
    assert words[words.index("--keyring") + 1] == "/srv/key ring"
    assert words[words.index("--signers") + 1] == "manager-1"


def test_publishing_is_offered_only_once_it_is_final() -> None:
    assert "sealwright publish" in text(after_lines(finishes.finish(*finishes.SIGNED), None, 76))
    assert "sealwright publish" not in text(after_lines(finishes.finish(*finishes.SIGNED, threshold=2), None, 76))
    assert after_lines(finishes.asking(), None, 76) == []


def stepped(state: State, finish: Finish) -> str:
    return plain(status_line(state, next_word(state), 120, None, finish))


def test_a_live_release_that_was_signed_says_so_in_the_stepper_and_where_the_gate_was() -> None:
    done = finishes.finish(*finishes.SIGNED)
    assert "5 ✓ sign" in stepped(SEALED, done) and stepped(SEALED, done).endswith("✓ SIGNED")
    for finish, mark, word in (
        (finishes.asking(), "5 … sign", "… SIGNING"),
        (finishes.finish(*finishes.AT_WORK, failed="no"), "5 ✗ sign", "✗ NOT SIGNED"),
        (finishes.finish(*finishes.SIGNED, failed="not final", threshold=2), "5 ! sign", "! SIGNED BY 1 of 2"),
    ):
        assert mark in stepped(SEALED, finish) and stepped(SEALED, finish).endswith(word)
    gate = plain(gate_word(next_word(SEALED)))
    assert "5 · sign" in stepped(SEALED, Finish()) and gate in stepped(SEALED, Finish())


def test_a_log_that_is_not_sealed_is_signed_by_no_word_of_an_engine() -> None:
    assert "SIGNED" not in stepped(TROUBLED, finishes.finish(*finishes.SIGNED))
    assert "5 · sign" in stepped(TROUBLED, finishes.finish(*finishes.SIGNED))


def test_a_run_that_ended_badly_after_signing_is_not_signed() -> None:
    broken = finishes.finish(*finishes.SIGNED).stopped("the log contradicts itself: root", "keep both")
    assert not broken.final and signed_live(broken) is not Status.PASSED
    lost = finishes.finish(*finishes.AT_WORK, running=True).stopped(
        "the engine, pid 7, is gone: killed", "run again"
    )
    assert "is gone" in text(work_lines(lost, 76)) and "run again" in text(work_lines(lost, 76))


# -- the seal ---------------------------------------------------------------------------------------------


def test_before_the_seal_it_is_told_what_is_missing_why_and_what_to_do() -> None:
    said = text(sealing_lines(TROUBLED, Finish(), 76))
    assert "Not sealed yet" in said and "things are missing" in said
    assert "✗ xen: grub-0.97.tar.gz: the served file is not the pinned one" in said
    assert "next  compare with another mirror" in said and "g shows all" in said


def test_each_step_of_the_sealing_is_told_with_its_figures_and_times() -> None:
    story = made_up.sealed()
    story.entries[-2:-2] = entries_of([ev.GateDecided("seal", True, 34, 0, 0, 0)])
    state = fold(story.entries)
    said = text(sealing_lines(state, finishes.finish(*finishes.SEALING), 76))
    assert said.index("policy") < said.index("products") < said.index("gate") < said.index("log root")
    for figure in ("11 hashed again", "open: 34 green, 0 red", "228 records", "from 229 records", "12:46:03"):
        assert figure in said
    running = text(sealing_lines(state, finishes.finish(*finishes.SEALING[:4], running=True), 76))
    assert "… log root" in running and "0:23" in running
    red = text(sealing_lines(state, finishes.finish(*finishes.SEALING[:2], failed="product x: changed"), 76))
    assert "✗ products" in red and "next  run again to sign" in red


def test_a_seal_of_an_earlier_run_is_told_from_the_log() -> None:
    said = text(sealing_lines(SEALED, Finish(), 76))
    assert f"{SEALED.last_n + 1} records" in said and "nothing any more" in said


def test_the_seal_view_shows_every_product_and_each_whole_when_it_is_selected() -> None:
    rows = seal_rows(SEALED, Finish(), 76)
    assert all(name in rows_text(rows) for _, name in SEALED.products) and "✓ identical" in rows_text(rows)
    for product in SEALED.products.values():
        lines = selected_lines(SEALED, Finish(), f"product {product.component}/{product.name}", 76)
        assert product.sha256 in text(lines).replace(" ", "").replace("\n", "").replace("sha256", "")
        assert "bit-identical to the one in the archive" in text(lines)
        assert copied_row(SEALED, Finish(), f"product {product.component}/{product.name}").startswith(
            product.sha256
        )


def test_warnings_stand_before_the_products_with_reason_and_person() -> None:
    rows = seal_rows(SEALED, Finish(), 76)
    keys = [row.key for row in rows if row.key]
    assert keys[0] == "waiver kde-desktop/signature of the tag"
    lines = text(selected_lines(SEALED, Finish(), keys[0], 76))
    assert "by release-manager-1: extension seen on the key server" in lines and "key-expired-since" in lines


def test_the_table_is_filtered_by_component_file_digest_and_word() -> None:
    xen = next(each for each in SEALED.products.values() if each.component == "xen")
    for needle in ("XEN_4", xen.sha256[:20], "identical"):
        keys = [row.key for row in seal_rows(SEALED, Finish(), 76, needle) if row.key.startswith("product")]
        assert f"product xen/{xen.name}" in keys and (len(keys) == 1 or needle == "identical")
    assert seal_rows(SEALED, Finish(), 76, "nowhere") == []


@pytest.mark.parametrize(
    ("result", "second", "word"),
    [
        ("identical", "", "✓ identical"),
        ("differs", "", "! differs"),
        ("absent", "", "· not there"),
        ("identical", "failed", "✗ differs"),
        ("absent", "passed", "✓ twice same"),
    ],
)
def test_how_a_product_was_reproduced_is_its_worst_word(result: str, second: str, word: str) -> None:
    story = made_up.started()
    story.tell(ev.ProductCollected("xen", "x.deb", made_up.sha("x"), 5))
    story.tell(ev.ProductCompared("xen", "x.deb", result, "", "the archive"))
    if second:
        story.tell(ev.ItemDeclared("xen/reproduce", "xen", "build", "reproduce", "second build"))
        story.verdict("xen/reproduce", second, "told", code="x")
    assert word in rows_text(seal_rows(fold(story.entries), Finish(), 76))


def test_columns_do_not_touch_whatever_products_are_called() -> None:
    story = made_up.sealed()
    told = ev.ProductCollected("xen", "x" * 200 + ".deb", made_up.sha("x"), 5)
    state = fold([*story.entries[:-1], *entries_of([told])])
    for width in (76, 96, 116):
        lines = [plain(line) for row in seal_rows(state, Finish(), width) for line in row.lines]
        assert all(cell_len(line) <= width for line in lines if "waiver" not in line and "kde" not in line)
        assert any("…" in line for line in lines)


def test_nothing_that_waits_for_a_signature_is_told_with_its_reason() -> None:
    said = text(waiting_lines(TROUBLED, 76))
    assert "Nothing waits" in said and "compare with another mirror" in said
    assert "AUDIT: NO" in text(waiting_lines(SEALED, 76, Status.FAILED))
    assert SEALED.gates.get(Stage.SIGN) is None


def test_hostile_names_of_documents_persons_and_signers_are_dead() -> None:
    evil = attack("E")
    things = (Thing(evil, evil, made_up.sha("x"), 1),)
    finish = replace(
        finishes.finish(*finishes.AT_WORK, failed=evil),
        signers=(Signer(evil, (evil,)),),
        checks=(Check(evil, evil, evil, evil, evil, evil),),
        where=evil,
        folder=evil,
        things=things,
        signed_files=(evil,),
    )
    request = replace(made_up.request(digest_over(things), things), release=evil, keys=(evil,), warnings=(evil,))
    running = replace(finish, steps=(replace(finish.steps[-1], status=Status.RUNNING),))
    said = "\n".join(
        text(lines)
        for lines in (
            thing_lines(things, (), Groups.FOUR, 76),
            request_lines(request, State(), finish, Groups.FOUR, 76),
            said_lines(request, State(), finish, Groups.FOUR, 76),
            signer_lines(finish, 76),
            work_lines(finish, 76),
            work_lines(running, 76),
            check_lines(finish, 76),
            after_lines(finish, Path(evil), 76),
            [outcome_line(finish, evil)],
            sealing_lines(State(sealed=True), finish, 76),
        )
    )
    assert "␛" in said and not [
        c for c in said if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u200b")
    ]
