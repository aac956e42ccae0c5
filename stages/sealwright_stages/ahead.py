"""What a run begins before its turn, because waiting for it takes longer than anything else at a start.

- The log authority's process is started and loads; it touches nothing until it is told which log is its own.
- The sandbox is tried in a thread of its own; what comes of it is heard in its turn, and raised there.
- Nothing is concluded from either before its turn. A run that is refused meanwhile leaves neither behind.
- An authority that can't be started ahead is started in its turn, where that is an error.
- It loads little, since what is loaded before it begins is what it can't be ahead of.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

from sealwright_stages.process import BASE_ENVIRONMENT

_SHORT, _LONG = 0.0002, sys.getswitchinterval()
"""Seconds. The trial reads hundreds of small files, and after each would wait that long for a thread that loads code."""


class AuthorityProcess:
    """A process of the log authority that was not told yet what to serve."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            OSError: it can't be started.
        """
        lifeline, self._lifeline = os.pipe()
        self._ready, ready = os.pipe()
        self._ends = f"{lifeline}", f"{ready}"
        try:
            self.child = subprocess.Popen(
                [sys.executable, "-I", "-m", "sealwright_appendlog.cli", "told"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=dict(BASE_ENVIRONMENT),
                pass_fds=(lifeline, ready),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._lifeline)
            os.close(self._ready)
            raise
        finally:
            os.close(lifeline)
            os.close(ready)

    def serve(self, words: Sequence[str]) -> str:
        """Tell it what to serve; gives the line that it says when it does, or nothing: then it will not."""
        lifeline, ready = self._ends
        told = json.dumps(["serve", *words, "--lifeline", lifeline, "--ready", ready]).encode()
        assert self.child.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError), self.child.stdin as stdin:  # why it ended, it says itself
            stdin.write(told)
        with os.fdopen(self._ready, "rb") as ready_line:
            return ready_line.readline().decode("ascii", "replace").strip()

    def let_go(self) -> None:
        """Close the lifeline, at whose end it ends by itself."""
        with contextlib.suppress(OSError):
            os.close(self._lifeline)

    def kill(self) -> None:
        """End one that was told nothing."""
        self.child.kill()
        self.child.wait()
        for stream in (self.child.stdin, self.child.stderr):
            if stream is not None:
                stream.close()
        self.let_go()
        os.close(self._ready)


class Ahead:
    """What was begun for one run."""

    def __init__(self, trial: Callable[[], None] | None = None) -> None:
        """Nothing yet; `trial` is what tries the sandbox, by default the real one."""
        self._try_it = trial
        self._authority: AuthorityProcess | None = None
        self._trial: threading.Thread | None = None
        self._refused: BaseException | None = None

    def start_authority(self) -> None:
        """Begin to start the log authority, if nobody has."""
        if self._authority is None:
            with contextlib.suppress(OSError):
                self._authority = AuthorityProcess()

    def authority(self) -> AuthorityProcess:
        """The log authority's process, which is the caller's from now on.

        Raises:
            OSError: it can't be started.
        """
        taken, self._authority = self._authority, None
        return taken or AuthorityProcess()

    def try_sandbox(self) -> None:
        """Begin to try the sandbox, if nobody has."""
        if self._trial is None:
            from sealwright_stages.sandbox.readiness import require_sandbox  # noqa: PLC0415 - see above

            trial = self._try_it or require_sandbox
            self._trial = threading.Thread(target=self._try, args=(trial,), name="trial", daemon=True)
            sys.setswitchinterval(_SHORT)
            self._trial.start()

    def require_sandbox(self) -> None:
        """Wait for the trial's end; one has been begun, or is.

        Raises:
            MachineError: there is no sandbox on this machine.
        """
        self.try_sandbox()
        if self._trial is not None:
            self._trial.join()
        sys.setswitchinterval(_LONG)
        if self._refused is not None:
            raise self._refused

    def _try(self, trial: Callable[[], None]) -> None:
        try:
            trial()
        except BaseException as error:  # noqa: BLE001 - it is heard in its turn
            self._refused = error

    def close(self) -> None:
        """Leave nothing behind."""
        if self._authority is not None:
            self._authority.kill()
            self._authority = None
        if self._trial is not None:
            self._trial.join()


@contextlib.contextmanager
def ahead_of(begun: Ahead | None = None) -> Iterator[Ahead]:
    """What was begun, or a new one for the block."""
    if begun is not None:
        yield begun
        return
    ahead = Ahead()
    try:
        yield ahead
    finally:
        ahead.close()
