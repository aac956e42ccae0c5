"""`no_namespaces.py PROGRAM...`: run a program as root of a user namespace in which no further one can be made."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000


def main() -> None:
    """Split off; the parent, who may, maps the uids of the child's namespace."""
    told, tell = os.pipe()
    mapped, map_ = os.pipe()
    child = os.fork()
    if child == 0:
        if ctypes.CDLL(None).unshare(_CLONE_NEWUSER) != 0:
            os._exit(99)
        os.write(tell, b"x")
        os.read(mapped, 1)
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
        os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - an argument list of the test's own
    os.close(tell)
    if os.read(told, 1):
        for file in ("uid_map", "gid_map"):
            Path(f"/proc/{child}/{file}").write_text("0 0 65536\n")
        os.write(map_, b"x")
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
