"""The small release from its manifest to signed evidence, with its log kept elsewhere, over each way to it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealwright_appendlog.audit import check_log
from support.rooms import ROOM
from transports.ends import ELSEWHERE, NAME, End, below, end
from walk.conftest import manifest_text
from walk.held import HELD, Held
from walk.walking import Walk


@pytest.fixture
def near() -> Iterator[Path]:
    """A folder with a short path for the far end, made before the walk's processes are counted."""
    with tempfile.TemporaryDirectory(prefix="sw-", dir=ROOM) as folder:
        yield Path(folder)


def log_table(far: End) -> str:
    """The manifest's `[log]`."""
    return f'[log]\ntransport = {json.dumps(far.argv)}\nkey = "{far.key}"\n\n'


@pytest.mark.parametrize(
    "way", [way if way in ("socket", "ssh") else pytest.param(way, marks=pytest.mark.slow) for way in ELSEWHERE]
)
def test_a_release_is_walked_with_its_log_elsewhere(sandbox: None, near: Path, way: str, folder: Path) -> None:
    with end(way, near, "--idle", "1") as far:
        walk = Walk(folder, manifest_text(folder))
        walk.change("[signer]\n", log_table(far) + "[signer]\n")
        doctor = walk.say("doctor", walk.manifest)
        assert f"log authority: {NAME} answers in" in doctor.out
        walk.run().well()
        walk.is_done()
        assert f"kept by {NAME}" in walk.audit().well().out
        report = check_log(walk.evidence / "log", sums=True)
        assert report.vkey.startswith(f"{NAME}/small-1.0/")
        assert f'"src":"{far.identity}"' in (walk.evidence / "log" / "index.jsonl").read_text()
        (kept,) = (near / "host" / "logs").glob("*/log/checkpoint.sealed")
        assert kept.read_bytes() == (walk.evidence / "log" / "checkpoint.sealed").read_bytes()
        assert not (walk.work / "private" / "log.key").exists()
        walk.run().well()  # there is nothing left to do, and that is what it says


@pytest.mark.parametrize("victim", ["serve", "connect"])
def test_a_log_elsewhere_that_is_lost_ends_the_run_and_the_next_goes_on(
    sandbox: None, near: Path, victim: str, folder: Path
) -> None:
    with end("socket", near, "--idle", "1") as far, Held.around(folder) as held:
        text = manifest_text(folder, url=held.url, wait=f'"{HELD}", ', signer=held.signer)
        held.begin(text.replace("[signer]\n", log_table(far) + "[signer]\n"))
        held.answers.set()
        running = held.start()
        running.seen("build.started")
        before = running.events()
        below(victim)[0].kill()
        running.end().refused(4, "log")
        held.nothing_is_half_done(log_lost=True)
        held.goes_on()
        assert running.events()[: len(before)] == before
