"""Ways out through the kernel: mounts, devices, namespaces, settings, and calls with a history of holes."""

import ctypes
import mmap
import os
import signal
import struct
from pathlib import Path

from sealwright_stages.selftest.probes.common import (
    LIBC,
    NEWUSER,
    SCRATCH,
    Bait,
    any_of,
    call,
    checked,
    open_one,
    reap,
)

_MS_REMOUNT, _MS_BIND = 32, 4096
_NEWUTS = 0x04000000
_SESSION = -3
_TYPE_SOFTWARE, _EXCLUDE_KERNEL_AND_HYPERVISOR = 1, 0x60
_FOREIGN_GETPID = b"\xb8\x14\x00\x00\x00\xcd\x80\xc3"  # mov eax, 20; int 0x80; ret


def mount(_bait: Bait) -> None:
    """Mount a tmpfs."""
    checked(LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None), "mount")


def mount_new(_bait: Bait) -> None:
    """Open a file system by the newer calls."""
    os.close(call("fsopen", b"tmpfs", 0))


def mount_tree(_bait: Bait) -> None:
    """Clone the tree of mounts by the newer calls."""
    os.close(call("open_tree", -100, b"/", 1))


def unmount(_bait: Bait) -> None:
    """Take a mask off /proc."""
    any_of(*(lambda n=n: checked(LIBC.umount2(n, 2), "umount") for n in (b"/proc/keys", b"/proc/sys", b"/tmp")))


def remount(_bait: Bait) -> None:
    """Make the read-only /usr writable."""
    checked(LIBC.mount(b"none", b"/usr", None, _MS_REMOUNT | _MS_BIND, None), "remount")


def pivot_root(_bait: Bait) -> None:
    """Exchange the root. The old one would be left below it."""
    os.chdir("/tmp")  # noqa: S108 - the sandbox's own
    call("pivot_root", b".", b".")


def change_root(_bait: Bait) -> None:
    """Change the root folder. A second call climbs out."""
    os.chroot("/tmp")  # noqa: S108 - the sandbox's own


def device(_bait: Bait) -> None:
    """Make a device node."""
    path = SCRATCH / f"sealwright-null-{os.getpid()}"
    os.mknod(path, 0o20600, os.makedev(1, 3))
    path.unlink()


def raw_memory(_bait: Bait) -> None:
    """Open the machine's memory, ports or registers."""
    names = ("/dev/mem", "/dev/port", "/dev/kmem", "/proc/kcore", "/dev/cpu/0/msr", "/dev/cpu_dma_latency")
    open_one(list(names), os.O_RDONLY)


def raw_disk(_bait: Bait) -> None:
    """Open a disk of the machine."""
    disks = ("vda", "sda", "nvme0n1", "xvda", "dm-0", "mmcblk0", "loop0")
    open_one([f"/dev/{name}" for name in disks], os.O_RDONLY)


def loop_device(_bait: Bait) -> None:
    """Open the switch of loop devices."""
    open_one(["/dev/loop-control"], os.O_RDWR)


def fuse(_bait: Bait) -> None:
    """Open the door of file systems in user space."""
    open_one(["/dev/fuse"], os.O_RDWR)


def virtual_machine(_bait: Bait) -> None:
    """Open the door of virtual machines."""
    open_one(["/dev/kvm"], os.O_RDWR)


def unshare_user(_bait: Bait) -> None:
    """Become root of a new user namespace."""
    checked(LIBC.unshare(NEWUSER), "unshare")


def clone_user(_bait: Bait) -> None:
    """Become it by clone. No filter of names covers that."""
    if (child := call("clone", ctypes.c_ulong(NEWUSER | signal.SIGCHLD), None, None, None, None)) == 0:
        os._exit(0)
    reap(child)


