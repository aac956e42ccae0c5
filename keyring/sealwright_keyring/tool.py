"""Run a verifying program: by argument list, fed through a pipe, with limits, and as nobody who matters.

- The environment is small and explicit; `PATH` is fixed, so that no other program can slip in.
- Time, memory, processor time and output are bounded; the whole process group dies with the call.
- As root it can be run as another user, to whom its private folder and its pipe then belong: hostile bytes are not
  parsed as root.
- What it was fed is hashed on its way in, so that the hash names the very bytes which it judged.
- The exit code is a field of the answer; nothing here turns it into success.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, Protocol

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.feed import CHUNK, parts

SAFE_PATH = "/usr/bin:/bin:/usr/local/bin"
_MAX_STATUS = 1 << 20
_MEMORY = 1 << 30
_NOBODY = 65534
_OUT, _ERR, _STATUS, _IN = "out", "err", "status", "in"


class Hash(Protocol):
    """Something that takes the parts of the input, in their order."""

    def update(self, part: bytes, /) -> None: ...


@dataclass(frozen=True)
class Run:
    """What a run left: exit status (negative: a signal), its three outputs, the input's SHA-256, seconds."""

    argv: tuple[str, ...]
    returncode: int
    status: bytes
    stdout: bytes
    stderr: bytes
    input_sha256: str
    seconds: float


