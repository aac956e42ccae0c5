"""The log authority's loop: many clients on one socket, one writer, one thread.

- What a client says never decides who it is: `src` is the peer's uid, as the kernel tells it.
- One stream is open once at a time; `engine` too. A stream that ends without `F` is recorded as unclean.
- An event is committed at once, output within 100 ms or 512 KiB; a chunk closes at 64 KiB.
- A malformed frame is recorded as `rej`, answered with the reason, and ends that client only.
- A write error ends the authority: every client is told, and nothing more is acknowledged.
- It ends by itself when its owner's end of the lifeline is closed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import selectors
import socket
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_appendlog import layout, record
from sealwright_appendlog.frames import CLIENT_TYPES, MAX_PAYLOAD, Decoder, FrameError, frame
from sealwright_appendlog.store import Store, StoreError
from sealwright_appendlog.tree import ProofError

CHUNK = 1 << 16
BATCH_BYTES = 512 << 10  # half of a client's window, so that no client ever waits for the clock
BATCH_SECONDS = 0.1
CHECKPOINT_SECONDS = 1.0


class Refused(Exception):  # noqa: N818 - it is the protocol's word for it
    """A client is refused; the sentence goes to it and into the log."""


@dataclass(eq=False)
class _Client:
    sock: socket.socket
    src: str
    decoder: Decoder = field(default_factory=lambda: Decoder(CLIENT_TYPES))
    stream: str = ""
    channel: str = "D"
    chunk: bytearray = field(default_factory=bytearray)
    out: bytearray = field(default_factory=bytearray)
    waiting: list[bytes] = field(default_factory=list)
    dirty: bool = False
    finished: bool = False


class Authority:
    """Serves `store` on a listening unix socket until `lifeline` (a file descriptor) ends."""

    def __init__(self, store: Store, listener: socket.socket, lifeline: int | None) -> None:
        self.store = store
        self.listener = listener
        self.lifeline = lifeline
        self.clients: set[_Client] = set()
        self.watch = selectors.DefaultSelector()
        self.watch.register(listener, selectors.EVENT_READ, None)
        if lifeline is not None:
            self.watch.register(lifeline, selectors.EVENT_READ, None)
        self._pending_since = 0.0
        self._pending_bytes = 0
        self._urgent = False
        self._checkpointed = time.monotonic()
        self._published = store.next_n

    def serve(self) -> None:
        """Serve until the lifeline ends.

        Raises:
            StoreError: the log can't be written any more; every client was told.
        """
        try:
            while self._turn():
                pass
        except StoreError as error:
            for client in self.clients:
                with contextlib.suppress(OSError):
                    client.sock.sendall(frame("R", str(error).encode()))
            raise
        for client in list(self.clients):
            self._drop(client)
        if not self.store.sealed:
            self.store.commit()
            self.store.publish()

    def _turn(self) -> bool:
        for key, mask in self.watch.select(BATCH_SECONDS / 2):
            if key.fileobj is self.listener:
                self._accept()
            elif key.fd == self.lifeline and key.data is None:
                return False
            elif key.data in self.clients:
                if mask & selectors.EVENT_WRITE:
                    self._send(key.data)
                if mask & selectors.EVENT_READ:
                    self._receive(key.data)
        now = time.monotonic()
        old = self._pending_since and now - self._pending_since >= BATCH_SECONDS
        if self._urgent or old or self._pending_bytes >= BATCH_BYTES:
            self._commit()
        if now - self._checkpointed >= CHECKPOINT_SECONDS and self._published != self.store.next_n:
            self._checkpoint()
        return True

    # -- clients ----------------------------------------------------------------------------------------

    def _accept(self) -> None:
        sock, _ = self.listener.accept()
        sock.setblocking(False)
        _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        client = _Client(sock, f"uid:{uid}")
        self.clients.add(client)
        self.watch.register(sock, selectors.EVENT_READ, client)

    def _receive(self, client: _Client) -> None:
        try:
            data = client.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        try:
            for kind, payload in client.decoder.feed(data):
                self._obey(client, kind, payload)
        except (Refused, FrameError, record.RecordError, ProofError) as error:
            if not self.store.sealed:
                self.store.reject(client.stream or "-refused", str(error), client.src)
                if not client.stream:
                    self.store._streams.pop("-refused", None)
                self._mark()
            self._say(client, "R", str(error).encode()[:1000])
            with contextlib.suppress(OSError):
                client.sock.settimeout(1)
                client.sock.sendall(bytes(client.out))
            client.out.clear()
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if client not in self.clients:
            return
        self.clients.discard(client)
        self.watch.unregister(client.sock)
        client.sock.close()
        if client.stream and not client.finished and not self.store.sealed:
            self._close_chunk(client)
            self.store.eof(client.stream, clean=False, exit_status=None, src=client.src)
            self._mark()

    def _say(self, client: _Client, kind: str, payload: bytes) -> None:
        client.out += frame(kind, payload)
        self._send(client)

    def _send(self, client: _Client) -> None:
        try:
            while client.out:
                sent = client.sock.send(client.out[: 1 << 18])
                del client.out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            client.out.clear()
        if client in self.clients:
            mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.out else 0)
            self.watch.modify(client.sock, mask, client)

    # -- frames -----------------------------------------------------------------------------------------

    def _obey(self, client: _Client, kind: str, payload: bytes) -> None:
        if client.finished:
            raise Refused("a frame after the stream's end")
        if kind == "H":
            self._hello(client, payload)
            return
        if not client.stream:
            raise Refused("a frame before the hello")
        if kind == "P":
            client.dirty = True
            self._urgent = True
            self._pending_since = self._pending_since or time.monotonic()
        elif kind == "X":
            self._export(client)
        elif self.store.sealed:
            raise Refused("the log is sealed")
        elif kind in "DE":
            self._output(client, kind, payload)
        elif kind == "J":
            self._close_chunk(client)
            client.waiting.append(self.store.event(client.stream, _body(payload), client.src))
            self._mark(urgent=True)
        elif kind == "F":
            self._finish(client, payload)
        else:
            self._seal(client, payload)

    def _hello(self, client: _Client, payload: bytes) -> None:
        hello = _json(payload)
        stream = hello.get("stream")
        if (
            client.stream
            or hello.get("format") != 1
            or not isinstance(stream, str)
            or set(hello)
            - {
                "format",
                "stream",
                "seen",
            }
        ):
            raise Refused("not a hello of format 1")
        if not layout.STREAM.match(stream) or len(stream) > 200:
            raise Refused("the stream's name is not plain")
        if any(other.stream == stream for other in self.clients if other is not client):
            raise Refused(f"stream {stream} is open already")
        client.stream = stream
        if self.store.sealed:
            client.finished = False
        else:
            self._commit()
            self.store.open_stream(stream)
        self._say(client, "A", b"%d %d" % (self.store.next_n - 1, self.store.total(stream)))
        if stream == "engine":
            self._say(client, "C", self._proof(hello.get("seen")))

    def _proof(self, seen: object) -> bytes:
        """The newest checkpoint, with the proof that it continues the one of size `seen`."""
        if not self.store.sealed:
            self._commit()
        note = self.store.publish() if not self.store.sealed else Path(layout.CHECKPOINT).read_text()
        if seen is None:
            return note.encode()
        if type(seen) is not int or seen < 1:
            raise Refused("seen is no size")
        proof = self.store.consistency(seen)
        hashes = "".join(base64.b64encode(value).decode() + "\n" for value in proof)
        return f"old {seen}\n{hashes}\n{note}".encode()

    def _output(self, client: _Client, channel: str, payload: bytes) -> None:
        if client.channel != channel:
            self._close_chunk(client)
            client.channel = channel
        client.chunk += payload
        self._pending_bytes += len(payload)
        self._mark()
        client.dirty = True
        while len(client.chunk) >= CHUNK:
            self.store.data(client.stream, channel, bytes(client.chunk[:CHUNK]), client.src)
            del client.chunk[:CHUNK]

    def _close_chunk(self, client: _Client) -> None:
        if client.chunk:
            self.store.data(client.stream, client.channel, bytes(client.chunk), client.src)
            client.chunk.clear()

    def _finish(self, client: _Client, payload: bytes) -> None:
        try:
            status = int(payload)
        except ValueError:
            raise Refused("no exit status") from None
        if not -(1 << 31) < status < 1 << 31:
            raise Refused("no exit status")
        self._close_chunk(client)
        client.waiting.append(self.store.eof(client.stream, clean=True, exit_status=status, src=client.src))
        client.finished = True
        self._mark(urgent=True)

    def _seal(self, client: _Client, payload: bytes) -> None:
        if client.stream != "engine":
            raise Refused("only the stream engine seals")
        others = [
            other.stream for other in self.clients if other.stream and not other.finished and other is not client
        ]
        if others:
            raise Refused(f"stream {sorted(others)[0]} is still open")
        seen = _json(payload).get("seen")
        self._close_chunk(client)
        self.store.eof("engine", clean=True, exit_status=0, src=client.src)
        line = self.store.seal(client.src)
        self._say(client, "A", b"%d %d\n%s" % (self.store.next_n - 1, 0, line))
        self._say(client, "C", self._proof(seen))

    def _export(self, client: _Client) -> None:
        if not self.store.sealed:
            raise Refused("the log is not sealed")
        client.sock.settimeout(60)
        self._send(client)
        names = [
            layout.INDEX,
            layout.SEALED,
            layout.CHECKPOINT,
            layout.VKEY,
            layout.SUMS,
            *layout.segments(Path()),
        ]
        names += sorted(p.as_posix() for p in Path("tile").rglob("*") if p.is_file())
        for name in names:
            client.sock.sendall(frame("N", name.encode()))
            with Path(name).open("rb") as stream:
                while block := stream.read(MAX_PAYLOAD):
                    client.sock.sendall(frame("B", block))
        client.sock.sendall(frame("Z"))
        client.sock.setblocking(False)

    # -- batches ----------------------------------------------------------------------------------------

    def _mark(self, *, urgent: bool = False) -> None:
        self._urgent = self._urgent or urgent
        self._pending_since = self._pending_since or time.monotonic()

    def _commit(self) -> None:
        if not self.store.sealed:
            for client in self.clients:
                self._close_chunk(client)
            self.store.commit()
        self._urgent, self._pending_since, self._pending_bytes = False, 0.0, 0
        durable = self.store.next_n - 1
        for client in list(self.clients):
            total = self.store.total(client.stream)
            for line in client.waiting:
                self._say(client, "A", b"%d %d\n%s" % (durable, total, line))
            client.waiting.clear()
            if client.dirty:
                self._say(client, "A", b"%d %d" % (durable, total))
                client.dirty = False

    def _checkpoint(self) -> None:
        self._commit()
        note = self.store.publish()
        self._checkpointed, self._published = time.monotonic(), self.store.next_n
        for client in list(self.clients):
            if client.stream == "engine":
                self._say(client, "C", note.encode())


def _json(payload: bytes) -> dict[str, object]:
    try:
        value = json.loads(payload or b"{}")
    except (ValueError, RecursionError):
        raise Refused("not JSON") from None
    if not isinstance(value, dict):
        raise Refused("not a JSON object")
    return value


def _body(payload: bytes) -> dict[str, object]:
    body = _json(payload)
    if len(payload) > record.MAX_LINE:
        raise Refused("an event over 4 KiB")
    return body
