"""No unverified byte is ever in a component's folder: watched while real runs fetch good and hostile sources.

- What appears in `sources/` appears whole, by one rename, and is what the test made; hostile sources never appear.
- A run that is killed at any moment leaves the same, and the next start leaves nothing in the quarantine.
"""

from __future__ import annotations

import random
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from walk.hostile_release import BAD, good, make_inputs
from walk.walking import Done, Walk, events, files
from walk.watching import Watch, breaches, digests

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
SEED = 20261112


@pytest.fixture(scope="session")
def hostile_inputs(inputs: Path) -> Iterator[Path]:
    """The inputs of the hostile release."""
    base = Path(tempfile.mkdtemp(dir=inputs.parent))
    made = base / "release"
    make_inputs(made)
    yield made
    shutil.rmtree(base)


@dataclass(frozen=True)
class Watched:
    """A run to its end: what was seen, what it said, how long it took."""

    watch: Watch
    done: Done
    failed: list[dict[str, Any]]
    seconds: float


@pytest.fixture(scope="session")
def hostile(sandbox: None, hostile_inputs: Path) -> Iterator[Walk]:
    """The hostile release in its folder."""
    made = Walk(hostile_inputs, (hostile_inputs / "release.toml").read_text())
    yield made
    made.kill_survivors()


@pytest.fixture(scope="session")
def watched(hostile: Walk) -> Watched:
    """The hostile release, walked once to its end under the watch."""
    begun = time.monotonic()
    with begin(hostile).watching() as watch:
        done = hostile.run("--until", "verify")
    seconds = time.monotonic() - begun
    hostile.nothing_is_half_done()
    failed = [event for event in events(hostile.work) if event.get("verdict") == "failed"]
    return Watched(watch, done, failed, seconds)


def begin(walk: Walk) -> Watch:
    """A fresh work folder, whose watched folders are there before the run."""
    for name in ("work", "cache"):
        shutil.rmtree(walk.folder / name, ignore_errors=True)
    for name in ("quarantine", "sources"):
        (walk.work / name).mkdir(parents=True)
    (walk.work / "release.json").write_text('{"release": "small-1.0"}\n')
    return Watch(walk.work, good())


def test_hostile_sources_of_each_kind_never_appear_and_good_ones_appear_whole(watched: Watched) -> None:
    assert watched.done.exit == 1, watched.done.told()
    assert watched.watch.found == []
    assert sorted(watched.watch.appeared) == sorted(good())
    assert {event["item"].split("/")[0]: event["code"] for event in reversed(watched.failed)} == BAD, [
        event["reason"] for event in watched.failed
    ]


def where(walk: Walk) -> str:
    """How far a killed run had come, by the last thing that it said of a source."""
    told = [event for event in events(walk.work) if event["e"] != "item.declared"]
    last = told[-1] if told else {"e": "nothing"}
    if last["e"] in ("item.started", "item.verdict", "item.progress"):
        return "fetching" if "/fetch/" in last["item"] else "checking"
    return {"file.deleted": "deleting", "sources.promoted": "promoting"}.get(last["e"], "between")


def killed(walk: Walk, share: float, length: float) -> str:
    """Start a run and kill it when `share` of the seconds that it has is over, from its first word on; says where."""
    begun = time.monotonic()
    running = walk.start("--until", "verify")
    running.seen("run.started")
    threading.Event().wait(share * max(0.1, length - (time.monotonic() - begun)))
    running.stop(signal.SIGKILL)
    running.end()
    walk.nothing_runs()
    return where(walk)


@pytest.mark.parametrize(
    ("kills", "in_a_row"), [(5, 5), pytest.param(50, 1, marks=[pytest.mark.slow, pytest.mark.timeout(1200)])]
)
def test_a_run_killed_at_any_moment_leaves_no_unverified_byte_and_the_next_start_no_quarantine(
    hostile: Walk, watched: Watched, kills: int, in_a_row: int
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - moments that can be had again
    places: Counter[str] = Counter()
    left = 0
    for _ in range(kills // in_a_row):
        with begin(hostile).watching() as watch:
            for _ in range(in_a_row):
                places[killed(hostile, chance.random(), watched.seconds)] += 1
                left += bool(files(hostile.work / "quarantine"))
                assert breaches(hostile.work / "sources", good()) == []
            done = hostile.run("--until", "verify")
        assert done.exit == 1, done.told()
        assert watch.found == [], places
        assert sorted(watch.appeared) == sorted(good())
        hostile.nothing_is_half_done()
    print(f"{kills} kills within {watched.seconds:.1f} s: {dict(places)}; {left} left bytes in the quarantine")
    assert left, "no kill came while anything lay in the quarantine"


DEEDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a file written in place": (lambda s: (s / "words" / "files" / "more").write_bytes(b"x"), "created"),
    "a file changed": (lambda s: (s / "words" / "files" / "words.txt").write_bytes(b"x"), "written"),
    "a mode changed": (lambda s: (s / "words" / "files" / "words.txt").chmod(0o755), "attributes"),
    "a file written and removed again": (lambda s: _and_gone(s / "words" / "files" / "more"), "deleted"),
    "a folder made in place": (lambda s: (s / "greeting").mkdir(), "created"),
    "a component that must not be": (lambda s: _renamed_in(s, "bomb"), "must never be there"),
    "a component with a byte changed": (lambda s: _renamed_in(s, "greeting"), "is good"),
    "a file in the component's place": (lambda s: (s / "greeting").write_bytes(b"x"), "created"),
}


def _and_gone(path: Path) -> None:
    path.write_bytes(b"x")
    path.unlink()


def _renamed_in(sources: Path, component: str) -> None:
    staging = sources.parent / "quarantine" / component
    (staging / "source").mkdir(parents=True)
    (staging / "source" / "greeting.txt").write_text("evil\n")
    (sources / f"{component}.manifest.jsonl.new").write_text("")
    (sources / f"{component}.manifest.jsonl.new").rename(sources / f"{component}.manifest.jsonl")
    staging.rename(sources / component)


@pytest.mark.parametrize("deed", DEEDS)
def test_the_watch_sees_what_must_not_be(tmp_path: Path, deed: str) -> None:
    """A watch that sees nothing would prove nothing."""
    work = tmp_path / "work"
    files_of = work / "quarantine" / "words" / "files"
    files_of.mkdir(parents=True)
    (files_of / "words.txt").write_bytes(b"words")
    sources = work / "sources"
    sources.mkdir()
    wanted = {
        "words": digests({"files/words.txt": b"words"}),
        "greeting": digests({"source/greeting.txt": b"A greeting"}),
    }
    text = f'{{"path":"files/words.txt","sha256":"{wanted["words"]["files/words.txt"]}"}}\n'
    with Watch(work, wanted).watching() as watch:
        (sources / "words.manifest.jsonl.new").write_text(text)
        (sources / "words.manifest.jsonl.new").rename(sources / "words.manifest.jsonl")
        (work / "quarantine" / "words").rename(sources / "words")
    assert watch.found == [] and watch.appeared == ["words"]
    act, how = DEEDS[deed]
    with Watch(work, wanted).watching() as watch:
        act(sources)
    assert any(how in each for each in watch.found), watch.found
