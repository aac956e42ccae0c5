"""Whatever ends a run, wherever: nothing survives it, nothing is half done, and the same line resumes it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from walk.held import Held
from walk.walking import INSTALLED, Walk, until

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
PLACES = ["fetch", "verify", "build", "seal", "sign"]
BUILT = ("seal", "sign")
STOPS = {
    "ctrl-c": (signal.SIGINT, True),
    "sigint": (signal.SIGINT, False),
    "sigterm": (signal.SIGTERM, False),
}
OFTEN = [*((place, "ctrl-c") for place in PLACES), ("build", "sigterm"), ("sign", "sigterm")]
SELDOM = [(place, how) for place in PLACES for how in STOPS if (place, how) not in OFTEN]


def test_a_release_is_walked_from_manifest_to_signed_evidence(walk: Walk) -> None:
    walk.run(before=INSTALLED).well()
    walk.is_done()
    keyring = "--keyring", walk.folder / "keyring"
    walk.say("audit", walk.evidence, *keyring, before=INSTALLED).well()
    product = walk.evidence / "products" / "greeting" / "greeting.out"
    walk.say("check", product, "--evidence", walk.evidence, *keyring, before=INSTALLED).well()
    walk.say("review", "--batch", walk.evidence, before=INSTALLED).well()


def test_a_finished_release_is_neither_walked_nor_signed_again(walk: Walk) -> None:
    walk.run().well()
    before = {path: path.read_bytes() for path in walk.evidence.rglob("*") if path.is_file()}
    walk.run().well()
    assert {path: path.read_bytes() for path in walk.evidence.rglob("*") if path.is_file()} == before
    walk.is_done()


def test_a_finished_release_that_was_changed_is_refused_and_left_as_it_is(walk: Walk) -> None:
    walk.run().well()
    (walk.evidence / "products" / "greeting" / "greeting.out").write_text("evil\n")
    walk.run().refused(5, "was changed after it was signed", "greeting.out")
    assert (walk.evidence / "products" / "greeting" / "greeting.out").read_text() == "evil\n"


def test_a_part_of_the_signatures_is_none_and_the_release_is_signed_anew(walk: Walk) -> None:
    walk.run().well()
    (walk.evidence / "log" / "SHA256SUMS.asc").unlink()
    walk.resumes()


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_console_takes_all_of_its_processes_along_and_the_next_run_resumes(
    held: Held, place: str
) -> None:
    running = held.start()
    held.to(running, place)
    running.stop(signal.SIGKILL)
    assert running.end().exit == -signal.SIGKILL
    held.nothing_survives()
    held.goes_on()


def test_the_next_start_removes_the_private_keyrings_of_a_killed_console(walk: Walk) -> None:
    temporary = Path("/tmp") if os.geteuid() == 0 else Path(walk.env["TMPDIR"])
    left = temporary / f"sealwright-home-{walk.folder.parent.name}"
    left.mkdir(mode=0o500)
    walk.run("--until", "get-sources").well()
    assert not left.exists()


@pytest.mark.parametrize(
    ("place", "how"), [*OFTEN, *(pytest.param(*each, marks=pytest.mark.slow) for each in SELDOM)]
)
def test_an_interrupted_run_ends_with_130_and_nothing_half_done_and_resumes(
    held: Held, place: str, how: str
) -> None:
    running = held.start()
    held.to(running, place)
    number, group = STOPS[how]
    running.stop(number, group=group)
    running.end().refused(130, "interrupted")
    held.nothing_is_half_done(products=place in BUILT)
    assert held.signatures() == []
    held.goes_on()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("serves", [False, True])
def test_a_signal_before_anything_was_begun_ends_with_130(
    held: Held, number: signal.Signals, serves: bool
) -> None:
    running = held.start()
    running.helper("sealwright_appendlog")
    if serves:
        until((held.work / "private" / "socket").exists, "a log that is served")
    running.stop(number)
    running.end().refused(130)
    held.nothing_is_half_done()
    held.goes_on()


@pytest.mark.parametrize("place", ["fetch", "verify", "build"])
def test_a_run_whose_log_is_killed_ends_with_4_its_build_dead_and_no_product_and_resumes(
    held: Held, place: str
) -> None:
    running = held.start()
    held.to(running, place)
    running.helper("sealwright_appendlog").kill()
    running.end().refused(4, "log")
    held.nothing_is_half_done(log_lost=True)
    held.goes_on()


BOUNDARIES = {
    "before-get-sources": ("run.started", {}),
    "in-get-sources": ("stage.started", {"stage": "get-sources"}),
    "after-verify": ("stage.ended", {"stage": "verify"}),
    "before-build": ("stage.started", {"stage": "build"}),
    "in-build": ("build.ended", {}),
    "after-build": ("stage.ended", {"stage": "build"}),
    "in-seal": ("stage.started", {"stage": "seal"}),
}
LATE = ("in-build", "after-build", "in-seal")
QUIET = ("before-get-sources", "before-build")


@pytest.mark.parametrize(
    "where", [pytest.param(name, marks=pytest.mark.slow if name in QUIET else ()) for name in BOUNDARIES]
)
def test_a_log_killed_between_two_stages_loses_nothing_that_was_acknowledged(held: Held, where: str) -> None:
    event, fields = BOUNDARIES[where]
    held.answers.set()
    held.hold("before-hello")
    running = held.start()
    if where in LATE:
        running.seen("build.started")
        held.let_build()
    running.seen(event, **fields)
    before = running.events()
    running.helper("sealwright_appendlog").kill()
    if held.ends_or_reaches(running, "before-hello"):
        held.let_sign()  # the log was sealed and handed over already
        running.stop(signal.SIGKILL)
        running.end()
    else:
        running.end().refused(4, "log")
        held.nothing_is_half_done(products=where in LATE, log_lost=True)
    held.goes_on()
    assert running.events()[: len(before)] == before


def test_a_sealed_log_that_was_handed_over_is_needed_no_more(held: Held) -> None:
    held.answers.set()
    running = held.start()
    held.to(running, "sign")
    running.helper("sealwright_appendlog").kill()
    held.let_go("before-sign")
    running.end().well()
    held.is_done()


@pytest.mark.parametrize("place", ["before-hello", "before-propose", "before-sign", "after-sign"])
def test_a_signer_that_is_killed_signs_nothing_and_the_next_run_does(held: Held, place: str) -> None:
    held.answers.set()
    held.hold(place)
    running = held.start()
    running.seen("build.started")
    held.let_build()
    held.reached(place)
    running.program("relay.py").kill()
    running.end().refused(5, "signer is gone")
    held.nothing_is_half_done(products=True)
    assert held.signatures() == []
    held.goes_on()


def test_an_embedded_signer_that_is_killed_takes_its_agent_along(walk: Walk) -> None:
    running = walk.start()
    running.seen("stage.started", stage="seal")
    signer = running.helper("sealwright_keyring.signer")
    until(lambda: "gpg-agent" in str(walk.survivors()), "its agent runs")
    signer.kill()
    running.end().refused(5, "signer is gone")
    walk.nothing_is_half_done(products=True)
    walk.resumes()


def test_a_log_that_was_rolled_back_between_two_runs_ends_with_4_and_prints_both_notes(walk: Walk) -> None:
    walk.run("--until", "get-sources").well()
    older = shutil.copytree(walk.work / "log", walk.folder / "older")
    walk.run("--until", "build").well()
    seen, shown = (walk.work / "private" / "checkpoint").read_text(), (older / "checkpoint").read_text()
    shutil.rmtree(walk.work / "log")
    older.rename(walk.work / "log")
    done = walk.run().refused(4, "contradicts what it said before", "checkpoint.refused-", "begin anew")
    for note in (seen, shown):
        assert "\n".join(f"  | {line}".rstrip() for line in note.splitlines()) in done.err, done.told()
    kept = [path.read_text() for path in sorted((walk.work / "private").glob("checkpoint.refused-*"))]
    assert kept == [seen, shown]
