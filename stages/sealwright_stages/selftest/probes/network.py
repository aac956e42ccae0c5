"""Ways out over a network, or to a listener of any kind."""

import contextlib
import fcntl
import os
import socket
import stat
import struct
from pathlib import Path

from sealwright_stages.selftest.probes.common import Bait, any_of, refuse

_SECONDS = 1.0
_SIOCSIFFLAGS = 0x8914
_NETLINK_GENERIC = 16
_SCTP, _DCCP, _SOCK_DCCP = 132, 33, 6
_QUERY = struct.pack("!6H", 0x5EA1, 0x0100, 1, 0, 0, 0) + b"\x06canary\x07invalid\x00" + struct.pack("!2H", 1, 1)


def tcp(bait: Bait) -> None:
    """Reach a listener on the host's loopback."""
    socket.create_connection(("127.0.0.1", bait.tcp), _SECONDS).close()


def tcp6(bait: Bait) -> None:
    """Reach one by IPv6."""
    socket.create_connection(("::1", bait.tcp6), _SECONDS).close()


def _ask(port: int, data: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_SECONDS)
        asking.connect(("127.0.0.1", port))
        asking.send(data)
        if asking.recv(512)[:2] != data[:2]:
            raise refuse("another's answer")


def udp(bait: Bait) -> None:
    """Have a datagram answered by the host."""
    _ask(bait.udp, b"sings?")


def dns(bait: Bait) -> None:
    """Ask a name server of the host."""
    _ask(bait.udp, _QUERY)


def icmp(_bait: Bait) -> None:
    """Make a socket for pings, or a raw one."""
    any_of(
        lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close(),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP).close(),
    )


def packet(_bait: Bait) -> None:
    """Make a packet socket. It sees all traffic."""
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()


def interfaces(_bait: Bait) -> None:
    """See any interface but loopback, by netlink."""
    if not [name for _, name in socket.if_nameindex() if name != "lo"]:
        raise refuse("loopback only")


def set_interface(_bait: Bait) -> None:
    """Set the flags of an interface, to what they are."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = bytearray(struct.pack("16sh22x", b"lo", 0))
        fcntl.ioctl(any_socket, 0x8913, request)  # SIOCGIFFLAGS
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, bytes(request))


def listeners(bait: Bait) -> None:
    """See the host's listeners in /proc/net."""
    if f":{bait.tcp:04X} ".encode() not in Path("/proc/net/tcp").read_bytes():
        raise refuse("the host's are not listed")


def vsock(_bait: Bait) -> None:
    """Make a socket to the hypervisor. No network namespace covers it."""
    socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).close()


def rare_sockets(_bait: Bait) -> None:
    """Make a socket of a rare family. Builds have no use for it, and kernels have had holes in them."""
    families = ("AF_ALG", "AF_CAN", "AF_TIPC", "AF_RDS", "AF_X25", "AF_AX25", "AF_KEY", "AF_BLUETOOTH")
    numbers = [getattr(socket, name) for name in families if hasattr(socket, name)]
    any_of(
        *(lambda n=number: socket.socket(n, socket.SOCK_RAW).close() for number in numbers),
        *(lambda n=number: socket.socket(n, socket.SOCK_SEQPACKET).close() for number in numbers),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, _SCTP).close(),
        lambda: socket.socket(socket.AF_INET6, _SOCK_DCCP, _DCCP).close(),
        lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_GENERIC).close(),
    )


def _reach(address: str) -> None:
    with socket.socket(socket.AF_UNIX) as local:
        local.settimeout(_SECONDS)
        local.connect(address)


def socket_path(bait: Bait) -> None:
    """Reach a local socket by its path on the host."""
    _reach(bait.socket)


def socket_abstract(bait: Bait) -> None:
    """Reach a local socket that has a name and no path."""
    _reach("\0" + bait.abstract)


def socket_found(_bait: Bait) -> None:
    """Look for any local socket in what can be seen, and reach it."""
    for folder, below, names in os.walk("/"):
        below[:] = [
            name for name in below if Path(folder, name) not in (Path("/proc"), Path("/usr"), Path("/sys"))
        ]
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                if stat.S_ISSOCK(path.lstat().st_mode):
                    _reach(str(path))
                    return
    raise refuse("there is none")
