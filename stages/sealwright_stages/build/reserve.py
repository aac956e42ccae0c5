"""What the machine keeps for itself while builds run, whoever takes the rest.

- Not all that a build can take is counted as its own: buffers of sockets, tables of pages and other memory of the kernel
  are in no process, and only a control group knows some of them.
- So a build ends when the machine's disk or memory is nearly used up: the log must have room to say so, and the kernel
  is not to choose which program of the machine it ends.
- A machine that had little from the beginning keeps a quarter of that. Free swap counts as memory.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sealwright_stages.build.room_watch import free

_DISK, _MEMORY = 256 << 20, 192 << 20


def disk_free(folder: Path) -> int:
    """Bytes that are free on the disk of `folder`."""
    return free(folder).bytes


def memory_free() -> int:
    """Bytes that programs can still take, swap included."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(("MemAvailable:", "SwapFree:")))


class Reserve:
    """Asked again and again, says whether the machine has come down to its reserve."""

    def __init__(
        self,
        folder: Path,
        disk: Callable[[Path], int] = disk_free,
        memory: Callable[[], int] = memory_free,
    ) -> None:
        self._folder, self._disk, self._memory = folder, disk, memory
        self.reached_because = ""
        self._least_disk = min(_DISK, disk(folder) // 4)
        self._least_memory = min(_MEMORY, memory() // 4)

    def reached(self) -> str:
        """Why a build must end, or nothing."""
        for what, left, least in (
            ("disk", self._disk(self._folder), self._least_disk),
            ("memory", self._memory(), self._least_memory),
        ):
            if left < least:
                self.reached_because = f"the {what} is nearly full: {left >> 20} MiB free, {least >> 20} are kept"
                return self.reached_because
        return ""
