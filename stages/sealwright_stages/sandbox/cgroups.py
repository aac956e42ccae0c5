"""Limits of a whole tree of processes by the kernel's control groups, where the machine lets us make one.

- What holds a build is said: a group of version 1 or 2, or else the limits of each process and the builder's watch.
- A group is made beside our own (version 2) or below it (version 1), for one sandbox, and goes with it.
- The sandbox's first process is born in the group (version 1) or joins before it drops its uid, so nothing of it is
  ever outside.
- A group of version 1 that counts processor time is made too, where that is all it does: it limits nothing. One of
  version 2 counts it anyway.
- A machine that lets us make none is no error: a group that was made and can't be set is taken away again.
- Groups of consoles that died are removed by the next one.

Source: cgroups(7), and the kernel's admin-guide on cgroup-v1 (pids, memory) and cgroup-v2.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_SCRIPT = Path(__file__).with_name("join-groups.sh")
_PREFIX = "sealwright-"
_TASKS = "tasks"
_PATIENCE = 2.0  # seconds until a group whose processes are dead lets itself be removed
WATCHED: Mapping[str, str] = {
    "processes": "rlimit of the uid",
    "memory": "rlimit of each process, and the builder's watch of all",
}
"""What limits a build where there is no group."""


@dataclass(frozen=True)
class Groups:
    """The control groups of one sandbox: what they limit, and how."""

    folders: tuple[Path, ...] = ()
    limited_by: Mapping[str, str] = field(default_factory=lambda: dict(WATCHED))

    def join(self) -> tuple[str, ...]:
        """The words before a program that put it, and all that it starts, into the groups of version 2."""
        doors = [str(folder / "cgroup.procs") for folder in self.folders if not _by_thread(folder)]
        return ("sh", str(_SCRIPT), *doors, "--") if doors else ()

    def doors(self) -> tuple[tuple[Path, Path], ...]:
        """Those of version 1, which a thread enters and leaves by itself: the file of each, and that of its parent."""
        return tuple((folder / _TASKS, folder.parent / _TASKS) for folder in self.folders if _by_thread(folder))

    def out_of_memory(self) -> bool:
        """Whether the kernel ended a process of the group because the group had no memory left."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with contextlib.suppress(OSError, ValueError):
                    for line in (folder / name).read_text(encoding="ascii").splitlines():
                        if line.startswith("oom_kill ") and int(line.split()[1]):
                            return True
        return False


def _by_thread(folder: Path) -> bool:
    """Whether a thread can join alone. One that moves itself waits for no other processor."""
    return (folder / _TASKS).exists()


@dataclass(frozen=True)
class Place:
    """Where groups for `what` can be made, and the files that set their limits; none where it only counts."""

    what: str
    parent: Path
    files: tuple[str, ...]
    version: int


@contextlib.contextmanager
def grouped(processes: int, memory: int, places: tuple[Place, ...] | None = None) -> Iterator[Groups]:
    """Groups of at most so many processes and bytes, as far as the machine lets us; removed afterwards."""
    limits = {"processes": processes, "memory": memory}
    limited_by = dict(WATCHED)
    name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    with contextlib.ExitStack() as stack:
        folders: dict[Path, None] = {}
        for place in own_places() if places is None else places:
            folder = place.parent / name
            try:
                if folder not in folders:
                    _sweep(place.parent)
                    folder.mkdir()
                    stack.callback(_remove, folder)
                _limit(folder, place.files, limits.get(place.what, 0))
            except OSError:
                continue
            folders[folder] = None
            if place.what in limits:
                limited_by[place.what] = f"cgroup v{place.version}"
        yield Groups(tuple(folders), limited_by)


def own_places(proc: Path = Path("/proc/self")) -> tuple[Place, ...]:
    """Where this process may hope to make groups: told by `proc`'s mountinfo and cgroup."""
    try:
        mounts = (proc / "mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        lines = (proc / "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ()
    own = {kind: path for _, kind, path in (line.split(":", 2) for line in lines)}
    places: dict[str, Place] = {}
    for line in mounts:
        left, _, right = line.partition(" - ")
        root, point = left.split()[3:5]
        kind, _, options = right.split(" ", 2)
        found = _version_1(own, options, root, point) if kind == "cgroup" else ()
        if kind == "cgroup2" and "" in own:
            found = _version_2(_below(own[""], root, point))
        for place in found:
            places[place.what] = place
    return tuple(places.values())


def _below(path: str, root: str, point: str) -> Path:
    """Where the group `path` is found in a mount of `root` at `point`."""
    inner = path[len(root) :] if root != "/" and path.startswith(root) else path
    return Path(point, inner.lstrip("/"))


def _version_1(own: Mapping[str, str], options: str, root: str, point: str) -> tuple[Place, ...]:
    kinds = {
        "pids": ("processes", ("pids.max",)),
        "memory": ("memory", ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")),
    }
    if "cpu" not in options.split(","):  # a group of that controller would take a share of its own
        kinds["cpuacct"] = ("time", ())
    found = []
    for controllers, path in own.items():
        for controller in set(controllers.split(",")) & set(options.split(",")) & set(kinds):
            what, files = kinds[controller]
            found.append(Place(what, _below(path, root, point), files, 1))
    return tuple(found)


def _version_2(own: Path) -> tuple[Place, ...]:
    """Beside our own group: one that has processes can't give its controllers to groups below it."""
    try:
        given = (own.parent / "cgroup.subtree_control").read_text(encoding="ascii").split()
    except OSError:
        return ()
    if not os.access(own.parent / "cgroup.procs", os.W_OK):
        return ()  # who may not write here may not move a process from one group to another below it
    kinds = {"pids": ("processes", ("pids.max",)), "memory": ("memory", ("memory.max", "memory.swap.max"))}
    return tuple(Place(kinds[kind][0], own.parent, kinds[kind][1], 2) for kind in given if kind in kinds)


def _limit(folder: Path, files: tuple[str, ...], most: int) -> None:
    """Set the limit; the first file must take it, the others (swap) where the kernel has them."""
    for number, name in enumerate(files):
        if number == 0 or (folder / name).exists():
            value = 0 if name == "memory.swap.max" else most
            (folder / name).write_text(str(value), encoding="ascii")


def _remove(folder: Path) -> None:
    """Remove a group whose processes are dead; the kernel may need a moment to see it."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            if time.monotonic() > end:
                return  # the next console tries again
            time.sleep(0.0005)
        else:
            return


def _sweep(parent: Path) -> None:
    """Remove the groups of consoles that died."""
    for folder in parent.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            with contextlib.suppress(OSError):
                folder.rmdir()
