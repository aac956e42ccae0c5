"""Makes real logs for the tests: a store in a fresh folder, a sealed example, and an authority in a thread."""

from __future__ import annotations

import itertools
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_appendlog.authority import Authority
from sealwright_appendlog.frames import AUTHORITY_TYPES, Decoder, frame
from sealwright_appendlog.stamps import Clock
from sealwright_appendlog.store import Store, StoreError

ORIGIN = "example.org/log/1"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


_LATER = itertools.count(1)


class Times:
    """A clock that goes a millisecond further at each look, and can be stepped; each one begins an hour later."""

    def __init__(self) -> None:
        begun = next(_LATER) * 3600 * 10**9
        self.wall_ns = 1_699_920_000_000_000_000 + begun
        self.up_ns = begun
        self.boot = "00c0ffee"

    def clock(self) -> Clock:
        def wall() -> int:
            self.wall_ns += 1_000_000
            return self.wall_ns

        def up() -> int:
            self.up_ns += 1_000_000
            return self.up_ns

        return Clock(wall, up, self.boot)


def new_store(path: Path, times: Times | None = None) -> Store:
    """The store at `path`, begun or opened again."""
    path.mkdir(exist_ok=True)
    return Store(KEY, ORIGIN, path, (times or Times()).clock())


def fill(store: Store, events: int = 300, chunks: int = 5) -> None:
    """Some events and two streams of output."""
    for number in range(events):
        store.event("engine", {"e": "made.up", "number": number}, "uid:0")
    for stream in ("build/xen", "evidence/1-1"):
        for number in range(chunks):
            store.data(stream, "DE"[number % 2], bytes([number]) * (1000 + number), "uid:0")
        store.eof(stream, clean=True, exit_status=0, src="uid:0")
    store.commit()


def seal(store: Store) -> None:
    """Seal as the authority does."""
    store.eof("engine", clean=True, exit_status=0, src="uid:0")
    store.commit()
    store.seal("uid:0", store.hash_segments())


def sealed_log(path: Path, events: int = 300, chunks: int = 5) -> Path:
    """A sealed log at `path`."""
    store = new_store(path)
    fill(store, events, chunks)
    seal(store)
    return path


@dataclass
class RawClient:
    """Speaks frames to an authority, right or wrong."""

    sock: socket.socket
    decoder: Decoder = field(default_factory=lambda: Decoder(AUTHORITY_TYPES))
    got: list[tuple[str, bytes]] = field(default_factory=list)

    def say(self, kind: str, payload: bytes = b"") -> None:
        self.sock.sendall(frame(kind, payload))

    def hello(self, stream: str, more: str = "") -> None:
        self.say("H", f'{{"format":1,"stream":"{stream}"{more}}}'.encode())

    def wait(self, kind: str) -> bytes:
        """The payload of the next frame of this kind; others are passed over.

        Raises:
            EOFError: the authority closed before.
        """
        while True:
            for at, (found, payload) in enumerate(self.got):
                if found == kind:
                    del self.got[: at + 1]
                    return payload
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError(kind)
            self.got += self.decoder.feed(data)

    def wait_line(self) -> bytes:
        """The record line of the next acknowledgement that has one."""
        while b"\n" not in (payload := self.wait("A")):
            pass
        return payload.partition(b"\n")[2]

    def close(self) -> None:
        self.sock.close()


@dataclass
class Served:
    """An authority that serves in a thread."""

    authority: Authority
    socket_path: Path
    errors: list[Exception] = field(default_factory=list)
    clients: list[RawClient] = field(default_factory=list)

    def client(self) -> RawClient:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(10)
        sock.connect(str(self.socket_path))
        self.clients.append(RawClient(sock))
        return self.clients[-1]


@contextmanager
def serving(store: Store, allowed: frozenset[int] | None = None) -> Iterator[Served]:
    """Serve `store` while the block runs."""
    import os

    with tempfile.TemporaryDirectory() as nest:
        path = Path(nest) / "log"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(path))
        listener.listen(16)
        served = Served(Authority(store, listener, None, allowed or {os.getuid()}), path)

        def run() -> None:
            try:
                served.authority.serve()
            except StoreError as error:
                served.errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield served
        finally:
            served.authority.stopped = True
            thread.join(10)
            for client in served.clients:
                client.close()
            listener.close()
