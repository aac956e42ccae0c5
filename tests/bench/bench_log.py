"""How fast the log is, beside plain tools doing the least that could do: each in one run, on the same bytes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.bench_journald import NoJournald, text
from bench.bench_journald import seconds as journald_seconds
from bench.report import Line, timed
from sealwright_appendlog import layout
from sealwright_stages.log import LogSession, open_embedded

SIZE = 512 << 20
_BLOCK = 1 << 16
_DGST = ("openssl", "dgst", "-sha256")
_VERIFY = (sys.executable, "-m", "sealwright_appendlog.cli", "verify")


@contextmanager
def _session(root: Path) -> Iterator[LogSession]:
    (root / "log").mkdir()
    session = open_embedded(root / "log", root / "log.key", "bench", None, None, root / "seen")
    try:
        yield session
    finally:
        session.close()


def filled(root: Path, size: int) -> tuple[float, int]:
    """Append `size` bytes through a session, as a build does, and seal; gives seconds and the authority's peak KiB."""
    block = os.urandom(_BLOCK)
    with _session(root) as session:
        stream = session.open_stream("build/bench")
        begun = time.perf_counter()
        for _ in range(size // _BLOCK):
            stream.write("D", block)
        stream.finish(0)
        seconds = time.perf_counter() - begun
        session.seal()
        peak = _status(session.process_id, "VmHWM")
    return seconds, peak


def _status(process: int, what: str) -> int:
    """A line of /proc/PID/status, in KiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(what)))


def _cat(source: Path, copy: Path) -> None:
    with source.open("rb") as data, copy.open("wb") as stream:
        with subprocess.Popen(["cat"], stdin=data, stdout=subprocess.PIPE) as first:
            subprocess.run(["cat"], stdin=first.stdout, stdout=stream, check=True)
        os.fsync(stream.fileno())


def append_vs_cat(size: int = SIZE, rounds: int = 3) -> tuple[float, float, int]:
    """Durable append with tiles and checkpoints, against `cat | cat > file; sync`; medians, taken in turn."""
    ours, peer = [], []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as nest:
            root = Path(nest)
            block = os.urandom(1 << 20)
            with (root / "source").open("wb") as stream:
                for _ in range(size >> 20):
                    stream.write(block)
            os.sync()
            peer.append(timed(lambda root=root: _cat(root / "source", root / "copy")))
            (root / "copy").unlink()
            ours.append(filled(root, size)[0])
    return statistics.median(ours), statistics.median(peer), size


@dataclass(frozen=True)
class Audit:
    """Seconds of `sealwright-appendlog verify`, of `openssl dgst -sha256` over the same data, and our peak KiB."""

    ours: float
    peer: float
    peak: int


def audit_vs_openssl(root: Path, rounds: int = 3) -> Audit:
    """Audit the log `root`/log, in turn with openssl; both find what the page cache holds. Medians."""
    segments = [root / "log" / name for name in layout.segments(root / "log")]
    ours, peer, peak = [], [], 0
    for _ in range(rounds):
        peer.append(timed(lambda: subprocess.run([*_DGST, *segments], stdout=subprocess.DEVNULL, check=True)))
        words = [sys.executable, "-c", _MEASURE, *_VERIFY, root / "log"]
        seconds, kib = subprocess.run(words, capture_output=True, check=True).stdout.split()
        ours.append(float(seconds))
        peak = max(peak, int(kib))
    return Audit(statistics.median(ours), statistics.median(peer), peak)


def acknowledgement(count: int = 1000) -> tuple[float, float]:
    """Milliseconds to the durable acknowledgement of an event: median and 99th percentile."""
    with tempfile.TemporaryDirectory() as nest, _session(Path(nest)) as session:
        times = []
        for number in range(count):
            begun = time.perf_counter()
            session.append({"e": "bench", "number": number})
            times.append((time.perf_counter() - begun) * 1000)
    times.sort()
    return times[count // 2], times[count * 99 // 100]


@dataclass(frozen=True)
class Builders:
    """What many builders at once came to: bytes a second, the slowest stream's share of the fastest, the 50th and 99th
    percentile of an event's acknowledgement in seconds, and the authority's peak KiB."""

    rate: float
    fair: float
    median: float
    late: float
    peak: int


def builders(count: int = 16, seconds: float = 5) -> Builders:
    """Flood `count` streams from another process, and append events beside them."""
    with tempfile.TemporaryDirectory() as nest, _session(Path(nest)) as session:
        words = [sys.executable, "-m", "bench.flood", Path(nest, "socket"), str(count), str(seconds)]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        with subprocess.Popen(words, stdout=subprocess.PIPE, env=env) as child:
            time.sleep(0.5)
            times, end = [], time.monotonic() + seconds - 0.7
            while time.monotonic() < end:
                times.append(timed(lambda: session.append({"e": "bench"})))
                time.sleep(0.005)
            said, _ = child.communicate(timeout=60)
        marks = json.loads(said).values()
        peak = _status(session.process_id, "VmHWM")
    times.sort()
    late = times[len(times) * 99 // 100]
    return Builders(sum(marks) / seconds, min(marks) / max(marks), times[len(times) // 2], late, peak)


def overhead(root: Path, size: int) -> float:
    """Bytes of the log `root`/log beside `size` bytes of data, in percent."""
    whole = sum(path.stat().st_size for path in (root / "log").rglob("*") if path.is_file())
    return (whole - size) / size * 100


def journald(size: int = 32 << 20) -> Line:
    """Output in lines of a hundred bytes, to the log and to a journald that runs alone."""
    output = text(size)
    what = f"append of {size >> 20} MiB in lines of 100 bytes"
    with tempfile.TemporaryDirectory() as nest:
        with _session(Path(nest)) as session:
            stream = session.open_stream("build/bench")
            begun = time.perf_counter()
            for at in range(0, len(output), 1 << 12):  # as a builder's pipe gives them
                stream.write("D", output[at : at + (1 << 12)])
            stream.finish(0)
            ours = time.perf_counter() - begun
        try:
            peer, kept = journald_seconds(Path(nest, "journald"), output)
        except NoJournald as error:
            return Line(what, ours, note=f"beside no journald: {error}")
    return Line(what, ours, peer, "journald", f"which takes up {kept / len(output):.1f} times their size")


_MEASURE = """
import resource, subprocess, sys, time
begun = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def lines() -> Iterator[Line]:
    """All of the log's figures."""
    ours, peer, size = append_vs_cat()
    rate = f"{size / ours / 1e6:.0f} MB/s"
    yield Line(f"append of {size >> 20} MiB, durable", ours, peer, "cat | cat > file; sync", rate)
    yield journald()
    with tempfile.TemporaryDirectory() as nest:
        _, authority = filled(Path(nest), SIZE)
        audit = audit_vs_openssl(Path(nest))
        percent = overhead(Path(nest), SIZE)
    rate = f"{SIZE / audit.ours / 1e6:.0f} MB/s"
    yield Line(f"audit of {SIZE >> 20} MiB", audit.ours, audit.peer, "openssl dgst -sha256", rate)
    memory = f"memory: authority {authority >> 10} MiB, audit {audit.peak >> 10} MiB"
    yield Line("", 0, note=f"the log: {percent:.2f} % of disk overhead; {memory}")
    median, late = acknowledgement()
    yield Line("durable acknowledgement of an event", median / 1000, note=f"p99 {late:.1f} ms")
    many = builders()
    note = (
        f"p99 {many.late * 1000:.1f} ms, {many.rate / 1e6:.0f} MB/s, slowest stream {many.fair:.2f} of the fastest"
    )
    note += f", memory {many.peak >> 10} MiB"
    yield Line("the same while 16 builders flood the log", many.median, note=note)