def clone3_user(_bait: Bait) -> None:
    """Become it by clone3. No filter can read its flags."""
    arguments = struct.pack("11Q", NEWUSER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
    if (child := call("clone3", ctypes.create_string_buffer(arguments, 88), ctypes.c_size_t(88))) == 0:
        os._exit(0)
    reap(child)


def join_namespace(_bait: Bait) -> None:
    """Join a namespace by its file."""
    own = os.open("/proc/self/ns/uts", os.O_RDONLY)
    checked(LIBC.setns(own, _NEWUTS), "setns")


def setting(_bait: Bait) -> None:
    """Write a setting by which the kernel starts a program as root. It is opened only."""
    names = ("kernel/core_pattern", "kernel/modprobe", "kernel/hotplug", "fs/binfmt_misc/register")
    open_one([f"/proc/sys/{name}" for name in names], os.O_WRONLY)


def trigger(_bait: Bait) -> None:
    """Open the kernel's emergency switches."""
    open_one(["/proc/sysrq-trigger", "/proc/sys/kernel/sysrq", "/proc/sys/vm/drop_caches"], os.O_WRONLY)


def control_group(_bait: Bait) -> None:
    """Leave our control group, or name a program to run when it is empty."""
    names = [str(path) for path in Path("/sys/fs/cgroup").glob("*/release_agent")]
    kinds = [str(path) for path in Path("/sys/fs/cgroup").glob("*/cgroup.procs")]
    open_one([*names, *kinds, "/sys/fs/cgroup/cgroup.procs"], os.O_WRONLY)


def uevent(_bait: Bait) -> None:
    """Name a program that the kernel runs when a device comes. It is opened only."""
    open_one(["/sys/kernel/uevent_helper", "/sys/power/state"], os.O_WRONLY)


def io_uring(_bait: Bait) -> None:
    """Set up io_uring."""
    call("io_uring_setup", 1, ctypes.create_string_buffer(256))


def userfaultfd(_bait: Bait) -> None:
    """Make a userfaultfd."""
    call("userfaultfd", 1)


def keyring(_bait: Bait) -> None:
    """Use the kernel's keyrings."""
    call("keyctl", 0, _SESSION, 1)


def add_key(_bait: Bait) -> None:
    """Leave a key in a keyring of the kernel. It is one of this thread's own."""
    call("add_key", b"user", b"sealwright-canary", b"x", ctypes.c_size_t(1), -1)


def bpf(_bait: Bait) -> None:
    """Make a BPF map."""
    call("bpf", 0, ctypes.create_string_buffer(struct.pack("5I", 2, 4, 4, 1, 0), 72), 72)


def perf(_bait: Bait) -> None:
    """Measure ourselves with the kernel's counters."""
    attributes = struct.pack("2I4QQ", _TYPE_SOFTWARE, 112, 0, 0, 0, 0, _EXCLUDE_KERNEL_AND_HYPERVISOR)
    call("perf_event_open", ctypes.create_string_buffer(attributes, 112), 0, -1, -1, ctypes.c_ulong(0))


def compare(_bait: Bait) -> None:
    """Compare kernel objects of two processes."""
    call("kcmp", os.getpid(), os.getpid(), 0, ctypes.c_ulong(0), ctypes.c_ulong(0))


def handle(_bait: Bait) -> None:
    """Name a file by a handle, which knows no mounts."""
    buffer = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 136)
    call("name_to_handle_at", -100, b"/", buffer, ctypes.byref(ctypes.c_int()), 0)


def clock_rate(_bait: Bait) -> None:
    """Tune the machine's clock. It is only asked."""
    call("adjtimex", ctypes.create_string_buffer(256))


def clock_set(_bait: Bait) -> None:
    """Set the machine's clock. It is asked to set nothing."""
    call("settimeofday", None, None)


def old_asynchronous(_bait: Bait) -> None:
    """Set up asynchronous I/O of the old kind. The machine has a number of these for all together."""
    context = ctypes.c_ulong(0)
    call("io_setup", 1, ctypes.byref(context))
    call("io_destroy", context)


def foreign_calls(_bait: Bait) -> None:
    """Make a call of the older architecture. A filter may not know its numbers."""
    if os.uname().machine != "x86_64":
        raise OSError("there is none")
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(_FOREIGN_GETPID)
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    if ctypes.CFUNCTYPE(ctypes.c_int)(address)() != os.getpid():
        raise OSError("it is not answered")
