"""The known ways out, and what holds each.

- An attempt is one function of the shipped probes; its first sentence says what it tries.
- There are three results: held, got out, and broken; what could not be tried is never held.
- What holds it is proved by the tests: without it, the same attempt gets out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType

from sealwright_stages.selftest.probes import host, kernel, limits, network, products


class Result(StrEnum):
    """How an attempt ended."""

    HELD = "held"
    GOT_OUT = "got out"
    BROKEN = "broken"


@dataclass(frozen=True)
class Attempt:
    """One way out: the probe's function, the heading that it stands under, what it tries and what holds it."""

    name: str
    group: str
    tries: str
    held_by: str


@dataclass(frozen=True)
class Tried:
    """How an attempt ended, and the kernel's or our own words about it (from inside: not to be believed)."""

    attempt: Attempt
    result: Result
    why: str


_CALLS, _CAPS, _NET, _MOUNTS = (
    "system call filter",
    "no capabilities",
    "network namespace",
    "only what is named is seen",
)
_PIDS, _DEV, _NESTED, _UID = "process namespace", "own /dev", "no nested namespaces", "never root outside"
_COLLECTOR, _BUILDER = "the collector", "the builder"

_NETWORK = {
    **dict.fromkeys(("tcp", "tcp6", "udp", "dns"), _NET),
    "icmp": f"{_CAPS}, {_NESTED}",
    "packet": f"{_CALLS}, {_CAPS}, {_NESTED}",
    "interfaces": _NET,
    "set_interface": f"{_CAPS}, {_NESTED}",
    "listeners": _NET,
    **dict.fromkeys(("vsock", "rare_sockets"), _CALLS),
    "socket_path": _MOUNTS,
    "socket_abstract": _NET,
    "socket_found": "nothing that is seen has one",
}
_HOST = {
    **dict.fromkeys(("host_file", "other_component"), _MOUNTS),
    "descriptor": "no descriptor is handed on",
    "environment": "cleared environment",
    "kernel_log": f"{_CALLS}, {_DEV}",
    "kernel_keys": "masked files of /proc",
    **dict.fromkeys(("list_outside", "signal_outside", "pidfd_outside"), _PIDS),
    "trace_outside": f"{_PIDS}, user namespace",
    "memory_outside": f"{_PIDS}, user namespace, {_CALLS}",
    "root_outside": f"{_PIDS}, user namespace",
    "gain_by_setuid": "no new privileges, user namespace",
    "capabilities": _CAPS,
    "system_write": "read-only binds and root",
    "preload": "read-only root",
}
_TERMINALS = {
    **dict.fromkeys(("type_in", "type_in_wide", "paste", "line_discipline"), _CALLS),
    "controlling_terminal": "new session",
    "host_terminal": _DEV,
}
_KERNEL = {
    **dict.fromkeys(
        ("mount", "mount_new", "mount_tree", "unmount", "remount", "pivot_root"), f"{_CALLS}, {_CAPS}, {_NESTED}"
    ),
    "change_root": _CAPS,
    "device": "user namespace",
    **dict.fromkeys(("raw_memory", "raw_disk", "loop_device", "fuse", "virtual_machine"), f"{_DEV}, {_UID}"),
    "unshare_user": f"{_CALLS}, {_NESTED}",
    **dict.fromkeys(("clone_user", "clone3_user"), _NESTED),
    "join_namespace": f"{_CALLS}, {_CAPS}, {_NESTED}",
    "setting": f"{_UID}, read-only /proc/sys",
    "trigger": f"{_UID}, masked files of /proc",
    **dict.fromkeys(("control_group", "uevent"), f"no /sys, {_UID}"),
    **dict.fromkeys(
        ("io_uring", "userfaultfd", "keyring", "add_key", "perf", "compare", "handle", "clock_rate"), _CALLS
    ),
    **dict.fromkeys(("bpf", "clock_set"), f"{_CALLS}, {_UID}"),
    "old_asynchronous": _CALLS,
    "foreign_calls": _CALLS,
}
_LIMITS = {
    "processes": "limit of processes",
    "memory": "limit of memory",
    "locked_memory": "limit of locked memory",
    **dict.fromkeys(("memory_file", "memory_segment"), _CALLS),
    "large_file": "limit of file sizes",
    **dict.fromkeys(("fill_scratch", "fill_shared"), "tmpfs of a set size"),
    "core_dump": f"limit of core dumps, {_CALLS}",
    "priority": f"{_CAPS}, limits of priority",
}
_WATCHED = {
    "shared_memory": f"{_BUILDER}, by memory",
    "many_files": f"{_BUILDER}, by disk",
    "many_names": f"{_BUILDER}, by number of files",
    "endless_time": f"{_BUILDER}, by time",
    **dict.fromkeys(("endless_lines", "endless_line", "endless_noise"), f"{_BUILDER}, by output"),
    "daemon": _PIDS,
}
_PRODUCTS = {
    **dict.fromkeys(
        ("product_link", "product_hard_link", "product_fifo", "product_socket"), f"{_COLLECTOR}, by kind"
    ),
    "product_device": f"{_COLLECTOR}, by kind, and user namespace",
    **dict.fromkeys(("product_sparse", "product_many"), f"{_COLLECTOR}, by size and number"),
    **dict.fromkeys(
        (*("product_newline", "product_control", "product_bidi", "product_dash"),),
        f"{_COLLECTOR}, by name",
    ),
    **dict.fromkeys(("product_dots", "product_long", "product_bytes"), f"{_COLLECTOR}, by name"),
    "product_raced": f"{_PIDS}, {_COLLECTOR} waits",
}


def _made(group: str, module: ModuleType, table: dict[str, str]) -> Iterator[Attempt]:
    for name, held_by in table.items():
        said = str(getattr(module, name).__doc__).split(".", 1)[0].split("\n", 1)[0]
        yield Attempt(name, group, said[0].lower() + said[1:], held_by)


INSIDE = (
    *_made("network and sockets", network, _NETWORK),
    *_made("files, processes and what the starter had", host, _HOST),
    *_made("terminals", host, _TERMINALS),
    *_made("the kernel", kernel, _KERNEL),
    *_made("more than allowed", limits, _LIMITS),
)
"""Those that the sandbox itself holds."""
_FETCHER = {  # with the host's network, on purpose: what it must not reach by that, and a choice of the rest
    **dict.fromkeys(("socket_path", "socket_found", "socket_abstract"), f"{_CALLS}: no local sockets"),
    **{name: _NETWORK[name] for name in ("packet", "set_interface", "vsock", "rare_sockets")},
    **_HOST,
    **{name: _KERNEL[name] for name in ("mount", "setting", "unshare_user", "clone_user", "join_namespace")},
    **{name: _KERNEL[name] for name in ("control_group", "io_uring", "bpf")},
}


def _from_fetcher() -> Iterator[Attempt]:
    for each in INSIDE:
        if each.name in _FETCHER:
            group = "the same from the fetchers' sandbox, which has a network"
            yield Attempt(each.name, group, each.tries, _FETCHER[each.name])


FETCHER = tuple(_from_fetcher())
"""Those that the sandbox of fetchers holds, too."""
WATCHED = tuple(_made("more than allowed, under the builder's eyes", limits, _WATCHED))
"""Those that the builder holds."""
PRODUCTS = tuple(_made("products that are not what they seem", products, _PRODUCTS))
"""Those that the collector holds."""
ATTEMPTS = (*INSIDE, *FETCHER, *WATCHED, *PRODUCTS)
