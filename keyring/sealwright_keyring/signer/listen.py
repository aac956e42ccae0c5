"""The signer behind a unix socket, for users who are named, and the bridge that leads to it.

- Who connects is told by the kernel (SO_PEERCRED, unix(7)); a uid that was not named is refused before it is heard. The
  first time that it comes is in the record, of so many uids; more would let anybody fill the disk.
- The bridge looks at the uid of who listens, before it says a word: another user's socket in that place gets nothing.
- A path that something else than a socket has is left alone; a socket that still answers, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import stat
import struct
import sys
import threading
from collections.abc import Collection
from pathlib import Path

from sealwright_keyring.errors import KeyringError, SignerError
from sealwright_keyring.signer.server import Conversation, Signer

_CREDENTIALS = struct.Struct("3i")
_MOST = 16
_STRANGERS = 100  # whose coming is recorded
_BLOCK = 1 << 16


def peer_uid(sock: socket.socket) -> int:
    """The uid of who is at the other end, as the kernel knows it."""
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(data)[1])


class Listener:
    """Listens at a path, and lets the named uids speak with the signer; it ends when the record does."""

    def __init__(self, path: Path, allowed: Collection[int]) -> None:
        """Begin to listen.

        Raises:
            SignerError: nobody is allowed, or something else is there.
            OSError: the path can't be had.
        """
        if not allowed:
            raise SignerError("--allow-uid", "nobody may connect", "name each uid that may: --allow-uid N")
        self._allowed = frozenset(allowed)
        self._slots = threading.BoundedSemaphore(_MOST)
        self._strangers: set[int] = set()
        self.failed: BaseException | None = None
        _make_room(path)
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._listener.bind(str(path))
            path.chmod(0o666)
            self._listener.listen()
        except BaseException:
            self._listener.close()
            raise

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def serve(self, signer: Signer) -> None:
        """Let in whoever may come, until the record can't be written any more.

        Raises:
            KeyringError, OSError: as `Conversation.serve`.
        """
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                if self.failed is None:
                    raise
                raise self.failed from None
            uid = peer_uid(sock)
            if uid not in self._allowed:
                self._turn_away(sock, uid, signer)
            elif not self._slots.acquire(blocking=False):
                _refuse(sock, f"{_MOST} others speak with this signer", "end one of them, then come again")
            else:
                threading.Thread(target=self._converse, args=(sock, uid, signer), daemon=True).start()

    def _converse(self, sock: socket.socket, uid: int, signer: Signer) -> None:
        try:
            with sock, sock.makefile("rb") as stream, sock.makefile("wb") as answers:
                Conversation(signer, f"uid:{uid}").serve(stream, answers)
        except (BrokenPipeError, ConnectionError):
            pass  # whoever asked is gone; the record has the answer
        except (KeyringError, OSError) as error:
            self._fail(error)
        finally:
            self._slots.release()

    def _turn_away(self, sock: socket.socket, uid: int, signer: Signer) -> None:
        because = f"uid {uid} may not speak with this signer"
        _refuse(sock, because, f"allow it there: --allow-uid {uid}")
        if uid not in self._strangers and len(self._strangers) < _STRANGERS:
            self._strangers.add(uid)
            print(f"uid {uid} was refused", file=sys.stderr, flush=True)
            threading.Thread(target=self._record, args=(uid, because, signer), daemon=True).start()

    def _record(self, uid: int, because: str, signer: Signer) -> None:
        answer = {"ok": False, "because": because, "next": f"if it should: --allow-uid {uid}"}
        try:
            with signer.lock:
                signer.record.append({"op": "connect", "peer": f"uid:{uid}", "request": "", "answer": answer})
        except (KeyringError, OSError) as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """End `serve` with this."""
        self.failed = error
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`


def carry(path: Path, allowed: Collection[int]) -> None:
    """Carry stdin to the socket, and what comes from there to stdout, until the signer ends or has answered all.

    Raises:
        SignerError: another user listens there.
        OSError: nobody does.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(str(path))
        except OSError as error:
            raise SignerError(
                f"the signer at {path}", str(error.strerror), "start `sealwright-signer listen`"
            ) from error
        if (uid := peer_uid(sock)) not in allowed:
            step = f"if that is the signer's own user: --server-uid {uid}"
            raise SignerError(f"the signer at {path}", f"uid {uid} listens there", step)
        with selectors.DefaultSelector() as watch:
            watch.register(0, selectors.EVENT_READ)
            watch.register(sock, selectors.EVENT_READ)
            while True:
                for key, _ in watch.select():
                    if key.fileobj is sock:
                        data = sock.recv(_BLOCK)
                        if not data:
                            return
                        _write_out(data)
                    elif data := os.read(0, _BLOCK):
                        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                            sock.sendall(data)  # why it was refused is still to be read
                    else:
                        watch.unregister(0)
                        with contextlib.suppress(OSError):
                            sock.shutdown(socket.SHUT_WR)


def _make_room(path: Path) -> None:
    """Take away a socket that nobody listens at any more."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise SignerError(f"--socket {path}", "something else is there", "name another path, or move it away")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        if sock.connect_ex(str(path)) == 0:
            raise SignerError(
                f"--socket {path}", "a signer listens there already", "end that one, or name another path"
            )
    path.unlink()


def _refuse(sock: socket.socket, because: str, next_step: str) -> None:
    with sock, contextlib.suppress(OSError):
        sock.settimeout(1)
        sock.sendall(
            json.dumps({"ok": False, "because": because, "next": next_step}, sort_keys=True).encode() + b"\n"
        )


def _write_out(data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(1, rest) :]
