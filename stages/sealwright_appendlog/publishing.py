"""What the folder shows of a log's tree: full tiles, the right edge in partial ones, and the signed checkpoint.

- Only what is durable is appended here, so that no checkpoint tells of a record that a crash could take back.
- Tiles are on disk before the checkpoint that they prove.
- Files are written in a thread, so that nobody waits for them to be acknowledged; one publishing at a time.
- What is held is the right edge of each level, and the full tiles since the last publishing. If these become too
  many before it is done, the log waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_appendlog import layout
from sealwright_appendlog.folder import Folder
from sealwright_appendlog.note import Checkpoint, sign_note
from sealwright_appendlog.tiles import TileReader, TileWriter
from sealwright_appendlog.tree import CompactRange, consistency_proof
from sealwright_appendlog.worker import Worker

BULK = 4 << 20


class Publisher:
    """The tree of what is durable, and its files."""

    def __init__(self, folder: Folder, key: Ed25519PrivateKey, origin: str) -> None:
        self.tree = CompactRange()
        self.tiles = TileWriter(self._keep)
        self.size = 0
        """The size that the checkpoint published last tells, or the one that is being published."""
        self._folder, self._key, self._origin = folder, key, origin
        self._full: dict[str, bytes] = {}
        self._held = 0
        self._partial = {p.relative_to(folder.path).as_posix() for p in folder.path.glob("tile/**/*.p/*")}
        self._worker = Worker("log publisher")
        self._note = ""

    def take_up(self, tree: CompactRange) -> None:
        """Go on from the tree that the folder's index has."""
        self.tree, self.size = tree, tree.size

    def append(self, line: bytes) -> None:
        """Take the line of the next record that is durable."""
        self.tree.append(self.tiles.append(line))

    @property
    def behind(self) -> bool:
        """Whether there is something to publish."""
        return self.size != self.tree.size

    @property
    def bulky(self) -> bool:
        """Whether so many full tiles are held that publishing them should not wait."""
        return self._held >= BULK

    @property
    def unwritten(self) -> bool:
        """Whether full tiles are held at all."""
        return bool(self._full)

    @property
    def busy(self) -> bool:
        """Whether a publishing was begun and not ended."""
        return bool(self._note)

    @property
    def written(self) -> bool:
        """Whether the publishing that was begun should be ended: it is done, or too much waits for the next."""
        return self.busy and (self._worker.ready or self.bulky)

    def begin(self, done: Callable[[], None]) -> None:
        """Begin to publish the tree as it is now, in a thread, which calls `done`; `end` is to follow."""
        job, self._note = self._prepared()
        self._worker.begin(job, done)

    def end(self) -> str:
        """Wait for what was begun; gives the signed note, or nothing if nothing was.

        Raises:
            OSError: the disk is full or refuses.
        """
        note, self._note = self._note, ""
        if note:
            self._worker.end()
        return note

    def publish(self) -> str:
        """Publish the tree as it is now; gives the signed note.

        Raises:
            OSError: as `end`, also of what was begun before.
        """
        self.end()
        job, note = self._prepared()
        job()
        return note

    def consistency(self, size: int) -> list[bytes]:
        """The proof that the tree published last continues the one of `size` leaves."""
        return consistency_proof(size, self.size, TileReader(self._folder.path, self.size).range_hash)

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def _prepared(self) -> tuple[Callable[[], None], str]:
        """What has to be written for the tree as it is now, and the note of it."""
        checkpoint = Checkpoint(self._origin, self.tree.size, self.tree.root())
        note = sign_note(checkpoint.text(), self._origin, self._key)
        partial = self.tiles.partial()
        tiles, old = {**self._full, **partial}, self._partial - set(partial)
        self.size, self._partial, self._full, self._held = self.tree.size, set(partial), {}, 0
        return lambda: self._write(tiles, note, old), note

    def _write(self, tiles: Mapping[str, bytes], note: str, old: set[str]) -> None:
        self._folder.write(tiles)
        self._folder.write({layout.CHECKPOINT: note.encode()})
        for name in old:
            self._folder.remove(name)

    def _keep(self, name: str, data: bytes) -> None:
        """Keep a full tile for the next publishing, unless it lies there already."""
        try:
            if (self._folder.path / name).read_bytes() == data:
                return
        except FileNotFoundError:
            pass
        self._full[name] = data
        self._held += len(data)
