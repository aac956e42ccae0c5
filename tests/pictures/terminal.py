"""A real program on a real terminal: tmux holds the screen, presses keys and gives back what is to be seen.

- What is waited for are words on the screen, never a time.
- A server of its own, with a socket of its own, so that nobody's tmux is touched.
"""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LARGE, SMALL, WIDE = (100, 30), (80, 24), (120, 40)
_CONFIG = """set -g status off
set -g default-terminal tmux-256color
set -as terminal-features ",*:RGB"
set -g escape-time 0
set -g remain-on-exit on
set -g remain-on-exit-format ""
set -g set-titles off
set -g history-limit 5000
"""


_TERMINAL = {"COLORTERM": "truecolor", "LC_ALL": "C.UTF-8"}


_ESCAPE = 0.5
"""Seconds after which an escape is a key, and not the begin of another one."""


class NotSeenError(Exception):
    """What was waited for did not come: the words, and what was there instead."""


class Terminal:
    """One pane; `close` ends what runs in it."""

    def __init__(self, socket: Path, env: Mapping[str, str]) -> None:
        """A server at `socket`; programs get `env`."""
        self._socket, self.env = socket, dict(env)
        self._config = socket.with_suffix(".conf")
        self._config.write_text(_CONFIG)
        self._open, self._number = False, 0

    def open(self, argv: Sequence[str | Path], cwd: Path, size: tuple[int, int] = LARGE) -> None:
        """Start a program on a new screen of `size`, in columns and lines; what ran before is ended."""
        self.close()
        self._number += 1  # a server that ends keeps its socket for a moment
        width, height = map(str, size)
        command = shlex.join(map(str, argv))
        self._tmux("new-session", "-d", "-s", "one", "-x", width, "-y", height, "-c", str(cwd), command)
        self._open = True

    def close(self) -> None:
        """End what runs, and the server."""
        if self._open:
            self._tmux("kill-server")
            self._open = False

    def press(self, *keys: str, apart: float = 0.15) -> None:
        """Press keys, each as tmux names it (`Enter`, `Down`, `C-c`); what has no such name is typed."""
        for key in keys:
            self._tmux("send-keys", "-t", "one", *(["-l"] if len(key) == 1 else []), "--", key)
            time.sleep(_ESCAPE if key == "Escape" else apart)

    def write(self, text: str) -> None:
        """Type `text`, a key after the other."""
        self.press(*text, apart=0.03)

    def resize(self, size: tuple[int, int]) -> None:
        """Make the screen another size, and wait until it is drawn anew."""
        self._tmux("resize-window", "-t", "one", "-x", str(size[0]), "-y", str(size[1]))
        time.sleep(0.3)
        self.settle()

    def text(self) -> str:
        """What is to be seen, without colours."""
        return self._tmux("capture-pane", "-t", "one", "-p")

    def lines(self) -> list[str]:
        """What is to be seen: each line with its colours as SGR sequences."""
        return self._tmux("capture-pane", "-t", "one", "-e", "-N", "-p").splitlines()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        width, height = self._tmux(
            "display-message", "-t", "one", "-p", "#{window_width} #{window_height}"
        ).split()
        return int(width), int(height)

    def seen(self, *words: str, seconds: float = 60) -> str:
        """Wait until all `words` are to be seen at once; gives the screen's text.

        Raises:
            NotSeenError: they did not come in time.
        """
        end = time.monotonic() + seconds
        while True:
            shown = self.text()
            if all(word in shown for word in words):
                return shown
            if time.monotonic() > end:
                missing = [word for word in words if word not in shown]
                raise NotSeenError(f"waited {seconds:.0f} s for {missing}, and saw\n{shown}")
            time.sleep(0.05)

    def settle(self, quiet: float = 0.35, most: float = 2.0) -> None:
        """Wait until nothing has changed for `quiet` seconds; what never rests is taken as it is after `most`."""
        end, before, since = time.monotonic() + most, self.text(), time.monotonic()
        while (now := time.monotonic()) < end and now - since < quiet:
            time.sleep(0.05)
            if (shown := self.text()) != before:
                before, since = shown, time.monotonic()

    def _tmux(self, *words: str) -> str:
        argv = ["tmux", "-S", f"{self._socket}-{self._number}", "-f", str(self._config), *words]
        return subprocess.run(
            argv, env={**self.env, **_TERMINAL}, check=True, capture_output=True, text=True, timeout=20
        ).stdout
