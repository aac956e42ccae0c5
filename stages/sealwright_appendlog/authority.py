"""The log authority's loop: many clients on one socket, one writer, one thread.

- What a client says never decides who it is: `src` is what the transport tells, and only the uids that may use
  the log are heard at all. Events come on the stream `engine` alone, and that belongs to one source (see `admission`).
- A stream that ends without `F` is recorded as unclean.
- Who waited longest is heard first; while much output is pending, only `engine` is heard. A chunk closes at 64 KiB.
- A malformed frame is recorded as `rej`, answered with the reason, and ends that client only.
- Each checkpoint that a client gets is proved to continue the one that it saw before; the engine gets one at its
  end too, so that what it was told last is under a signature that it has seen.
- Who follows the log gets what was before it came bit by bit, and the checkpoint after that; others don't wait.
- While segments are hashed for the seal, pings are answered and everything else is refused.
- A plain pipe (a stream below `raw/`) holds up no seal: it ends unclean there.
- A write error, of whatever kind, ends the authority: every client is told, and nothing more is acknowledged.
- It ends by itself when its owner's end of the lifeline is closed, or nobody hands on connections any more.
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Collection, Iterator

from sealwright_appendlog import layout, record
from sealwright_appendlog.admission import admit, superseded
from sealwright_appendlog.clients import MOST_CLIENTS, Client, Due, Refused
from sealwright_appendlog.export import export_frames
from sealwright_appendlog.following import line_frames
from sealwright_appendlog.frames import FrameError, frame
from sealwright_appendlog.handed import Handed, HostGone
from sealwright_appendlog.pending import BATCH_SECONDS, CHUNK, RECORD, Pending
from sealwright_appendlog.requests import RAW, Hello, event_body, exit_status, joined
from sealwright_appendlog.sealing import Sealing
from sealwright_appendlog.store import Store, StoreError
from sealwright_appendlog.tree import ProofError
from sealwright_appendlog.writer import Bytes

CHECKPOINT_SECONDS = 1.0


class Authority:
    """Serves `store` on a listening unix socket until `lifeline` (a file descriptor) ends.

    `allowed` are the uids that may connect; None where a host that hands connections on has decided that.
    """

    def __init__(
        self, store: Store, listener: socket.socket | Handed, lifeline: int | None, allowed: Collection[int] | None
    ) -> None:
        self.store = store
        self.listener = listener
        self.lifeline = lifeline
        self.allowed = None if allowed is None else frozenset(allowed)
        self.clients: set[Client] = set()
        self.stopped = False
        self._watch = selectors.DefaultSelector()
        listener.setblocking(False)
        self._watch.register(listener, selectors.EVENT_READ, None)
        self._first = selectors.DefaultSelector()
        """What is looked at even while much output is pending."""
        self._pending = Pending()
        self._checkpointed = time.monotonic()
        self._sealing: Sealing | None = None
        self._flight: list[Due] | None = None
        self._news = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        for watch in (self._watch, self._first):
            watch.register(self._news, selectors.EVENT_READ, None)
            if lifeline is not None:
                watch.register(lifeline, selectors.EVENT_READ, None)

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
            self._first.close()
            self.store.close()
            os.close(self._news)

    def _turn(self) -> bool:
        watch = self._first if self._pending.full else self._watch
        for key, mask in sorted(watch.select(BATCH_SECONDS / 2), key=_heard):
            if key.fileobj is self.listener:
                self._accept()
            elif key.fd == self.lifeline and key.data is None:
                return False
            elif key.fd == self._news:
                os.eventfd_read(self._news)
            elif key.data in self.clients and (key.data.stream == "engine" or not self._pending.full):
                self._serve_client(key.data, mask)
        self._look_at_clock(time.monotonic())
        return True

    def _look_at_clock(self, now: float) -> None:
        """Do what is due by now."""
        if self.store.written:
            self._end_batch()
        if self._flight is None and self._pending.due(now):
            self._begin_batch()
        if self._sealing is not None and self._sealing.ready:
            self._end_seal(self._sealing)
        if note := self.store.end_publish():
            self._tell_checkpoint(note)
        if self.store.begin_publish(self._wake, due=now - self._checkpointed >= CHECKPOINT_SECONDS):
            self._checkpointed = now
        for client in list(self.clients):
            if client.overdue(now):
                self._drop(client)
            elif client.silent(now):
                self._reject(client, "it said no hello")
        if isinstance(self.listener, Handed) and not self.clients:
            self.listener.tell_idle()

    # -- clients ----------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            client = Client.accept(self.listener)
        except HostGone:
            self.stopped = True
            return
        except OSError:
            return  # it went away before it was taken, or there are too many
        unknown = self.allowed is not None and client.uid not in self.allowed
        if unknown or len(self.clients) >= MOST_CLIENTS:
            many = f"{MOST_CLIENTS} clients are here, and no more can be served"
            client.refuse(f"uid {client.uid} may not use this log" if unknown else many)
            client.send()
            client.sock.close()
            return
        self.clients.add(client)
        self._watch.register(client.sock, selectors.EVENT_READ, client)
        if client.early:
            self._take(client, client.early)

    def _serve_client(self, client: Client, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            self._flush(client)
        if mask & client.interest & selectors.EVENT_READ and client in self.clients:
            client.heard_at = time.monotonic()
            data = client.receive()
            if data == b"":
                self._drop(client)
            elif data and not client.refused_at:
                self._take(client, data)

    def _take(self, client: Client, data: bytes) -> None:
        try:
            for kind, payload in client.decoder.views(data):
                self._obey(client, kind, payload)
        except (Refused, FrameError, record.RecordError, ProofError) as error:
            self._reject(client, str(error))

    def _reject(self, client: Client, why: str) -> None:
        """Put it on record, and turn the client away."""
        self._close_chunk(client)
        if not self.store.sealed and self._sealing is None:
            self.store.reject(client.stream or "engine", why, client.src)
            self._pending.add(time.monotonic(), urgent=True)
        self._turn_away(client, why)

    def _turn_away(self, client: Client, why: str) -> None:
        self._end_stream(client)
        client.refuse(why)
        self._flush(client)

    def _drop(self, client: Client) -> None:
        if client not in self.clients:
            return
        self.clients.discard(client)
        self._watch.unregister(client.sock)
        if client.stream == "engine":
            self._first.unregister(client.sock)
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
            self._pending.add(time.monotonic(), urgent=True)
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

    def _obey(self, client: Client, kind: str, payload: memoryview) -> None:
        if kind == "I":
            client.identify(bytes(payload))
        elif kind == "H":
            self._hello(client, bytes(payload))
        elif not client.stream:
            raise Refused("a frame before the hello")
        elif kind == "P":
            client.pinged = True
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

    def _append(self, client: Client, kind: str, payload: memoryview) -> None:
        if kind in "DE":
            self._output(client, kind, payload)
        elif kind == "J":
            if client.stream != record.ENGINE:
                raise Refused("only the stream engine tells events")
            self._close_chunk(client)
            client.waiting.append(self.store.event(client.stream, event_body(bytes(payload)), client.src))
            self._count(len(payload) + RECORD, urgent=True)
        elif kind == "F":
            self._finish(client, bytes(payload))
        else:
            self._begin_seal(client, bytes(payload))

    def _hello(self, client: Client, payload: bytes) -> None:
        hello = Hello.parse(payload)
        stream = hello.stream
        if hello.origin not in (None, self.store.origin):
            raise Refused("this is another log")
        for other in superseded(client, stream, self.clients, time.monotonic()):
            self._drop(other)
        admit(client, stream, self.clients, self.store, sealing=self._sealing is not None)
        if not self.store.sealed:
            self._settle()
            self.store.open_stream(stream)
        client.stream, client.seen = stream, hello.seen
        client.say("A", b"%d 0" % (self.store.durable - 1))
        if stream == "engine":
            self._first.register(client.sock, selectors.EVENT_READ, client)
            if hello.since is not None:
                client.supply_from(self._catch_up(client, hello.since))
            else:
                client.say("C", client.checkpoint(self._note(), self.store.consistency))
        self._flush(client)

    def _catch_up(self, client: Client, since: int) -> Iterator[bytes]:
        """What a follower lacks, made as it is taken; from then on it is told what becomes durable."""
        yield from line_frames(self.store.path / layout.INDEX, since, lambda: self.store.durable)
        client.follows = True
        yield frame("C", client.checkpoint(self._note(), self.store.consistency))

    def _note(self) -> str:
        """The newest checkpoint's note, published."""
        if self.store.sealed:
            return (self.store.path / layout.SEALED).read_text("utf-8")
        self._checkpointed = time.monotonic()
        return self.store.publish()

    def _output(self, client: Client, channel: str, payload: memoryview) -> None:
        if client.channel != channel:
            self._close_chunk(client)
            client.channel = channel
        client.dirty = True
        if not client.chunk and len(payload) == CHUNK:
            self._add_chunk(client, payload)
        else:
            client.chunk += payload
            if len(client.chunk) >= CHUNK:
                whole, client.chunk = client.chunk[:CHUNK], client.chunk[CHUNK:]
                self._add_chunk(client, whole)
        self._count(len(payload))

    def _add_chunk(self, client: Client, data: Bytes) -> None:
        self.store.data(client.stream, client.channel, data, client.src)
        self._pending.add(time.monotonic(), RECORD)

    def _count(self, size: int, *, urgent: bool = False) -> None:
        """Count what came; begin the next batch, or wait for the one in flight, where much is pending."""
        self._pending.add(time.monotonic(), size, urgent=urgent)
        if self._flight is None and self._pending.plenty:
            self._begin_batch()
        elif self._pending.too_much:
            self._end_batch()

    def _close_chunk(self, client: Client) -> None:
        if client.chunk:
            whole, client.chunk = client.chunk, bytearray()
            self._add_chunk(client, whole)

    def _finish(self, client: Client, payload: bytes) -> None:
        status = exit_status(payload)
        self._close_chunk(client)
        client.waiting.append(self.store.eof(client.stream, clean=True, exit_status=status, src=client.src))
        client.finished = True
        self._pending.add(time.monotonic(), urgent=True)

    # -- the seal ---------------------------------------------------------------------------------------

    def _begin_seal(self, client: Client, payload: bytes) -> None:
        if client.stream != "engine":
            raise Refused("only the stream engine seals")
        others = {other.stream: other for other in self.clients if other.live and other is not client}
        if busy := sorted(name for name in others if not name.startswith(RAW)):
            raise Refused(f"stream {busy[0]} is still open")
        if payload:
            raise Refused("a seal says nothing more")
        for other in others.values():
            self._turn_away(other, "the log is sealed")
        self._close_chunk(client)
        self.store.eof("engine", clean=True, exit_status=0, src=client.src)
        self._settle()
        self._sealing = Sealing(client, self.store)

    def _end_seal(self, sealing: Sealing) -> None:
        if sealing.error:
            raise StoreError(sealing.error)
        client = sealing.client
        lines = self.store.seal(client.src, sealing.hashes)
        client.finished = True
        self._sealing = None
        if client in self.clients:
            if client.follows:
                client.say("L", b"\n".join([*lines, b""]))
            client.say("A", b"%d 0\n%s" % (self.store.next_n - 1, lines[-1]))
            self._say(client, "C", client.checkpoint(self._note(), self.store.consistency))

    # -- batches ----------------------------------------------------------------------------------------

    def _begin_batch(self) -> None:
        """Hand what was added to the writer; what comes meanwhile is the next batch."""
        due = self._due()
        if self.store.pending:
            self._flight = due
            self.store.begin_commit(self._wake)

    def _wake(self) -> None:
        """Called in a thread of the store that is done with something."""
        os.eventfd_write(self._news, 1)

    def _end_batch(self) -> None:
        """Wait for the batch in flight, and tell of it; the next one may be in flight by then."""
        if self._flight is not None:
            due, self._flight = self._flight, None
            lines = self.store.end_commit()
            if self._pending.plenty:
                self._begin_batch()  # the disk need not wait until everyone is told
            self._tell(lines, due)

    def _settle(self) -> None:
        """Make everything durable before going on."""
        while self._flight is not None:
            self._end_batch()
        if not self.store.sealed and self._sealing is None:
            due = self._due()
            self._tell(self.store.commit(), due)

    def _due(self) -> list[Due]:
        """Close what is open of the batch, and take down what its clients are to be told."""
        for client in self.clients:
            self._close_chunk(client)
        due = [client.take_due(self.store.total(client.stream)) for client in self.clients if client.owed]
        self._pending.clear()
        return due

    def _tell(self, lines: list[bytes], due: list[Due]) -> None:
        """Say what became durable: to followers first, so that no ack comes before its line."""
        for client in [client for client in self.clients if client.follows]:
            for block in joined(lines):
                self._say(client, "L", block)
        for told in (told for told in due if told.client in self.clients and not told.client.refused_at):
            told.tell(self.store.durable - 1)
            client = told.client
            if client.finished and client.stream == record.ENGINE and client.supply is None:
                client.say("C", client.checkpoint(self._note(), self.store.consistency))
            self._flush(told.client)

    def _tell_checkpoint(self, note: str) -> None:
        for client in [client for client in self.clients if client.stream == "engine" and not client.refused_at]:
            if client.supply is None:  # else it gets one when it has caught up
                self._say(client, "C", client.checkpoint(note, self.store.consistency))


def _heard(ready: tuple[selectors.SelectorKey, int]) -> float:
    """When the client that is ready was heard last; what is no client comes first."""
    return ready[0].data.heard_at if ready[0].data is not None else 0.0
