"""Run a program over bytes from outside: by argument list, within limits, as root under a uid of its own.

- The environment is small and explicit; `PATH` is fixed, so that no other program of that name can slip in.
- Time, memory, processor time and output are bounded; the whole process group dies with the call.
- As root it can be run as another user: hostile bytes are not parsed as root.
- What it was fed is hashed on its way in, so that the hash names the very bytes which it judged.
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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from sealwright_keyring.errors import KeyringError

SAFE_PATH = "/usr/bin:/bin:/usr/local/bin"
_CHUNK = 1 << 20
_MAX_STATUS = 1 << 20
_MEMORY = 1 << 30
_OUT, _ERR, _STATUS, _IN = "out", "err", "status", "in"


class Hash(Protocol):
    """Something that takes the parts of the input, in their order."""

    def update(self, part: bytes, /) -> None: ...


@dataclass(frozen=True)
class Ended:
    """What a run left: exit status (negative: a signal), its outputs, the input's SHA-256."""

    argv: tuple[str, ...]
    returncode: int
    status: bytes
    stdout: bytes
    stderr: bytes
    input_sha256: str
    seconds: float


@dataclass(frozen=True)
class Bounds:
    """Within what a program runs: seconds (20 MiB of input are worth one more), and whom to run it as (for root only)."""

    timeout: float
    uid: int | None

    def run(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        *,
        stdin: bytes | IO[bytes] = b"",
        size: int = 0,
        max_output: int = 64 << 20,
        also: Hash | None = None,
        status: tuple[int, int] | tuple[()] = (),
        handed: tuple[int, ...] = (),
    ) -> Ended:
        """Run `argv` to its end; `size` is that of `stdin` in bytes, which is hashed into `also` too.

        `status` are the ends of a pipe, to read and to write, that the program has for a third output; both are
        closed in the end. `handed` are more descriptors for it, which stay open here.

        Raises:
            KeyringError: it is missing, too slow, or floods one of its outputs.
        """
        name, extra = Path(argv[0]).name, size // (20 << 20)
        limits = [f"--cpu={int(self.timeout) + extra}", f"--as={_MEMORY}", "--core=0", "--nofile=64"]
        words = ["prlimit", *limits, "--", *self.as_its_user(), *argv]
        begun = time.monotonic()
        with contextlib.ExitStack() as stack:
            ends = [
                stack.enter_context(os.fdopen(end, mode, 0))
                for end, mode in zip(status, ("rb", "wb"), strict=False)
            ]
            child = stack.enter_context(_start(name, words, environment, (*handed, *status[1:])))
            for end in ends[1:]:
                end.close()  # it is the program's
            try:
                talk = _Conversation(name, child, ends[0] if ends else None, _parts(stdin), max_output, also)
                outputs = talk.hold(begun + self.timeout + extra)
            except BaseException:
                _kill(child)
                raise
        status_lines, out, err = (outputs[each] for each in (_STATUS, _OUT, _ERR))
        seconds = time.monotonic() - begun
        return Ended(tuple(argv), child.returncode, status_lines, out, err, talk.hash.hexdigest(), seconds)

    def as_its_user(self) -> list[str]:
        """The words before a program that make it run as this user."""
        if self.uid is None:
            return []
        who = [f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups"]
        return ["setpriv", *who, "--no-new-privs", "--inh-caps=-all", "--"]


def own(path: Path, uid: int | None) -> None:
    """Give a file or folder to the user that a program runs as."""
    if uid is not None:
        os.chown(path, uid, uid, follow_symlinks=False)


def temporary(uid: int | None) -> str | None:
    """Where a folder may lie so that this user can reach it; None: where temporary files lie anyway."""
    return None if uid is None else "/tmp"  # noqa: S108 - TMPDIR may be below root's closed home


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


def _start(
    name: str, argv: Sequence[str], environment: Mapping[str, str], passed: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": SAFE_PATH, "LC_ALL": "C", "TZ": "UTC", "HOME": "/nonexistent", **environment},
            cwd="/",
            pass_fds=passed,
            start_new_session=True,
        )
    except OSError as error:
        raise KeyringError(
            f"{name} can't be started", error.strerror or str(error), "install it, and util-linux"
        ) from error


class _Conversation:
    """Feeds a program, and takes its outputs, within the limits."""

    def __init__(
        self,
        name: str,
        child: subprocess.Popen[bytes],
        status: IO[bytes] | None,
        parts: Iterator[bytes],
        max_output: int,
        also: Hash | None,
    ) -> None:
        self.name, self.child, self.status, self.parts = name, child, status, parts
        self.outputs: dict[str, bytearray] = {_OUT: bytearray(), _ERR: bytearray(), _STATUS: bytearray()}
        self.limits = {_OUT: max_output, _ERR: _MAX_STATUS, _STATUS: _MAX_STATUS}
        self.hash, self.also = hashlib.sha256(), also
        self.rest = memoryview(b"")

    def hold(self, deadline: float) -> dict[str, bytes]:
        """Go on until all outputs are at their end and it has exited."""
        child = self.child
        assert child.stdin and child.stdout and child.stderr  # noqa: S101 - all three are pipes
        os.set_blocking(child.stdin.fileno(), False)
        with contextlib.suppress(OSError):  # a user's pipes may be limited; then it is merely slower
            fcntl.fcntl(child.stdin.fileno(), fcntl.F_SETPIPE_SZ, _CHUNK)
        with selectors.DefaultSelector() as watch:
            watch.register(child.stdout, selectors.EVENT_READ, _OUT)
            watch.register(child.stderr, selectors.EVENT_READ, _ERR)
            if self.status is not None:
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

    def _too_slow(self) -> KeyringError:
        return KeyringError(
            f"{self.name} was stopped", "it took too long", "look at the machine and at what it was given"
        )

    def _take(self, watch: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        data = os.read(key.fd, 1 << 16)
        if not data:
            watch.unregister(key.fileobj)
            return
        output = self.outputs[key.data]
        output += data
        if len(output) > self.limits[key.data]:
            raise KeyringError(f"{self.name} was stopped", "its output has no end", "look at what it was given")

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
        """Hash what was no longer wanted, so that the evidence names the whole input."""
        for part in self.parts:
            self._hashed(part)

    def _hashed(self, part: bytes) -> None:
        self.hash.update(part)
        if self.also is not None:
            self.also.update(part)
