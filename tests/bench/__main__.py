"""`make bench`: what things cost, as ratios against a peer in the same run. Nothing here asserts a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import (
    bench_attach,
    bench_console,
    bench_diff,
    bench_log,
    bench_logs,
    bench_provenance,
    bench_review,
    bench_sandbox,
    bench_signatures,
    bench_signer,
    bench_start,
    bench_verify,
    bench_watch,
)
from bench.report import Line


def lines() -> Iterator[Line]:
    """All figures, one after the other: two at a time would disturb each other."""
    with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as folder:
        yield from bench_verify.verify_components(Path(folder))
        yield from bench_verify.trees_and_history(Path(folder))
        yield from bench_signatures.lines(Path(folder))
        yield from bench_signer.lines(Path(folder) / "signer")
        yield from bench_diff.lines(Path(folder) / "diff")
        yield from bench_provenance.lines(Path(folder) / "provenance")
        yield from bench_start.lines(Path(folder) / "start")
    yield from bench_log.lines()
    yield from bench_review.lines()
    yield from bench_sandbox.lines()
    yield from bench_watch.lines()
    yield from bench_console.lines()
    yield from bench_logs.lines()
    yield bench_attach.lines()


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)
