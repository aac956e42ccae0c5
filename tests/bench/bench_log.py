"""How fast the log is, beside plain tools doing the least that could do: each in one run, on the same bytes.

`append_vs_cat` and `audit_vs_openssl` give (our seconds, the peer's seconds, bytes).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.report import Line
from sealwright_appendlog import layout
from sealwright_stages.log import LogSession, open_embedded

SIZE = 512 << 20
_BLOCK = 1 << 16
_VERIFY = (sys.executable, "-m", "sealwright_appendlog.cli", "verify")


@contextmanager
def _session(root: Path) -> Iterator[LogSession]:
    (root / "log").mkdir()
    session = open_embedded(root / "log", root / "log.key", "bench", None, None, root / "seen")
    try:
        yield session
    finally:
        session.close()


def _filled(root: Path, size: int) -> tuple[float, int]:
    """Append `size` bytes through a session, as a build does; gives seconds and the authority's peak KiB."""
    block = os.urandom(_BLOCK)
    with _session(root) as session:
        stream = session.open_stream("build/bench")
        begun = time.perf_counter()
        for _ in range(size // _BLOCK):
            stream.write("D", block)
        stream.finish(0)
        seconds = time.perf_counter() - begun
        status = Path(f"/proc/{session.process_id}/status").read_text()
        session.seal()
    return seconds, int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def append_vs_cat(size: int = SIZE) -> tuple[float, float, int]:
    """Durable append with tiles and checkpoints, against `cat | cat > file; sync`."""
    with tempfile.TemporaryDirectory() as nest:
        root = Path(nest)
        source = root / "source"
        block = os.urandom(1 << 20)
        with source.open("wb") as stream:
            for _ in range(size >> 20):
                stream.write(block)
        os.sync()
        begun = time.perf_counter()
        with source.open("rb") as data, (root / "copy").open("wb") as copy:
            first = subprocess.Popen(["cat"], stdin=data, stdout=subprocess.PIPE)
            subprocess.run(["cat"], stdin=first.stdout, stdout=copy, check=True)
            first.wait()
            os.fsync(copy.fileno())
        peer = time.perf_counter() - begun
        (root / "copy").unlink()
        ours, _ = _filled(root, size)
    return ours, peer, size


def audit_vs_openssl(size: int = SIZE) -> tuple[float, float, int]:
    """`sealwright-appendlog verify` of a whole log, against `openssl dgst -sha256` of its data."""
    with tempfile.TemporaryDirectory() as nest:
        root = Path(nest)
        _filled(root, size)
        segments = [root / "log" / name for name in layout.segments(root / "log")]
        subprocess.run(["cat", *segments], stdout=subprocess.DEVNULL, check=True)  # both find it in the cache
        begun = time.perf_counter()
        subprocess.run(["openssl", "dgst", "-sha256", *segments], stdout=subprocess.DEVNULL, check=True)
        peer = time.perf_counter() - begun
        begun = time.perf_counter()
        subprocess.run([*_VERIFY, root / "log"], stdout=subprocess.DEVNULL, check=True)
        ours = time.perf_counter() - begun
    return ours, peer, size


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


def overhead(size: int = SIZE) -> tuple[float, int, int]:
    """Bytes on disk beside the data, in percent; the peak memory of authority and of verify, in KiB."""
    with tempfile.TemporaryDirectory() as nest:
        root = Path(nest)
        _, authority = _filled(root, size)
        whole = sum(path.stat().st_size for path in (root / "log").rglob("*") if path.is_file())
        found = subprocess.run(
            [sys.executable, "-c", _MEASURE, *_VERIFY, root / "log"], capture_output=True, check=True
        )
    return (whole - size) / size * 100, authority, int(found.stdout)


_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def lines() -> Iterator[Line]:
    """All of the log's figures."""
    ours, peer, size = append_vs_cat()
    yield Line(
        f"append of {size >> 20} MiB, durable",
        ours,
        peer,
        "cat | cat > file; sync",
        f"{size / ours / 1e6:.0f} MB/s",
    )
    ours, peer, size = audit_vs_openssl()
    yield Line(f"audit of {size >> 20} MiB", ours, peer, "openssl dgst -sha256", f"{size / ours / 1e6:.0f} MB/s")
    median, late = acknowledgement()
    yield Line("durable acknowledgement of an event", median / 1000, note=f"p99 {late:.1f} ms")
    percent, authority, verify = overhead()
    yield Line(
        "",
        0,
        note=f"the log: {percent:.2f} % of disk overhead; memory: authority {authority >> 10} MiB, verify {verify >> 10} MiB",
    )
