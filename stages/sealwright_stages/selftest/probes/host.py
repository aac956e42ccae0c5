"""Ways to the host's files, processes and terminals, and to what the starting process had."""

import ctypes
import errno
import fcntl
import os
import pty
import signal
import struct
import subprocess
from pathlib import Path

from sealwright_stages.selftest.probes.common import LIBC, Bait, any_of, call, checked, open_one, refuse

_TIOCSTI, _TIOCLINUX, _TIOCSETD, _TIOCSCTTY = 0x5412, 0x541C, 0x5423, 0x540E
_N_NULL = 27
_PTRACE_ATTACH, _PTRACE_DETACH = 16, 17
_SETUID = ("su", "sudo", "passwd", "mount", "umount", "newgrp", "chfn", "chsh", "gpasswd", "ping", "pkexec")


def host_file(bait: Bait) -> None:
    """Read a file of the host that everybody may read."""
    Path(bait.file).read_bytes()


def other_component(bait: Bait) -> None:
    """Read the sources of another component, by its path or beside our own."""
    any_of(
        lambda: Path(bait.other).read_bytes(),
        lambda: Path("/sources/../other/secret").read_bytes(),
        lambda: Path("/proc/1/cwd/../other/secret").read_bytes(),
    )


def descriptor(bait: Bait) -> None:
    """Find the caller's descriptor, or any beside the three standard ones."""
    any_of(*(lambda number=number: os.fstat(number) for number in (bait.fd, *range(3, 256))))


def environment(_bait: Bait) -> None:
    """Find a variable that the caller had."""
    if "SEALWRIGHT_CANARY" not in os.environ:
        raise refuse("not there")


def kernel_log(_bait: Bait) -> None:
    """Read the kernel's messages."""
    any_of(
        lambda: call("syslog", 10, None, 0),
        lambda: open_one(["/dev/kmsg", "/proc/kmsg"], os.O_RDONLY),
    )


def kernel_keys(_bait: Bait) -> None:
    """Read the kernel's keys, command line or symbols."""
    any_of(*(lambda n=name: Path("/proc", n).read_bytes() for name in ("keys", "cmdline", "kallsyms")))


def _canary(bait: Bait) -> None:
    if bait.token.encode() not in Path(f"/proc/{bait.pid}/cmdline").read_bytes():
        raise refuse("another process has its number")


def list_outside(bait: Bait) -> None:
    """See a process outside."""
    _canary(bait)


def signal_outside(bait: Bait) -> None:
    """Signal a process outside."""
    _canary(bait)
    os.kill(bait.pid, 0)


def pidfd_outside(bait: Bait) -> None:
    """Signal a process outside by a descriptor of it."""
    _canary(bait)
    call("pidfd_send_signal", call("pidfd_open", bait.pid, 0), 0, None, 0)


def trace_outside(bait: Bait) -> None:
    """Trace a process outside."""
    _canary(bait)
    checked(LIBC.ptrace(_PTRACE_ATTACH, bait.pid, None, None), "ptrace")
    os.waitpid(bait.pid, 0x40000000)
    LIBC.ptrace(_PTRACE_DETACH, bait.pid, None, None)


def memory_outside(bait: Bait) -> None:
    """Read the memory of a process outside."""
    _canary(bait)
    start = int(Path(f"/proc/{bait.pid}/maps").read_text(encoding="ascii").split("-", 1)[0], 16)
    buffer = ctypes.create_string_buffer(4)
    ours = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 4)
    theirs = (ctypes.c_size_t * 2)(start, 4)
    call("process_vm_readv", bait.pid, ours, ctypes.c_long(1), theirs, ctypes.c_long(1), ctypes.c_long(0))


def root_outside(bait: Bait) -> None:
    """Reach the host's files through the root of a process outside."""
    any_of(*(lambda pid=pid: Path(f"/proc/{pid}/root{bait.file}").read_bytes() for pid in (1, bait.pid)))


def gain_by_setuid(_bait: Bait) -> None:
    """Gain another uid by a setuid program. The loader of one that gained never shows its auxiliary vector."""
    for name in _SETUID:
        path = Path("/usr/bin", name)
        if not path.is_file() or not path.stat().st_mode & 0o4000:
            continue
        done = subprocess.run(
            [str(path), "--version"], env={"LD_SHOW_AUXV": "1"}, capture_output=True, timeout=5, check=False
        )
        if b"AT_SECURE" not in done.stdout:
            return
    raise refuse("none gains")


def capabilities(_bait: Bait) -> None:
    """Find a capability."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    held = [line.split()[1] for line in lines if line.startswith(("CapEff", "CapPrm", "CapBnd"))]
    if not any(int(word, 16) for word in held):
        raise refuse("none")


def _own_terminal() -> int:
    _master, slave = pty.openpty()
    if os.getpid() != os.getsid(0):
        os.setsid()
    fcntl.ioctl(slave, _TIOCSCTTY, 0)
    return slave


def type_in(_bait: Bait) -> None:
    """Type into a terminal of our own. A plain machine allows it."""
    fcntl.ioctl(_own_terminal(), _TIOCSTI, b"x")


def type_in_wide(_bait: Bait) -> None:
    """Type into it by a request with more bits. The kernel throws the upper half away; a filter may not."""
    request = ctypes.c_ulong(_TIOCSTI | 1 << 40)
    checked(LIBC.ioctl(_own_terminal(), request, ctypes.c_char_p(b"x")), "ioctl")


def _of_the_driver(request: int, argument: bytes) -> None:
    """Ask our own terminal's driver. That it refuses in its own words shows that the request came through."""
    try:
        fcntl.ioctl(_own_terminal(), request, argument)
    except OSError as error:
        if error.errno == errno.EPERM:
            raise
        if error.errno not in (errno.ENOTTY, errno.EINVAL):
            raise RuntimeError(f"neither the filter's word nor the driver's: {error}") from error


def paste(_bait: Bait) -> None:
    """Get a request to paste through to the terminal's driver."""
    _of_the_driver(_TIOCLINUX, b"\x03")


def line_discipline(_bait: Bait) -> None:
    """Set another line discipline, for which a module may be loaded. It is the one that does nothing."""
    _of_the_driver(_TIOCSETD, struct.pack("i", _N_NULL))


def controlling_terminal(_bait: Bait) -> None:
    """Open the terminal of whoever started the sandbox."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.close(os.open("/dev/tty", os.O_RDWR))


def host_terminal(bait: Bait) -> None:
    """Open a terminal or console of the host."""
    open_one([bait.pty, "/dev/console", "/dev/tty0", "/dev/tty1"], os.O_RDWR)


def system_write(_bait: Bait) -> None:
    """Write to the root, /usr, /dev, /etc or the sources."""
    any_of(*(lambda name=name: _create(name) for name in ("/", "/usr", "/dev", "/sources", "/etc")))


def preload(_bait: Bait) -> None:
    """Have the loader of every later program load something of ours."""
    any_of(*(lambda name=name: _create("/etc", name) for name in ("ld.so.preload", "ld.so.cache.new")))


def _create(folder: str, name: str = "sealwright-probe") -> None:
    path = Path(folder, name)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    path.unlink()
