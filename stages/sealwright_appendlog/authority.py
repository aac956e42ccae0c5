"""The log authority's loop: many clients on one socket, one writer, one thread.

- What a client says never decides who it is: `src` is what the transport tells, and only the uids that may use
  the log are heard at all.
- One stream is open once at a time, and a stream that has ended is never continued, but for `engine`, which a
  console takes up again after a crash. A stream that ends without `F` is recorded as unclean.
- An event is committed at once, output within 100 ms or 512 KiB; a chunk closes at 64 KiB.
- A malformed frame is recorded as `rej`, answered with the reason, and ends that client only.
- Each checkpoint that a client gets is proved to continue the one that it saw before.
- Who follows the log gets what was before it came bit by bit, and the checkpoint after that; others don't wait.
- While segments are hashed for the seal, pings are answered and everything else is refused.
- A write error, of whatever kind, ends the authority: every client is told, and nothing more is acknowledged.
- It ends by itself when its owner's end of the lifeline is closed.
"""

from __future__ import annotations

import base64
import os
import selectors
import socket
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sealwright_appendlog import layout, record
from sealwright_appendlog.clients import MOST_CLIENTS, Client, Refused
from sealwright_appendlog.export import export_frames
from sealwright_appendlog.following import line_frames
from sealwright_appendlog.frames import FrameError, frame
from sealwright_appendlog.requests import Hello, event_body, exit_status, joined
from sealwright_appendlog.sealing import Sealing
from sealwright_appendlog.store import Store, StoreError
from sealwright_appendlog.tree import ProofError

CHUNK = 1 << 16
BATCH_BYTES = 512 << 10  # half of a client's window, so that no client ever waits for the clock
BATCH_SECONDS = 0.1
MOST_PENDING = 4 << 20  # more than this waits in no memory, whatever clients send
CHECKPOINT_SECONDS = 1.0


@dataclass
class _Due:
    """What a client is told when the batch in flight is durable."""

    client: Client
    lines: list[bytes]
    total: int
    output: bool


