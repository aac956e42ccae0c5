"""Which uids the programs run as: numbers that nobody owns, one for each part, when we are root.

- No chosen uid has an entry in the password file or a running process.
- Two consoles on one machine never share one: each is claimed by a socket name that dies with its claimer.
- Started as an ordinary user there is nobody to change into: the parts are then processes of one uid.
- Root of a namespace that knows no other uids counts as an ordinary user, unless it is the machine's own root.
- The verifier that reads strangers' signatures has one too, claimed once for the life of this process.
- Two builds at a time never share a uid, so neither can signal or trace the other.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import queue
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sealwright_stages.errors import MachineError

_FIRST, _LAST = 61184, 65519  # the range for uids that live no longer than their service
_BUILDERS = 8


@dataclass(frozen=True)
class Identities:
    """The uids of the parts (each is also its gid); None everywhere when we are not root."""

    log: int | None
    signer: int | None
    fetcher: int | None
    builders: tuple[int, ...]
    _claims: tuple[socket.socket, ...] = field(default=(), repr=False, compare=False)
    _free: queue.SimpleQueue[int] = field(default_factory=queue.SimpleQueue, repr=False, compare=False)

    @classmethod
    def choose(cls) -> Identities:
        """Claim a set of uids for this process.

        Raises:
            MachineError: root, and not enough of the range is free, or nobody there to become.
        """
        if not _may_change():
            return cls(None, None, None, ())
        claimed = _claimed(3 + _BUILDERS)
        uids = tuple(claimed)
        chosen = cls(uids[0], uids[1], uids[2], uids[3:], tuple(claimed.values()))
        for uid in chosen.builders:
            chosen._free.put(uid)
        return chosen

    @contextlib.contextmanager
    def builder(self) -> Iterator[int | None]:
        """Lend a builder's uid to one build; waits when all are lent."""
        if not self.builders:
            yield None
            return
        uid = self._free.get()
        try:
            yield uid
        finally:
            self._free.put(uid)

    def release(self) -> None:
        """Give the uids up; the process's end does so too."""
        for claim in self._claims:
            claim.close()


@functools.cache
def verifier_uid() -> int | None:
    """The uid that verifiers run under in this process; None when we are not root.

    Raises:
        MachineError: as of `Identities.choose`.
    """
    if not _may_change():
        return None
    ((uid, claim),) = _claimed(1).items()
    claim.detach()  # it is held until this process ends
    return uid


def is_ephemeral(uid: int) -> bool:
    """Whether `uid` is of the range that parts live in; who owns a file by it may be anybody tomorrow."""
    return _FIRST <= uid <= _LAST


def is_machine_root() -> bool:
    """Whether we are uid 0 of the machine itself, in whatever namespace."""
    return os.geteuid() == 0 and any(inside == outside == 0 for inside, outside, _ in _spans())


def _spans() -> list[list[int]]:
    """The ranges of uids that this namespace knows: first inside, first outside, count. See user_namespaces(7)."""
    return [[int(word) for word in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]


def _may_change() -> bool:
    """Whether we can become the uids of the range."""
    if os.geteuid() != 0:
        return False
    if any(inside <= _FIRST and inside + count > _LAST for inside, _, count in _spans()):
        return True
    if is_machine_root():
        raise MachineError(
            "no uids for the sandboxes",
            "this is the machine's root in a namespace without other uids",
            "start outside of that namespace, or as an ordinary user",
        )
    return False


def _claimed(count: int) -> dict[int, socket.socket]:
    """`count` uids that nobody else has, each with the claim that makes it ours.

    Raises:
        MachineError: so many are not free.
    """
    taken = _taken()
    claims: dict[int, socket.socket] = {}
    for uid in range(_FIRST, _LAST + 1):
        if uid not in taken and (claim := _claim(uid)) is not None:
            claims[uid] = claim
        if len(claims) == count:
            return claims
    raise MachineError(
        "no uids for the sandboxes",
        f"nearly all of {_FIRST} to {_LAST} are in use",
        "end the programs that use them, or start as an ordinary user",
    )


def _taken() -> set[int]:
    """Every uid that has a name or a process."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            taken.update(process.uids())
    return taken


def _claim(uid: int) -> socket.socket | None:
    """Bind an abstract socket name for `uid`; None if another console holds it."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0sealwright-uid-{uid}")
    except OSError:
        claim.close()
        return None
    return claim
