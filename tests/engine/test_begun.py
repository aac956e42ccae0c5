"""A run begins on the record, once, and ends there: also where it is refused before its engine is there."""

from __future__ import annotations

from pathlib import Path

from sealwright_stages import events as ev
from sealwright_stages.engine import Engine
from sealwright_stages.errors import Exit
from sealwright_stages.events import Stage
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
