"""A rebuild's work folder is gone on with only where this account began it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from sealwright_stages.errors import ManifestError
from sealwright_stages.rebuild.begun import mark
from sealwright_stages.rebuild.detail import harmless
from sealwright_stages.work import WorkFolder

WHAT = "a rebuild of small-1.0 by the log 0123456789abcdef…"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def begin(root: Path, cache: Path, log: str = "a") -> None:
    WorkFolder(root).prepare(mark(root, WHAT, log, cache))


def test_what_was_begun_here_goes_on(tmp_path: Path, cache: Path) -> None:
    for _ in range(2):
        begin(tmp_path / "work", cache)
    assert stat.S_IMODE((cache / "rebuild.key").stat().st_mode) == 0o600


def test_what_somebody_else_began_is_refused(tmp_path: Path, cache: Path) -> None:
    begin(tmp_path / "work", cache)
    (tmp_path / "other").mkdir()
    with pytest.raises(ManifestError, match="not begun here"):
        begin(tmp_path / "work", tmp_path / "other")


def test_what_was_begun_for_another_log_or_elsewhere_is_refused(tmp_path: Path, cache: Path) -> None:
    begin(tmp_path / "work", cache)
    with pytest.raises(ManifestError, match="not begun here"):
        begin(tmp_path / "work", cache, log="b")
    (tmp_path / "work").rename(tmp_path / "moved")
    with pytest.raises(ManifestError, match="not begun here"):
        begin(tmp_path / "moved", cache)


def test_a_marker_that_is_none_is_no_way_round(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "work"
    root.mkdir()
    for text in ("{", "[]", "{}", json.dumps({"release": WHAT}), json.dumps({"release": 3})):
        (root / "release.json").write_text(text)
        with pytest.raises(Exception, match=r"not begun here|can't be used|not this release's"):
            begin(root, cache)


def test_a_report_does_nothing_to_a_terminal() -> None:
    assert harmless("a\x1b[2Jb\u202e\x9b1m\ttab\nline\r") == "a?[2Jb??1m\ttab\nline?"
