"""The sealed log as frames: each file's name, its bytes, and an end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.frames import MAX_PAYLOAD, frame


def export_names(log: Path) -> list[str]:
    """The files of a sealed log that are published."""
    tiles = sorted(p.relative_to(log).as_posix() for p in (log / "tile").rglob("*") if p.is_file())
    first = [layout.INDEX, layout.SEALED, layout.CHECKPOINT, layout.VKEY, layout.SUMS]
    return [*first, *layout.segments(log), *(name for name in tiles if not Path(name).name.startswith("."))]


def export_frames(log: Path) -> Iterator[bytes]:
    """The frames `N`, `B`, `Z` of the sealed log, made as they are taken."""
    for name in export_names(log):
        yield frame("N", name.encode("ascii"))
        with (log / name).open("rb") as stream:
            while block := stream.read(MAX_PAYLOAD):
                yield frame("B", block)
    yield frame("Z")
