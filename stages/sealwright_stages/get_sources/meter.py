"""How far a download is: bytes, all of them and how fast; for the eye only, nothing is decided by it.

- The bytes are those of the file that grows; how many they will be is the server's word, and is shown as such.
- What is read of the quarantine while strangers write there is not followed, and only a little of it.
"""

from __future__ import annotations

import re
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.files import read_small
from sealwright_stages.ports import Workshop

_UNITS = ("B", "KB", "MB", "GB", "TB")
_LENGTH = re.compile(rb"(?mi)^content-length:[ \t]*([0-9]{1,15})[ \t]*\r?$")
_RANGE = re.compile(rb"(?mi)^content-range:[ \t]*bytes [0-9]+-[0-9]+/([0-9]{1,15})[ \t]*\r?$")


@dataclass
class Meter:
    """Looks at the growing file `path`, and at the answer's headers beside it, each time that the fetcher says a word."""

    workshop: Workshop
    path: Path
    headers: Path
    local: Path | None
    clock: Callable[[], float] = time.monotonic
    _begun: float = 0.0
    _had: int = 0
    _all: int = 0

    def begin(self) -> None:
        """A request begins: the rate counts from here."""
        self._begun, self._had = self.clock(), size_of(self.path)

    def look(self, _said: bytes) -> None:
        """Tell how far it is."""
        self._all = self._total() or self._all
        done, total = size_of(self.path), self._all
        rate = round((done - self._had) / max(0.001, self.clock() - self._begun))
        of = f"of {figure(total)}, " if total else ""
        self.workshop.progress(done, total, f"{of}{figure(max(0, rate))}/s")

    def _total(self) -> int:
        if self.local is not None:
            return size_of(self.local)
        try:
            said = read_small(self.headers, 64 << 10)
        except OSError:
            return 0
        found = _RANGE.findall(said) or _LENGTH.findall(said)
        return int(found[-1]) if found else 0


def size_of(path: Path) -> int:
    """The bytes of a regular file; 0 if there is none."""
    try:
        held = path.lstat()
    except OSError:
        return 0
    return held.st_size if stat.S_ISREG(held.st_mode) else 0


def figure(count: int) -> str:
    """Bytes with a decimal unit, such as `2.1 GB`."""
    value = float(count)
    for unit in _UNITS[:-1]:
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {_UNITS[-1]}"