@dataclass(frozen=True)
class Tool:
    """A program: its name or path, the seconds that a run may take, and whom to run it as (for root only)."""

    program: str
    timeout: float = 60.0
    uid: int | None = None
    needs_a_name: ClassVar[bool] = False  # it refuses to run for a user whom the password file doesn't have

    @property
    def temporary(self) -> str | None:
        """Where a private folder may lie so that the user can reach it; None: where temporary files lie anyway."""
        return None if self.uid is None else "/tmp"  # noqa: S108 - TMPDIR may be below root's closed home

    def own(self, path: Path) -> None:
        """Give a file or folder to the user that the program runs as."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid, follow_symlinks=False)

    @contextlib.contextmanager
    def private(self, files: Mapping[str, bytes]) -> Iterator[Path]:
        """A new folder that only the program's user may enter, with these files; gone afterwards."""
        folder = Path(tempfile.mkdtemp(prefix="sealwright-check-", dir=self.temporary))
        try:
            for name, data in files.items():
                (folder / name).write_bytes(data)
                self.own(folder / name)
            self.own(folder)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def hold(
        self,
        words: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        stdin: bytes | IO[bytes] = b"",
        size: int = 0,
        max_output: int = 64 << 20,
        also: Hash | None = None,
        status: tuple[int, int] | None = None,
        handed: tuple[int, ...] = (),
    ) -> Run:
        """Run the program with `words` to its end. `size` is that of `stdin` in bytes.

        What is fed is hashed into `also` too. `status` is a pipe (read end, write end) whose write end the program
        inherits; both ends are closed here. `handed` are further descriptors that it inherits.

        Raises:
            KeyringError: the program is missing, too slow, or floods one of its outputs.
        """
        read_end, write_end = status or os.pipe()
        argv, seconds, begun = [self.program, *words], self.timeout + size // (20 << 20), time.monotonic()
        try:
            inherited = (*handed, write_end) if status else handed
            child, fed = self._start(argv, seconds, environment or {}, inherited)
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        with open(read_end, "rb", buffering=0) as told, fed, child:  # noqa: PTH123 - a file descriptor
            try:
                talk = _Conversation(self.program, child, (fed, told), parts(stdin), max_output, also)
                talk.hold(begun + seconds)
            except BaseException:
                _kill(child)
                raise
        return talk.run(argv, time.monotonic() - begun)

    def as_its_user(self) -> list[str]:
        """The words before a program that make it run as this one does."""
        words: list[str] = []
        if self.uid is not None:
            who = [f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
            words += ["setpriv", *who, "--no-new-privs", "--inh-caps=-all", "--"]
        if self.needs_a_name and not _has_a_name(os.geteuid() if self.uid is None else self.uid):
            # In a user namespace of its own it is called nobody, and can do no more than without.
            words += ["unshare", "--user", f"--map-user={_NOBODY}", f"--map-group={_NOBODY}", "--"]
        return words

    def _start(
        self, argv: Sequence[str], seconds: float, environment: Mapping[str, str], inherited: tuple[int, ...]
    ) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
        """The program, and the end of the pipe that feeds it."""
        limits = [f"--cpu={int(seconds)}", f"--as={_MEMORY}", "--core=0", "--nofile=64"]
        base = {"PATH": SAFE_PATH, "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent"}
        feed, fed = os.pipe()
        try:
            if self.uid is not None:
                os.fchown(feed, self.uid, self.uid)  # or the program could not open /dev/stdin by its name
            child = subprocess.Popen(
                ["prlimit", *limits, "--", *self.as_its_user(), *argv],
                stdin=feed,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={**base, **environment},
                cwd="/",
                pass_fds=inherited,
                start_new_session=True,
            )
        except OSError as error:
            os.close(fed)
            raise KeyringError(
                f"{self.program} can't be started",
                error.strerror or str(error),
                f"install {self.program} and util-linux",
            ) from error
        finally:
            os.close(feed)
        return child, open(fed, "wb", buffering=0)  # noqa: PTH123 - a file descriptor; the caller closes


def _has_a_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _kill(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


class _Conversation:
    """Feeds a program, and takes its three outputs, within the limits."""

    def __init__(
        self,
        name: str,
        child: subprocess.Popen[bytes],
        ends: tuple[IO[bytes], IO[bytes]],
        parts: Iterator[bytes],
        max_output: int,
        also: Hash | None,
    ) -> None:
        self.name, self.child, self.parts = name, child, parts
        self.fed, self.status = ends
        self.outputs: dict[str, bytearray] = {_OUT: bytearray(), _ERR: bytearray(), _STATUS: bytearray()}
        self.limits = {_OUT: max_output, _ERR: _MAX_STATUS, _STATUS: _MAX_STATUS}
        self.hash, self.also = hashlib.sha256(), also
        self.rest = memoryview(b"")

    def hold(self, deadline: float) -> None:
        """Go on until all outputs are at their end and the program has exited."""
        child = self.child
        assert child.stdout and child.stderr  # noqa: S101 - both are pipes
        os.set_blocking(self.fed.fileno(), False)
        with contextlib.suppress(OSError):  # a user's pipes may be limited; then it is merely slower
            fcntl.fcntl(self.fed.fileno(), fcntl.F_SETPIPE_SZ, CHUNK)
        with selectors.DefaultSelector() as watch:
            watch.register(child.stdout, selectors.EVENT_READ, _OUT)
            watch.register(child.stderr, selectors.EVENT_READ, _ERR)
            watch.register(self.status, selectors.EVENT_READ, _STATUS)
            watch.register(self.fed, selectors.EVENT_WRITE, _IN)
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

    def run(self, argv: Sequence[str], seconds: float) -> Run:
        """What it left, once it has ended."""
        status, out, err = (bytes(self.outputs[name]) for name in (_STATUS, _OUT, _ERR))
        return Run(tuple(argv), self.child.returncode, status, out, err, self.hash.hexdigest(), seconds)

    def _left(self, deadline: float) -> float:
        if (left := deadline - time.monotonic()) <= 0:
            raise self._too_slow()
        return left

    def _too_slow(self) -> KeyringError:
        return self._stopped("it took too long", "look at the machine and at what it was given")

    def _stopped(self, because: str, next_step: str) -> KeyringError:
        return KeyringError(f"{self.name} was stopped", because, next_step)

    def _take(self, watch: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        data = os.read(key.fd, 1 << 16)
        if not data:
            watch.unregister(key.fileobj)
            return
        output = self.outputs[key.data]
        output += data
        if len(output) > self.limits[key.data]:
            raise self._stopped("its output has no end", "look at what it was given")

    def _feed(self, watch: selectors.BaseSelector) -> None:
        try:
            if not self.rest and (part := next(self.parts, b"")):
                self._hashed(part)
                self.rest = memoryview(part)
            if self.rest:
                self.rest = self.rest[os.write(self.fed.fileno(), self.rest[:CHUNK]) :]
                return
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._drain()
        watch.unregister(self.fed)
        self.fed.close()

    def _drain(self) -> None:
        """Hash what the program no longer wanted, so that the evidence names the whole input."""
        for part in self.parts:
            self._hashed(part)

    def _hashed(self, part: bytes) -> None:
        self.hash.update(part)
        if self.also is not None:
            self.also.update(part)
