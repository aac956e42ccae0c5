"""Run a program on a file that nobody vouches for: in the sandbox, without a network, under limits.

- It sees the one file, read-only, and one new folder to write into; its exit is never taken for a success.
- Time, memory and the size of each file that it writes are limited from outside of it.
- What went over a limit of time is called `archive-bomb`, by whoever asks `slow`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.files import remove_tree
from sealwright_stages.ports import FetchRun, Workshop
from sealwright_stages.unpack import limits
from sealwright_stages.verify.codes import shown

OUT = "/quarantine"
"""Where the new folder is, inside."""
_SLOW = frozenset({124, 137, -9})  # `timeout`, and what it kills with


@dataclass(frozen=True)
class Boxed:
    """How it went: the run, milliseconds, and the argument list without our own limits."""

    run: FetchRun
    duration_ms: int
    argv: tuple[str, ...]

    @property
    def slow(self) -> bool:
        """Whether it was ended for taking too long."""
        return self.run.returncode in _SLOW

    def last_words(self) -> str:
        """The last line that it said, printable."""
        lines = self.run.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        return shown(lines[-1].strip()) if lines else f"it ended with {self.run.returncode} and no word"


def run_boxed(
    workshop: Workshop, argv: Sequence[str], folder: Path, readable: Sequence[Path], most: int, size: int
) -> Boxed:
    """Run `argv`, which may write files of at most `most` bytes into the new `folder`, and reads `size` bytes.

    Raises:
        MachineError: the sandbox can't be made, or the disk is full.
        InterruptedRunError: the workshop's cancel was set.
    """
    remove_tree(folder)
    folder.mkdir()
    for path in readable:
        path.chmod(0o644)  # another uid is to read it, whatever our umask was
    limit = limits.seconds(size)
    words = ["timeout", "-k", "5", str(limit), "prlimit", f"--fsize={most}", f"--data={limits.MEMORY}", *argv]
    begun = time.monotonic()
    run = workshop.sandbox.run(
        words, writable=folder, readable=readable, timeout=limit + 30, cancel=workshop.cancel, network=False
    )
    return Boxed(run, round((time.monotonic() - begun) * 1000), tuple(argv))
