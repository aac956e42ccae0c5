"""Run gpg: by argument list, in a given home, with a status channel of its own and limits.

- Status lines come through their own pipe, never mixed with what a message can write.
- The environment is small and explicit; `PATH` is fixed, so that no other gpg can slip in.
- No configuration file, agent, directory service, trust database or key fetching takes part.
- Time, memory, processor time and output are bounded; the whole process group dies with the call.
- As root it can be run as another user, to whom the home then belongs: hostile bytes are not parsed as root.
- What gpg was fed is hashed on its way in, so that the hash names the very bytes which it judged.
- A signature reaches it as sealed memory, so a check writes no file, and nobody can change what is being checked.
- The exit code is a field of the answer; nothing here turns it into success.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from sealwright_keyring.errors import KeyringError

SAFE_PATH = "/usr/bin:/bin:/usr/local/bin"
QUIET = (
    "--no-options",
    "--no-verbose",
    "--batch",
    "--no-tty",
    "--trust-model",
    "always",
    "--no-auto-check-trustdb",
    "--no-auto-key-retrieve",
    "--disable-dirmngr",
    "--no-autostart",
    "--enable-special-filenames",  # for `ATTACHED`; other names of files are ours too
    "--lock-never",  # a home is filled once and then only read
    "--no-permission-warning",  # it belongs to us, not to gpg's user, so that gpg can't change it
)
ATTACHED = "-&"
"""Stands in the arguments for the file that is handed over as `attached`."""
_CHUNK = 1 << 20
_MAX_STATUS = 1 << 20
_MEMORY = 1 << 30
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK
_OUT, _ERR, _STATUS, _IN = "out", "err", "status", "in"


class Hash(Protocol):
    """Something that takes the parts of the input, in their order."""

    def update(self, part: bytes, /) -> None: ...


@dataclass(frozen=True)
class GpgRun:
    """What a run of gpg left: exit status (negative: a signal), its three outputs, the input's SHA-256."""

    argv: tuple[str, ...]
    returncode: int
    status: bytes
    stdout: bytes
    stderr: bytes
    input_sha256: str
    seconds: float


@dataclass(frozen=True)
class Gpg:
    """A gpg program: its name or path, the seconds that a run may take, and whom to run it as (for root only)."""

    program: str = "gpg"
    timeout: float = 60.0
    uid: int | None = None

    @property
    def temporary(self) -> str | None:
        """Where a home may lie so that gpg's user can reach it; None: where temporary files lie anyway."""
        return None if self.uid is None else "/tmp"  # noqa: S108 - TMPDIR may be below root's closed home

    def own(self, path: Path) -> None:
        """Give a file or folder to the user that gpg runs as."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid, follow_symlinks=False)

    def take_back(self, folder: Path) -> None:
        """Leave gpg's user with the right to read `folder` and its files, and no more."""
        for path in (*folder.iterdir(), folder):
            if self.uid is None:
                path.chmod(0o500 if path == folder else 0o400)
            else:
                os.chown(path, 0, self.uid, follow_symlinks=False)
                path.chmod(0o550 if path == folder else 0o440)

    def run(
        self,
        home: Path,
        arguments: Sequence[str],
        *,
        stdin: bytes | IO[bytes] = b"",
        size: int = 0,
        max_output: int = 64 << 20,
        now: str = "",
        also: Hash | None = None,
        attached: bytes = b"",
    ) -> GpgRun:
        """Run gpg in `home` to its end. `size` is that of `stdin` in bytes; `now` fakes gpg's clock.

        What is fed is hashed into `also` too; `attached` is the content of the file `ATTACHED`.

        Raises:
            KeyringError: gpg is missing, too slow, or floods one of its outputs.
        """
        clock = ["--faked-system-time", now] if now else []
        extra = size // (20 << 20)
        limits = [f"--cpu={int(self.timeout) + extra}", f"--as={_MEMORY}", "--core=0", "--nofile=64"]
        read_end, write_end = os.pipe()
        begun = time.monotonic()
        try:
            with in_memory(attached) as memory:
                words = [f"-&{memory}" if word == ATTACHED else word for word in arguments]
                argv = [self.program, *QUIET, *clock, "--status-fd", str(write_end), *words]
                limited = ["prlimit", *limits, "--", *self.as_its_user(), *argv]
                child = self._start(limited, home, (write_end, memory))
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        with open(read_end, "rb", buffering=0) as status, child:  # noqa: PTH123 - a file descriptor
            try:
                talk = _Conversation(child, status, _parts(stdin), max_output, also)
                outputs = talk.hold(begun + self.timeout + extra)
            except BaseException:
                _kill(child)
                raise
        return GpgRun(
            tuple(argv),
            child.returncode,
            outputs[_STATUS],
            outputs[_OUT],
            outputs[_ERR],
            talk.hash.hexdigest(),
            time.monotonic() - begun,
        )

    def as_its_user(self) -> list[str]:
        """The words before a program that make it run as gpg does."""
        if self.uid is None:
            return []
        who = [f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        return ["setpriv", *who, "--no-new-privs", "--inh-caps=-all", "--"]

    def _start(self, argv: Sequence[str], home: Path, handed: tuple[int, ...]) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": SAFE_PATH,
            "LC_ALL": "C",
            "TZ": "UTC",
            "HOME": "/nonexistent",
            "GNUPGHOME": str(home),
        }
        try:
            return subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd="/",
                pass_fds=handed,
                start_new_session=True,
            )
        except OSError as error:
            raise KeyringError(
                "gpg can't be started", error.strerror or str(error), "install gnupg and util-linux"
            ) from error


