"""What became of a build: looks at it while it ran, what it took, how it ended, its products and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Sampled:
    """A look at a running build: percent of one core, bytes, counts.

    `disk` and `files` are what it takes of its disk, `said` the bytes of its output; `elapsed_ms` is since it began,
    `cpu_ms` the processor time that it took until now.
    """

    cpu: int
    memory: int
    processes: int
    read: int
    written: int
    disk: int = 0
    files: int = 0
    said: int = 0
    elapsed_ms: int = 0
    cpu_ms: int = 0


@dataclass(frozen=True)
class Used:
    """What a build took, all in all: milliseconds, bytes, counts; the peaks are those of the looks at it.

    `cpu_by` says who counted the time: `cgroup` (exact), or `looks` (what the last one saw). `charged` is the most
    memory that its control group was charged with, 0 where there is none: files that it read count in it.
    """

    cpu_ms: int = 0
    cpu_by: str = ""
    memory: int = 0
    charged: int = 0
    processes: int = 0
    disk: int = 0
    files: int = 0
    read: int = 0
    written: int = 0
    said: int = 0


@dataclass(frozen=True)
class BuildResult:
    """How a build ended: its exit status (negative: a signal), milliseconds, and why it was killed, if it was.

    `last_line` is the last that a build said that failed; it is a stranger's text.
    `limited_by` says what held its `processes` and its `memory`, `used` what it took.
    """

    exit: int
    wall_ms: int
    killed_because: str = ""
    last_line: str = ""
    limited_by: Mapping[str, str] = field(default_factory=dict)
    used: Used = Used()


@dataclass(frozen=True)
class Collected:
    """A product as stored: plain name, SHA-256, bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Report:
    """How two products differ, as a tool tells it: a stranger's text, perhaps cut; or why there is none, and the cure."""

    text: str = ""
    version: str = ""
    cut: bool = False
    why_none: str = ""
    cure: str = ""
    tool: str = "diffoscope"

    def evidence(self) -> dict[str, object]:
        """The same as JSON."""
        told = {"tool": self.tool, "version": self.version}
        if self.why_none:
            return {**told, "why_none": self.why_none, "cure": self.cure}
        return {**told, "cut": self.cut, "text": self.text}


@dataclass(frozen=True)
class Reference:
    """What is set beside the archive's packages: for which item, of which suite; products by name, and their folder."""

    item: str
    suite: str
    products: Mapping[str, str]
    folder: Path


@dataclass(frozen=True)
class Side:
    """One of two folders of plain files that are compared, and what it is called in the report."""

    label: str
    folder: Path
