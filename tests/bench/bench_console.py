"""How long a person waits for the console's first frame, on a real terminal, beside an app that shows one word."""

from __future__ import annotations

import os
import pty
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.report import Line

_TESTS = Path(__file__).resolve().parents[1]
_OURS = """
import sys
from console.made_up import MadeUpFeed, troubled
from sealwright_console.app import run_console
run_console(MadeUpFeed(troubled()))
"""
_PEER = """
from textual.app import App
from textual.widgets import Static
class Least(App):
    def compose(self):
        yield Static("get-sources")
Least().run()
"""
_WORD = b"get-sources"


def first_paint(rounds: int = 5) -> Line:
    """Median seconds from the start of the program to its first words on the terminal; taken in turn."""
    pairs = [(painted(_OURS), painted(_PEER)) for _ in range(rounds)]
    ours, peer = (statistics.median(times) for times in zip(*pairs, strict=True))
    return Line("first paint of the console", ours, peer, "a textual app of one word")


def painted(code: str, word: bytes = _WORD) -> float:
    """Seconds from the start of a Python program to `word` on its terminal."""
    here, there = pty.openpty()
    env = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(_TESTS)}
    begun = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-c", code], stdin=there, stdout=there, stderr=there, env=env)
    os.close(there)
    try:
        seen = b""
        while word not in seen:
            if not select.select([here], [], [], 20)[0]:
                raise RuntimeError(f"nothing was painted: {seen[-400:]!r}")
            seen += os.read(here, 1 << 16)
        return time.perf_counter() - begun
    finally:
        child.kill()
        child.wait()
        os.close(here)