@contextlib.contextmanager
def in_memory(content: bytes) -> Iterator[int]:
    """A descriptor of sealed memory with this content, open at its beginning; nobody can change what it holds."""
    descriptor = os.memfd_create("content", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(descriptor, "wb", closefd=False) as stream:
            stream.write(content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        yield descriptor
    finally:
        os.close(descriptor)


def _parts(stdin: bytes | IO[bytes]) -> Iterator[bytes]:
    if isinstance(stdin, bytes):
        if stdin:
            yield stdin
        return
    while part := stdin.read(_CHUNK):
        yield part


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


class _Conversation:
    """Feeds gpg, and takes its three outputs, within the limits."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        status: IO[bytes],
        parts: Iterator[bytes],
        max_output: int,
        also: Hash | None,
    ) -> None:
        self.child, self.status, self.parts = child, status, parts
        self.outputs: dict[str, bytearray] = {_OUT: bytearray(), _ERR: bytearray(), _STATUS: bytearray()}
        self.limits = {_OUT: max_output, _ERR: _MAX_STATUS, _STATUS: _MAX_STATUS}
        self.hash, self.also = hashlib.sha256(), also
        self.rest = memoryview(b"")

    def hold(self, deadline: float) -> dict[str, bytes]:
        """Go on until all outputs are at their end and gpg has exited."""
        child = self.child
        assert child.stdin and child.stdout and child.stderr  # noqa: S101 - all three are pipes
        os.set_blocking(child.stdin.fileno(), False)
        with contextlib.suppress(OSError):  # a user's pipes may be limited; then it is merely slower
            fcntl.fcntl(child.stdin.fileno(), fcntl.F_SETPIPE_SZ, _CHUNK)
        with selectors.DefaultSelector() as watch:
            watch.register(child.stdout, selectors.EVENT_READ, _OUT)
            watch.register(child.stderr, selectors.EVENT_READ, _ERR)
            watch.register(self.status, selectors.EVENT_READ, _STATUS)
            watch.register(child.stdin, selectors.EVENT_WRITE, _IN)
            while watch.get_map():
                for key, _ in watch.select(max(0.0, self._left(deadline))):
                    if key.data == _IN:
                        self._feed(watch)
                    else:
                        self._take(watch, key)
        try:
            child.wait(self._left(deadline))
        except subprocess.TimeoutExpired as error:
            raise self._too_slow() from error
        return {name: bytes(data) for name, data in self.outputs.items()}

    def _left(self, deadline: float) -> float:
        if (left := deadline - time.monotonic()) <= 0:
            raise self._too_slow()
        return left

    @staticmethod
    def _too_slow() -> KeyringError:
        return KeyringError("gpg was stopped", "it took too long", "look at the machine and at what it was given")

    def _take(self, watch: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        data = os.read(key.fd, 1 << 16)
        if not data:
            watch.unregister(key.fileobj)
            return
        output = self.outputs[key.data]
        output += data
        if len(output) > self.limits[key.data]:
            raise KeyringError("gpg was stopped", "its output has no end", "look at what it was given")

    def _feed(self, watch: selectors.BaseSelector) -> None:
        assert self.child.stdin  # noqa: S101 - it is a pipe
        try:
            if not self.rest and (part := next(self.parts, b"")):
                self._hashed(part)
                self.rest = memoryview(part)
            if self.rest:
                self.rest = self.rest[os.write(self.child.stdin.fileno(), self.rest[:_CHUNK]) :]
                return
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._drain()
        watch.unregister(self.child.stdin)
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.close()

    def _drain(self) -> None:
        """Hash what gpg no longer wanted, so that the evidence names the whole input."""
        for part in self.parts:
            self._hashed(part)

    def _hashed(self, part: bytes) -> None:
        self.hash.update(part)
        if self.also is not None:
            self.also.update(part)
