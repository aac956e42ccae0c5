"""The local copy of a log elsewhere: what it shows, and what it never does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appendlog.log_making import sealed_log
from sealwright_appendlog import layout
from sealwright_stages.log.client import Mirror
from sealwright_stages.log.copied import Copy


def shown(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


@given(st.lists(st.binary(max_size=50), max_size=8), st.data())
def test_output_is_shown_up_to_what_was_acknowledged(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("copy") / "stream" / "0.log"
    copy, sent, acknowledged = Copy(path), b"", 0
    for part in parts:
        copy.sent(part)
        sent += part
        acknowledged = max(acknowledged, data.draw(st.integers(0, len(sent))))
        copy.acknowledged(acknowledged)
        assert shown(path) == sent[:acknowledged]
    copy.acknowledged(0)  # an old one that comes late
    copy.finish(len(sent))
    assert shown(path) == sent


def test_more_than_was_sent_can_not_be_acknowledged(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "0.log")
    copy.sent(b"four")
    copy.acknowledged(1_000)
    copy.sent(b"more")
    assert shown(tmp_path / "0.log") == b"four"


def test_a_half_record_is_dropped_and_asked_for_again(tmp_path: Path) -> None:
    lines = list(layout.lines(sealed_log(tmp_path / "log", events=3) / layout.INDEX))
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / layout.INDEX).write_bytes(lines[0] + b"\n" + lines[1][:20])
    mirror = Mirror(tmp_path / "copy")
    assert mirror.count == 1
    mirror.take(lines[1] + b"\n")
    assert (tmp_path / "copy" / layout.INDEX).read_bytes() == lines[0] + b"\n" + lines[1] + b"\n"
