"""A build that floods its log, with the real authority: it is slowed down to what the log takes, and nothing grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from build.workbench import job, no_archive
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.environments import Environments
from sealwright_stages.log import LogSession, open_embedded
from sealwright_stages.ports import Limits, Sampled
from sealwright_stages.sandbox.identity import Identities

pytestmark = pytest.mark.sandbox
MIB = 1 << 20
PIPES = 1 * MIB
"""What may be on its way: a pipe of 64 KiB on each side of the sandbox's shell, and what the pump holds."""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[LogSession]:
    (tmp_path / "log").mkdir()
    made = open_embedded(tmp_path / "log", tmp_path / "log.key", "example 1.0", None, None, tmp_path / "seen")
    yield made
    psutil.Process(made.process_id).resume()
    made.close()


def flooder() -> psutil.Process | None:
    """The process that floods."""
    for process in psutil.process_iter(["name", "cmdline"]):
        if process.info["name"] == "yes" and "flooding" in (process.info["cmdline"] or []):
            return process
    return None


def test_a_flood_waits_for_a_log_that_takes_nothing_and_stays_within_one_mebibyte(
    identities: Identities, session: LogSession, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    authority = psutil.Process(session.process_id)
    stream = session.open_stream("build/flood")
    connection = stream._connection
    unacknowledged: list[int] = []
    written: list[int] = []
    held: list[int] = []
    over = threading.Event()

    def watch() -> None:
        frozen_at = 0.0
        while not over.wait(0.02):
            unacknowledged.append(connection.sent - connection.acknowledged)
            held.append(authority.memory_info().rss)
            if connection.acknowledged > 32 * MIB and not frozen_at and (found := flooder()):
                authority.suspend()
                frozen_at = time.monotonic()
                over.wait(0.5)  # it writes until all that lies between is full
                written.append(found.io_counters().write_chars)
                over.wait(1.5)
                written.append(found.io_counters().write_chars)
                written.append(connection.acknowledged)
                authority.resume()

    watcher = threading.Thread(target=watch)
    watcher.start()
    samples: list[Sampled] = []
    limits = Limits(wall=100, memory=2 << 30, disk=1 << 30, processes=50)
    try:
        builder = SandboxBuilder(identities, Environments(no_archive))
        what = job(tmp_path, "yes flooding | head -c 120000000", limits=limits)
        done = builder.run(what, out, stream, samples.append, lambda: "")
    finally:
        over.set()
        watcher.join()
    assert done.exit in (0, 141) and not done.killed_because
    assert stream.finish(done.exit).body["bytes"] >= 120_000_000
    assert max(unacknowledged) <= MIB
    before, after, taken = written
    assert before == after, "the builder was not held up"
    assert before - taken <= MIB + PIPES
    late = held[len(held) // 3 :]
    assert max(late) - min(late) <= 16 * MIB, "the authority grows"
