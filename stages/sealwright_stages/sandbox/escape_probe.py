"""Runs inside the sandbox and tries one way out: python3 -c THIS NAME FILE PORT PID FD.

Exit 0: it got out. Exit 10: it was held. Anything else: the attempt itself is broken. Imports nothing of ours.
"""

import ctypes
import fcntl
import mmap
import os
import pty
import socket
import sys
from pathlib import Path
from typing import NamedTuple

HELD = 10
LIBC = ctypes.CDLL(None, use_errno=True)
CALLS = {  # x86-64 and the generic table that newer architectures share
    "x86_64": {"keyctl": 250, "add_key": 248, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323},
    "other": {"keyctl": 219, "add_key": 217, "bpf": 280, "perf_event_open": 241, "userfaultfd": 282},
}
NEWUSER = 0x10000000
TIOCSTI = 0x5412
SCRATCH = Path("/tmp")  # noqa: S108 - the sandbox's own


class Bait(NamedTuple):
    """What the caller set out: a file's path, a port, a process, a descriptor."""

    file: str
    port: int
    pid: int
    fd: int


def call(name: str, *arguments: object) -> None:
    """Make a system call by number; a call that is unknown to the kernel counts as held."""
    table = CALLS["x86_64" if os.uname().machine == "x86_64" else "other"]
    number = {"io_uring_setup": 425}.get(name) or table[name]
    if LIBC.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def network(bait: Bait) -> None:
    """Reach a listener on the host's loopback, or find any interface but loopback."""
    if [name for _, name in socket.if_nameindex() if name != "lo"]:
        return
    socket.create_connection(("127.0.0.1", bait.port), 2).close()


def host_file(bait: Bait) -> None:
    """Read a file of the host that everybody may read."""
    Path(bait.file).read_bytes()


def inherited_descriptor(bait: Bait) -> None:
    """Find the caller's descriptor, or any beside the three standard ones."""
    for number in {bait.fd, *range(3, 256)}:
        try:
            os.fstat(number)
        except OSError:
            continue
        return
    raise OSError("none")


def environment(_bait: Bait) -> None:
    """Find a variable that the caller had."""
    if "SEALWRIGHT_CANARY" not in os.environ:
        raise OSError("not there")


def kill_outside(bait: Bait) -> None:
    """Signal the process that started the sandbox."""
    os.kill(bait.pid, 0)


def user_namespace(_bait: Bait) -> None:
    """Become root of a new user namespace."""
    if LIBC.unshare(NEWUSER) < 0:
        raise OSError(ctypes.get_errno(), "unshare")


def kernel_setting(_bait: Bait) -> None:
    """Open the host's core_pattern for writing."""
    os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))


def kernel_keys(_bait: Bait) -> None:
    """Read the list of kernel keys, or the kernel's command line."""
    for name in ("/proc/keys", "/proc/cmdline"):
        try:
            Path(name).read_bytes()
        except OSError:
            continue
        return
    raise OSError("masked")


def keyring(_bait: Bait) -> None:
    """Use the kernel's keyrings."""
    call("keyctl", 0, -3, 1)


def io_uring(_bait: Bait) -> None:
    """Set up io_uring."""
    call("io_uring_setup", 1, ctypes.create_string_buffer(256))


def userfaultfd(_bait: Bait) -> None:
    """Make a userfaultfd."""
    call("userfaultfd", 1)


def terminal(_bait: Bait) -> None:
    """Type into a terminal of our own, which a plain machine allows."""
    _master, slave = pty.openpty()
    if os.getpid() != os.getsid(0):
        os.setsid()
    fcntl.ioctl(slave, 0x540E, 0)  # take it as controlling terminal
    fcntl.ioctl(slave, TIOCSTI, b"x")


def controlling_terminal(_bait: Bait) -> None:
    """Open the terminal of whoever started the sandbox."""
    os.close(os.open("/dev/tty", os.O_RDWR))


def virtual_machine(_bait: Bait) -> None:
    """Make a socket to the hypervisor, which no network namespace covers."""
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()


def system_write(_bait: Bait) -> None:
    """Create a file in the root, in /usr or in /dev."""
    for folder in ("/", "/usr", "/dev", "/sources", "/etc"):
        try:
            os.close(os.open(folder + "/sealwright-probe", os.O_CREAT | os.O_WRONLY))
        except OSError:
            continue
        Path(folder, "sealwright-probe").unlink()
        return
    raise OSError("refused")


def mount(_bait: Bait) -> None:
    """Mount a tmpfs."""
    if LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None) < 0:
        raise OSError(ctypes.get_errno(), "mount")


def device(_bait: Bait) -> None:
    """Make a device node of the first disk."""
    os.mknod(SCRATCH / "disk", 0o60600, os.makedev(8, 0))


def capabilities(_bait: Bait) -> None:
    """Find a capability."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    held = [line.split()[1] for line in lines if line.startswith(("CapEff", "CapPrm", "CapBnd"))]
    if not any(int(word, 16) for word in held):
        raise OSError("none")


def processes(_bait: Bait) -> None:
    """Make more processes than allowed (64 here)."""
    for _ in range(200):
        if os.fork() == 0:
            os._exit(0)  # it counts until its parent asks how it ended, which this one never does


def memory(_bait: Bait) -> None:
    """Take more memory than allowed (256 MiB here)."""
    try:
        mmap.mmap(-1, 400 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (MemoryError, OSError) as error:
        raise OSError("refused") from error


def hidden_memory(_bait: Bait) -> None:
    """Take memory that no process shows: a file without a name, or a System V segment."""
    takers = (lambda: os.memfd_create("hidden"), lambda: LIBC.shmget(0, 1 << 20, 0o1600))
    for take in takers:
        try:
            taken = take()
        except OSError:
            continue
        if taken >= 0:
            return
    raise OSError("refused")


def large_file(_bait: Bait) -> None:
    """Make a sparse file larger than allowed."""
    with (SCRATCH / "sparse").open("wb") as stream:
        stream.truncate(1 << 40)


def fill_scratch(_bait: Bait) -> None:
    """Write more into /tmp than it holds (16 MiB here)."""
    with (SCRATCH / "full").open("wb") as stream:
        for _ in range(64):
            stream.write(bytes(1 << 20))


def main() -> None:
    """Try the one that is named."""
    name, file, port, pid, fd = sys.argv[1:]
    attempt = globals()[name]
    try:
        attempt(Bait(file, int(port), int(pid), int(fd)))
    except (OSError, MemoryError) as error:
        print(f"held: {error}", flush=True)
        os._exit(HELD)
    print("got out", flush=True)
    os._exit(0)


main()
