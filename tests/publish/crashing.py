"""Publishes by the real program under strace, which kills it at one of its file calls, or makes that call fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHANGES = ("mkdirat", "renameat", "fsync", "fchmod", "unlinkat", "write", "openat")
"""What it changes a site with; each is found in a clean run, or the sweep would not sweep."""
ROOM = ("mkdirat", "write", "openat")
"""What a full disk refuses."""
FAULTS = {"KILL": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC"}


@dataclass(frozen=True)
class Fault:
    """What happens at the how-many-th call of a name."""

    call: str
    number: int
    kind: str

    @property
    def rule(self) -> str:
        """In the words of strace."""
        return f"inject={self.call}:{FAULTS[self.kind]}:when={self.number}"


def run_traced(words: list[str | Path], trace: Path, rule: str = "") -> subprocess.CompletedProcess[str]:
    """Run `sealwright` with `words`; only itself is traced, not the tools that it starts."""
    more = ["-e", rule] if rule else []
    sealwright = [sys.executable, "-B", "-m", "sealwright_console.cli"]
    strace = [
        "strace",
        "-qq",
        "-y",
        "-o",
        trace,
        "-e",
        f"trace={','.join((*CHANGES, 'rename', 'mkdir', 'unlink'))}",
    ]
    return subprocess.run(
        [*strace, *more, *sealwright, *words], capture_output=True, text=True, check=False, timeout=90
    )


def every_fault(trace: str, site: Path) -> Iterator[Fault]:
    """Each call of a clean run that touches the site, with each way to fail."""
    counts = dict.fromkeys(CHANGES, 0)
    for line in trace.splitlines():
        match = re.match(r"(\w+)\(", line)
        if match is None or match[1] not in counts:
            continue
        counts[match[1]] += 1
        if str(site) in line:
            for kind in FAULTS:
                if kind != "ENOSPC" or match[1] in ROOM:
                    yield Fault(match[1], counts[match[1]], kind)
