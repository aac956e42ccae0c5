"""The log dies anywhere, the console is started again, and the release ends the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealwright_stages import events as ev
from sealwright_stages.errors import Exhibit, Exit
from sealwright_stages.events import Stage
from sealwright_stages.state import Record
from sealwright_stages.verdict import Status
from support.bench import Bench
from support.release_folder import HEAD, component

Folders = Callable[[], Path]
TWO = HEAD + component("xen") + component("lvm2", "xen")


def quiet_run(folder: Path) -> Bench:
    """A run in which nothing dies."""
    bench = Bench(folder, manifest=TWO)
    assert bench.run().exit is Exit.DONE
    return bench


def check_end(bench: Bench, wanted: dict[str, object]) -> None:
    """Start again, and find the release as if nothing had died."""
    ended = bench.run()
    assert ended.exit is Exit.DONE, ended
    assert bench.summary() == wanted
    assert bench.unlawful == []
    assert bench.broken_rules() == []
    assert (bench.work.evidence / "SHA256SUMS").exists()


@pytest.mark.parametrize("keeps_last", [False, True], ids=["record-lost", "acknowledgement-lost"])
def test_a_run_whose_log_died_at_any_append_resumes_to_the_same_end(folders: Folders, keeps_last: bool) -> None:
    quiet = quiet_run(folders())
    wanted, appends = quiet.summary(), quiet.log.appends
    assert appends > 30
    for die_at in range(1, appends + 1):
        bench = Bench(folders(), manifest=TWO)
        ended = bench.run(die_at=die_at, keeps_last=keeps_last)
        assert ended.exit is Exit.LOG, (die_at, ended)
        check_end(bench, wanted)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 45), st.booleans()), min_size=2, max_size=5))
def test_a_log_that_dies_again_and_again_does_no_harm(folders: Folders, deaths: list[tuple[int, bool]]) -> None:
    wanted = quiet_run(folders()).summary()
    bench = Bench(folders(), manifest=TWO)
    for die_at, keeps_last in deaths:
        bench.run(die_at=die_at, keeps_last=keeps_last)
    check_end(bench, wanted)


def dead_while_building(folder: Path) -> Bench:
    """A release whose log died between the first sample of the first build and its end."""
    bench = Bench(folder, manifest=TWO)
    bench.listener = lambda record: bench.log.lost.set() if record.body.get("e") == "build.sample" else None
    assert bench.run().exit is Exit.LOG
    bench.listener = lambda record: None
    return bench


def test_a_build_that_lost_its_log_leaves_no_product(folder: Path) -> None:
    bench = dead_while_building(folder)
    assert bench.builder.runs == ["xen"]
    assert list(bench.work.products.iterdir()) == []
    assert list(bench.work.build.iterdir()) == []


def test_a_build_that_lost_its_log_is_begun_again_on_a_stream_of_its_own(folder: Path) -> None:
    bench = dead_while_building(folder)
    assert bench.run().exit is Exit.DONE
    assert bench.builder.runs == ["xen", "xen", "lvm2"]
    streams = [event.stream for event in bench.told(ev.BuildStarted)]
    assert len(set(streams)) == 3
    assert [event.item for event in bench.told(ev.ItemReset)] == ["xen/build"]


def test_after_a_death_nothing_more_is_said(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.run(die_at=9)
    assert len(bench.kept.entries) == 8
    assert bench.told(ev.RunEnded) == []


def test_what_a_crash_left_in_the_quarantine_is_deleted_on_the_record(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.run(die_at=9)
    left = [path for path in bench.work.quarantine.rglob("*") if path.is_file()]
    assert left
    bench.run()
    gone = bench.told(ev.FileDeleted)
    assert [event.name.rsplit("/", 1)[-1] for event in gone] == [path.name for path in left]
    assert all("left over" in event.because for event in gone)


def test_an_interrupted_run_says_so_and_resumes(folder: Path) -> None:
    bench = Bench(folder, "xen", "lvm2")
    bench.stops("xen")
    ended = bench.run()
    assert ended.exit is Exit.INTERRUPTED
    assert bench.told(ev.RunEnded)[-1].exit == 130
    assert bench.builder.runs == []
    bench.sources["xen"].on_fetch = lambda workshop: None
    assert bench.run().exit is Exit.DONE


def test_an_interrupted_build_leaves_no_product_and_resumes(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.listener = lambda record: bench.cancel.set() if record.body.get("e") == "build.started" else None
    assert bench.run().exit is Exit.INTERRUPTED
    assert bench.state().products == {} and list(bench.work.products.iterdir()) == []
    assert bench.state().items["xen/build"].status is Status.RUNNING
    bench.listener = lambda record: None
    assert bench.run().exit is Exit.DONE


def test_a_second_run_says_that_it_resumes(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.run(Stage.BUILD)
    bench.run(Stage.BUILD)
    assert [event.resumed for event in bench.told(ev.RunStarted)] == [False, True]


def test_a_log_that_contradicts_itself_ends_the_run_with_4_and_its_evidence(folders: Folders) -> None:
    """Wherever the walk was: the contradiction is what is told, and not that the run was stopped."""
    bench = Bench(folders(), manifest=TWO)
    said = Exhibit("the checkpoint seen last", Path("seen"), b"note\n")

    def contradict(record: Record) -> None:
        if record.body.get("e") == "build.sample":
            bench.log.exhibits, bench.log.why_lost = (said,), "rollback or split view"
            bench.log.lost.set()

    bench.listener = contradict
    ended = bench.run()
    assert (ended.exit, ended.exhibits, ended.because) == (Exit.LOG, (said,), "rollback or split view")
    assert "contradicts" in ended.what and "begin anew" in ended.next_step


@pytest.mark.parametrize("when", ["fetch", "build"])
def test_a_run_whose_folder_was_moved_or_deleted_ends_and_touches_nothing_of_what_lies_there(
    folder: Path, when: str
) -> None:
    bench = Bench(folder, "xen")
    strange = bench.work.quarantine / "xen" / "strange"

    def gone(*_: object) -> None:
        bench.gone = True
        strange.parent.mkdir(exist_ok=True)
        strange.write_text("of another run")

    if when == "fetch":
        bench.sources["xen"].on_fetch = gone
    else:
        bench.builder.on_run = gone
    ended = bench.run()
    assert ended.exit is Exit.ENVIRONMENT and "moved or deleted" in ended.because, ended
    assert strange.read_text() == "of another run"
    assert bench.stands("xen") is (when == "build") and not list(bench.work.products.rglob("*.tar"))
    bench.gone = False
    bench.sources["xen"].on_fetch, bench.builder.on_run = (lambda workshop: None), (lambda job: None)
    assert bench.run().exit is Exit.DONE and bench.broken_rules() == []
