"""The evidence of a component as a tree: what is open, how it is laid out, what is copied, what it opens."""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from console import made_up
from console.hands import press
from console.hostile import attack
from sealwright_console import sanitise
from sealwright_console.app import ConsoleApp
from sealwright_console.feed import spilled
from sealwright_console.lines import Row, plain, wrap
from sealwright_console.screens.component import ComponentScreen
from sealwright_console.screens.page import PageScreen, page_lines
from sealwright_console.views.detail import detail_rows, worst_item
from sealwright_console.views.evidence import APART, Tree, difference, found_node, nodes
from sealwright_console.widgets.ledger import Ledger
from sealwright_stages.events import Stage
from sealwright_stages.fold import fold
from sealwright_stages.state import Item
from sealwright_stages.verdict import Status

TROUBLED = fold(made_up.troubled().entries)
RED = "xen/grub-0.97.tar.gz"
TAG = "xen/signature of the tag"


def text(rows: list[Row]) -> str:
    return "\n".join(plain(line) for row in rows for line in row.lines)


def an_item(evidence: str, item: str = RED) -> Item:
    return replace(TROUBLED.items[item], evidence=evidence)


def lines_of(item: Item, *opened: str) -> list[str]:
    state = replace(TROUBLED, items={**TROUBLED.items, item.id: item})
    tree = Tree(frozenset({item.id, f"{item.id}{APART}evidence", *opened}))
    return text(detail_rows(state, item.component, tree, 78)).split("\n")


def test_an_item_is_one_line_until_it_is_opened() -> None:
    shut = detail_rows(TROUBLED, "xen", Tree(), 78)
    assert [len(row.lines) for row in shut if row.key] == [1, 1, 1, 1]
    assert "expected" not in text(shut) and "expected" in text(
        detail_rows(TROUBLED, "xen", Tree(frozenset({RED})), 78)
    )


def test_the_worst_item_is_the_red_one_then_the_warned_one() -> None:
    assert worst_item(TROUBLED, "xen") == RED
    assert worst_item(TROUBLED, "kde-desktop") == "kde-desktop/signature of the tag"
    assert worst_item(TROUBLED, "nothing") == ""


def test_labels_stand_in_one_column_and_values_in_another() -> None:
    rows = [row for row in detail_rows(TROUBLED, "xen", Tree(frozenset({RED, TAG})), 78) if APART in row.key]
    lines = [plain(piece) for row in rows for line in row.lines for piece in wrap(line, 75)]
    assert len(lines) > 20
    assert {line[:4].strip(" ▸▾") for line in lines} == {""}
    assert {line[14:16] for line in lines} == {"  "}, "two cells between label and value"
    assert all(line[16] != " " or "^" in line for line in lines), "each value begins at its column"
    assert max(map(cell_len, lines)) <= 75


def test_what_differs_stands_one_above_the_other_and_its_groups_are_marked() -> None:
    wanted = "0123456789abcdef" * 4
    first, second, marks, *rest = (plain(line) for line in difference(wanted, wanted[:4] + "ffff" + wanted[8:]))
    assert first.split() == wanted_groups(wanted)[:8] and second.split()[1] == "ffff"
    assert marks == "     ^^^^" and plain(difference(wanted, wanted[:-1] + "0")[2]) == ""
    assert len(rest) == 3 and rest[2] == ""
    assert len(difference("ab", "abcdef0123")) == 3


def wanted_groups(digits: str) -> list[str]:
    return [digits[start : start + 4] for start in range(0, len(digits), 4)]


def test_evidence_that_is_no_json_is_shown_as_text() -> None:
    assert any(line.endswith("{broken ␛") for line in lines_of(an_item("{broken \x1b")))


@pytest.mark.parametrize("said", ["[" * 500 + "]" * 500, "[" * 200_000, "3", "[]", '"x"', "null"], ids=range(6))
def test_deep_and_odd_evidence_is_shown_somehow(said: str) -> None:
    assert 5 < len(lines_of(an_item(said))) < 40


def test_long_evidence_is_cut_and_says_so() -> None:
    lines = lines_of(an_item(json.dumps(list(range(5000)))))
    assert len(lines) < 450 and any("4600 more entries" in line for line in lines)


def test_a_short_text_is_shown_line_by_line_and_a_long_one_has_a_page() -> None:
    report = "\n".join(f"+line {number}\x1b[2J" for number in range(40))
    item = an_item(json.dumps({"why": "a\nb\x1b[2J", "report": report}))
    said = "\n".join(lines_of(item))
    assert "b␛[2J" in said and "line 7" not in said and "enter opens its 40 lines" in said
    node = found_node({item.id: item}, f"{item.id}{APART}evidence{APART}1", Tree())
    assert node is not None and node.page == report


def test_a_long_report_costs_the_screen_what_it_shows_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    visible = sanitise._visible
    monkeypatch.setattr(sanitise, "_visible", lambda text: looked.append(len(text)) or visible(text))
    lines_of(an_item(json.dumps({"report": "│ +\x01\n" * 100_000, "many": ["\x01" * 100] * 100_000})))
    assert "characters)" in "\n".join(lines_of(an_item(json.dumps({"long": "\x01" * (1 << 20) + "\n+"}))))
    assert sum(looked) < 40_000
    shown = page_lines("│ +\x01\n" * 100_000)
    assert len(shown) == 20_001 and plain(shown[-1]).startswith("… 80,001 more lines")
    assert [plain(line) for line in page_lines("a\n\tb")] == ["a", "        b"]


