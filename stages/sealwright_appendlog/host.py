"""A host of many logs: one socket, one name, one key, and a process of its own for each log that is in use.

- A log is begun by a hello of the stream `engine` that names an origin below the host's own name and saw nothing of
  it before; its folder is made from the origin, and no client names a path.
- An origin is one log for good: after its seal it can be read, and nothing more.
- A log belongs to the identity that began it. Of anybody else's only a stream below `raw/` may be opened.
- A hello that names no stream is answered with the host's key, and begins nothing.
- Who says nothing in ten seconds, or too much before the hello, is turned away, the oldest first where many wait: no
  client holds up another.
- A log that nobody has used for a while gives its process back, and at once where there are too many; one that breaks
  takes no other along. No identity has more than a quarter of all processes in use.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_appendlog.clients import Client, Refused
from sealwright_appendlog.folder import Folder, lock, sync_folder
from sealwright_appendlog.frames import FrameError
from sealwright_appendlog.handed import EARLY, Channel
from sealwright_appendlog.keyfile import read_or_make_key
from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.origins import authority_name, folder_name, log_origin
from sealwright_appendlog.record import RecordError
from sealwright_appendlog.requests import RAW, Hello, only_asks

KEY = "key"
_LOGS = "logs"
_OWNER = "owner"
_PATIENCE = 10.0
_MOST_WAITING = 64
_MOST_LOGS = 64
_MOST_EACH = 16
_TURN = 0.5
_BLOCK = 4096


@dataclass
class _Log:
    """A log with a process: that, the channel to it, and the identity for which it was started."""

    process: subprocess.Popen[bytes]
    channel: Channel
    starter: str


@dataclass
class _Guest:
    """A connection whose log is not known yet: what it said, since when, and whether it only asks."""

    client: Client
    said: bytes
    since: float
    asks: bool = False


def host_key(root: Path, name: str, *, for_owner: bool = False) -> tuple[Ed25519PrivateKey, VerifierKey]:
    """The host's key, made if missing; all its logs are signed with it, each under its own name.

    With `for_owner` a key that root makes belongs to whoever owns the folder: a host, which root may not be.

    Raises:
        OSError: it can't be read or made.
        ValueError: no host can have that name, or the file holds no key.
    """
    called = authority_name(name)
    missing = not (root / KEY).exists()
    key = read_or_make_key(root / KEY)
    if for_owner and missing and os.geteuid() == 0:
        owner = root.stat()
        os.chown(root / KEY, owner.st_uid, owner.st_gid, follow_symlinks=False)
    return key, VerifierKey(called, key.public_key().public_bytes_raw())


class Host:
    """Serves the logs below `root` on a listening unix socket until `stopped` is set.

    `allowed` are the uids that may connect; None if the socket's own mode decides that. A log's process ends after
    `idle` seconds without a client.
    """

    def __init__(
        self, root: Path, name: str, listener: socket.socket, allowed: Collection[int] | None, idle: float
    ) -> None:
        """Take the folder.

        Raises:
            OSError: it can't be used, or another host has it.
        """
        self.root = root
        self.stopped = False
        _, self.vkey = host_key(root, name)
        (root / _LOGS).mkdir(exist_ok=True)
        self._lock = lock(root, 0.0)
        self._allowed = None if allowed is None else frozenset(allowed)
        self._idle = idle
        self._listener = listener
        self._logs: dict[str, _Log] = {}
        self._guests: dict[int, _Guest] = {}
        self._ending: list[subprocess.Popen[bytes]] = []
        self._watch = selectors.DefaultSelector()
        listener.setblocking(False)
        self._watch.register(listener, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Serve until `stopped` is set."""
        try:
            while not self.stopped:
                for key, _ in self._watch.select(_TURN):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.data, str):
                        self._listen(key.data)
                    elif key.data in self._guests:
                        self._hear(self._guests[key.data])
                self._tidy(time.monotonic())
        finally:
            for origin in list(self._logs):
                self._let_go(origin)
            for guest in list(self._guests.values()):
                self._dismiss(guest)
            for process in self._ending:
                process.wait()
            self._watch.close()
            os.close(self._lock)

    # -- guests -----------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            client = Client.accept(self._listener)
        except OSError:
            return
        guest = _Guest(client, b"", time.monotonic())
        if self._allowed is not None and client.uid not in self._allowed:
            self._refuse(guest, f"uid {client.uid} may not use this log")
            return
        if len(self._guests) >= _MOST_WAITING:
            self._refuse(next(iter(self._guests.values())), "too many came since, and nothing was asked for")
        number = client.sock.fileno()
        self._guests[number] = guest
        self._watch.register(client.sock, selectors.EVENT_READ, number)

    def _hear(self, guest: _Guest) -> None:
        try:
            data = guest.client.sock.recv(_BLOCK)
        except OSError:
            data = b""
        if not data:
            self._dismiss(guest)
            return
        try:
            self._take(guest, data)
        except (Refused, FrameError, RecordError) as error:
            self._refuse(guest, str(error))
        except OSError as error:
            self._refuse(guest, f"the log can't be opened: {error.strerror or error}")

    def _take(self, guest: _Guest, data: bytes) -> None:
        if not guest.asks:
            guest.said += data
            if len(guest.said) > EARLY:
                raise Refused("too much was said before the hello was answered")
        for kind, payload in guest.client.decoder.feed(data):
            if guest.asks:
                self._answer(guest, kind)
            elif kind == "I":
                guest.client.identify(payload)
            elif kind != "H":
                raise Refused("a frame before the hello")
            elif only_asks(payload):
                guest.asks = True
                guest.client.say("A", b"-1 0\n" + str(self.vkey).encode())
                guest.client.send()
            else:
                self._hand_on(guest, Hello.parse(payload))
                return

    def _answer(self, guest: _Guest, kind: str) -> None:
        if kind != "P":
            raise Refused("who only asks can say nothing but ping")
        guest.client.say("A", b"-1 0")
        guest.client.send()

    def _refuse(self, guest: _Guest, why: str) -> None:
        guest.client.refuse(why)
        guest.client.send()
        self._dismiss(guest)

    def _dismiss(self, guest: _Guest) -> None:
        self._forget(guest)
        guest.client.sock.close()

    def _forget(self, guest: _Guest) -> None:
        if self._guests.pop(guest.client.sock.fileno(), None) is not None:
            self._watch.unregister(guest.client.sock)

    # -- logs -------------------------------------------------------------------------------------------

    def _hand_on(self, guest: _Guest, hello: Hello) -> None:
        origin = log_origin(hello.origin or "", self.vkey.name)
        self._admit(guest.client, hello, self.root / _LOGS / folder_name(origin))
        log = self._logs.get(origin) or self._start(origin, guest.client.src)
        self._forget(guest)
        try:
            log.channel.hand_on(guest.client.sock, guest.said)
        except BlockingIOError:  # it lives, and whom it has it keeps
            raise Refused("too many come to this log at once; try again") from None
        except OSError:
            self._let_go(origin)
            raise Refused("the log's process takes nothing; try again") from None

    def _admit(self, client: Client, hello: Hello, folder: Path) -> None:
        """Find the log's folder, or make it if this is the log's beginning."""
        try:
            owner = (folder / _OWNER).read_text("ascii")
        except FileNotFoundError:
            if hello.stream != "engine" or hello.seen or hello.since:
                raise Refused("there is no log of this origin here") from None
            _begin(folder, client.src)
            return
        if owner != client.src and not hello.stream.startswith(RAW):
            raise Refused("this log was begun by somebody else")

    def _start(self, origin: str, starter: str) -> _Log:
        self._make_room(starter)
        channel = Channel()
        words = {"--dir": self.root / _LOGS / folder_name(origin) / "log", "--key": self.root / KEY}
        argv = [sys.executable, "-I", "-m", "sealwright_appendlog.cli", "serve", "--origin", origin]
        argv += [str(word) for pair in words.items() for word in pair]
        argv += ["--handed", str(channel.theirs.fileno())]
        with channel.theirs as theirs:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),))
        self._logs[origin] = _Log(process, channel, starter)
        self._watch.register(channel, selectors.EVENT_READ, origin)
        return self._logs[origin]

    def _make_room(self, starter: str) -> None:
        """See to it that one more log can be in use."""
        used = [log for log in self._logs.values() if not log.channel.idle]
        if len(used) >= _MOST_LOGS or sum(log.starter == starter for log in used) >= _MOST_EACH:
            raise Refused("too many logs are in use")
        if len(self._logs) >= _MOST_LOGS:
            idle = {origin: log.channel for origin, log in self._logs.items() if log.channel.idle}
            self._let_go(min(idle, key=lambda origin: idle[origin].idle_since))

    def _listen(self, origin: str) -> None:
        if origin in self._logs and self._logs[origin].channel.ended():
            self._let_go(origin)

    def _let_go(self, origin: str) -> None:
        """End a log's process; the next one waits until it has ended."""
        log = self._logs.pop(origin)
        self._watch.unregister(log.channel)
        log.channel.close()
        self._ending.append(log.process)

    def _tidy(self, now: float) -> None:
        for origin, log in list(self._logs.items()):
            if log.channel.idle and now - log.channel.idle_since > self._idle:
                self._let_go(origin)
        self._ending = [process for process in self._ending if process.poll() is None]
        for guest in [guest for guest in self._guests.values() if now - guest.since > _PATIENCE]:
            self._refuse(guest, f"nothing was asked for in {_PATIENCE:.0f} s")


def _begin(folder: Path, owner: str) -> None:
    """Make a log's folder: it appears when it is whole."""
    fresh = folder.with_name(f".{folder.name}.new")
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(fresh)
    fresh.mkdir(mode=0o755)
    Folder(fresh).write({_OWNER: owner.encode()})
    fresh.rename(folder)
    sync_folder(folder.parent)
