"""How long a sandbox takes to start: ours, with every rule, against bare bwrap."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from bench.report import Line
from sealwright_stages.process import BASE_ENVIRONMENT
from sealwright_stages.sandbox.bwrap import Sandbox, prepared
from sealwright_stages.sandbox.identity import Identities

_BARE = ("--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib")
_BARE_REST = ("--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--unshare-all")


def start(rounds: int = 30) -> Line:
    """Median time of `true` in the builders' full profile, and of `true` in a bare bwrap; taken in turn."""
    chosen = Identities.choose()
    uid = chosen.builders[0] if chosen.builders else None
    ours: list[float] = []
    peer: list[float] = []
    try:
        for _ in range(rounds):
            begun = time.perf_counter()
            with prepared(Sandbox(uid=uid), ["true"]) as ready:
                _run(ready.argv, ready.descriptors)
            middle = time.perf_counter()
            _run(("bwrap", *_BARE, *_BARE_REST, "true"), ())
            ours.append(middle - begun)
            peer.append(time.perf_counter() - middle)
    finally:
        chosen.release()
    return Line("start of a sandbox", statistics.median(ours), statistics.median(peer), "bare bwrap")


def _run(argv: Sequence[str], descriptors: tuple[int, ...]) -> None:
    subprocess.run(argv, env=dict(BASE_ENVIRONMENT), cwd=Path("/"), pass_fds=descriptors, check=True)
