"""Run one program: by argument list, with a limit of time and output, and an environment of its own.

- A program is named by an argument list; there is no way to pass a shell string.
- The environment is what the caller gives on top of `BASE_ENVIRONMENT`; ours is never inherited.
- No file descriptor but the three standard ones, and those named in `pass_fds`, is inherited.
- A program that is missing, outlives its limit, floods its output, or is cancelled raises; its whole
  process group is dead before the error is seen.
- The exit code is the caller's to judge: `run` never turns one into success.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import FloodError, InterruptedRunError, MachineError

BASE_ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "HOME": "/nonexistent",
}
_SLICE = 0.1  # seconds between two looks at the cancel flag


@dataclass(frozen=True)
class Completed:
    """What a program left: exit status (negative: the signal), its output, and how long it took."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float

    def complaint(self, limit: int = 400) -> str:
        """The end of what it said on stderr (or else stdout) as one printable line."""
        text = (self.stderr or self.stdout).decode("utf-8", "replace").strip()[-limit:]
        return " / ".join(line.strip() for line in text.splitlines() if line.strip()) or "it said nothing"


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes = b"",
    cancel: threading.Event | None = None,
    max_output: int = 64 << 20,
    pass_fds: Sequence[int] = (),
    on_stderr: Callable[[bytes], None] | None = None,
    spawn: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen,
) -> Completed:
    """Run `argv` to its end.

    `timeout` is in seconds, `max_output` in bytes over both channels. `on_stderr` sees error output as it
    comes (progress of git and curl). `spawn` is what starts it: see `sandbox.birth`.

    Raises:
        MachineError: the program is missing, too slow, or floods.
        InterruptedRunError: `cancel` was set.
    """
    words = tuple(str(word) for word in argv)
    begun = time.monotonic()
    try:
        child = spawn(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**BASE_ENVIRONMENT, **(env or {})},
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
    except OSError as error:
        raise MachineError(
            f"{words[0]} can't be started", error.strerror or str(error), "run `sealwright doctor`"
        ) from error
    with child:
        try:
            out, err = _Conversation(child, stdin, max_output).hold(begun + timeout, cancel, on_stderr)
        except BaseException:
            kill_group(child)
            raise
    return Completed(words, child.returncode, out, err, time.monotonic() - begun)


def last_words(stderr: bytes) -> str:
    """Why a program of ours ended: its `because:` line, or else the last line that it said."""
    said = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    because = [line.removeprefix("because: ") for line in said if line.startswith("because: ")]
    return (because or said or ["it ended without a word"])[-1][-300:]


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill the process group that `child` leads, and reap the child."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


class _Conversation:
    """Feeds a child its input and takes its output, within the limits."""

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes, max_output: int) -> None:
        self.child = child
        self.name = Path(child.args[0] if isinstance(child.args, tuple) else "program").name
        self.parts: dict[str, list[bytes]] = {"out": [], "err": []}
        self.taken = 0
        self.max_output = max_output
        self.rest = memoryview(stdin)

    def hold(
        self,
        deadline: float,
        cancel: threading.Event | None,
        on_stderr: Callable[[bytes], None] | None,
    ) -> tuple[bytes, bytes]:
        """Go on until both outputs are at their end and the child has exited."""
        with selectors.DefaultSelector() as watch:
            self._register(watch)
            while watch.get_map():
                self._check(deadline, cancel)
                for key, _ in watch.select(_SLICE):
                    data = self._feed(watch) if key.data == "in" else self._take(watch, key)
                    if data and key.data == "err" and on_stderr is not None:
                        on_stderr(data)
        while self.child.poll() is None:
            self._check(deadline, cancel)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(_SLICE)
        return b"".join(self.parts["out"]), b"".join(self.parts["err"])

    def _register(self, watch: selectors.BaseSelector) -> None:
        child = self.child
        assert child.stdin and child.stdout and child.stderr  # noqa: S101 - all three are pipes
        watch.register(child.stdout, selectors.EVENT_READ, "out")
        watch.register(child.stderr, selectors.EVENT_READ, "err")
        if self.rest:
            os.set_blocking(child.stdin.fileno(), False)
            watch.register(child.stdin, selectors.EVENT_WRITE, "in")
        else:
            child.stdin.close()

    def _check(self, deadline: float, cancel: threading.Event | None) -> None:
        if cancel is not None and cancel.is_set():
            raise InterruptedRunError(f"{self.name} was stopped", "the run was interrupted", "run again to resume")
        if time.monotonic() > deadline:
            raise MachineError(f"{self.name} was stopped", "it took too long", "look at the machine, then retry")

    def _take(self, watch: selectors.BaseSelector, key: selectors.SelectorKey) -> bytes:
        data = os.read(key.fd, 1 << 16)
        if not data:
            watch.unregister(key.fileobj)
        self.taken += len(data)
        if self.taken > self.max_output:
            raise FloodError(f"{self.name} was stopped", "its output has no end", "look at its input")
        self.parts[key.data].append(data)
        return data

    def _feed(self, watch: selectors.BaseSelector) -> bytes:
        assert self.child.stdin is not None  # noqa: S101 - it is a pipe
        try:
            self.rest = self.rest[os.write(self.child.stdin.fileno(), self.rest[: 1 << 16]) :]
        except BlockingIOError:
            return b""
        except BrokenPipeError:
            self.rest = self.rest[:0]
        if not self.rest:
            watch.unregister(self.child.stdin)
            self.child.stdin.close()
        return b""
