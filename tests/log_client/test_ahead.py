"""What is begun ahead of its turn: it touches nothing before, and is heard in its turn."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import psutil
import pytest

from sealwright_stages.ahead import Ahead, AuthorityProcess, ahead_of
from sealwright_stages.errors import LogError, MachineError
from sealwright_stages.log import LogSession, embedded, open_embedded


def _opened(place: Path, authority: AuthorityProcess) -> LogSession:
    place.mkdir()
    (place / "log").mkdir()
    return open_embedded(place / "log", place / "log.key", "example 1.0", None, None, place / "seen", authority)


def test_an_authority_that_was_started_ahead_serves_what_it_is_told(tmp_path: Path) -> None:
    with ahead_of() as ahead:
        ahead.start_authority()
        ahead.start_authority()
        session = _opened(tmp_path / "a", ahead.authority())
        assert session.append({"e": "x"}).n >= 0
        session.close()
        other = _opened(tmp_path / "b", ahead.authority())  # the next one is started in its turn
        other.close()
    assert session.process_id != other.process_id
    assert not {session.process_id, other.process_id} & set(psutil.pids())


def test_an_authority_that_is_not_needed_is_killed_and_has_touched_nothing(tmp_path: Path) -> None:
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(RuntimeError), ahead_of() as ahead:
        ahead.start_authority()
        assert len(psutil.Process().children()) == len(before) + 1
        raise RuntimeError("refused meanwhile")
    assert {child.pid for child in psutil.Process().children()} == before
    assert list(tmp_path.iterdir()) == []


def test_an_authority_that_died_ahead_is_a_log_that_did_not_start(tmp_path: Path) -> None:
    authority = AuthorityProcess()
    authority.child.kill()
    authority.child.wait()
    with pytest.raises(LogError, match="did not start"):
        _opened(tmp_path / "a", authority)
    assert list((tmp_path / "a" / "log").iterdir()) == []


def test_an_authority_whose_key_can_not_be_remembered_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*asked: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "seen.vkey")

    monkeypatch.setattr(embedded, "pin", full)
    authority = AuthorityProcess()
    with pytest.raises(OSError, match="No space left"):
        _opened(tmp_path / "a", authority)
    assert authority.child.poll() is not None and not (tmp_path / "a" / "socket").exists()


def test_what_the_trial_said_is_raised_in_its_turn_and_every_time() -> None:
    go, refused = threading.Event(), MachineError("no sandbox", "of a test", "nothing")

    def trial() -> None:
        go.wait(20)
        raise refused

    ahead = Ahead(trial)
    ahead.try_sandbox()
    go.set()
    for _ in range(2):
        with pytest.raises(MachineError) as found:
            ahead.require_sandbox()
        assert found.value is refused
    ahead.close()


def test_what_was_never_begun_is_tried_where_it_is_asked_for() -> None:
    tried: list[int] = []
    with ahead_of(Ahead(lambda: tried.append(1))) as ahead:
        ahead.require_sandbox()
        ahead.require_sandbox()
        assert tried == [1]
