"""The sandbox's system call filter: a deny list compiled by libseccomp, handed to bwrap as bytes.

- Refused are calls that reach past namespaces (keyrings, bpf, perf, handles, the clock), those with a long
  history of kernel holes (io_uring, userfaultfd), and those that make or join namespaces.
- So are those that take memory which no process shows: memfd and System V segments.
- So is asynchronous I/O of the old kind (io_setup), whose number is one for the whole machine, and modify_ldt.
- A terminal can't be typed into: TIOCSTI and TIOCLINUX are refused whatever the upper half of the word says; nor can
  its line discipline be set (TIOCSETD), which loads modules that have had holes.
- A call that is newer than this list does not exist (ENOSYS): nobody has judged it.
- Only local and internet sockets exist, and netlink's for routes, by which a program sees its interfaces: a virtual
  machine's host (vsock) is not behind the network namespace, and rare families have had holes. A sandbox that shares
  the host's network gets no local ones, since abstract names are shared too.
- Of internet sockets there are those of TCP, UDP and ICMP; asking for others would load a module of the kernel.
- The limit of core dumps stays 1 byte, whoever sets it: with 0 or more the kernel hands a dump to the host's
  core_pattern program, as root and outside; only with 1 it makes none. A build that asks is told that it was set.
- Calls of a foreign architecture end the process.

Source: seccomp(2), core(5), and the kernel's fs/coredump.c for the limit of 1.
"""

from __future__ import annotations

import errno
import functools
import resource
import socket
import tempfile
from typing import Any

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
    *("migrate_pages", "move_pages", "mbind", "set_mempolicy", "set_mempolicy_home_node"),
    *("io_setup", "modify_ldt"),
)
_OPEN_TREE_ATTR = 467  # younger than most machines' libseccomp, and like open_tree
_JUDGED, _NUMBERS = 470, 512  # the first number that nobody has judged (as of Linux 6.18), and where we stop
_TIOCSTI, _TIOCLINUX, _TIOCSETD = 0x5412, 0x541C, 0x5423
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)  # the last is the largest of them
_NETLINK_ROUTE = 0
_KIND_MASK, _RARE_KINDS = 0xF, (5, 6)  # SOCK_SEQPACKET and SOCK_DCCP, by which SCTP and DCCP come to be loaded
_LOW = 0xFFFFFFFF


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
    rules: Any = seccomp.SyscallFilter(seccomp.ALLOW)
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
    _deny_unjudged(seccomp, rules)
    _deny_typing(seccomp, rules, spared)
    _deny_rare_sockets(seccomp, rules, spared)
    if not local_sockets:
        rules.add_rule(seccomp.ERRNO(errno.EAFNOSUPPORT), "socket", seccomp.Arg(0, seccomp.EQ, socket.AF_UNIX))
    _keep_core_limit(seccomp, rules, spared)
    with tempfile.TemporaryFile() as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def _deny_unjudged(seccomp: Any, rules: Any) -> None:
    """New calls have one number on all architectures."""
    rules.add_rule(seccomp.ERRNO(errno.EPERM), _OPEN_TREE_ATTR)
    for number in range(_JUDGED, _NUMBERS):
        rules.add_rule(seccomp.ERRNO(errno.ENOSYS), number)


def _deny_typing(seccomp: Any, rules: Any, spared: frozenset[str]) -> None:
    for request in () if "ioctl" in spared else (_TIOCSTI, _TIOCLINUX, _TIOCSETD):
        same = seccomp.Arg(1, seccomp.MASKED_EQ, _LOW, request)
        rules.add_rule(seccomp.ERRNO(errno.EPERM), "ioctl", same)


def _deny_rare_sockets(seccomp: Any, rules: Any, spared: frozenset[str]) -> None:
    if "socket" in spared:
        return
    refuse = seccomp.ERRNO(errno.EAFNOSUPPORT)

    def deny(*conditions: Any) -> None:
        rules.add_rule(refuse, "socket", *conditions)

    deny(seccomp.Arg(0, seccomp.GT, max(_FAMILIES)))
    for family in sorted(set(range(max(_FAMILIES))) - set(_FAMILIES)):
        deny(seccomp.Arg(0, seccomp.EQ, family))
    deny(seccomp.Arg(0, seccomp.EQ, socket.AF_NETLINK), seccomp.Arg(2, seccomp.NE, _NETLINK_ROUTE))
    for family in (socket.AF_INET, socket.AF_INET6):
        ours = seccomp.Arg(0, seccomp.EQ, family)
        deny(ours, seccomp.Arg(2, seccomp.GT, socket.IPPROTO_ICMPV6))
        for kind in _RARE_KINDS:
            deny(ours, seccomp.Arg(1, seccomp.MASKED_EQ, _KIND_MASK, kind))


def _keep_core_limit(seccomp: Any, rules: Any, spared: frozenset[str]) -> None:
    """Setting the limit of core dumps is answered with a yes, and nothing is set."""
    done = seccomp.ERRNO(0)
    if "setrlimit" not in spared:
        rules.add_rule(done, "setrlimit", seccomp.Arg(0, seccomp.MASKED_EQ, _LOW, resource.RLIMIT_CORE))
    if "prlimit64" not in spared:
        same = seccomp.Arg(1, seccomp.MASKED_EQ, _LOW, resource.RLIMIT_CORE)
        rules.add_rule(done, "prlimit64", same, seccomp.Arg(2, seccomp.NE, 0))
