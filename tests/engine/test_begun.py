"""A run begins on the record, once, and ends there: also where it is refused before its engine is there."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sealwright_stages import events as ev
from sealwright_stages.engine import Engine
from sealwright_stages.errors import Exit, InterruptedRunError, LogError
from sealwright_stages.events import Stage
from sealwright_stages.journal import Journal
from sealwright_stages.release import _begin, _let_go
from sealwright_stages.state import Record
from sealwright_stages.wish import Wish
from support.bench import Bench
from support.release_folder import HEAD, component


def test_a_run_that_was_begun_before_its_engine_begins_once(folder: Path) -> None:
    bench = Bench(folder, manifest=HEAD + component("xen"))
    context = bench.context()
    assert context.journal.begin(bench.manifest, context.plan.policy_sha256, "early", official=True) is False
    engine = Engine(context, bench.confirm, attended=False, tool="late")
    assert engine.run(Stage.VERIFY).exit is Exit.DONE
    assert [event.tool for event in bench.told(ev.RunStarted)] == ["early"]
    assert bench.run().exit is Exit.DONE
    assert [event.resumed for event in bench.told(ev.RunStarted)] == [False, True]
    assert bench.broken_rules() == []


def test_a_run_that_is_refused_before_its_engine_is_there_ends_on_the_record(folder: Path) -> None:
    bench = Bench(folder, manifest=HEAD + component("xen"))
    journal = bench.context().journal
    journal.begin(bench.manifest, bench.plan().policy_sha256, "x", official=True)
    journal.end(Exit.USAGE, "a source: there is none", "name one")
    assert bench.told(ev.RunEnded) == [ev.RunEnded(2, "a source: there is none", "name one")]
    assert bench.run().exit is Exit.DONE
    assert bench.broken_rules() == []


def test_an_end_that_the_log_does_not_take_is_no_error(folder: Path) -> None:
    bench = Bench(folder, manifest=HEAD + component("xen"))
    journal = bench.context(die_at=2).journal
    journal.begin(bench.manifest, bench.plan().policy_sha256, "x", official=True)
    journal.end(Exit.LOG, "the log is lost", "look at it")
    journal.end(Exit.LOG, "the log is lost", "look at it")
    assert bench.told(ev.RunEnded) == []


def begins(bench: Bench, journal: Journal) -> None:
    subject: Any = SimpleNamespace(manifest=bench.manifest, policy=bench.plan().policy, official=True)
    _begin(journal, subject, Wish(bench.manifest.path, None, 1, True, "x"))


def test_a_log_that_does_not_take_the_beginning_is_a_lost_log_and_no_defect_of_ours(folder: Path) -> None:
    bench = Bench(folder, manifest=HEAD + component("xen"))
    with pytest.raises(LogError, match="the log authority died"):
        begins(bench, bench.context(die_at=1).journal)
    assert bench.told(ev.RunStarted) == []


def test_a_disk_that_is_full_while_the_engine_is_put_together_ends_the_run_on_the_record(folder: Path) -> None:
    bench = Bench(folder, manifest=HEAD + component("xen"))
    journal = bench.context().journal
    begins(bench, journal)
    _let_go(journal, None, OSError(errno.ENOSPC, "No space left on device", "keyring"), None)
    (end,) = bench.told(ev.RunEnded)
    assert end.exit == Exit.ENVIRONMENT and end.because == "keyring can't be used: No space left on device"
    assert journal.log.all_said


def test_a_signal_after_the_beginning_and_outside_of_the_engine_ends_the_run_on_the_record(folder: Path) -> None:
    bench = Bench(folder, manifest=HEAD + component("xen"))
    journal = bench.context().journal
    begins(bench, journal)
    stopped = InterruptedRunError("the program was stopped", "Terminated", "run again to resume")
    _let_go(journal, None, stopped, None)
    _let_go(journal, None, stopped, None)
    assert [event.exit for event in bench.told(ev.RunEnded)] == [Exit.INTERRUPTED]
    assert bench.run().exit is Exit.DONE
    assert bench.broken_rules() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), None])
def test_an_end_that_nobody_can_explain_is_not_said_and_the_stream_does_not_end_as_if_it_was(
    folder: Path, error: BaseException | None
) -> None:
    bench = Bench(folder, manifest=HEAD + component("xen"))
    journal = bench.context().journal
    begins(bench, journal)
    _let_go(journal, None, error, None)
    assert not journal.log.all_said and bench.told(ev.RunEnded) == []
    assert bench.run().exit is Exit.DONE
    assert bench.broken_rules() == []


def test_a_log_that_was_stopped_in_the_middle_of_the_beginning_does_not_end_as_if_all_was_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(folder, manifest=HEAD + component("xen"))
    journal = bench.context().journal
    append = journal.log.append

    def stopped(event: Mapping[str, object]) -> Record:
        append(event)
        raise InterruptedRunError("the program was stopped", "Terminated", "run again to resume")

    monkeypatch.setattr(journal.log, "append", stopped)
    with pytest.raises(InterruptedRunError):
        begins(bench, journal)
    assert not journal.log.all_said
