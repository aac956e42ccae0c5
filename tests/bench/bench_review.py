"""What it costs to take a review to any record: beside folding the whole log, and as the log grows.

`seek` gives seconds of 200 random seeks, sorted, and of one fold over the whole log. `keyed` presses the cursor's keys in
the console itself, from the key to the last widget that it changed. `first_screen` waits on a real terminal for the first
screen of a review, and `searched` looks for what is not there, in output that is and in small records.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.report import Line, timed
from console.hands import drum
from sealwright_console.cursor import Cursor
from sealwright_console.review_app import ReviewApp
from sealwright_console.review_feed import ReviewFeed
from sealwright_console.words import record_line
from sealwright_stages import events as ev
from sealwright_stages.fold import fold
from sealwright_stages.log.entries import read_entries
from sealwright_stages.review.past import Past, read_past
from sealwright_stages.review.search import Wanted, hits
from support.painting import first_paint
from support.past_log import End, Output, PastLog, Seal, Told
from support.stories import begun, build_started, declared, judged

_SEEKS = 200
_MANY = 1_000_000
_TESTS = Path(__file__).resolve().parents[1]


def story(records: int, share: int, components: int = 100) -> Iterator[Told]:
    """A release of `records` records, one in `share` an event, the others small output of 16 builds at a time."""
    told = itertools.islice(_release(share, components, records), records - 2)
    return itertools.chain(told, [Seal()])


def _release(share: int, components: int, records: int) -> Iterator[Told]:
    names = [f"c{number:05}" for number in range(components)]
    yield begun()
    for name in names:
        yield from (declared(f"{name}/tag"), declared(f"{name}/build", ev.Stage.BUILD))
    for name in names:
        yield from (ev.ItemStarted(f"{name}/tag"), judged(f"{name}/tag", "passed"))
    for first in itertools.count(0, 16):
        running = [names[at % components] for at in range(first, first + 16)]
        streams = [f"build/{name}/1-{first}" for name in running]
        for name in running:
            yield from (ev.ItemStarted(f"{name}/build"), build_started(name))
        for number in range(max(16, records // 20)):
            if number % share == 0:
                yield ev.BuildSample(running[number % 16], number % 400, 1 << 30, 9, number, number)
            else:
                yield Output(streams[number % 16], b"CC      tools/libxl/libxl_part.o\n")
        yield from (End(stream) for stream in streams)


def written(folder: Path, records: int, share: int, components: int = 100) -> Path:
    """The log folder of such a release, without the segments: only the index is measured."""
    log = PastLog(folder, 10, whole=False)
    log.tell(story(records, share, components))
    return log.close()


def seek(log: Path) -> tuple[list[float], float, float]:
    """Seconds of random seeks, sorted; of the one reading that opens the review; of folding the whole log."""
    begun_at = time.perf_counter()
    past = read_past(log)
    opened = time.perf_counter() - begun_at
    chance = random.Random(1)  # noqa: S311 - nothing secret
    times = sorted(timed(lambda: past.state(chance.randrange(past.size))) for _ in range(_SEEKS))
    return times, opened, timed(lambda: fold(read_entries(log)))


def held(log: Path) -> int:
    """Bytes of memory that a review of the log holds, in a process of its own."""
    code = f"from bench.bench_review import rise; print(rise({str(log)!r}))"
    env = {"PYTHONPATH": str(_TESTS)}
    return int(subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True).stdout)


def rise(log: str) -> int:
    """Bytes by which the resident memory of this process rises at its peak when the log is opened."""
    before = _status("VmRSS")
    read_past(Path(log))
    return (_status("VmHWM") - before) << 10


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(name)))


def keyed(log: Path) -> list[float]:
    """Seconds of each of 300 keys of the cursor in the console over this log, sorted: steps, leaps, minutes, jumps."""
    return asyncio.run(_keyed(log))


async def _keyed(log: Path) -> list[float]:
    past = read_past(log)
    cursor = Cursor(past, past.size // 2, proved=True)
    app = ReviewApp(ReviewFeed(cursor), cursor, clock=lambda: 0.0)
    chance = random.Random(1)  # noqa: S311 - nothing secret
    keys = ("left", "right", "shift+left", "shift+right", "comma", "full_stop", "home", "end")
    times = []
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("e")
        for _ in range(300):
            cursor.go(chance.randrange(past.size))
            await pilot.pause()
            begun_at = time.perf_counter()
            await drum(pilot, chance.choice(keys))
            times.append(time.perf_counter() - begun_at)
    return sorted(times)


def first_screen(log: Path, rounds: int = 3) -> float:
    """Median seconds from the start of the program to the heading of a review on a real terminal."""
    code = f"from sealwright_console.cli import main; main(['review', {str(log.parent)!r}])"
    return statistics.median(first_paint(code, b"REVIEW") for _ in range(rounds))


def searched(past: Past) -> float:
    """Seconds of a search that finds nothing in all of a past."""
    return timed(lambda: list(hits(past, Wanted("not there at all"), record_line, (0, past.size - 1))))


def _searches(megabytes: int = 512, small: int = 300_000) -> Iterator[Line]:
    """Output in chunks of 64 KiB beside reading it, and small records beside reading their index."""
    for name, chunk, count in (
        (f"{megabytes} MiB of output", 1 << 16, megabytes << 4),
        (f"{small:,} small records", 100, small),
    ):
        data = (b"CC      tools/libxl/libxl_part.o -Wall -O2\n" * (chunk // 40))[:chunk]
        with tempfile.TemporaryDirectory() as nest:
            log = PastLog(Path(nest), 10)
            log.tell(Output("build/xen/1-1", data) for _ in range(count))
            past = read_past(log.close())
            files = [*Path(nest).rglob("*.log"), Path(nest) / "index.jsonl"]
            read = timed(lambda files=files: [_read(file) for file in files])  # type: ignore[misc]
            yield Line(f"search through {name}", searched(past), read, "reading the files")


def _read(path: Path) -> None:
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


SIZES = (
    ("10,000 records, one in 50 an event", 10_000, 50, 100),
    ("100,000 records, one in 50 an event", 100_000, 50, 100),
    ("1,000,000 records, one in 50 an event", 1_000_000, 50, 100),
    ("100,000 records, all events", 100_000, 1, 100),
    ("100,000 records, all events, of 5,000 components", 100_000, 1, 5000),
)


def lines() -> Iterator[Line]:
    """A line for each size of a log."""
    for name, records, share, components in SIZES:
        with tempfile.TemporaryDirectory() as nest:
            log = written(Path(nest) / "log", records, share, components)
            times, opened, whole = seek(log)
            p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
            note = f"p99 {p99 * 1000:.1f} ms; opened in {opened:.2f} s; holds {held(log) / 1e6:.0f} MB"
            yield Line(f"review of {name}: any record", p50, whole, "a fold of all of it", note)
            if records >= _MANY:
                keys = keyed(log)
                told = f"p50 {keys[150] * 1000:.1f} ms; bar 50 ms"
                yield Line(f"review of {name}: a key of the cursor, p95", keys[285], note=told)
                evidence = Path(nest) / "evidence"
                evidence.mkdir()
                log.rename(evidence / "log")
                told = "from the start of the program; bar 1 s"
                yield Line(f"review of {name}: first screen", first_screen(evidence / "log"), note=told)
    yield from _searches()


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)
