"""Whether this machine can make the sandbox at all, found out by making one.

- The sandbox is made as builds make it, uid, groups, binds and all; nothing is concluded from versions or settings.
- Each part of the profile is looked for from inside; a sandbox that lacks one is none.
- A machine that can't is refused with the part that is missing and its cure, before anything is fetched.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.bwrap import Bind, Prepare, Sandbox, prepared
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.profile import LOOK, NAMESPACES, missing

PROGRAMS = {"bwrap": "bubblewrap", "setpriv": "util-linux", "prlimit": "util-linux", "unshare": "util-linux"}
_NONE = "there is no sandbox on this machine"
_SECONDS = 20.0
_LIMIT = re.compile(rb"prlimit: failed to set the ([A-Z]{2,12}) resource limit")


def require_sandbox(identities: Identities | None = None, prepare: Prepare = prepared) -> None:
    """Make a sandbox, look around in it, and return.

    Raises:
        MachineError: it can't be made, or lacks a part; the error names the part and its cure.
    """
    for program in PROGRAMS:
        found(program)
    chosen = identities or Identities.choose()
    box = Sandbox(
        uid=chosen.builders[0] if chosen.builders else None,
        binds=(Bind(Path(__file__).parent, "/sources"),),
        environment=process.BASE_ENVIRONMENT,
        grouped=True,
    )
    try:
        with prepare(box, LOOK) as start:
            done = process.run(
                start.argv, timeout=_SECONDS, cwd=Path("/"), pass_fds=start.descriptors, spawn=start.spawn
            )
    finally:
        if identities is None:
            chosen.release()
    if done.returncode != 0:
        raise MachineError(_NONE, done.complaint(), _cure(done.stderr))
    outside = tuple(str(Path("/proc/self/ns", name).readlink()) for name in NAMESPACES)
    lacks = missing(box, done.stdout.decode("utf-8", "replace"), outside)
    if lacks is not None:
        raise MachineError(_NONE, f"one was made that lacks a part: {lacks.name}", lacks.cure)


def found(program: str) -> Path:
    """Where a program of `PROGRAMS` is.

    Raises:
        MachineError: it is missing.
    """
    path = shutil.which(program, path=process.BASE_ENVIRONMENT["PATH"])
    if path is None:
        raise MachineError(_NONE, f"{program} is missing", f"install {PROGRAMS[program]}, run again")
    return Path(path)


def _cure(said: bytes) -> str:
    """What a person can do about what bwrap or the kernel said."""
    if b"nknown option" in said or b"nrecognized option" in said:
        return "install bubblewrap 0.8 and util-linux 2.36 or newer, run again"
    if b"namespace" in said or b"uid map" in said:
        return (
            "allow user namespaces (sysctl user.max_user_namespaces, and on Debian "
            "kernel.unprivileged_userns_clone=1; in a container or chroot, start it with them), run again"
        )
    if (limit := _LIMIT.search(said)) is not None:
        return (
            f"raise the hard limit {limit[1].decode()} that this was started with (`prlimit`, /etc/security/limits.conf; "
            "of core dumps it must be 1 or more, since with 0 the kernel may start a program for them), run again"
        )
    if b"seccomp" in said:
        return "use a kernel with seccomp filters, run again"
    return "run `sealwright doctor`" if os.geteuid() else "run `sealwright doctor`, or start as an ordinary user"
