"""What reaches the terminal, byte by byte: nothing of what a hostile text wanted to say to it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from textual.widget import Widget

from console.hostile import ATTACKS, LONE, MARKS, RAW
from console.reach import classes
from support.stream import copied, foreign

PROGRAM = Path(__file__).with_name("hostile.py")
RAW_MARKS = [f"R-{name}" for name in RAW]
LIVE = (
    b"\x1b]0;",
    b"\x1b]8;",
    b"\x07",
    b"\xc2\x9b",
    b"\xe2\x80\xae",
    b"\xe2\x80\x8b",
    b"\x00",
    b"\x1b[7mM",
    b"\x1b[7mR-",
)
"""What Textual never writes by itself, and each attack contains."""

PATIENCE = 30.0
NOT_THERE = {
    "Rows": "what lists are made of; it has no rows of its own",
    "Timeline": "a review's, made of times, marks and numbers of records alone",
}
"""Widgets that no screen has of itself, and why nothing from outside is on them."""


class Terminal:
    """The other end of a pseudo terminal; collects what was written."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.seen = b""

    def read_until(self, *wanted: bytes) -> None:
        """Read until all of `wanted` has come since the last key."""
        deadline = time.monotonic() + PATIENCE
        fresh = b""
        while not all(part in fresh for part in wanted):
            left = deadline - time.monotonic()
            missing = [part for part in wanted if part not in fresh]
            assert left > 0 and select.select([self.fd], [], [], left)[0], f"never shown: {missing}"
            chunk = os.read(self.fd, 1 << 16)
            fresh += chunk
            self.seen += chunk

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self.fd, keys)


@contextmanager
def console(kind: str) -> Iterator[Terminal]:
    """The program on a terminal of 150 by 60 cells."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 150, 0, 0))
    env = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
    child = subprocess.Popen(
        [sys.executable, str(PROGRAM), kind], stdin=theirs, stdout=theirs, stderr=theirs, env=env, close_fds=True
    )
    os.close(theirs)
    try:
        yield Terminal(ours)
    finally:
        child.kill()
        child.wait()
        os.close(ours)


def without_own(seen: bytes) -> bytes:
    """What was written, without the mouse pointer's shape, which Textual sets by an OSC of its own."""
    return re.sub(rb"\x1b\]22;[a-z-]*\x07", b"", seen)


def shown(name: str) -> bytes:
    """How the attack of a surface looks when it is dead: its escape as a glyph, its mark in sight."""
    return f"␛[7m{MARKS[name]}".encode()


def test_no_surface_of_the_console_lets_a_control_byte_through() -> None:
    with console("feed") as terminal:
        terminal.read_until(*map(shown, ("component", "title", "reason", "next", "heading", "because", "notice")))
        terminal.press(b"\r")
        terminal.read_until(shown("deleted"))
        terminal.press(b"+")
        terminal.read_until(*map(shown, ("evidence-key", "evidence-value", "person", "why-waived")))
        terminal.press(b"4")
        terminal.read_until(b"REPRODUCED", *map(shown, ("person", "product")))
        terminal.press(b"\x1b[B")
        terminal.read_until(shown("reference"))
        terminal.press(b"3")
        terminal.read_until(*map(shown, ("environment", "log-line")))
        terminal.press(b"g")
        terminal.read_until(*map(shown, ("title", "reason")))
        terminal.press(b"5")
        terminal.read_until(*map(shown, ("summary", "key", "warning")))
        seen = without_own(terminal.seen)
    assert foreign(seen) == []
    assert [name for name in MARKS if shown(name) not in seen] == []
    assert [live for live in LIVE if live in seen] == []
    assert b"[b]M" in seen  # markup is text, never a style


def shown_every_screen(told: Path) -> bytes:
    """All bytes of a console that goes through all of its screens; what was there is written to `told`."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 150, 0, 0))
    env = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
    argv = [sys.executable, str(PROGRAM), "every", str(told)]
    with subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as child:
        os.close(theirs)
        seen = b""
        while select.select([ours], [], [], PATIENCE)[0]:
            try:
                seen += os.read(ours, 1 << 16)
            except OSError:  # it has ended
                break
        child.kill()
    os.close(ours)
    return seen


def test_every_screen_and_widget_of_the_package_was_on_a_terminal_and_no_byte_of_an_attack_was(
    tmp_path: Path,
) -> None:
    told = tmp_path / "told"
    seen = shown_every_screen(told)
    assert told.exists(), seen[-4000:].decode("utf-8", "replace")
    names = {kind.__name__ for kind in classes(Widget)}
    assert names - set(json.loads(told.read_text())) == set(NOT_THERE), (
        "show it in hostile.py, or say where it is shown"
    )
    assert foreign(seen) == []
    assert seen.count("␛".encode()) > 500 and b"[red]7351" in seen and "␀".encode() in seen
    assert len(copied(seen)) >= 2, "y, c and Y copy, and nothing that a shell would obey"


def test_the_parser_finds_each_attack_where_nobody_cleans() -> None:
    calm = "\x1b[0;1;38;2;1;2;3m✓ text\x1b[12;40H\x1b[?25l\x1b]22;pointer\x07\x07\x1b[1;1H".encode()
    assert foreign(calm) == []
    for attack in ATTACKS:
        if (attack.isascii() and attack.isprintable()) or set(attack) == {"\u754c"}:
            continue  # markup and wide characters are text
        assert foreign(calm + attack.encode("utf-8", "surrogateescape") + calm), repr(attack)


def test_the_start_and_doctor_screens_let_no_control_byte_through() -> None:
    dead = {name: f"␛[7mL-{name}".encode() for name in LONE}
    with console("start") as terminal:
        terminal.read_until(dead["folder"], dead["release"][:20], dead["stage"][:12])
        terminal.press(b"d")
        terminal.read_until(dead["part"][:12], dead["found"], dead["cure"])
        terminal.press(b"s")
        terminal.read_until(dead["attempt"])
        terminal.press(b"\x1b")
        terminal.read_until(b"new release")
        terminal.press(b"\r")
        terminal.read_until(dead["manifest"])
        seen = without_own(terminal.seen)
    assert foreign(seen) == []
    assert [live for live in (*LIVE, b"\x1b[7mL") if live in seen] == []


def test_the_output_filter_alone_stops_what_a_widget_lets_through() -> None:
    with console("raw") as terminal:
        terminal.read_until(*(mark.encode() for mark in RAW_MARKS))
        seen = without_own(terminal.seen)
    assert [live for live in LIVE if live in seen] == []


def test_without_the_filter_the_bytes_would_get_through() -> None:
    with console("open") as terminal:
        terminal.read_until(*(mark.encode() for mark in RAW_MARKS))
        seen = without_own(terminal.seen)
    assert {live for live in LIVE if live in seen} >= {b"\x1b[7mR-", b"\x1b]0;", b"\xe2\x80\xae", b"\xc2\x9b"}
