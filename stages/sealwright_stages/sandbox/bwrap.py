"""The one place that knows how a sandbox is made: argument lists for setpriv, prlimit and bwrap.

- bwrap never runs as the machine's uid 0: root first drops to a uid that nobody owns, for good.
- Every namespace is new (the network's too, unless this is a fetcher); no further user namespace can be made.
- Nothing is inherited: no variable, no file descriptor, no capability, no terminal.
- Nothing is writable but what is named, and tmpfs of a set size; the root itself is read-only.
- What /proc tells about the host's keys, memory and kernel is masked.
- Processes, file sizes and memory are limited from outside before anything runs; those of a whole build by a
  control group where the machine lets us make one.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.birth import Spawn, birthplace
from sealwright_stages.sandbox.cgroups import Groups, grouped
from sealwright_stages.sandbox.identity import is_machine_root
from sealwright_stages.sandbox.reach import staged
from sealwright_stages.sandbox.seccomp import program

_MASKED_FILES = (
    *("keys", "key-users", "kallsyms", "kcore", "kmsg", "config.gz", "cmdline", "timer_list", "sched_debug"),
    *(
        "slabinfo",
        "iomem",
        "ioports",
        "modules",
        "vmallocinfo",
        "pagetypeinfo",
        "sysrq-trigger",
        "interrupts",
    ),
    *("kpagecount", "kpageflags", "kpagecgroup", "diskstats", "partitions", "mtrr", "latency_stats"),
)
_MASKED_FOLDERS = ("acpi", "scsi", "bus", "irq", "driver", "fs", "asound", "dynamic_debug", "tty")
_HOST_ETC = ("alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "dpkg", "perl", "debian_version")
_USR_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
SCRATCH = ("/tmp", "/dev/shm", "/var/tmp", "/run")  # noqa: S108 - inside the sandbox these are its own
"""The tmpfs of a sandbox; the first two hold `scratch` bytes each, the others little."""
_LITTLE = 64 << 20
SPARE_PROCESSES = 4  # bwrap's own
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Bind:
    """A folder or file of the host and where it appears inside."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Sandbox:
    """What one sandbox may see and use; sizes are bytes, uids are the host's unless they say inside."""

    uid: int | None
    binds: tuple[Bind, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    root: Path | None = None
    network: bool = False
    inside_uid: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str = "/"
    hostname: str = "sealwright"
    processes: int = 512
    memory: int = 8 << 30
    file_size: int = 20 << 30
    scratch: int = 2 << 30
    processors: tuple[int, ...] = ()
    """Those that it runs on; empty: any."""
    grouped: bool = False
    """Whether all its processes together are limited by a control group, where the machine has one for us."""


@dataclass(frozen=True)
class Start:
    """An argument list and the descriptors that it needs; `info` is where bwrap tells its child's pid."""

    argv: tuple[str, ...]
    descriptors: tuple[int, ...]
    info: int
    release: Callable[[], None]
    """To be called once the program runs: closes our end of `info`, so that its end is seen."""
    groups: Groups = field(default_factory=Groups)
    """To be asked before the block ends, when the program is dead."""
    spawn: Spawn = subprocess.Popen
    """To be called in the place of Popen, with `argv`: what it starts sees the binds, and is in the groups."""


Prepare = Callable[["Sandbox", Sequence[str]], contextlib.AbstractContextManager[Start]]


@contextlib.contextmanager
def prepared(box: Sandbox, argv: Sequence[str]) -> Iterator[Start]:
    """Give what is needed to start `argv` in `box`; the descriptors are ours until the block ends.

    Raises:
        MachineError: the system call filter can't be made, or bwrap would run as the machine's root.
        ValueError: a variable's name is none.
    """
    with contextlib.ExitStack() as stack:
        reading, writing = os.pipe()
        stack.callback(os.close, reading)
        writer = stack.enter_context(os.fdopen(writing, "wb"))
        handed = [writing]

        def memory_file(data: bytes) -> str:
            descriptor = os.memfd_create("sealwright")
            stack.callback(os.close, descriptor)
            os.write(descriptor, data)
            os.lseek(descriptor, 0, os.SEEK_SET)
            handed.append(descriptor)
            return str(descriptor)

        groups = (
            stack.enter_context(grouped(box.processes + SPARE_PROCESSES, box.memory)) if box.grouped else Groups()
        )
        binds, staging = _stage(box)
        words = [
            *_processors(box),
            *_identity(box),
            *_limits(box),
            *(
                "bwrap",
                "--seccomp",
                memory_file(program(local_sockets=not box.network)),
                "--info-fd",
                str(writing),
            ),
            *_namespaces(box),
            *_root(box),
            *_kernel(box),
            *(word for bind in binds for word in _bind(bind)),
            *(w for name, data in box.files.items() for w in ("--ro-bind-data", memory_file(data), name)),
            *(() if box.root else ("--remount-ro", "/")),
            *_environment(box),
            *("--chdir", box.folder, "--"),
            *argv,
        ]
        spawn = stack.enter_context(birthplace(staging, groups.doors()))
        yield Start((*groups.join(), *words), tuple(handed), reading, writer.close, groups, spawn)


def _stage(box: Sandbox) -> tuple[list[Bind], dict[str, Path]]:
    """The binds with sources that the dropped uid can reach, and what must be staged for that."""
    if box.uid is None:
        return list(box.binds), {}
    names = {f"bind-{number}": bind for number, bind in enumerate(box.binds)}
    staging = {name: bind.source for name, bind in names.items()}
    if box.root is not None:
        staging["root"] = box.root
    return [Bind(staged(name), bind.target, bind.writable) for name, bind in names.items()], staging


def _processors(box: Sandbox) -> tuple[str, ...]:
    """No limit: a program may choose others again. It is what it sees unless it asks."""
    return ("taskset", "--cpu-list", ",".join(map(str, box.processors))) if box.processors else ()


def _identity(box: Sandbox) -> tuple[str, ...]:
    if box.uid == 0 or (box.uid is None and is_machine_root()):
        raise MachineError(
            "the sandbox is not made",
            "it would run as the machine's root",
            "start as root with uids, or as a user",
        )
    if box.uid is None:
        return ("setpriv", "--no-new-privs", "--inh-caps=-all")
    drop = ("setpriv", f"--reuid={box.uid}", f"--regid={box.uid}", "--clear-groups")
    return (*drop, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")


def _limits(box: Sandbox) -> tuple[str, ...]:
    """Limits of each process, and of the uid's number of processes; those of the tree are the runner's."""
    processes = box.processes + SPARE_PROCESSES
    if box.uid is None:
        processes += _tasks_of(os.geteuid())
    return (
        "prlimit",
        f"--nproc={processes}",
        f"--fsize={box.file_size}",
        f"--data={box.memory}",
        "--core=1",  # 0 would not keep the host's core_pattern program from being started: see `seccomp`
        "--memlock=65536",
        "--rtprio=0",  # a machine may grant its users a real-time priority, or a higher one
        "--nice=0",
        "--",
    )


def _tasks_of(uid: int) -> int:
    """How many tasks the shared uid has already: the limit counts them all."""
    count = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.uids().real == uid:
                count += process.num_threads()
    return count


def _namespaces(box: Sandbox) -> tuple[str, ...]:
    uid = str(box.inside_uid)
    return (
        *("--unshare-user", "--unshare-all", "--disable-userns", "--uid", uid, "--gid", uid),
        *(("--share-net",) if box.network else ()),
        *("--hostname", box.hostname, "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
    )


def _root(box: Sandbox) -> Iterator[str]:
    if box.root is not None:
        yield from ("--ro-bind", str(box.root if box.uid is None else staged("root")), "/")
    else:
        yield from ("--ro-bind", "/usr", "/usr")
        for name in _USR_LINKS:
            path = Path("/", name)
            if path.is_symlink():
                yield from ("--symlink", f"usr/{name}", str(path))
            elif path.is_dir():
                yield from ("--ro-bind", str(path), str(path))
        for name in _HOST_ETC:
            yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    yield from _tmpfs("/tmp", box.scratch)  # noqa: S108
    for folder in ("/var/tmp", "/run"):  # noqa: S108
        yield from _tmpfs(folder, min(_LITTLE, box.scratch))


def masked() -> tuple[str, ...]:
    """What of /proc is covered inside, on this machine."""
    return (*_there(_MASKED_FILES, stat.S_ISREG), *_there(_MASKED_FOLDERS, stat.S_ISDIR))


def _there(names: Sequence[str], kind: Callable[[int], bool]) -> Iterator[str]:
    """Those that are of a kind and that the kernel itself lets others than root at; each mask costs a mount."""
    for name in names:
        path = f"/proc/{name}"
        with contextlib.suppress(OSError):
            mode = os.stat(path).st_mode  # noqa: PTH116 - for each start of a sandbox, and thrice as fast
            if kind(mode) and mode & 0o077:
                yield path


def _kernel(box: Sandbox) -> Iterator[str]:
    yield from ("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys")
    for path in _there(_MASKED_FILES, stat.S_ISREG):
        yield from ("--ro-bind", "/dev/null", path)
    for path in _there(_MASKED_FOLDERS, stat.S_ISDIR):
        yield from ("--size", "4096", "--tmpfs", path, "--remount-ro", path)
    yield from ("--dev", "/dev", *_tmpfs("/dev/shm", box.scratch), "--remount-ro", "/dev")  # noqa: S108


def _tmpfs(folder: str, size: int) -> tuple[str, ...]:
    return ("--perms", "1777", "--size", str(size), "--tmpfs", folder)


def _bind(bind: Bind) -> tuple[str, ...]:
    return ("--bind" if bind.writable else "--ro-bind", str(bind.source), bind.target)


def _environment(box: Sandbox) -> Iterator[str]:
    yield "--clearenv"
    for name, value in box.environment.items():
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is no variable name")
        yield from ("--setenv", name, value)
