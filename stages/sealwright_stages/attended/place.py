"""Where an engine is found: a folder in the work folder's private one, that only its own user can enter.

- The socket is reached through the open folder, since a socket's path is short and a work folder's may be long. It is
  not in a folder of the login session, which is gone when the last session of the user ends.
- The lock of the work folder says whether an engine lives, and nothing else does: a socket or a file that a dead one
  left is no engine, and the next one puts its own in their place.
- How the last run ended is kept there, for whoever comes after it; the room for it is taken when the run begins, so
  that a full disk does not keep it from being said.
- What lies in a folder that is not ours alone is not believed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.attended.protocol import Hello, Over, ProtocolError, line, process_of, protocol_of, said
from sealwright_stages.errors import MachineError
from sealwright_stages.files import read_small, sync_folder, write_whole
from sealwright_stages.work import WorkFolder

_FILE = 1 << 20
_SOCKET, _ENGINE, _ENDED, _SEEN, _STDERR = "socket", "engine.json", "ended.json", "ended.seen", "stderr"
_ROOM, _RESERVED = "ended.room", 16 << 10


@dataclass(frozen=True)
class Place:
    """The folder of the engine of a work folder."""

    work: WorkFolder

    @property
    def folder(self) -> Path:
        """Mode 0700."""
        return self.work.private / "engine"

    @property
    def stderr(self) -> Path:
        """What the engine says to its error output."""
        return self.folder / _STDERR

    # -- the engine's side; it holds the lock -----------------------------------------------------------

    def take(self) -> None:
        """Make the folder, or clear away what a dead engine left.

        Raises:
            MachineError: it can't be made.
        """
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self.folder.chmod(0o700)
            for name in (_SOCKET, _ENGINE, _ENDED, _SEEN):
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise MachineError(f"{self.folder} can't be used", error.strerror or str(error), _MEND) from error
        write_whole(self.folder / _ROOM, bytes(_RESERVED), 0o600)

    def listen(self, hello: Hello) -> socket.socket:
        """Open the door, and write down who is behind it.

        Raises:
            MachineError: it can't be opened.
        """
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with self._entered() as folder:
                door.bind(f"{folder}/{_SOCKET}")
                Path(folder, _SOCKET).chmod(0o600)
            door.listen(64)
        except OSError as error:
            door.close()
            raise MachineError(f"{self.folder} can't be used", error.strerror or str(error), _MEND) from error
        write_whole(self.folder / _ENGINE, line(hello), 0o600)
        return door

    def leave(self, over: Over) -> None:
        """Close the door for good, and leave word of how the run ended.

        Raises:
            MachineError: it can't be written.
        """
        told = line(over)
        try:
            if len(told) > _RESERVED:
                write_whole(self.folder / _ENDED, told, 0o600)
            else:
                self._use_room(told)
        except OSError as error:
            raise MachineError(f"{self.folder} can't be used", error.strerror or str(error), _MEND) from error
        for name in (_SOCKET, _ENGINE):
            (self.folder / name).unlink(missing_ok=True)

    def _use_room(self, told: bytes) -> None:
        """Write where room was kept, then give it the name that counts."""
        room = self.folder / _ROOM
        descriptor = os.open(room, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.pwrite(descriptor, told, 0)
            os.ftruncate(descriptor, len(told))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        room.rename(self.folder / _ENDED)
        sync_folder(self.folder)

    # -- everybody else's -------------------------------------------------------------------------------

    def engine(self) -> Hello | None:
        """The engine that was last begun here, if it has not ended in order; `work.holder` says whether it lives.

        Raises:
            MachineError: the folder is somebody else's.
        """
        told = self._message(_ENGINE)
        return told if isinstance(told, Hello) else None

    def protocol_of(self, pid: int) -> int | None:
        """The protocol that the engine speaks which is this process, of whatever version; None if that is no engine.

        Raises:
            MachineError: the folder is somebody else's.
        """
        told = self.read(_ENGINE)
        with contextlib.suppress(ProtocolError):
            return protocol_of(told) if process_of(told) == pid else None
        return None

    def ended(self) -> Over | None:
        """How the last run ended, if it could say so.

        Raises:
            MachineError: the folder is somebody else's.
        """
        told = self._message(_ENDED)
        return told if isinstance(told, Over) else None

    def last_words(self) -> bytes:
        """What the last engine said to its error output.

        Raises:
            MachineError: the folder is somebody else's.
        """
        return self.read(_STDERR)

    @property
    def seen(self) -> bool:
        """Whether somebody was told how the last run ended."""
        return (self.folder / _SEEN).exists()

    def mark_seen(self) -> None:
        """Somebody was."""
        with contextlib.suppress(OSError):
            (self.folder / _SEEN).touch(0o600)

    def connect(self, seconds: float) -> socket.socket | None:
        """Come to the engine; None if none listens. It is one of our own user's, or it is refused.

        Raises:
            MachineError: the folder or who listens in it is somebody else's.
        """
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(seconds)
            try:
                with self._entered() as folder:
                    sock.connect(f"{folder}/{_SOCKET}")
            except (FileNotFoundError, ConnectionRefusedError):
                sock.close()
                return None
            if peer(sock) != os.geteuid():
                raise MachineError(f"the engine of {self.work.root}", f"it runs as uid {peer(sock)}", _WHOSE)
        except OSError as error:
            sock.close()
            because = error.strerror or str(error)
            raise MachineError(f"the engine of {self.work.root}", because, "try again in a moment") from error
        except BaseException:
            sock.close()
            raise
        return sock

    @contextlib.contextmanager
    def _entered(self) -> Iterator[str]:
        """A short path to the folder, which is ours alone."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            held = os.fstat(descriptor)
            if held.st_uid != os.geteuid() or stat.S_IMODE(held.st_mode) & 0o077:
                whose = f"uid {held.st_uid}, mode {stat.S_IMODE(held.st_mode):o}"
                raise MachineError(f"{self.folder} is not ours alone", whose, _WHOSE)
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)

    def read(self, name: str) -> bytes:
        """A file of the folder; empty if it can't be read, or is larger than 1 MiB.

        Raises:
            MachineError: the folder is somebody else's.
        """
        with contextlib.suppress(OSError), self._entered() as folder:
            return read_small(Path(folder, name), _FILE)
        return b""

    def _message(self, name: str) -> object:
        with contextlib.suppress(ProtocolError):
            return said(self.read(name).rstrip(b"\n"))
        return None


_MEND = "make room or mend the folder, then run again"
_WHOSE = "come as the user who started it"


def peer(sock: socket.socket) -> int:
    """The uid at the other end of a unix socket, as the kernel says (unix(7), SO_PEERCRED)."""
    uid: int = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    return uid
