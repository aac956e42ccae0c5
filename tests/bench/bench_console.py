"""How long a person waits for the console on a real terminal: for its first frame, and for what a key does.

- First paint: `attach` to a run of 50 components. The bar is 400 ms.
- Keys on the overview while the builds say 100,000 lines a second and figures change ten times a second: at most 20 ms
  in the middle, and 50 ms for 95 in 100.
- Keys on the overview of 5,000 components, of which ten change ten times a second: at most 100 ms for 95 in 100.
- Bytes that are written while nothing changes: none.

The peer is a Textual app that does the least of it, in the same run. Processor time is told beside the times, since a
machine with other work makes those longer.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.bench_logs import RATE, writer
from bench.bench_review import written
from bench.report import Line
from support.moving import RED, name
from support.painting import Keys, Painted, first_paint, keys_down, on_terminal

_TESTS = Path(__file__).resolve().parents[1]
_ATTACH = "from sealwright_console.cli import main; main(['attach', '--work', {work!r}])"
_PEER = """
from textual.app import App
from textual.widgets import Static
class Least(App):
    BINDINGS = [("j", "down")]
    at = 0
    def compose(self):
        yield Static("c00000")
    def action_down(self):
        self.at += 1
        self.query_one(Static).update(f"now   c{self.at:05}:")
Least().run()
"""
_MOVED = [f"> ✗ failed   {name(number)}".encode() for number in range(1, RED)]
"""The cursor on each row, as it is painted."""
_TOLD = [f"now   {name(number)}:".encode() for number in range(1, RED)]
_STILL = 5  # seconds


def lines() -> Iterator[Line]:
    """All rows."""
    yield painted()
    with on_terminal(_PEER) as least:
        least.wait(b"c00000")
        floor = keys_down(least, _TOLD)
        least.drain(1)
        floor_written = least.drain(_STILL)
    with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as folder:
        yield from _keys(
            f"50 components, builds say {RATE:,} lines/s", _flooded(Path(folder)), floor, "50 ms (p50 20 ms)"
        )
    with moving(5000, 10) as program:
        yield from _keys("5,000 components, 100 changes/s", keys_down(program, _MOVED), floor, "100 ms")
    with moving(50, 0) as program:
        program.drain(1)
        used = program.used()
        said = program.drain(_STILL) / _STILL
        core = (program.used() - used) / _STILL
    note = (
        f"{said:.0f} bytes/s, {core:.1%} of a core; a textual app of one word {floor_written / _STILL:.0f} bytes/s"
    )
    yield Line("", 0, note=f"the console while nothing changes: {note}; bar 0 bytes/s")


def painted(components: int = 50, rounds: int = 5) -> Line:
    """Median seconds from the start of `attach` to the first screen, ours and the peer's in turn."""
    with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as folder:
        written(Path(folder) / "log", 40 * components, 2, components)
        env = {**os.environ, "PYTHONPATH": str(_TESTS)}
        argv = [sys.executable, "-m", "support.lone_engine", folder]
        with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE) as engine:
            assert engine.stdout is not None
            engine.stdout.readline()
            ours = _ATTACH.format(work=folder)
            try:
                pairs = [(first_paint(ours, b"c00000"), first_paint(_PEER, b"c00000")) for _ in range(rounds)]
            finally:
                engine.kill()
    mine, peer = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Line(f"first paint of {components} components", mine, peer, "a textual app of one word", "bar 400 ms")


def moving(components: int, changes: int) -> Painted:
    """The console over a release that changes; the red ones are on its first screen."""
    program = Painted(sys.executable, "-m", "support.moving", str(components), str(changes))
    program.wait(b"c00000")
    program.drain(2)
    return program


def _flooded(folder: Path) -> Keys:
    log = folder / "00000001.log"
    with moving(50, 10) as program, subprocess.Popen(writer(log, RATE * 60, RATE)) as flood:
        try:
            return keys_down(program, _MOVED[:45])
        finally:
            flood.kill()


def _keys(what: str, ours: Keys, peer: Keys, bar: str) -> Sequence[Line]:
    note = f"{ours.core:.0%} of a core, {ours.written / 1000:.1f} kB/s; load {os.getloadavg()[0]:.1f}"
    least = "a textual app of one word"
    return (
        Line(f"key to screen, {what}, p50", ours.p50, peer.p50, least, note),
        Line(f"key to screen, {what}, p95", ours.p95, peer.p95, least, f"bar {bar}"),
    )


if __name__ == "__main__":
    begun = time.monotonic()
    for line in lines():
        print(line, flush=True)
    print(f"{time.monotonic() - begun:.0f} s")
