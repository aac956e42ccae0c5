"""One client of the authority: its socket, what it sent so far, and what waits to be sent to it.

- Who a client is, the kernel tells (its uid); a bridge of that uid may add whom it carries.
- Sending never waits: a client that takes nothing while 64 MiB wait for it is dropped. What is made only as it is
  taken (an export, what a follower lacks) goes out at most 1 MiB at a time, so that the others have their turn.
- While 1 MiB waits for a client, it is not read: who takes no answers can't pile them up.
- A refused client is told why, and read no more; it is dropped when it goes or after two seconds.
- Who has not said hello after ten seconds is refused, and so is who comes when there are too many.
"""

from __future__ import annotations

import base64
import contextlib
import selectors
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sealwright_appendlog.frames import CLIENT_TYPES, Decoder, frame
from sealwright_appendlog.handed import Handed
from sealwright_appendlog.tree import ProofError

MOST_CLIENTS = 400
"""Each may need two descriptors, and 1,024 is what a process has where nobody raised it."""
HELLO_SECONDS = 10.0
_MOST = 64 << 20
_GRACE = 2.0
_BLOCK = 1 << 18
_TURN = 1 << 20


class Refused(Exception):  # noqa: N818 - it is the protocol's word for it
    """A client is refused; the sentence goes to it and into the log."""


@dataclass(eq=False)
class Client:
    """A connection; `chunk` is output that no record names yet, `waiting` are lines to send with their ack."""

    sock: socket.socket
    uid: int
    src: str
    decoder: Decoder = field(default_factory=lambda: Decoder(CLIENT_TYPES))
    stream: str = ""
    channel: str = "D"
    chunk: bytearray = field(default_factory=bytearray)
    waiting: list[bytes] = field(default_factory=list)
    dirty: bool = False
    durable: int = 0
    finished: bool = False
    heard_at: float = 0.0
    pinged: bool = False
    seen: int = 0
    follows: bool = False
    refused_at: float = 0.0
    out: bytearray = field(default_factory=bytearray)
    supply: Iterator[bytes] | None = None
    early: bytes = b""
    came: float = field(default_factory=time.monotonic)

    @classmethod
    def accept(cls, listener: socket.socket | Handed) -> Client:
        """Take the next connection; `early` is what it said to a host that handed it on.

        Raises:
            HostGone: there will be none any more.
            OSError: there is none now.
        """
        if isinstance(listener, Handed):
            sock, early = listener.accept()
        else:
            (sock, _), early = listener.accept(), b""
        sock.setblocking(False)
        _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return cls(sock, uid, f"uid:{uid}", early=early)

    @property
    def live(self) -> bool:
        """Whether it holds its stream open."""
        return bool(self.stream) and not self.finished

    def checkpoint(self, note: str, consistency: Callable[[int], list[bytes]]) -> bytes:
        """The payload of a `C` frame with the checkpoint published last, and the proof that it continues the one that
        this client saw before.
        """
        old, proof = self.seen, []
        try:
            proof = consistency(old) if old else []
        except ProofError:
            old = 0  # it saw more than there is; the note itself is the proof of that
        hashes = "".join(base64.b64encode(value).decode() + "\n" for value in proof)
        self.seen = int(note.split("\n", 2)[1])
        return f"old {old}\n{hashes}\n{note}".encode()

    def identify(self, payload: bytes) -> None:
        """Take what a bridge says of the client that it carries.

        Raises:
            Refused: it is not printable, or comes too late.
        """
        try:
            who = payload.decode("ascii")
        except UnicodeDecodeError:
            who = ""
        if (
            self.stream
            or " " in self.src
            or not 1 <= len(who) <= 100
            or not who.isprintable()
            or set(who) & set('"\\')
        ):
            raise Refused("not an identity, or not the first frame")
        self.src = f"{self.src} {who}"

    @property
    def owed(self) -> bool:
        """Whether it is to be told when what it sent is durable."""
        return bool(self.waiting) or self.dirty

    def take_due(self, total: int) -> Due:
        """What it is to be told of the batch that begins, by which its stream has `total` bytes."""
        due = Due(self, self.waiting, max(self.durable, total), self.dirty)
        self.waiting, self.dirty = [], False
        return due

    def receive(self) -> bytes | None:
        """What came: empty at the end, None if nothing."""
        try:
            return self.sock.recv(_BLOCK)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def say(self, kind: str, payload: bytes = b"") -> None:
        """Queue one frame."""
        self.out += frame(kind, payload)

    def supply_from(self, frames: Iterator[bytes]) -> None:
        """Send these frames as the client takes them."""
        self.supply = frames

    def send(self) -> bool:
        """Send what the client takes now. False: it is gone, or takes nothing."""
        left = _TURN
        try:
            while self.out or self._refill():
                if left <= 0 and self.supply is not None:
                    return True  # the others' turn
                sent = self.sock.send(memoryview(self.out)[:_BLOCK])
                del self.out[:sent]
                left -= sent
        except BlockingIOError:
            return len(self.out) < _MOST
        except OSError:
            return False
        if self.refused_at:
            with contextlib.suppress(OSError):
                self.sock.shutdown(socket.SHUT_WR)
        return True

    def refuse(self, why: str) -> None:
        """Tell the client why, and take nothing more from it."""
        self.say("R", why.encode("utf-8", "replace")[:1000])
        self.supply = None
        self.refused_at = time.monotonic()

    def silent_since(self, then: float) -> bool:
        """Whether it has said nothing since then, though it pings."""
        if not self.pinged or self.heard_at > then:
            return False
        try:
            return not self.sock.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    @property
    def interest(self) -> int:
        """What its socket is watched for."""
        writes = selectors.EVENT_WRITE if self.out or self.supply is not None else 0
        return writes | (selectors.EVENT_READ if len(self.out) <= _TURN else 0)

    def silent(self, now: float) -> bool:
        """Whether its time to say hello is over."""
        return not self.stream and not self.refused_at and now - self.came > HELLO_SECONDS

    def overdue(self, now: float) -> bool:
        """Whether a refused client had its time to read why."""
        return bool(self.refused_at) and now - self.refused_at > _GRACE

    def _refill(self) -> bool:
        while self.supply is not None and len(self.out) < _BLOCK:
            following = next(self.supply, None)
            if following is None:
                self.supply = None
            else:
                self.out += following
        return bool(self.out)


@dataclass
class Due:
    """What a client is told when the batch in flight is durable."""

    client: Client
    lines: list[bytes]
    total: int
    output: bool

    def tell(self, durable: int) -> None:
        """Queue it; `durable` is the last record that is."""
        self.client.durable = self.total
        for line in self.lines:
            self.client.say("A", b"%d %d\n%s" % (durable, self.total, line))
        if self.output and not self.lines:
            self.client.say("A", b"%d %d" % (durable, self.total))
