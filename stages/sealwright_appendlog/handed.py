"""Connections that a host hands on: the host's end of the channel, and the end of the authority of one log.

- A connection goes over with the bytes that it said so far; the kernel still tells whose it is.
- An authority without clients tells how many connections it took; to the host it is idle only if it sent no more.
- The end of the channel is the end of the authority.
"""

from __future__ import annotations

import contextlib
import socket
import time

from sealwright_appendlog.frames import frame

EARLY = 8192
"""How many bytes a connection may say before its log is known."""


class HostGone(Exception):  # noqa: N818 - it is what happened
    """Nobody hands on connections any more."""


class Handed:
    """Stands in for a listening socket, at the end of the authority."""

    def __init__(self, descriptor: int) -> None:
        self._channel = socket.socket(fileno=descriptor)
        self._taken = self._told = 0

    def fileno(self) -> int:
        """The channel's descriptor."""
        return self._channel.fileno()

    def setblocking(self, on: bool) -> None:
        """As a socket's."""
        self._channel.setblocking(on)

    def close(self) -> None:
        """Let go of the channel."""
        self._channel.close()

    def accept(self) -> tuple[socket.socket, bytes]:
        """The next connection, and what it said so far.

        Raises:
            HostGone: there will be none any more.
            OSError: there is none now.
        """
        early, descriptors, _, _ = socket.recv_fds(self._channel, EARLY + 4096, 1)
        if not early:
            raise HostGone
        self._taken += 1
        if not descriptors:
            raise OSError("this process has no descriptor left for it")
        return socket.socket(fileno=descriptors[0]), early

    def refuse_all(self, why: str) -> None:
        """Tell whoever was handed on already that there will be no log."""
        self.setblocking(False)
        with contextlib.suppress(OSError, HostGone):
            while True:
                with self.accept()[0] as sock:
                    sock.sendall(frame("R", why.encode("utf-8", "replace")[:1000]))

    def tell_idle(self) -> None:
        """Tell the host once that nobody is here any more."""
        if self._told != self._taken:
            with contextlib.suppress(OSError):  # the host is gone, or has enough to read
                self._channel.send(b"%d" % self._taken)
                self._told = self._taken


class Channel:
    """The host's end of the channel to the authority of one log."""

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._handed = 0
        self._taken = -1
        self.idle_since = 0.0
        """When the authority said last that nobody was there, on the monotonic clock."""

    def fileno(self) -> int:
        """The descriptor, to be watched."""
        return self._ours.fileno()

    def hand_on(self, sock: socket.socket, early: bytes) -> None:
        """Hand on a connection, which is the host's no more.

        Raises:
            BlockingIOError: the authority has enough to take for now.
            OSError: it is gone.
        """
        socket.send_fds(self._ours, [early], [sock.fileno()])
        self._handed += 1
        sock.close()

    @property
    def idle(self) -> bool:
        """Whether nobody is there, and nobody is on the way."""
        return self._taken == self._handed

    def ended(self) -> bool:
        """Read what the authority says: whether it is gone."""
        try:
            said = self._ours.recv(64)
        except BlockingIOError:
            return False
        except OSError:
            return True
        if said:
            self._taken, self.idle_since = int(said), time.monotonic()
        return not said

    def close(self) -> None:
        """Let go, which ends the authority."""
        self._ours.close()
