"""The sandbox's system call filter: a deny list compiled by libseccomp, handed to bwrap as bytes.

- Refused are calls that reach past namespaces (keyrings, bpf, perf, handles, the clock), those with a long
  history of kernel holes (io_uring, userfaultfd), and those that make or join namespaces.
- So are those that take memory which no process shows: memfd and System V segments.
- A terminal can't be typed into: TIOCSTI and TIOCLINUX are refused whatever the upper half of the word says.
- Only local and internet sockets exist, and netlink's for routes, by which a program sees its interfaces: a virtual
  machine's host (vsock) is not behind the network namespace, and rare families have had holes. A sandbox that shares
  the host's network gets no local ones, since abstract names are shared too.
- Calls of a foreign architecture end the process.
"""

from __future__ import annotations

import errno
import functools
import socket
import tempfile

from sealwright_stages.errors import MachineError

DENIED = (
    *("io_uring_setup", "io_uring_enter", "io_uring_register", "userfaultfd", "vmsplice"),
    *("keyctl", "add_key", "request_key"),
    *("bpf", "perf_event_open", "kcmp", "pidfd_getfd", "process_vm_readv", "process_vm_writev"),
    *("kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "syslog"),
    *("open_by_handle_at", "name_to_handle_at", "lookup_dcookie", "fanotify_init"),
    *("quotactl", "quotactl_fd", "reboot", "swapon", "swapoff", "acct", "vhangup", "nfsservctl", "uselib"),
    *("settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "iopl", "ioperm"),
    *("mount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount"),
    *("fspick", "mount_setattr", "setns", "unshare"),
    *("memfd_create", "memfd_secret", "shmget"),
    *("migrate_pages", "move_pages", "mbind", "set_mempolicy"),
)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)  # the last is the largest of them
_NETLINK_ROUTE = 0


@functools.cache
def program(*, local_sockets: bool, spared: frozenset[str] = frozenset()) -> bytes:
    """The filter as classic BPF for this machine's architecture.

    `spared` names calls that are let through (all of `ioctl` or `socket` too), by which tests show what the rest holds.

    Raises:
        MachineError: libseccomp is missing or too old.
    """
    try:
        import pyseccomp as seccomp  # noqa: PLC0415 - loads a C library that may be missing
    except (ImportError, RuntimeError, OSError) as error:
        raise MachineError(
            "the system call filter can't be made", str(error), "install libseccomp2, then run again"
        ) from error
    refuse = seccomp.ERRNO(errno.EPERM)
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    known = 0
    for name in sorted(set(DENIED) - spared):
        try:
            rules.add_rule(refuse, name)
            known += 1
        except (ValueError, RuntimeError, OSError):
            continue  # a call that this architecture or libseccomp has never heard of
    if known < len(DENIED) // 2:
        raise MachineError(
            "the system call filter can't be made",
            f"libseccomp knows only {known} of {len(DENIED)} calls",
            "install a newer libseccomp2",
        )
    low = 0xFFFFFFFF
    for request in () if "ioctl" in spared else (_TIOCSTI, _TIOCLINUX):
        rules.add_rule(refuse, "ioctl", seccomp.Arg(1, seccomp.MASKED_EQ, low, request))
    refuse_family = seccomp.ERRNO(errno.EAFNOSUPPORT)
    if "socket" not in spared:
        rules.add_rule(refuse_family, "socket", seccomp.Arg(0, seccomp.GT, max(_FAMILIES)))
        for family in sorted(set(range(max(_FAMILIES))) - set(_FAMILIES)):
            rules.add_rule(refuse_family, "socket", seccomp.Arg(0, seccomp.EQ, family))
        rules.add_rule(
            refuse_family,
            "socket",
            seccomp.Arg(0, seccomp.EQ, socket.AF_NETLINK),
            seccomp.Arg(2, seccomp.NE, _NETLINK_ROUTE),
        )
    if not local_sockets:
        rules.add_rule(refuse_family, "socket", seccomp.Arg(0, seccomp.EQ, socket.AF_UNIX))
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()
