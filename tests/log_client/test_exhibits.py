"""What is kept of a contradiction: once, whole, and never replaced."""

from __future__ import annotations

import threading
from pathlib import Path

from sealwright_stages.errors import Exit
from sealwright_stages.log import LogLost, LogRollback, log_error
from sealwright_stages.log.exhibits import SEEN, SHOWN, keep


def test_many_threads_may_keep_the_same_pieces(tmp_path: Path) -> None:
    found: list[LogRollback] = []
    pieces = {SEEN: b"one\n" * 5000, SHOWN: b"two\n"}
    threads = [
        threading.Thread(target=lambda: found.append(keep(tmp_path / "seen", "why", pieces))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20 and len({error.exhibits for error in found}) == 1
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == sorted(pieces.values())


def test_other_pieces_are_kept_beside_and_none_is_replaced(tmp_path: Path) -> None:
    saved = tmp_path / "seen"
    first = keep(saved, "why", {SEEN: b"a", SHOWN: b"b"})
    second = keep(saved, "why", {SEEN: b"a", SHOWN: b"c"})
    assert {path.read_bytes() for path in tmp_path.iterdir()} == {b"a", b"b", b"c"}
    assert len(list(tmp_path.iterdir())) == 4
    for error, shown in ((first, b"b"), (second, b"c")):
        assert [exhibit.data for exhibit in error.exhibits] == [b"a", shown]
        assert all(exhibit.file.read_bytes() == exhibit.data for exhibit in error.exhibits)
        assert all(exhibit.file.stat().st_mode & 0o777 == 0o600 for exhibit in error.exhibits)


def test_a_contradiction_is_told_with_its_evidence_and_a_lost_log_without(tmp_path: Path) -> None:
    rollback = log_error(keep(tmp_path / "seen", "rollback", {SEEN: b"a"}))
    lost = log_error(LogLost("it is dead"))
    assert (rollback.exit_code, lost.exit_code) == (Exit.LOG, Exit.LOG)
    assert "contradicts" in rollback.what and f"{tmp_path}/seen.refused-" in rollback.because
    assert [exhibit.data for exhibit in rollback.exhibits] == [b"a"] and lost.exhibits == ()
