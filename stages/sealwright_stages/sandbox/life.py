"""Tells when a sandbox is dead: not its first process, but every process that ever ran in it.

- A pid namespace dies with its first process, and the kernel lets that one end only after all others: a
  descriptor of it becomes readable when nothing of the sandbox lives.
- A sandbox whose console was killed while it was being made is never born: bwrap is dead, and its child waits for a
  word of it for ever, before it has run anything. Such are ended by the next start, and no others: a sandbox that
  somebody else made is never touched, whatever became of its session.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

from sealwright_stages.errors import MachineError

_INFO_LIMIT = 65536
_OURS = frozenset({"--die-with-parent", "--new-session", "--disable-userns", "--unshare-all"})


def first_process(info: int, wait: float) -> int | None:
    """A descriptor of the sandbox's first process, from what bwrap wrote to `info`; None if there is none.

    `wait` is in seconds: how long bwrap may take to tell. The caller closes the descriptor.
    """
    told = b""
    while b"}" not in told and len(told) < _INFO_LIMIT:
        if not select.select([info], [], [], wait)[0]:
            return None
        data = os.read(info, 4096)
        if not data:
            return None
        told += data
    try:
        pid = int(json.loads(told)["child-pid"])
        descriptor = os.pidfd_open(pid)
    except (ValueError, KeyError, OSError):
        return None
    if _shares_our_namespace(pid):  # the number was given to somebody else meanwhile
        os.close(descriptor)
        return None
    return descriptor


def _shares_our_namespace(pid: int) -> bool:
    """Whether a process has but one number: one in a namespace below ours has a second."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False  # it has ended; its descriptor says so
    return any(line.startswith("NSpid:") and len(line.split()) == 2 for line in lines)


def kill(process: int | None) -> None:
    """Kill the first process of a sandbox by its descriptor, and so all: no other process has to hear of it first."""
    if process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(process, signal.SIGKILL)


def wait_dead(process: int | None, seconds: float, what: str) -> None:
    """Wait until the sandbox of `process` has no living process; takes the descriptor.

    Raises:
        MachineError: something of it outlives the wait.
    """
    if process is None:
        return
    try:
        if not select.select([process], [], [], seconds)[0]:
            raise MachineError(
                f"{what}: its processes can't be ended",
                f"some still live after {seconds:.0f} s",
                "look for a process that hangs in the kernel (state D), then run again",
            )
    finally:
        os.close(process)


def unborn() -> list[psutil.Process]:
    """The sandboxes of dead consoles that were never born.

    bwrap leads a session, which its child leaves only when it is born; a session's number is not given away while
    somebody is in it. Of the sandboxes of others that says nothing: they need not lead one, nor leave it.
    """
    found = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error, OSError):
            session = os.getsid(process.pid)
            if process.info["name"] != "bwrap" or session in (0, process.pid) or psutil.pid_exists(session):
                continue
            if _made_here(process.cmdline()) and not _shares_our_namespace(process.pid):
                found.append(process)
    return found


def _made_here(words: Sequence[str]) -> bool:
    """Whether an argument list is one that `bwrap.prepared` makes."""
    begins = [words[at] for at in (0, 1, 3) if at < len(words)]
    return begins == ["bwrap", "--seccomp", "--info-fd"] and _OURS.issubset(words)


def end_unborn() -> None:
    """End what `unborn` finds, as far as it is ours to end."""
    for process in unborn():
        with contextlib.suppress(psutil.Error):
            process.kill()
