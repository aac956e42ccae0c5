"""The log, open for appending: stamps, an order of writing that a crash can't break, checkpoints and the seal.

- Order of a batch: data, fdatasync, index, fdatasync; only then may anything be acknowledged.
- Tiles and checkpoints follow, each by temporary name, fsync, rename, fsync of the folder.
- An error from any write or fsync, or whatever else ends a writing, is fatal: the store refuses all that comes after.
- A stream left open by a crash gets `eof` with `clean` false.
- After the seal nothing is accepted.
- Space for `eof` and `seal` is reserved: a log on a full disk can be opened, ended and sealed, and without the
  reserve it takes no output.
- A seal that a crash cut short is finished at the next opening, or the log refuses to open.
- What is held in memory does not grow with the number of records, but for the names of streams.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_appendlog import layout, record
from sealwright_appendlog.folder import Folder
from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.publishing import Publisher
from sealwright_appendlog.recovery import ITSELF, Recovered, StoreError, recover
from sealwright_appendlog.stamps import Clock, Course
from sealwright_appendlog.streams import Streams
from sealwright_appendlog.writer import Batch, Bytes, Output, Writer

FORMAT = 1
__all__ = ["Store", "StoreError"]


class Store:
    """An open log folder. Use from one thread. `path` may be "." for a process that can't reach its parents."""

    def __init__(
        self, key: Ed25519PrivateKey, origin: str, path: Path = Path(), clock: Clock | None = None
    ) -> None:
        """Open the log or begin it.

        Raises:
            StoreError: it is not whole, or another key's.
        """
        self.key = key
        self.failed = ""
        self.vkey = VerifierKey(_known_origin(path) or origin, key.public_key().public_bytes_raw())
        self._clock = clock or Clock()
        self._course = Course()
        self._folder = Folder(path)
        self._streams = Streams()
        self._writer: Writer | None = None
        self._batch = Batch()
        self._begun: Batch | None = None
        self._shown = Publisher(self._folder, key, self.origin)
        self.ended: set[str] = set()
        self.engine_src = ""  # who speaks on the stream engine; for good, once it is somebody
        self.sealed = False
        with self._fatal("opened"):
            self._folder.reserve.drop()
            self._open(recover(self._folder, self.vkey, self._shown.tiles))

    def _open(self, found: Recovered) -> None:
        self._course, self.ended = found.course, found.ended
        self._shown.take_up(found.tree)
        self.next_n, self.engine_src = found.tree.size, found.engine_src
        self._streams.open_now, self._streams.bytes = found.streams, found.data_bytes
        self.sealed = found.seal is not None
        if found.seal is not None:
            self._finish_seal(found.seal)
            return
        self._folder.write({layout.VKEY: f"{self.vkey}\n".encode()})
        self._writer = Writer(self._folder)
        if self.next_n == 0:
            self._add("open", "engine", {"format": FORMAT, "origin": self.origin, "key": str(self.vkey)}, ITSELF)
        for torn in found.torn:
            body = {"file": record.text(torn.file), "len": torn.length, "sha256": torn.sha256}
            self._add("torn", "engine", body, ITSELF)
        for name in list(found.streams):
            self.eof(name, clean=False, exit_status=None, src=ITSELF)
        self.commit()
        self.publish()
        self._folder.reserve.take()

    @property
    def origin(self) -> str:
        """The log's name for good."""
        return self.vkey.name

    @property
    def durable(self) -> int:
        """How many records are durable."""
        return self._shown.tree.size

    @property
    def pending(self) -> bool:
        """Whether records were added since the last batch."""
        return bool(self._batch.lines)

    @property
    def path(self) -> Path:
        """The log's folder."""
        return self._folder.path

    def close(self) -> None:
        """Let go of the files; what was not committed is lost."""
        self._shown.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    # -- adding -----------------------------------------------------------------------------------------

    def event(self, stream: str, body: Mapping[str, object], src: str) -> bytes:
        """Add an event; gives its line."""
        return self._add("ev", stream, {"body": body}, src)

    def data(self, stream: str, channel: str, data: Bytes, src: str) -> None:
        """Add a chunk of a stream's bytes, which stay as they are until it is durable."""
        writer = self._accepting()
        if not self._folder.reserve.held:
            raise StoreError(
                "the log's disk is full, and what is left is for its end; make room, then open it again"
            )
        stamp = self._stamp()
        before = self._streams.open(stream).segment
        segment, offset = self._streams.place(stream, len(data), self.next_n)
        if segment != before:
            self._batch.closed.append(before)
        output = Output(stamp, self.next_n, src, stream, channel, data, segment, offset)
        with self._fatal("written"):
            writer.add(self._batch, output)
        self.next_n += 1

    def reject(self, stream: str, why: str, src: str) -> None:
        """Record a refused frame."""
        self._add("rej", stream, {"why": record.text(why[:200])}, src)

    def eof(self, stream: str, *, clean: bool, exit_status: int | None, src: str) -> bytes:
        """Record the end of a stream."""
        self._accepting()
        held = self._streams.open(stream)
        del self._streams.open_now[stream]
        self._batch.closed.append(held.segment)
        body: dict[str, object] = {"clean": clean, "bytes": held.total}
        if exit_status is not None:
            body["exit"] = exit_status
        self.ended.add(stream)
        return self._add("eof", stream, body, src)

    def seal(self, src: str, hashes: Mapping[str, str]) -> list[bytes]:
        """Close the log: the `seal` record, the last checkpoint, `checkpoint.sealed` and `SHA256SUMS`.

        `hashes` are the segments', by path (see `hash_segments`); every stream has ended. Gives the lines that
        became durable: the seal's is the last, and not the only one if the clock stepped.
        """
        self._accepting()
        self._folder.reserve.drop()
        stamp = self._stamp()  # before the count, since it may add a record
        body = {
            "records": self.next_n + 1,
            "bytes": self._streams.bytes,
            "segments": len(hashes),
            "segments_sha256": layout.segments_sha256(hashes),
        }
        line = self._line("seal", "engine", body, src, stamp)
        self.next_n += 1
        self._batch.lines.append(line)
        lines = self.commit()
        self.sealed = True
        with self._fatal("sealed"):
            self._write_seal(hashes)
        return lines

    def hash_segments(self) -> dict[str, str]:
        """The SHA-256 of every segment, read back from the disk; may run in a thread while nothing is added.

        Raises:
            OSError: one can't be read.
        """
        return {name: layout.sha256(self.path / name) for name in layout.segments(self.path)}

    def open_stream(self, stream: str) -> None:
        """Remember that a stream is open, also before its first byte."""
        self._streams.open(stream)

    def total(self, stream: str) -> int:
        """Bytes of an open stream so far."""
        held = self._streams.open_now.get(stream)
        return held.total if held is not None else 0

    def _accepting(self) -> Writer:
        if self.failed or self.sealed or self._writer is None:
            raise StoreError(self.failed or f"the log is {'sealed' if self.sealed else 'closed'}")
        return self._writer

    def _add(self, kind: str, stream: str, body: Mapping[str, object], src: str) -> bytes:
        self._accepting()
        stamp = self._stamp()
        line = self._line(kind, stream, body, src, stamp)
        self.next_n += 1
        self._batch.lines.append(line)
        return line

    def _line(self, kind: str, stream: str, body: Mapping[str, object], src: str, stamp: record.Stamp) -> bytes:
        whence = {"n": self.next_n, "t": stamp.t, "up": stamp.up, "boot": stamp.boot, "src": src}
        return record.encode({**body, **whence, "s": stream, "k": kind})

    def _stamp(self) -> record.Stamp:
        stamp = self._clock.now()
        try:
            step = self._course.step(stamp)
        except record.RecordError as error:
            raise StoreError(f"this machine's clock can't be used: {error}") from error
        if step:
            self._batch.lines.append(self._line("clock", "engine", step, ITSELF, stamp))
            self.next_n += 1
        return stamp

    # -- writing ----------------------------------------------------------------------------------------

    def commit(self) -> list[bytes]:
        """Make all that was added durable; gives the lines that now are, and were not told before.

        Raises:
            StoreError: a write or sync failed; the store is dead.
        """
        done = self.end_commit()
        if self._writer is not None and self._batch.lines:
            with self._fatal("written"):
                self._writer.write(self._batch)
            batch, self._batch = self._batch, Batch()
            done += self._durable(batch)
        return done

    def begin_commit(self, done: Callable[[], None]) -> None:
        """Begin to make all that was added durable, in a thread, which calls `done`; `end_commit` is to follow."""
        writer = self._accepting()
        if self._begun is not None:
            raise StoreError("a batch is begun already")
        self._begun, self._batch = self._batch, Batch()
        with self._fatal("written"):
            writer.begin(self._begun, done)

    def end_commit(self) -> list[bytes]:
        """Wait for the batch that was begun, if one was; gives its lines.

        Raises:
            StoreError: a write or sync failed; the store is dead.
        """
        if self.failed:
            raise StoreError(self.failed)
        if self._begun is None or self._writer is None:
            return []
        with self._fatal("written"):
            self._writer.end()
        batch, self._begun = self._begun, None
        return self._durable(batch)

    @property
    def written(self) -> bool:
        """Whether the batch that was begun is durable, so that ending it takes no time."""
        return self._begun is not None and self._writer is not None and self._writer.ready

    def _durable(self, batch: Batch) -> list[bytes]:
        for line in batch.written:
            self._shown.append(line)
        return batch.written

    # -- showing ----------------------------------------------------------------------------------------

    def publish(self) -> str:
        """Write the tiles and the checkpoint of what is durable; gives the signed note."""
        with self._fatal("published"):
            return self._shown.publish()

    def begin_publish(self, done: Callable[[], None], *, due: bool) -> bool:
        """Begin that in a thread, which calls `done`, where there is something to publish and it is `due`, or too much
        to wait; says whether it did. `end_publish` is to follow."""
        if self._shown.busy or not ((due and self._shown.behind) or self._shown.bulky):
            return False
        self._shown.begin(done)
        return True

    def end_publish(self) -> str:
        """The signed note, if what was begun is written; else nothing.

        Raises:
            StoreError: a write or sync failed; the store is dead.
        """
        if not self._shown.written:
            return ""
        with self._fatal("published"):
            return self._shown.end()

    def consistency(self, size: int) -> list[bytes]:
        """The proof that the tree published last continues the one of `size` leaves."""
        return self._shown.consistency(size)

    def _finish_seal(self, seal: Mapping[str, object]) -> None:
        done = all((self.path / name).exists() for name in (layout.SEALED, layout.SUMS))
        if done and not self._shown.unwritten:
            return
        hashes = self.hash_segments()
        if layout.segments_sha256(hashes) != seal["segments_sha256"]:
            raise StoreError("the segments are not those of the seal; the log refuses to open")
        self._write_seal(hashes)

    def _write_seal(self, hashes: Mapping[str, str]) -> None:
        note = self.publish()
        self._folder.write({layout.SEALED: note.encode()})
        self._folder.write({layout.SUMS: layout.sums(self.path, hashes)})

    @contextlib.contextmanager
    def _fatal(self, done: str) -> Iterator[None]:
        """Whatever goes wrong inside the block ends the store; the reserve is left to the next opening."""
        try:
            yield
        except StoreError as error:
            self.failed = self.failed or str(error)
            raise
        except Exception as error:
            why = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
            self.failed = f"the log can't be {done}: {why}"
            raise StoreError(self.failed) from error


def _known_origin(path: Path) -> str:
    """The name of the log that lies at `path` already, or nothing."""
    try:
        return (path / layout.VKEY).read_text("ascii").partition("+")[0]
    except FileNotFoundError:
        return ""
