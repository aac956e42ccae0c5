"""A record's page: its bytes, hashes and proof are checked as it is shown, and nothing that contradicts them looks good."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from appendlog.log_making import new_store, seal
from console import made_up
from console.hands import press
from sealwright_console.lines import Row, Tone, plain
from sealwright_console.sanitise import ACTIVE
from sealwright_console.screens.record import RecordScreen
from sealwright_console.views.record import record_page
from sealwright_console.widgets.ledger import Ledger
from sealwright_stages import events as ev
from sealwright_stages.review.past import Past, read_past
from sealwright_stages.review.proved import prove
from support.stories import whole_release


def sealed(folder: Path, output: bytes = b"line\n") -> Past:
    """A real sealed log of a whole release; its last records but two are output, with one hostile line."""
    store = new_store(folder)
    for event in whole_release("xen", "lvm2"):
        store.event("engine", ev.to_body(event), "uid:0")
    store.data("build/xen/9-9", "D", output, "uid:0")
    store.eof("build/xen/9-9", clean=True, exit_status=0, src="uid:0")
    store.commit()
    seal(store)
    return read_past(folder)


def text(rows: list[Row]) -> str:
    return "\n".join(plain(line) for row in rows for line in row.lines)


def test_each_record_is_proved_to_be_in_the_sealed_log(tmp_path: Path) -> None:
    past = sealed(tmp_path)
    assert not past.broken
    for n in range(past.size):
        found = prove(past, n)
        line = past.entry(n).line
        assert found.checkpoint is not None and found.checkpoint.size == past.size
        assert found.leaf == hashlib.sha256(b"\x00" + line).hexdigest()
        assert found.sha256 == hashlib.sha256(line).hexdigest()
        assert found.previous == (prove(past, n - 1).leaf if n else "")


@pytest.mark.parametrize(
    ("name", "wrong"), [("checkpoint.sealed", True), ("log.vkey", True), ("index.jsonl", None), ("tile", False)]
)
def test_what_contradicts_a_record_is_told_and_what_is_missing_is_no_proof(
    tmp_path: Path, name: str, wrong: bool | None
) -> None:
    past = sealed(tmp_path)
    n = past.size - 3
    if name == "tile":
        for tile in (tmp_path / "tile" / "0").rglob("*"):
            if tile.is_file():
                tile.unlink()
    else:
        data = (tmp_path / name).read_bytes()
        other = data.replace(b"uid:0", b"uid:1") if name == "index.jsonl" else data[:-9] + b"AAAA" + data[-5:]
        (tmp_path / name).write_bytes(other)
    page = record_page(past, n)
    told = text(page)
    assert "included" not in told
    tones = {part.tone for row in page for line in row.lines for part in line if part.text.strip().startswith("✗")}
    if wrong is None:
        assert "changed since it was audited" in told and Tone.ALARM in tones
    else:
        assert ("CONTRADICTED" in told) is wrong and ("no proof" in told) is not wrong


def test_output_is_shown_as_recorded_or_not_at_all(tmp_path: Path) -> None:
    past = sealed(tmp_path, b"evil \x1b[1mline\x9b\n")
    n = past.size - 4
    told = text(record_page(past, n))
    assert "evil ␛[1mline<9B>" in told and "hashed now" in told and not ACTIVE.search(told.replace("\n", ""))
    segment = next((tmp_path / "data" / "build" / "xen" / "9-9").glob("*.log"))
    segment.write_bytes(segment.read_bytes().replace(b"evil", b"good"))
    told = text(record_page(past, n))
    assert "NOT WHAT WAS RECORDED" in told and "good" not in told and "hashed now" not in told


def test_the_commands_by_hand_quote_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "a b'c"
    told = text(record_page(sealed(folder), 0))
    assert "'\"'\"'" in told and f"sed -n 1p '{tmp_path}/a b" in told


async def test_the_page_turns_with_the_cursor(tmp_path: Path) -> None:
    app = made_up.review(tmp_path, made_up.past_trouble(), 100)
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "e", "enter")
        assert isinstance(app.screen, RecordScreen)
        first = text(app.screen.query_one(Ledger)._rows)
        await press(pilot, "right")
        second = text(app.screen.query_one(Ledger)._rows)
        assert "line 101 of" in first and "line 102 of" in second
