"""The work folder of one release: where each thing lies, and the lock that keeps a second run out.

- One run at a time: an advisory lock on the open file `lock`, which a dead process does not hold. Nobody else can open
  that file, since whoever can may hold the lock.
- A folder that somebody else owns or may write in is not used: its names could be links to anywhere.
- Who holds the lock knows whether the folder is still the one that was locked: another may lie there by now.
- A folder of another release is refused before anything in it is touched.
- Folders appear with modes that let only their owner write; into those where strangers' programs write, nobody else
  gets at all, since such a program could leave one that runs as its own uid.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import MachineError, ManifestError
from sealwright_stages.files import write_whole

_LOOKS, _MOMENT = 5, 0.02  # times, seconds


@dataclass(frozen=True)
class Lock:
    """The lock of a work folder, held by an open file."""

    descriptor: int
    path: Path

    def stands(self) -> bool:
        """Whether the folder is still where it was locked; it may have been moved or deleted, and another made."""
        try:
            here, held = self.path.lstat(), os.fstat(self.descriptor)
        except OSError:
            return False
        return (here.st_dev, here.st_ino) == (held.st_dev, held.st_ino)


@dataclass(frozen=True)
class WorkFolder:
    """Paths below the work folder (section 5 of the design)."""

    root: Path

    @property
    def quarantine(self) -> Path:
        """The only home of unverified bytes."""
        return self.root / "quarantine"

    @property
    def sources(self) -> Path:
        """Verified sources, a folder for each component."""
        return self.root / "sources"

    @property
    def environments(self) -> Path:
        """Build roots."""
        return self.root / "environments"

    @property
    def build(self) -> Path:
        """What builds write, a folder for each component."""
        return self.root / "build"

    @property
    def products(self) -> Path:
        """Collected products, a folder for each component."""
        return self.root / "products"

    @property
    def log(self) -> Path:
        """The log's files; only the log authority writes here."""
        return self.root / "log"

    @property
    def evidence(self) -> Path:
        """What is published."""
        return self.root / "evidence"

    @property
    def private(self) -> Path:
        """What is kept and never published: the log's key, the console's memory of the log, the engine's socket."""
        return self.root / "private"

    def manifest_file(self, component: str) -> Path:
        """Where a component's manifest of verified files lies."""
        return self.sources / f"{component}.manifest.jsonl"

    def prepare(self, release: str) -> None:
        """Make the folders, or recognise them.

        Raises:
            ManifestError: the folder belongs to another release.
            MachineError: it can't be written.
        """
        marker = self.root / "release.json"
        try:
            self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
            if marker.exists():
                held = str(json.loads(marker.read_text())["release"])
            else:
                others = [entry for entry in self.root.iterdir() if entry.name != "lock"]
                held = "something else" if others else ""
            if held not in ("", release):
                raise ManifestError(
                    f"{self.root} is not this release's work folder",
                    f"it holds {held}",
                    "name another with --work DIR",
                )
            for folder in (
                self.sources,
                self.environments,
                self.products,
                self.log,
            ):
                folder.mkdir(mode=0o755, exist_ok=True)
            for folder in (self.quarantine, self.build):
                folder.mkdir(mode=0o700, exist_ok=True)
                folder.chmod(0o700)
            self.private.mkdir(mode=0o711, exist_ok=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MachineError(
                f"{self.root} can't be used", str(error), "make room, or name another with --work DIR"
            ) from error
        if not marker.exists():
            write_whole(marker, json.dumps({"release": release}).encode() + b"\n")

    @contextlib.contextmanager
    def locked(self) -> Iterator[Lock]:
        """Hold the lock while the block runs.

        Raises:
            MachineError: another run holds it, and its pid is named; or the folder is not ours alone.
        """
        path = self.root / "lock"
        try:
            self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._require_ours()
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise MachineError(
                f"{self.root} can't be used", error.strerror or str(error), "name another with --work DIR"
            ) from error
        try:
            if not _taken(descriptor):
                raise MachineError(
                    f"{self.root} is in use",
                    f"the run with pid {_pid(descriptor) or 'unknown'} holds it",
                    "watch it with `sealwright attach` or `sealwright status`, or wait for its end",
                )
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield Lock(descriptor, path)
        finally:
            os.close(descriptor)

    def _require_ours(self) -> None:
        """Refuse a folder in which another user could put what we follow, or take away what we verified."""
        held = self.root.stat()
        if held.st_uid != os.geteuid() or held.st_mode & 0o022:
            raise MachineError(
                f"{self.root} is not ours alone",
                f"it belongs to uid {held.st_uid} and has mode {stat.S_IMODE(held.st_mode):o}",
                "if it is yours, `chmod go-w` it, or run as its owner; else name another with --work DIR",
            )

    def holder(self) -> int | None:
        """The pid of the run that holds the lock, 0 if it has not said; None if there is none.

        Raises:
            OSError: the lock can't be read.
        """
        try:
            descriptor = os.open(self.root / "lock", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid(descriptor)
        else:
            return None
        finally:
            os.close(descriptor)


def work_folder(release: str, asked: Path | None) -> WorkFolder:
    """The work folder of a release, as name-version: the one asked for, or `./<name>-<version>.release`."""
    return WorkFolder((asked or Path(f"{release}.release")).absolute())


def _taken(descriptor: int) -> bool:
    """Take the lock; whoever just looks at it holds it for less than a moment."""
    for _ in range(_LOOKS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_MOMENT)
        else:
            return True
    return False


def _pid(descriptor: int) -> int:
    told = os.pread(descriptor, 32, 0).strip()
    return int(told) if told.isdigit() else 0
