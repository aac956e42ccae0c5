"""The rules of feed: where logs lie, and a fold that no other thread disturbs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from console import made_up
from sealwright_console.feed import Mirror, segments
from sealwright_console.views.header import next_gate
from sealwright_console.views.overview import component_rows
from sealwright_stages.fold import fold


def test_segments_come_in_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "build" / "xen" / "1-1"
    folder.mkdir(parents=True)
    for name in ("00000100.log", "00000007.log", "note.txt"):
        (folder / name).touch()
    assert [path.name for path in segments(tmp_path, "build/xen/1-1")] == ["00000007.log", "00000100.log"]


@pytest.mark.parametrize(
    "stream", ["", ".", "..", "../outside", "/etc", "build/../../etc", "a\0b", "a//b", "x" * 300]
)
def test_a_name_that_no_stream_can_have_leads_nowhere(tmp_path: Path, stream: str) -> None:
    assert segments(tmp_path / "data", stream) == []


def test_a_link_among_the_folders_is_not_followed(tmp_path: Path) -> None:
    made_up.write_log(tmp_path / "elsewhere")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "build").symlink_to(tmp_path / "elsewhere" / "build")
    assert segments(tmp_path / "elsewhere", "build/xen/1-1")
    assert segments(tmp_path / "data", "build/xen/1-1") == []


def test_the_mirror_folds_each_record_once() -> None:
    entries = made_up.sealed().entries
    mirror = Mirror(fold(entries[:50]))
    for entry in entries[40:]:
        mirror.take(entry)
    assert mirror.poll() and not mirror.poll()
    assert mirror.state == fold(entries)


def test_the_mirror_stands_still_while_the_console_looks() -> None:
    story = made_up.Story()
    for number in range(3000):
        story.declare(f"c{number:04}", ("verify", "digest", "a file"))
    mirror = Mirror()
    writer = threading.Thread(target=lambda: [mirror.take(entry) for entry in story.entries])
    writer.start()
    while writer.is_alive() or mirror.poll():
        mirror.poll()
        next_gate(mirror.state)
        component_rows(mirror.state, 98)
    writer.join()
    assert len(mirror.state.items) == 3000