def test_evidence_on_a_stream_is_shown_if_it_is_what_its_verdict_names(tmp_path: Path) -> None:
    said = json.dumps({"report": {"text": "-ours\n+theirs\n"}})
    halves = [tmp_path / "00000000.log", tmp_path / "00000001.log"]
    for path, part in zip(halves, (said[:9], said[9:]), strict=True):
        path.write_text(part)
    sha256 = hashlib.sha256(said.encode()).hexdigest()
    assert spilled(halves, sha256) == said
    assert spilled(halves[:1], sha256) == ""
    assert spilled([tmp_path / "gone"], sha256) == ""
    evidence = f"{RED}{APART}evidence"
    tree = Tree(frozenset({RED, evidence, f"{evidence}{APART}0"}), text=lambda item: said)
    assert "+theirs" in text(detail_rows(TROUBLED, "xen", tree, 78))


def test_every_line_of_the_tree_is_found_again_by_its_key() -> None:
    opened: set[str] = {TAG}
    for _ in range(5):
        tree = Tree(frozenset(opened))
        opened |= {row.key for row in detail_rows(TROUBLED, "xen", tree, 78) if row.key}
    keys = [key for key in opened if APART in key]
    assert len(keys) > 20 and len(keys) == len(set(keys))
    assert all(found_node(TROUBLED.items, key, tree) is not None for key in keys)


def test_hostile_evidence_is_dead_in_every_line() -> None:
    evil = attack("M-x")
    key = {
        "kind": "openpgp",
        "key": evil,
        "tool": evil,
        "signed_at": evil,
        "second_check": evil,
        "sequoia": {"says": evil},
    }
    said = {
        evil: evil,
        "persons": [evil],
        "signatures": [key],
        "wanted": evil,
        "found": evil + "x",
        "deep": {evil: [evil]},
    }
    item = Item(
        "x/file/y",
        "x",
        Stage.VERIFY,
        "digest",
        evil,
        Status.FAILED,
        evil,
        evil,
        evil,
        evil,
        deleted=(evil,),
        n=3,
        t=evil,
    )
    item = replace(item, evidence=json.dumps(said), evidence_stream=evil)
    tree = Tree(frozenset({item.id}), policy=lambda person: evil)
    for node in nodes(item, tree):
        shown = [plain(line) for line in node.value] + [
            plain(line) for kid in (node.kids or list)() for line in kid.value
        ]
        assert all(line.isprintable() and "\u202e" not in line for line in shown)


async def test_the_page_opens_with_the_red_item_open_and_folds_by_keys() -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter")
        screen = app.screen
        assert isinstance(screen, ComponentScreen)
        ledger = screen.query_one(Ledger)
        assert ledger.key == RED and f"{RED}{APART}hand" in ledger._keys
        await press(pilot, "right")
        assert ledger.key.startswith(RED + APART)
        await press(pilot, "left")
        assert ledger.key == RED
        await press(pilot, "left")
        assert not any(APART in key for key in ledger._keys)
        await press(pilot, "enter", "plus")
        assert f"{RED}{APART}hand{APART}run" in ledger._keys


async def test_keys_copy_the_value_the_command_and_the_evidence() -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter", "right", "y")
        assert app.clipboard == "the served file is not the pinned one"
        await press(pilot, "Y")
        assert json.loads(app.clipboard)["found"] == made_up.sha("bad")
        await press(pilot, "c")
        assert made_up.sha("good") in app.clipboard and "https://example.org/grub-0.97.tar.gz" in shlex.split(
            app.clipboard
        )


async def test_a_click_folds_what_is_selected() -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter")
        ledger = app.screen.query_one(Ledger)
        y = ledger._first_line[RED] - ledger.scroll_offset.y
        await pilot.click(ledger, offset=(6, y))
        await pilot.pause()
        assert not any(APART in key for key in ledger._keys)


async def test_a_long_text_of_the_evidence_opens_a_page_that_scrolls_and_esc_goes_back() -> None:
    story = made_up.troubled()
    report = "\n".join(f"-line {number}\x1b[2J" for number in range(500))
    story.verdict(RED, "failed", "it differs", code="digest-mismatch", evidence=json.dumps({"report": report}))
    app = ConsoleApp(made_up.MadeUpFeed(story))
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter", "plus")
        screen = app.screen
        ledger = screen.query_one(Ledger)
        ledger.select(next(key for key in ledger._keys if key.startswith(f"{RED}{APART}evidence{APART}")))
        await press(pilot, "enter")
        assert isinstance(app.screen, PageScreen)
        page = app.screen.query_one(Ledger)
        await press(pilot, "pagedown", "down")
        assert page.scroll_offset.y > 10
        await press(pilot, "y")
        assert app.clipboard == report.replace("\x1b", "␛")
        await press(pilot, "escape")
        assert app.screen is screen


async def test_in_a_review_left_and_right_stay_with_the_log(tmp_path: Path) -> None:
    app = made_up.review(tmp_path, made_up.past_trouble())
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "enter")
        at = app.cursor.n
        await press(pilot, "left")
        assert app.cursor.n == at - 1
