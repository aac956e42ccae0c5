"""How long a person waits until a console is back at a run: from the start of the program to the release on the screen.

The peer is what the console would have to do without the engine's picture: folding the whole log anew.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.bench_review import written
from bench.report import Line
from support.painting import first_paint

_TESTS = Path(__file__).resolve().parents[1]
_ATTACH = "from sealwright_console.cli import main; main(['attach', '--work', {work!r}])"
_SHARE = 2  # one record in two is an event


def lines(records: int = 1_000_000, components: int = 1000, rounds: int = 5) -> Line:
    """Median seconds to the first screen of a run whose log has so many records."""
    with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as folder:
        work = Path(folder)
        written(work / "log", records, _SHARE, components)
        env = {**os.environ, "PYTHONPATH": str(_TESTS)}
        argv = [sys.executable, "-m", "support.lone_engine", str(work)]
        with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE) as engine:
            assert engine.stdout is not None
            folding = float(engine.stdout.readline())
            try:
                before = _used()
                ours = statistics.median(
                    first_paint(_ATTACH.format(work=folder), b"c00000") for _ in range(rounds)
                )
                used = (_used() - before) / rounds
            finally:
                engine.kill()
    what = f"re-attach to a run of {components} components with {records} records in its log"
    note = f"{used * 1000:.0f} ms of processor time of the console's own"
    return Line(what, ours, folding, "folding the log anew", note)


def _used() -> float:
    """Processor seconds of the programs that have ended."""
    told = resource.getrusage(resource.RUSAGE_CHILDREN)
    return told.ru_utime + told.ru_stime


if __name__ == "__main__":
    print(lines(*map(int, sys.argv[1:])))
