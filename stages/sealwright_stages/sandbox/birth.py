"""Starts a sandbox from a thread that has joined its control groups and has its own mounts; its child inherits both.

- Neither costs a program: joining by a shell and mounting by `mount` took longer than bubblewrap itself.
- The child is in the groups, and sees the mounts, before it runs; the thread leaves the groups when the child is born.
- The real path of what is shown keeps its modes: it appears below /mnt, which only this thread and its child see.
- What is shown is opened before /mnt is covered, so it may lie below /mnt itself.
- The thread lives until the block ends: bubblewrap dies with the thread that started it.
- What can't be joined or shown starts nothing.

Source: mount(2), mount_namespaces(7), cgroups(7) for `tasks` of version 1, prctl(2) for PR_SET_PDEATHSIG.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.reach import STAGE, staged

_NEW_MOUNTS = 0x00020000
_NOSUID, _NODEV, _BIND, _RECURSIVE, _PRIVATE = 2, 4, 4096, 16384, 1 << 18
_MODE = 0o755
_LIBC = ctypes.CDLL(None, use_errno=True)
Spawn = Callable[..., "subprocess.Popen[bytes]"]
"""Takes what `subprocess.Popen` takes."""


@contextlib.contextmanager
def birthplace(shown: Mapping[str, Path], doors: Sequence[tuple[Path, Path]]) -> Iterator[Spawn]:
    """Give what starts programs that see `shown` at /mnt/NAME, in the groups of `doors`.

    A door is two `tasks` files: that of the group, and that of where we come from. With neither it is Popen itself.
    """
    if not shown and not doors:
        yield subprocess.Popen
        return
    with ThreadPoolExecutor(1, "birth") as thread:

        def spawn(*words: object, **named: object) -> subprocess.Popen[bytes]:
            return thread.submit(_born, shown, doors, words, named).result()

        yield spawn


def _born(
    shown: Mapping[str, Path],
    doors: Sequence[tuple[Path, Path]],
    words: tuple[object, ...],
    named: dict[str, object],
) -> subprocess.Popen[bytes]:
    try:
        if shown:
            _show(shown)
        try:
            for group, _ in doors:
                _join(group)
            return subprocess.Popen(*words, **named)  # type: ignore[call-overload,no-any-return]
        finally:
            for _, home in doors:
                _join(home)
    except OSError as error:
        raise _failed(error) from error


def _failed(error: OSError) -> MachineError:
    because = f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error)
    cure = "run `sealwright doctor`"
    if isinstance(error, PermissionError):
        cure = "start as root that may mount and make control groups, or as an ordinary user"
    elif error.filename == "/":
        cure = "start outside of this chroot, or as an ordinary user"
    elif error.filename == str(STAGE):
        cure = f"make the folder {STAGE}, run again"
    return MachineError("the sandbox can't be started", because, cure)


def _join(tasks: Path) -> None:
    """Move this thread, and no other, by writing nought."""
    with tasks.open("wb", buffering=0) as door:
        door.write(b"0")


def _show(shown: Mapping[str, Path]) -> None:
    """Give this thread mounts of its own, with what is shown below /mnt. Its umask is its own from here on, too."""
    _call(_LIBC.unshare(_NEW_MOUNTS), "unshare")
    os.umask(0o022)
    _mount(None, "/", None, _RECURSIVE | _PRIVATE)
    sources = {}
    try:
        for name, path in shown.items():
            sources[name] = os.open(path, os.O_PATH | os.O_CLOEXEC)
        _mount("sealwright", str(STAGE), "tmpfs", _NOSUID | _NODEV, f"mode={_MODE:o},size=256k")
        for name, source in sources.items():
            place = staged(name)
            if stat.S_ISDIR(os.fstat(source).st_mode):
                place.mkdir(_MODE)
            else:
                place.touch()
            _mount(f"/proc/self/fd/{source}", str(place), None, _BIND)
    finally:
        for source in sources.values():
            os.close(source)


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    words = [None if word is None else os.fsencode(word) for word in (source, target, kind, data)]
    _call(_LIBC.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]), target)


def _call(status: int, what: str) -> None:
    if status:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
