"""What tests of builds share: a stream that remembers, and a job on the host's /usr."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.ports import BuildJob, Limits, Prepared
from sealwright_stages.state import Record


class LostError(Exception):
    """Stands for a log that is lost."""


@dataclass
class Remembered:
    """An output stream that keeps what it is given, and may be lost after some bytes."""

    lost_after: int | None = None
    data: dict[str, bytearray] = field(default_factory=lambda: {"D": bytearray(), "E": bytearray()})

    def write(self, channel: Literal["D", "E"], data: bytes) -> None:
        self.data[channel] += data
        if self.lost_after is not None and len(self.data["D"]) > self.lost_after:
            raise LostError

    def finish(self, exit_status: int) -> Record:
        raise AssertionError("a builder writes to its stream; the walk ends it")

    def abort(self) -> None:
        raise AssertionError("a builder writes to its stream; the walk ends it")


HOST = Prepared("host", None, "0" * 64, ())
WIDE = Limits(wall=60, memory=2 << 30, disk=1 << 30, processes=200)


def job(tmp_path: Path, *commands: str, limits: Limits = WIDE, products: tuple[str, ...] = ("*",)) -> BuildJob:
    sources = tmp_path / "sources"
    for part in ("source", "files"):
        (sources / part).mkdir(parents=True, exist_ok=True)
    (sources / "source" / "hello.txt").write_text("hello\n")
    (sources / "files" / "extra.txt").write_text("extra\n")
    return BuildJob("greeting", "commands", commands, HOST, sources, 86400, limits, products)


def no_archive(_suite: str) -> DebianArchive:
    raise AssertionError("a build never asks for an archive")
