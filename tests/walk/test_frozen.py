"""A log authority that is frozen, as on a machine that hangs: given up after 5 s, and thawed it makes nothing green."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import psutil
import pytest

from sealwright_stages.fold import fold
from sealwright_stages.log.entries import read_entries
from sealwright_stages.state import State
from walk.killing import BUILDS, in_builds, let_builds, sandboxes, two_builds
from walk.walking import Running, Walk, files, until

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox"), pytest.mark.slow]


@pytest.fixture
def building(walk: Walk) -> Running:
    """A run whose two builds, a loud and a silent one, have begun and do not end."""
    walk.text = two_builds(walk.text)
    walk.manifest.write_text(walk.text)
    running = walk.start("--json", "--jobs", "2")
    in_builds(running, walk.work)
    return running


def freeze(running: Running) -> tuple[psutil.Process, float]:
    """Freeze the authority; gives it, and how long the builds outlived that, in seconds."""
    found, authority = sandboxes(running), running.helper("sealwright_appendlog")
    assert len(found) == len(BUILDS)
    authority.suspend()
    begun = time.monotonic()
    until(lambda: all(each.dead for each in found), "the builds die", 20)
    return authority, time.monotonic() - begun


def ends(work: Path) -> dict[str, bool]:
    """How the builds' streams ended: whether cleanly."""
    ended = [entry.body for entry in read_entries(work / "log") if entry.kind == "eof"]
    return {body["stream"]: body["clean"] for body in ended if body["stream"].startswith("build/")}


def nothing_is_green(walk: Walk) -> None:
    """No build has passed, and there is no product, in the log or elsewhere."""
    state: State = fold(read_entries(walk.work / "log"))
    assert not [item.id for item in state.items.values() if item.stage == "build" and item.green]
    assert not state.products and files(walk.work / "products") == []


def goes_on(walk: Walk) -> None:
    """The next run builds both again, and ends well."""
    running = walk.start()
    until(lambda: let_builds(walk.work) or running.child.poll() is not None, "the run ends", 60)
    running.end().well()
    walk.is_done()
    assert sum(ends(walk.work).values()) == len(BUILDS)


@pytest.mark.parametrize("thawed", [False, True], ids=["frozen-for-good", "thawed"])
def test_a_frozen_authority_is_lost_and_its_builds_dead_within_six_seconds(
    walk: Walk, building: Running, thawed: bool
) -> None:
    authority, outlived = freeze(building)
    print(f"\nbuilds outlived the freezing by {outlived:.2f} s")
    assert 3.5 < outlived <= 6.0
    if thawed:
        authority.resume()
    building.end().refused(4, "the log is lost")
    walk.nothing_is_half_done(log_lost=True)
    if thawed:
        assert set(ends(walk.work).values()) == {False} and len(ends(walk.work)) == len(BUILDS)
    nothing_is_green(walk)
    goes_on(walk)


def test_an_authority_that_outlived_its_console_frozen_keeps_the_next_run_from_the_log_until_it_ends(
    walk: Walk, building: Running
) -> None:
    """Thawed late, it would write into a log that another authority has taken up."""
    authority = building.helper("sealwright_appendlog")
    authority.suspend()
    building.stop(signal.SIGKILL)
    building.end()
    walk.run().refused(4, "another authority has ")
    authority.resume()
    walk.nothing_survives()
    assert set(ends(walk.work).values()) <= {False}, "what it did not come to say, the next one says"
    nothing_is_green(walk)
    goes_on(walk)


def test_what_reached_a_frozen_authority_and_was_not_acknowledged_turns_nothing_green(
    walk: Walk, building: Running
) -> None:
    """The builds end well while it is frozen: their ends lie in its sockets, and it reads them after the run gave up."""
    authority = building.helper("sealwright_appendlog")
    authority.suspend()
    let_builds(walk.work)
    until(lambda: not sandboxes(building), "the builds end", 20)
    until(lambda: "lost" in walk_said(building) or building.child.poll() is not None, "the run gives up", 20)
    authority.resume()
    done = building.end()
    done.refused(4, "the log is lost")
    told = [json.loads(line)["event"] for line in done.out.splitlines()]
    assert "build.started" in told and not {"build.ended", "product.collected"} & set(told)
    walk.nothing_is_half_done(log_lost=True)
    nothing_is_green(walk)
    running = walk.start()
    until(lambda: let_builds(walk.work) or running.child.poll() is not None, "the run ends", 60)
    running.end().well()
    walk.is_done()


def walk_said(running: Running) -> str:
    """What a run said on stderr so far."""
    return running._files[1].read_text("utf-8", "replace")
