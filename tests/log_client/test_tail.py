"""Following a log that somebody else writes: from any record on, as far as is acknowledged, and no line that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealwright_appendlog.audit import LogBroken
from sealwright_stages import events as ev
from sealwright_stages.log.entries import read_entries
from sealwright_stages.log.tail import Tail
from support.past_log import End, Output, Told, write_past
from support.stories import begun, declared


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of lines of many lengths."""
    told: list[Told] = [begun()]
    for number in range(60):
        told += [declared(f"c{number}/x"), ev.ItemStarted(f"c{number}/x"), Output("build/c/1", b"x" * number)]
        told += [ev.ItemProgress(f"c{number}/x", 1, 2, "y" * (number * 13 % 700))]
    return write_past(tmp_path, [*told, End("build/c/1")])


def test_from_each_record_on_the_rest_is_read_and_nothing_before(log: Path) -> None:
    everything = list(read_entries(log))
    for n in range(-1, len(everything)):
        tail = Tail(log, n)
        assert list(tail.read(1 << 50, 1000)) == everything[n + 1 :]
        tail.close()


def test_nothing_is_read_beyond_what_is_acknowledged_nor_more_than_asked_for(log: Path) -> None:
    tail = Tail(log, 10)
    assert [entry.n for entry in tail.read(12, 100)] == [11, 12]
    assert [entry.n for entry in tail.read(12, 100)] == []
    assert [entry.n for entry in tail.read(100, 3)] == [13, 14, 15]
    tail.close()


def test_a_line_is_read_when_it_is_whole(log: Path, tmp_path: Path) -> None:
    index = log / "index.jsonl"
    whole = index.read_bytes()
    cut = whole.index(b"\n", len(whole) // 2) + 20
    index.write_bytes(whole[:cut])
    tail = Tail(log, -1)
    before = list(tail.read(1 << 50, 1 << 50))
    assert list(tail.read(1 << 50, 1 << 50)) == []
    with index.open("ab") as stream:
        stream.write(whole[cut:])
    assert before + list(tail.read(1 << 50, 1 << 50)) == list(read_entries(log))
    tail.close()


@pytest.mark.parametrize("ahead", [0, 1, 1 << 40])
def test_a_copy_that_lags_behind_is_waited_for(log: Path, ahead: int) -> None:
    index = log / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    index.write_bytes(b"".join(lines[:100]))
    tail = Tail(log, 99 + ahead)
    assert list(tail.read(1 << 50, 1000)) == []
    index.write_bytes(b"".join(lines))
    assert [entry.n for entry in tail.read(1 << 50, 1000)] == list(range(100 + ahead, len(lines)))
    tail.close()


def test_an_index_that_is_missing_is_waited_for_and_one_that_is_no_file_breaks_the_log(tmp_path: Path) -> None:
    tail = Tail(tmp_path, -1)
    assert list(tail.read(5, 5)) == []
    (tmp_path / "index.jsonl").symlink_to("/dev/zero")
    with pytest.raises(LogBroken):
        list(tail.read(5, 5))


@pytest.mark.parametrize("damage", ["skip", "garbage", "long", "again"])
def test_a_line_that_is_not_the_next_record_breaks_the_log(log: Path, damage: str) -> None:
    index = log / "index.jsonl"
    lines = index.read_bytes().splitlines(keepends=True)
    lines[20] = {"skip": b"", "garbage": b"garbage\n", "long": b"x" * 9000 + b"\n", "again": lines[19]}[damage]
    index.write_bytes(b"".join(lines))
    tail = Tail(log, 10)
    got = []
    with pytest.raises(LogBroken):
        got += [entry.n for entry in tail.read(1 << 50, 9)]
        for entry in tail.read(1 << 50, 100):
            got.append(entry.n)
    assert got == list(range(11, 20))
    tail.close()
