"""What the view of a build's log costs: a log of a gigabyte, and one that grows by 100,000 lines a second.

The console runs on a terminal of its own over a made-up release; its keys are pressed, and what it paints is waited for.
Peers are `tail`, `less`, `grep` and `cat` on the same files in the same run. Times are as they are on a machine with other
work; the load is told, and so is the processor time of a search.

`python -m bench.bench_logs` measures these alone; `python -m bench.bench_logs write FILE LINES RATE` floods a file.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil

from bench.report import Line, timed
from support.painting import Painted, on_terminal

_CODE = """
import sys
from pathlib import Path
from console.made_up import MadeUpFeed, building
from sealwright_console.app import run_console
run_console(MadeUpFeed(building(), data=Path(sys.argv[1])))
"""
_PEER = """
from textual.app import App
from textual.widgets import Input
class Least(App):
    def compose(self):
        yield Input(placeholder="search the log")
Least().run()
"""
_FIRST, _LAST = b"THE-FIRST-LINE", b"THE-LAST-LINE"
_GB = 10**9
RATE = 100_000
"""Lines that a build says a second."""
_SECONDS = 12
_LINES = 10_000_000
_KEYS = "QZXJQZXJKVQZXJQWZXJKQVZXJQKZXVJQZKXJQZXVJKQZ"
_MIB = 1 << 20


def console(data: Path) -> Painted:
    """The console over a made-up release whose logs lie below `data`."""
    terminal = on_terminal(_CODE, data)
    terminal.wait(b"get-sources")
    return terminal


def log_file(data: Path) -> Path:
    """The file of the build that the console opens at."""
    folder = data / "build" / "xen" / "1-1"
    folder.mkdir(parents=True)
    return folder / "00000001.log"


def lines() -> Iterator[Line]:
    """All rows."""
    with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as nest:
        yield from large(Path(nest) / "large")
        yield from flooded(Path(nest) / "flooded")


def large(data: Path, size: int = _GB) -> Iterator[Line]:
    """A log of `size` bytes: first screen, first line and end, and searches of what is not there."""
    path = log_file(data)
    piece = b"".join(b"gcc -O2 -c -o some/file/number_%07d.o part_%05d.c -Wall\n" % (n, n) for n in range(20_000))
    with path.open("wb") as file:
        file.write(_FIRST + b"\n")
        while file.tell() < size:
            file.write(piece)
        file.write(_LAST + b"\n")
    firsts, ends = [], []
    with console(data) as terminal:
        for _ in range(3):
            firsts.append(terminal.press("3", _LAST))
            terminal.press("\x1b", b"CHECKS")
        terminal.press("3", _LAST)
        terminal.wait(b" of 1" if size >= _GB else b" of ")  # its lines are numbered, so it is read
        terminal.drain(1)
        for _ in range(5):
            terminal.press("\x1b[H", _FIRST)
            ends.append(terminal.press("f", _LAST))
        process = psutil.Process(terminal.child.pid)
        searches, used = [], []
        for word, key in (("nowhere", "n"), ("undefined reference", "N"), ("Zebra", "n")):
            before = process.cpu_times()
            searches.append(terminal.press(f"/{word}\r", f"not found: {word}".encode()))
            after = process.cpu_times()
            used.append(after.user + after.system - before.user - before.system)
            searches.append(terminal.press(key, f"not found: {word}".encode()))
        rss = process.memory_info().rss
    less = timed(partial(_shown, "less", "+G", str(path)))
    grep = statistics.median(
        timed(partial(_quiet, "grep", "-ic", word, str(path))) for word in ("nowhere", "zebra")
    )
    tail = statistics.median(timed(partial(_quiet, "tail", "-n", "24", str(path))) for _ in range(3))
    load = f"load {os.getloadavg()[0]:.1f}"
    first, end, search = map(statistics.median, (firsts, ends, searches))
    yield Line("first screen of a log of 1 GB", first, tail, "tail -n 24", load)
    yield Line("its end, from its first line", end, less, "less +G", load)
    note = f"{statistics.median(used):.2f} s of processor time; memory {rss // _MIB} MiB; {load}"
    yield Line("search of all of it, no hit, both ways", search, grep, "grep -i", note)


def flooded(data: Path) -> Iterator[Line]:
    """Keys while a build says 100,000 lines a second; processor and memory of the console."""
    path = log_file(data)
    path.write_bytes(b"it begins\n")
    with console(data) as terminal:
        terminal.press("3", b"it begins")
        process = psutil.Process(terminal.child.pid)
        build = subprocess.Popen(writer(path, RATE * _SECONDS, RATE))
        terminal.drain(2)
        before, begun = process.cpu_times(), time.monotonic()
        there = path.stat().st_size
        terminal.press("/", b"search the log")
        times = _letters(terminal)
        after, took = process.cpu_times(), time.monotonic() - begun
        said = path.stat().st_size - there
        with build:
            terminal.drain(0.1)
            build.kill()
        terminal.press("\x1b", b"FOLLOW")
        held = []
        for lines_more in (_LINES // 2, _LINES // 2):
            with subprocess.Popen(writer(path, lines_more, 20 * RATE)) as more:
                while more.poll() is None:
                    terminal.drain(0.2)
            terminal.drain(3)
            held.append(process.memory_info().rss)
    with on_terminal(_PEER) as least:
        least.wait(b"search the log")
        floor = _letters(least)
    load = f"load {os.getloadavg()[0]:.1f}, {int(said / took / len(_flood_line(0))):,} lines a second came"
    middle, most = statistics.median(times), statistics.quantiles(times, n=20)[18]
    yield Line(
        "key to screen in the flood, p50", middle, statistics.median(floor), "a textual app of one field", load
    )
    yield Line(
        "key to screen in the flood, p95",
        most,
        statistics.quantiles(floor, n=20)[18],
        "a textual app of one field",
        load,
    )
    part = (after.user + after.system - before.user - before.system) / took
    note = f"{part:.0%} of a core; memory {held[0] // _MIB} MiB after {_LINES // 2:,} lines, {held[1] // _MIB} MiB after {_LINES:,}"
    yield Line("", 0, note=f"the console in a flood of {RATE:,} lines a second: {note}; {load}")


def _letters(terminal: Painted) -> list[float]:
    """Seconds until each letter of a text is painted, pressed at odd moments."""
    typed, times = "", []
    for number, letter in enumerate(_KEYS):
        terminal.drain(0.13 + 0.017 * (number % 7))
        typed += letter
        times.append(terminal.press(letter, typed.encode()))
    return times


def writer(path: Path, count: int, rate: int) -> list[str]:
    """The program that appends `count` lines to a file, `rate` a second."""
    return [sys.executable, "-m", "bench.bench_logs", "write", str(path), str(count), str(rate)]


def _quiet(*argv: str) -> None:
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=False)


def _shown(*argv: str) -> None:
    with Painted(*argv) as terminal:
        terminal.wait(_LAST)


def _flood_line(number: int) -> bytes:
    return b"cc -c part_%08d.c -o part_%08d.o\n" % (number, number)


def write(path: Path, count: int, rate: int) -> None:
    """Append `count` lines, `rate` a second, a hundred times a second."""
    batch = rate // 100
    begun, sent = time.monotonic(), 0
    with path.open("ab", buffering=0) as file:
        while sent < count:
            file.write(b"".join(map(_flood_line, range(sent, sent + batch))))
            sent += batch
            time.sleep(max(0.0, begun + sent / rate - time.monotonic()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    else:
        for line in lines():
            print(line, flush=True)
