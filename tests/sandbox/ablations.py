"""What must be taken out so that each attempt gets out: the proof that it is real, and that it is held by what we say.

Where two or three layers hold one attempt, all of them are taken out, and named.
"""

from __future__ import annotations

from dataclasses import replace

from sealwright_stages.ports import Limits
from sealwright_stages.sandbox.bwrap import Sandbox
from sealwright_stages.selftest.canary import Canary
from support.weakened import (
    CAPABLE,
    NESTED,
    Without,
    drop,
    drop_filter,
    drop_limit,
    drop_masks,
    drop_sizes,
    in_a_terminal,
    seen,
    share,
    swap,
)

_NET = Without("the network namespace", share("net"))
_THREE = ("system call filter", "no capabilities", "no nested user namespaces")
_BARE = Without("all: user and process namespaces hold it both, and there is no bwrap without", bare="nobody")
_ROOT = Without("all, and the outer uid, which is not root", bare="root")
_DEV = swap(["--dev", "/dev"], ["--dev-bind", "/dev", "/dev"])


def _call(*names: str) -> Without:
    return Without("a rule of the system call filter", calls=frozenset(names))


def _mighty(*names: str) -> Without:
    return Without(", ".join(_THREE), (CAPABLE, NESTED), calls=frozenset(names))


def ablations(canary: Canary) -> dict[str, Without]:
    """What to take out, by the attempt's name. `canary` is the one that it is tried with."""
    host = Without("that nothing of the host is seen", box=seen(canary.folder))
    pids = Without("the process namespace", share("pid"))
    fill = Without("the size of tmpfs", (drop_sizes,))
    return {
        **dict.fromkeys(("tcp", "tcp6", "udp", "dns", "interfaces", "listeners", "socket_abstract"), _NET),
        **dict.fromkeys(
            ("icmp", "set_interface"), Without("no capabilities, no nested namespaces", (CAPABLE, NESTED))
        ),
        "packet": _mighty("socket"),
        **dict.fromkeys(("vsock", "rare_sockets"), _call("socket")),
        **dict.fromkeys(("socket_path", "socket_found", "host_file", "other_component"), host),
        "descriptor": Without("closed descriptors", descriptors=(canary.descriptor,)),
        "environment": Without("cleared environment", (drop("--clearenv"),)),
        "kernel_log": replace(_ROOT, measures="all: filter, own /dev and the uid hold it"),
        "kernel_keys": Without("masks of /proc", (drop_masks,)),
        **dict.fromkeys(("list_outside", "signal_outside", "pidfd_outside"), pids),
        **dict.fromkeys(("trace_outside", "memory_outside", "root_outside"), _BARE),
        "gain_by_setuid": replace(_BARE, measures="all: no new privileges and the user namespace hold it"),
        "capabilities": Without("no capabilities", (CAPABLE,)),
        "system_write": Without("read-only sources", box=_writable_sources),
        "preload": Without("the read-only root", (drop("--remount-ro", "/"),)),
        **dict.fromkeys(("type_in", "type_in_wide", "paste", "line_discipline"), _call("ioctl")),
        "controlling_terminal": Without("the new session", (drop("--new-session"), in_a_terminal)),
        "host_terminal": Without("own /dev", (_DEV,)),
        "mount": _mighty("mount"),
        "mount_new": _mighty("fsopen"),
        "mount_tree": _mighty("open_tree"),
        "unmount": _mighty("umount2"),
        "remount": _mighty("mount"),
        "pivot_root": _mighty("pivot_root"),
        "change_root": Without("no capabilities", (CAPABLE,)),
        **dict.fromkeys(("device", "raw_memory", "raw_disk", "loop_device", "fuse", "virtual_machine"), _ROOT),
        "unshare_user": Without("filter and no nested namespaces", (NESTED,), calls=frozenset({"unshare"})),
        **dict.fromkeys(("clone_user", "clone3_user"), Without("no nested user namespaces", (NESTED,))),
        "join_namespace": _mighty("setns"),
        **dict.fromkeys(("setting", "trigger", "control_group", "uevent"), _ROOT),
        "io_uring": _call("io_uring_setup"),
        "userfaultfd": _call("userfaultfd"),
        "keyring": _call("keyctl"),
        "add_key": _call("add_key"),
        "perf": _call("perf_event_open"),
        "compare": _call("kcmp"),
        "handle": _call("name_to_handle_at"),
        "clock_rate": _call("adjtimex"),
        **dict.fromkeys(("bpf", "clock_set"), _ROOT),
        "old_asynchronous": _call("io_setup"),
        "foreign_calls": Without("the system call filter", (drop_filter,)),
        "processes": Without("the limits of processes", (drop_limit("nproc"),), box=_ungrouped),
        "memory": Without("the limit of memory", (drop_limit("data"),)),
        "locked_memory": Without("the limit of locked memory", (drop_limit("memlock"),)),
        "memory_file": _call("memfd_create"),
        "memory_segment": _call("shmget"),
        "large_file": Without("the limit of file sizes", (drop_limit("fsize"),)),
        **dict.fromkeys(("fill_scratch", "fill_shared"), fill),
        "core_dump": _call("setrlimit", "prlimit64"),
        "priority": _ROOT,
        **dict.fromkeys(("daemon", "product_raced"), pids),
    }


def _writable_sources(box: Sandbox) -> Sandbox:
    return replace(box, binds=tuple(replace(bind, writable=True) for bind in box.binds))


def _ungrouped(box: Sandbox) -> Sandbox:
    return replace(box, grouped=False)


WIDE = Limits(wall=20, memory=1 << 30, disk=1 << 30, processes=64)
"""Limits of the builder that are none, for what only the builder holds."""
