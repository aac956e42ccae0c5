"""Whether this machine can make the sandbox at all, found out by making one.

- The sandbox is made as builds make it, uid and all; nothing is concluded from versions or settings.
- A machine that can't is refused with the part that is missing and its cure, before anything is fetched.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.bwrap import Sandbox, prepared
from sealwright_stages.sandbox.identity import Identities

PROGRAMS = {"bwrap": "bubblewrap", "setpriv": "util-linux", "prlimit": "util-linux", "unshare": "util-linux"}
_SECONDS = 20.0


def require_sandbox(identities: Identities | None = None) -> None:
    """Make a sandbox, run `true` in it, and return.

    Raises:
        MachineError: it can't be made; the error names the part and its cure.
    """
    for program, package in PROGRAMS.items():
        if shutil.which(program, path=process.BASE_ENVIRONMENT["PATH"]) is None:
            raise MachineError(
                "there is no sandbox on this machine", f"{program} is missing", f"install {package}, run again"
            )
    chosen = identities or Identities.choose()
    try:
        uid = chosen.builders[0] if chosen.builders else None
        with prepared(Sandbox(uid=uid), ["true"]) as start:
            done = process.run(start.argv, timeout=_SECONDS, cwd=Path("/"), pass_fds=start.descriptors)
    finally:
        if identities is None:
            chosen.release()
    if done.returncode != 0:
        raise MachineError("there is no sandbox on this machine", done.complaint(), _cure(done.stderr))


def _cure(said: bytes) -> str:
    """What a person can do about what bwrap or the kernel said."""
    if b"namespace" in said or b"uid map" in said:
        return (
            "allow user namespaces (sysctl user.max_user_namespaces, and on Debian "
            "kernel.unprivileged_userns_clone=1; in a container or chroot, start it with them), run again"
        )
    if b"seccomp" in said:
        return "use a kernel with seccomp filters, run again"
    return "run `sealwright doctor`" if os.geteuid() else "run `sealwright doctor`, or start as an ordinary user"
