"""The console in a real tmux while its window changes its size two hundred times, down to nothing."""

from __future__ import annotations

import os
import random
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from walk.walking import until

_TESTS = Path(__file__).resolve().parents[1]
_CONSOLE = "from console.made_up import MadeUpFeed, troubled; from sealwright_console.app import run_console; run_console(MadeUpFeed(troubled()))"
pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux here")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """A server of its own, with a console in a window of 80x24."""
    env = {**os.environ, "PYTHONPATH": str(_TESTS), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    env.pop("TMUX", None)

    def say(*words: str) -> str:
        argv = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null", *words]
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=True, timeout=30).stdout

    say("new-session", "-d", "-x", "80", "-y", "24", shlex.join([sys.executable, "-c", _CONSOLE]))
    say("set-option", "-g", "window-size", "manual")
    for words in ("CLOSED, 1 red", "q Quit", "log authority connected"):
        until(lambda words=words: words in say("capture-pane", "-p"), lambda: say("capture-pane", "-p"))
    yield say
    say("kill-server")


def frame(tmux: Callable[..., str]) -> list[str]:
    """The picture's lines."""
    return [line.rstrip() for line in tmux("capture-pane", "-p").splitlines()]


def test_two_hundred_sizes_end_in_the_right_picture(tmux: Callable[..., str]) -> None:
    dice, before = random.Random(6), frame(tmux)  # noqa: S311 - a seeded walk
    for _ in range(200):
        x, y = dice.choice(((1, 1), (2, 3), (300, 90), (20, 5), (dice.randrange(1, 200), dice.randrange(1, 60))))
        tmux("resize-window", "-x", str(x), "-y", str(y))
    tmux("resize-window", "-x", "80", "-y", "24")
    until(lambda: frame(tmux) == before, lambda: "\n".join(frame(tmux)))
    tmux("send-keys", "g")
    until(lambda: any("GATE before build" in line for line in frame(tmux)), lambda: "\n".join(frame(tmux)))
