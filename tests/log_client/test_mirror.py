"""The copy of a log elsewhere: it takes the next records and no others, and every checkpoint is held against it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appendlog.log_making import sealed_log
from sealwright_appendlog import layout
from sealwright_appendlog.note import Checkpoint
from sealwright_appendlog.tree import CompactRange, ProofError, leaf_hash
from sealwright_stages.log.mirror import Mirror


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    return list(layout.lines(sealed_log(tmp_path_factory.mktemp("mirror") / "log", events=60) / layout.INDEX))


def checkpoint(lines: list[bytes]) -> Checkpoint:
    tree = CompactRange()
    for line in lines:
        tree.append(leaf_hash(line))
    return Checkpoint("origin", tree.size, tree.root())


def told(mirror: Mirror, lines: list[bytes]) -> None:
    mirror.take(b"".join(line + b"\n" for line in lines))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_checkpoints_of_what_came_agree_however_far_the_copy_is_ahead_and_however_often_it_is_opened(
    lines: list[bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("copy")
    mirror, came, seen = Mirror(folder), 0, 0
    while came < len(lines):
        more = data.draw(st.integers(1, 20))
        told(mirror, lines[came : came + more])
        came = min(came + more, len(lines))
        seen = data.draw(st.integers(seen, came))
        mirror.agrees(checkpoint(lines[:seen]))
        if data.draw(st.booleans()):
            with (folder / layout.INDEX).open("ab") as torn:
                torn.write(b'{"half')
            mirror = Mirror(folder)
        assert mirror.count == came
    assert mirror.sealed and (folder / layout.INDEX).read_bytes().splitlines() == lines


def test_a_checkpoint_of_more_of_fewer_or_of_others_does_not_agree(lines: list[bytes], tmp_path: Path) -> None:
    mirror = Mirror(tmp_path)
    told(mirror, lines[:20])
    mirror.agrees(checkpoint(lines[:10]))
    for other in (lines[:9], lines[:21], [*lines[:14], lines[0]]):
        with pytest.raises(ProofError):
            Mirror(tmp_path).agrees(checkpoint([lines[1], *other[1:]]))
        if len(other) != 15:
            with pytest.raises(ProofError, match="came here"):
                mirror.agrees(checkpoint(other))


@pytest.mark.parametrize("bad", [b"nonsense", b"", None])
def test_what_is_not_the_next_record_is_not_taken_and_no_checkpoint_agrees_any_more(
    lines: list[bytes], tmp_path: Path, bad: bytes | None
) -> None:
    mirror = Mirror(tmp_path)
    told(mirror, lines[:5])
    told(mirror, [lines[7] if bad is None else bad])
    told(mirror, lines[5:7])
    assert (mirror.count, (tmp_path / layout.INDEX).read_bytes().splitlines()) == (5, lines[:5])
    with pytest.raises(ProofError, match="record"):
        mirror.agrees(checkpoint(lines[:5]))


@pytest.mark.parametrize("damage", [b"\0" * 40 + b"\n", b"nonsense\n", b"\n"])
def test_what_a_power_cut_left_of_the_copy_is_dropped_and_comes_again(
    lines: list[bytes], tmp_path: Path, damage: bytes
) -> None:
    told(Mirror(tmp_path), lines[:20])
    index = tmp_path / layout.INDEX
    index.write_bytes(b"".join(line + b"\n" for line in lines[:10]) + damage + lines[12] + b"\n")
    mirror = Mirror(tmp_path)
    assert mirror.count == 10
    told(mirror, lines[10:])
    mirror.agrees(checkpoint(lines))
