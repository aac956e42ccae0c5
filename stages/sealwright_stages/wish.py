"""How a release is to be run, as whoever starts it says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wish:
    """How a release is to be run."""

    manifest: Path
    work: Path | None
    jobs: int
    attended: bool
    tool: str