class Authority:
    """Serves `store` on a listening unix socket until `lifeline` (a file descriptor) ends.

    `allowed` are the uids that may connect.
    """

    def __init__(
        self, store: Store, listener: socket.socket, lifeline: int | None, allowed: Collection[int]
    ) -> None:
        self.store = store
        self.listener = listener
        self.lifeline = lifeline
        self.allowed = frozenset(allowed)
        self.clients: set[Client] = set()
        self.stopped = False
        self._watch = selectors.DefaultSelector()
        listener.setblocking(False)
        self._watch.register(listener, selectors.EVENT_READ, None)
        if lifeline is not None:
            self._watch.register(lifeline, selectors.EVENT_READ, None)
        self._pending_since = 0.0
        self._pending_bytes = 0
        self._urgent = False
        self._checkpointed = time.monotonic()
        self._published = store.durable
        self._sealing: Sealing | None = None
        self._flight: list[_Due] | None = None
        self._unheard: OSError | None = None
        self._written = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._watch.register(self._written, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Serve until the lifeline ends or `stopped` is set.

        Raises:
            StoreError: the log can't be written any more; every client was told.
        """
        try:
            while not self.stopped and self._turn():
                pass
            for client in list(self.clients):
                self._drop(client)
            if not self.store.sealed:
                self._settle()
                self.store.publish()
        except (StoreError, OSError) as error:
            for client in self.clients:
                client.refuse(str(error))
                client.send()
            raise
        finally:
            for client in self.clients:
                client.sock.close()
            self._watch.close()
            self.store.close()
            os.close(self._written)

    def _turn(self) -> bool:
        for key, mask in self._watch.select(BATCH_SECONDS / 2):
            if key.fileobj is self.listener:
                self._accept()
            elif key.fd == self.lifeline and key.data is None:
                return False
            elif key.fd == self._written:
                os.eventfd_read(self._written)
                self._end_batch()
            elif key.data in self.clients:
                self._serve_client(key.data, mask)
        if self._unheard is not None:
            raise StoreError(f"the log's writer can't be heard: {self._unheard.strerror}")
        now = time.monotonic()
        old = self._pending_since and now - self._pending_since >= BATCH_SECONDS
        if self._flight is None and (self._urgent or old or self._pending_bytes >= BATCH_BYTES):
            self._begin_batch()
        self._at_leisure(now)
        return True

    def _at_leisure(self, now: float) -> None:
        """What waits for no client's word."""
        if self._sealing is not None and self._sealing.ready:
            self._end_seal(self._sealing)
        if now - self._checkpointed >= CHECKPOINT_SECONDS and self._published != self.store.durable:
            self._checkpoint()
        for client in list(self.clients):
            if client.overdue(now):
                self._drop(client)
            elif client.silent(now):
                self._refuse(client, "it said no hello")

    # -- clients ----------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            client = Client.accept(self.listener)
        except OSError:
            return  # it went away before it was taken, or there are too many
        why = "" if client.uid in self.allowed else f"uid {client.uid} may not use this log"
        if why or len(self.clients) >= MOST_CLIENTS:
            client.refuse(why or f"{MOST_CLIENTS} clients are here, and no more can be served")
            client.send()
            client.sock.close()
            return
        self.clients.add(client)
        self._watch.register(client.sock, selectors.EVENT_READ, client)

    def _serve_client(self, client: Client, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush(client)
        if mask & selectors.EVENT_READ and client in self.clients:
            data = client.receive()
            if data == b"":
                self._drop(client)
            elif data and not client.refused_at:
                self._take(client, data)

    def _take(self, client: Client, data: bytes) -> None:
        try:
            for kind, payload in client.decoder.feed(data):
                self._obey(client, kind, payload)
        except (Refused, FrameError, record.RecordError, ProofError) as error:
            self._refuse(client, str(error))

    def _refuse(self, client: Client, why: str) -> None:
        """Put it on record, tell the client, and hear no more of it."""
        self._close_chunk(client)
        if not self.store.sealed and self._sealing is None:
            self.store.reject(client.stream or "engine", why, client.src)
            self._mark(urgent=True)
        self._end_stream(client)
        client.refuse(why)
        self._flush(client)

    def _drop(self, client: Client) -> None:
        if client not in self.clients:
            return
        self.clients.discard(client)
        self._watch.unregister(client.sock)
        client.sock.close()
        self._end_stream(client)

    def _end_stream(self, client: Client) -> None:
        """Record that a client's stream ended without its finish."""
        if client.live and not self.store.sealed:
            self._close_chunk(client)
            if self._sealing is not None and self._sealing.client is client:
                client.finished = True  # its eof is there, and the seal goes on without anyone to tell
                return
            self.store.eof(client.stream, clean=False, exit_status=None, src=client.src)
            self._mark(urgent=True)
        client.finished = True

    def _say(self, client: Client, kind: str, payload: bytes) -> None:
        client.say(kind, payload)
        self._flush(client)

    def _flush(self, client: Client) -> None:
        if not client.send():
            self._drop(client)
        elif client in self.clients:
            self._watch.modify(client.sock, client.interest, client)

    # -- frames -----------------------------------------------------------------------------------------

    def _obey(self, client: Client, kind: str, payload: bytes) -> None:
        if kind == "I":
            client.identify(payload)
        elif kind == "H":
            self._hello(client, payload)
        elif not client.stream:
            raise Refused("a frame before the hello")
        elif kind == "P":
            self._say(client, "A", b"%d %d" % (self.store.durable - 1, client.durable))
        elif kind == "X":
            if not self.store.sealed:
                raise Refused("the log is not sealed")
            client.supply_from(export_frames(self.store.path))
            self._flush(client)
        elif self.store.sealed or self._sealing is not None:
            raise Refused("the log is sealed")
        elif client.finished:
            raise Refused("a frame after the stream's end")
        else:
            self._append(client, kind, payload)

    def _append(self, client: Client, kind: str, payload: bytes) -> None:
        if kind in "DE":
            self._output(client, kind, payload)
        elif kind == "J":
            self._close_chunk(client)
            line = self.store.event(client.stream, event_body(payload), client.src)
            client.waiting.append(line)
            self._pending_bytes += len(line)
            self._mark(urgent=True)
            if self._pending_bytes >= MOST_PENDING:
                self._settle()
        elif kind == "F":
            self._finish(client, payload)
        else:
            self._begin_seal(client, payload)

    def _hello(self, client: Client, payload: bytes) -> None:
        hello = Hello.parse(payload)
        stream = hello.stream
        if client.stream:
            raise Refused("a second hello")
        if any(other.live and other.stream == stream for other in self.clients):
            raise Refused(f"stream {stream} is open already")
        if not self.store.sealed:
            if self._sealing is not None:
                raise Refused("the log is being sealed")
            if stream in self.store.ended and stream != "engine":
                raise Refused(f"stream {stream} has ended; take another name")
            self._settle()
            self.store.open_stream(stream)
        client.stream, client.seen = stream, hello.seen
        client.say("A", b"%d 0" % (self.store.durable - 1))
        if stream == "engine":
            if hello.since is not None:
                client.supply_from(self._catch_up(client, hello.since))
            else:
                client.say("C", self._checkpoint_for(client, self._note()))
        self._flush(client)

    def _catch_up(self, client: Client, since: int) -> Iterator[bytes]:
        """What a follower lacks, made as it is taken; from then on it is told what becomes durable."""
        yield from line_frames(self.store.path / layout.INDEX, since, lambda: self.store.durable)
        client.follows = True
        yield frame("C", self._checkpoint_for(client, self._note()))

    def _note(self) -> str:
        """The newest checkpoint's note, published."""
        if self.store.sealed:
            return (self.store.path / layout.SEALED).read_text("utf-8")
        self._checkpointed, self._published = time.monotonic(), self.store.durable
        return self.store.publish()

    def _checkpoint_for(self, client: Client, note: str) -> bytes:
        old, proof = client.seen, []
        try:
            proof = self.store.consistency(old) if old else []
        except ProofError:
            old = 0  # it saw more than there is; the note itself is the proof of that
        hashes = "".join(base64.b64encode(value).decode() + "\n" for value in proof)
        client.seen = int(note.split("\n", 2)[1])
        return f"old {old}\n{hashes}\n{note}".encode()

    def _output(self, client: Client, channel: str, payload: bytes) -> None:
        if client.channel != channel:
            self._close_chunk(client)
            client.channel = channel
        if not client.chunk and len(payload) == CHUNK:
            self.store.data(client.stream, channel, payload, client.src)
        else:
            client.chunk += payload
            if len(client.chunk) >= CHUNK:
                self.store.data(client.stream, channel, bytes(client.chunk[:CHUNK]), client.src)
                del client.chunk[:CHUNK]
        self._pending_bytes += len(payload)
        client.dirty = True
        self._mark()
        if self._pending_bytes >= BATCH_BYTES and self._flight is None:
            self._begin_batch()
        elif self._pending_bytes >= MOST_PENDING:
            self._settle()

    def _close_chunk(self, client: Client) -> None:
        if client.chunk:
            self.store.data(client.stream, client.channel, bytes(client.chunk), client.src)
            client.chunk.clear()

    def _finish(self, client: Client, payload: bytes) -> None:
        status = exit_status(payload)
        self._close_chunk(client)
        client.waiting.append(self.store.eof(client.stream, clean=True, exit_status=status, src=client.src))
        client.finished = True
        self._mark(urgent=True)

    # -- the seal ---------------------------------------------------------------------------------------

    def _begin_seal(self, client: Client, payload: bytes) -> None:
        if client.stream != "engine":
            raise Refused("only the stream engine seals")
        if others := sorted(other.stream for other in self.clients if other.live and other is not client):
            raise Refused(f"stream {others[0]} is still open")
        if payload:
            raise Refused("a seal says nothing more")
        self._close_chunk(client)
        self.store.eof("engine", clean=True, exit_status=0, src=client.src)
        self._settle()
        self._sealing = Sealing(client, self.store)

    def _end_seal(self, sealing: Sealing) -> None:
        if sealing.error:
            raise StoreError(sealing.error)
        client = sealing.client
        line = self.store.seal(client.src, sealing.hashes)
        client.finished = True
        self._sealing = None
        if client in self.clients:
            if client.follows:
                client.say("L", line + b"\n")
            client.say("A", b"%d 0\n%s" % (self.store.next_n - 1, line))
            self._say(client, "C", self._checkpoint_for(client, self._note()))

    # -- batches ----------------------------------------------------------------------------------------

    def _mark(self, *, urgent: bool = False) -> None:
        self._urgent = self._urgent or urgent
        self._pending_since = self._pending_since or time.monotonic()

    def _begin_batch(self) -> None:
        """Hand what was added to the writer; what comes meanwhile is the next batch."""
        due = self._due()
        if self.store.pending:
            self._flight = due
            self.store.begin_commit(self._wake)

    def _wake(self) -> None:
        """Called in the writer's thread when the batch in flight is on disk; the loop sees a failure at its next turn."""
        try:
            os.eventfd_write(self._written, 1)
        except OSError as error:
            self._unheard = error

    def _end_batch(self) -> None:
        if self._flight is not None:
            due, self._flight = self._flight, None
            self._tell(self.store.end_commit(), due)

    def _settle(self) -> None:
        """Make everything durable before going on."""
        self._end_batch()
        if not self.store.sealed and self._sealing is None:
            due = self._due()
            self._tell(self.store.commit(), due)

    def _due(self) -> list[_Due]:
        """Close what is open of the batch, and take down what its clients are to be told."""
        due = []
        for client in self.clients:
            self._close_chunk(client)
            if client.waiting or client.dirty:
                total = max(client.durable, self.store.total(client.stream))
                due.append(_Due(client, client.waiting, total, client.dirty))
                client.waiting, client.dirty = [], False
        self._urgent, self._pending_since, self._pending_bytes = False, 0.0, 0
        return due

    def _tell(self, lines: list[bytes], due: list[_Due]) -> None:
        """Say what became durable: to followers first, so that no ack comes before its line."""
        for client in [client for client in self.clients if client.follows]:
            for block in joined(lines):
                self._say(client, "L", block)
        durable = self.store.durable - 1
        for told in (told for told in due if told.client in self.clients and not told.client.refused_at):
            told.client.durable = told.total
            for line in told.lines:
                told.client.say("A", b"%d %d\n%s" % (durable, told.total, line))
            if told.output and not told.lines:
                told.client.say("A", b"%d %d" % (durable, told.total))
            self._flush(told.client)

    def _checkpoint(self) -> None:
        note = self._note()
        for client in [client for client in self.clients if client.stream == "engine" and not client.refused_at]:
            if client.supply is None:  # else it gets one when it has caught up
                self._say(client, "C", self._checkpoint_for(client, note))
