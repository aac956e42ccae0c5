"""A program on a terminal of its own: what it shows, keys for it, and every way in which a terminal is lost."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from walk.walking import until

_ESCAPE = re.compile(
    r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[P^_X].*?\x1b\\|[ -/]*[0-~])", re.DOTALL
)


class Terminal:
    """`argv` as the leader of a session on a new pty of 24 lines of 80 cells."""

    def __init__(self, argv: Sequence[str | Path], cwd: Path, env: Mapping[str, str]) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
        words = ["setsid", "--ctty", *map(str, argv)]
        env = {**env, "TERM": "xterm-256color"}
        self.child = subprocess.Popen(words, cwd=cwd, env=env, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self._said = bytearray()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._over.is_set():
            if select.select([self._master], [], [], 0.05)[0]:
                try:
                    data = os.read(self._master, 1 << 16)
                except OSError:  # the other end is gone
                    return
                self._said += data

    @property
    def shown(self) -> str:
        """All that was ever shown, without what moves and colours it."""
        return _ESCAPE.sub("", self._said.decode("utf-8", "replace"))

    def mark(self) -> int:
        """How much was shown by now."""
        return len(self.shown)

    def seen(self, words: str, since: int = 0, seconds: float = 60) -> None:
        """Wait until `words` are shown, after `since`."""
        until(lambda: words in self.shown[since:], lambda: f"{words!r}, not in\n{self.shown[-3000:]}", seconds)

    def settle(self, seconds: float = 0.4) -> None:
        """Wait until nothing new was shown for so long."""
        before, since = self.mark(), time.monotonic()
        while time.monotonic() - since < seconds:
            time.sleep(0.05)
            if (now := self.mark()) != before:
                before, since = now, time.monotonic()

    def press(self, keys: str) -> None:
        """Type `keys`."""
        os.write(self._master, keys.encode())

    def hang_up(self) -> None:
        """The terminal is gone."""
        self._over.set()
        self._thread.join()
        os.close(self._master)
        self._master = -1

    def end(self, seconds: float = 40) -> int:
        """Wait until it has ended; gives its exit code."""
        code = self.child.wait(seconds)
        self._over.set()
        self._thread.join()
        return code

    def close(self) -> None:
        """Take everything down."""
        self.child.kill()
        self.child.wait()
        self._over.set()
        self._thread.join()
        if self._master >= 0:
            with contextlib.suppress(OSError):
                os.close(self._master)
