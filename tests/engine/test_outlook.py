"""What a run says of its builds beyond the log, and what the next run knows of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from sealwright_stages import events as ev
from sealwright_stages.durations import Durations
from sealwright_stages.errors import Exit
from sealwright_stages.estimate import Earlier, Kind, builds_of
from sealwright_stages.fold import fold
from sealwright_stages.live import Live
from sealwright_stages.outlook import Outlook
from sealwright_stages.ports import BuildJob, Sampled
from sealwright_stages.state import State
from sealwright_stages.verdict import Status
from support.bench import Bench
from support.release_folder import HEAD, component

CHAIN = HEAD + component("lib") + component("tool", "lib") + component("app", "tool") + component("other")
LOOK = Sampled(100, 1 << 20, 2, 0, 0, elapsed_ms=60_000)


def outlook(bench: Bench, workers: int = 2, remembered: dict[Kind, tuple[Earlier, ...]] | None = None) -> Outlook:
    return Outlook(
        bench.manifest.in_order(),
        workers,
        Live(),
        Durations(bench.cache / "durations"),
        remembered or {},
        clock=iter(range(0, 10_000, 10)).__next__,
    )


def while_building(bench: Bench, name: str) -> State:
    """The state as it was while a component was being built."""
    seen: list[State] = []

    def look(job: BuildJob) -> None:
        if job.component == name:
            seen.append(bench.state())

    bench.builder.on_run = look
    bench.run()
    return seen[0]


def test_a_run_remembers_how_long_its_builds_took(folder: Path) -> None:
    bench = Bench(folder, "xen")
    environment = bench.manifest.components[0].build
    assert environment is not None
    assert bench.run().exit is Exit.DONE
    earlier = Durations(bench.cache / "durations").of(Kind("xen", "commands", environment.environment))
    assert [each.seconds for each in earlier] == [1.2]
    (told,) = bench.told(ev.BuildEnded)
    assert told.wall_ms == 1200


def test_a_failed_build_is_no_history(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.builder.exits["xen"] = [2]
    bench.run()
    assert bench.state().components["xen"].took == ()
    assert not (bench.cache / "durations").exists()


def test_a_build_goes_well_where_nothing_can_be_remembered(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.cache.mkdir()
    (bench.cache / "durations").write_text("a file")
    assert bench.run().exit is Exit.DONE


def test_the_first_time_nothing_is_said_and_the_next_time_what_is_left(folder: Path) -> None:
    bench = Bench(folder, "xen")
    state = while_building(bench, "xen")
    looking = outlook(bench)
    environment = state.components["xen"].environment
    assert looking.left(state, "xen") == looking.whole(state) == "about 5 s left", "the run itself has ended since"
    (folder / "other").mkdir()
    fresh = Outlook(bench.manifest.in_order(), 2, Live(), Durations(folder / "other"), {})
    assert fresh.left(state, "xen") == fresh.whole(state) == ""
    before = {Kind("xen", "commands", environment): (Earlier(200),)}
    known = Outlook(bench.manifest.in_order(), 2, Live(), Durations(folder / "other"), before)
    known.live.show("xen", LOOK)
    assert known.left(state, "xen") == "about 2 min left"
    now = known.now("xen")
    assert now is not None and now.look is LOOK


def test_only_a_running_build_has_something_left(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.run()
    looking = outlook(bench)
    assert looking.left(bench.state(), "xen") == looking.left(bench.state(), "nobody") == ""
    assert looking.whole(bench.state()) == ""


def test_the_stage_takes_what_its_longest_way_takes_and_says_what_it_does_not_know(folder: Path) -> None:
    bench = Bench(folder, manifest=CHAIN)
    state = while_building(bench, "lib")
    environment = state.components["lib"].environment
    for file in (bench.cache / "durations").iterdir():
        file.unlink()
    seconds = {"lib": 60.0, "tool": 600.0, "app": 1200.0, "other": 120.0}
    known = {Kind(name, "commands", environment): (Earlier(each),) for name, each in seconds.items()}
    assert outlook(bench, remembered=known).whole(state) == "about 30 min left"
    del known[Kind("app", "commands", environment)]
    assert outlook(bench, remembered=known).whole(state) == "at least 10 min left, 1 build was never timed"


def test_what_waits_for_red_is_waited_for_by_nobody(folder: Path) -> None:
    bench = Bench(folder, manifest=CHAIN)
    bench.builder.exits["tool"] = [2]
    state = while_building(bench, "other")
    environment = state.components["other"].environment
    red = dataclasses.replace(state.items["tool/build"], status=Status.FAILED)
    state.items["tool/build"] = red
    for file in (bench.cache / "durations").iterdir():
        file.unlink()
    known = {Kind(name, "commands", environment): (Earlier(600),) for name in ("lib", "tool", "app", "other")}
    left = 10 * (1 + (not state.items["lib/build"].green))
    assert outlook(bench, 1, known).whole(state) == f"about {left} min left", "of other and lib, not of app"


def test_a_second_build_is_a_build_of_the_stage_and_takes_as_long_as_the_first(folder: Path) -> None:
    bench = Bench(folder, manifest=HEAD + component("xen") + "reproduce = 2\n")
    state = while_building(bench, "xen")
    environment = state.components["xen"].environment
    for file in (bench.cache / "durations").iterdir():
        file.unlink()
    looking = outlook(bench, remembered={Kind("xen", "commands", environment): (Earlier(600),)})
    assert looking.whole(state) == "about 20 min left", "one after the other"
    assert (looking.left(state, "xen"), looking.left(state, "xen/reproduce")) == ("about 10 min left", "")
    state.seconds["xen"] = dataclasses.replace(state.components["xen"])
    looking.live.show("xen/reproduce", LOOK)
    assert looking.left(state, "xen/reproduce") == "about 9 min left"


def test_an_earlier_release_tells_how_long_its_builds_took(folder: Path) -> None:
    bench = Bench(folder, "xen")
    bench.run()
    environment = bench.state().components["xen"].environment
    assert builds_of(bench.state()) == {Kind("xen", "commands", environment): (Earlier(1.2),)}
    assert builds_of(fold([])) == {}
