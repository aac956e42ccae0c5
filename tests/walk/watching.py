"""Watches a work folder's `sources/` with inotify(7): what appears there, when, and whether it is whole.

- A component appears by one rename of a finished folder, and never otherwise: what is created, written, renamed or
  changed inside `sources/<component>` is a breach, and so is a component that nobody waits for.
- At the moment that it appears, and once more at the end, each of its files is one that the test knows to be good,
  and its manifest says the same.
- Folders of the quarantine are watched too, from their creation on: a watch stays with a folder that is renamed, so
  what is changed in it right after that is seen as well.
- Events come in the order in which things happened; a queue that overflowed is a breach.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import select
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_CHANGED = {
    0x2: "written",
    0x4: "given other attributes",
    0x8: "closed after writing",
    0x40: "renamed away",
    0x80: "renamed in",
    0x100: "created",
    0x200: "deleted",
}
_MASK = sum(_CHANGED)
_MOVED_FROM, _MOVED_TO, _CREATE = 0x40, 0x80, 0x100
_OVERFLOW, _IGNORED, _IS_FOLDER = 0x4000, 0x8000, 0x40000000
_MANIFEST = ".manifest.jsonl"
Good = Mapping[str, Mapping[str, str]]
"""Component -> path -> SHA-256 of what the test made."""


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """The SHA-256 of each file."""
    return {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}


def breaches(sources: Path, good: Good) -> list[str]:
    """What is wrong with `sources` as it lies there now."""
    found = []
    for path in sources.iterdir():
        if not path.name.endswith((_MANIFEST, ".new")):
            found += [f"{path.name}: {what}" for what in _not_whole(sources, path.name, good)]
    return found


def _not_whole(sources: Path, component: str, good: Good) -> Iterator[str]:
    wanted = good.get(component)
    if wanted is None:
        yield "must never be there"
        return
    folder = sources / component
    held = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir()}
    there = {path: hashlib.sha256(p.read_bytes()).hexdigest() for path, p in held.items()}
    if there != wanted:
        yield f"holds {there}, and {wanted} is good"
    manifest = sources / f"{component}{_MANIFEST}"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()] if manifest.exists() else []
    if {line["path"]: line["sha256"] for line in lines} != wanted:
        yield "its manifest says something else"


@dataclass
class Watch:
    """Watches while its block runs; `found` are the breaches, `appeared` the components in their order."""

    work: Path
    good: Good
    found: list[str] = field(default_factory=list)
    appeared: list[str] = field(default_factory=list)
    _paths: dict[int, Path] = field(default_factory=dict)

    @contextlib.contextmanager
    def watching(self) -> Iterator[Watch]:
        """Watch what is done while the block runs; at its end everything that was done has been looked at."""
        libc = ctypes.CDLL(None, use_errno=True)
        self._add = libc.inotify_add_watch
        self._fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        assert self._fd >= 0, "no inotify here"
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,))
        try:
            for name in ("quarantine", "sources"):
                self._take_up(self.work / name)
            thread.start()
            try:
                yield self
            finally:
                over.set()
                thread.join()
        finally:
            os.close(self._fd)
        self.found += breaches(self.work / "sources", self.good)

    def _watch(self, over: threading.Event) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        while poll.poll(20) or not over.is_set():
            with contextlib.suppress(BlockingIOError):
                self._read(os.read(self._fd, 1 << 20))

    def _read(self, data: bytes) -> None:
        while data:
            watch, mask, _, length = struct.unpack_from("iIII", data)
            name = os.fsdecode(data[16 : 16 + length].rstrip(b"\0"))
            data = data[16 + length :]
            if mask & _OVERFLOW:
                self.found.append("so much happened that some of it was not seen")
            folder = self._paths.get(watch)
            if mask & _IGNORED:
                self._paths.pop(watch, None)
            elif folder is not None and name:
                self._happened(folder / name, mask)

    def _happened(self, path: Path, mask: int) -> None:
        inside = path.relative_to(self.work).parts
        if inside[0] == "sources":
            self._in_sources(path, inside, mask)
        if mask & _IS_FOLDER and mask & (_CREATE | _MOVED_TO):
            self._take_up(path)

    def _in_sources(self, path: Path, inside: tuple[str, ...], mask: int) -> None:
        how = " and ".join(word for bit, word in _CHANGED.items() if mask & bit)
        if len(inside) > 2:
            self.found.append(f"{'/'.join(inside)} was {how}")
        elif inside[1].endswith(".new") and not mask & _IS_FOLDER:
            return  # a manifest on its way
        elif inside[1].endswith(_MANIFEST):
            if mask & ~(_MOVED_TO | _MOVED_FROM):
                self.found.append(f"{inside[1]} was {how}")
        elif mask & _MOVED_TO and mask & _IS_FOLDER:
            self.appeared.append(inside[1])
            self.found += [f"{inside[1]}: {what}" for what in _not_whole(path.parent, inside[1], self.good)]
        elif mask & _MOVED_FROM:
            self._forget(path)
        else:
            self.found.append(f"{inside[1]} was {how}")

    def _take_up(self, folder: Path) -> None:
        """Watch a folder and all in it, under the path that they have now."""
        watch = self._add(self._fd, os.fsencode(folder), _MASK | 0x1000000)  # folders only
        if watch >= 0:
            self._paths[watch] = folder
            with contextlib.suppress(OSError):
                for entry in os.scandir(folder):
                    if entry.is_dir(follow_symlinks=False):
                        self._take_up(Path(entry.path))

    def _forget(self, folder: Path) -> None:
        """A folder left `sources`: what happens in it from now on happens elsewhere."""
        for watch, path in list(self._paths.items()):
            if path == folder or folder in path.parents:
                del self._paths[watch]
