"""The live block of `--batch`, on a real pty and as lines: hostile names, small terminals, NO_COLOR, ASCII."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from console import made_up
from console.test_batch import HOSTILE
from console.test_batch_ahead import outlook
from sealwright_console.batch_block import _style, _wrapped, block
from sealwright_console.lines import plain
from sealwright_stages import events as ev
from sealwright_stages.fold import fold

TESTS = Path(__file__).parents[1]
RUN = """
import sys, time, pathlib
from console import made_up, test_batch, test_batch_ahead
from sealwright_console.batch_block import Block
from sealwright_stages import events as ev
from sealwright_stages.fold import fold
story, begun = made_up.started(), made_up.started()
for name in (test_batch.HOSTILE, "[bold red]x[/] :smile: [link=http://x]y[/link]"):
    story.declare(name, *made_up.GIT_ITEMS)
    story.tell(ev.ItemStarted(f"{name}/source has arrived"), ev.ItemProgress(f"{name}/source has arrived", 1, 2, name))
new = story.entries[len(begun.entries):]
shown = Block(ascii_only="ascii" in sys.argv)
shown.say("before")
try:
    with shown.show(fold(begun.entries), test_batch_ahead.outlook(pathlib.Path(sys.argv[1])), lambda: "stop" in sys.argv):
        for entry in new:
            shown.take(entry)
        shown.say(f"built     {test_batch.HOSTILE} [bold]not markup[/] " + "long " * 40)
        time.sleep(0.8)
        if "raise" in sys.argv:
            raise RuntimeError("it broke")
finally:
    shown.say("after")
"""
LAYOUT = re.compile(rb"\x1b\[[0-9;]*[mAK]|\x1b\[\?25[lh]|\r|\n")


def on_a_pty(
    words: Sequence[str], size: tuple[int, int] = (24, 80), env: Mapping[str, str] | None = None
) -> bytes:
    """Run the block with stderr on a terminal of a size; gives every byte that came."""
    here, there = pty.openpty()
    fcntl.ioctl(there, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    told = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(TESTS), **(env or {})}
    told.pop("COLUMNS", None)
    child = subprocess.Popen(
        [sys.executable, "-c", RUN, *words], stdin=there, stdout=subprocess.DEVNULL, stderr=there, env=told
    )
    os.close(there)
    seen = b""
    try:
        while True:
            seen += os.read(here, 1 << 16)
    except OSError:  # the other side is closed
        return seen
    finally:
        child.wait(30)
        os.close(here)


def test_on_a_terminal_it_draws_the_block_and_leaves_the_lines(tmp_path: Path) -> None:
    seen = on_a_pty([str(tmp_path)])
    text = LAYOUT.sub(b"", seen).decode()
    assert "get-sources" in text and "GATE build: CLOSED" in text and "50%" in text
    assert text.rstrip().endswith("after")
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l"), "the cursor is back"


@pytest.mark.parametrize("words", [(), ("ascii",)])
def test_nothing_foreign_is_active_or_markup_on_the_terminal(tmp_path: Path, words: tuple[str, ...]) -> None:
    seen = on_a_pty([str(tmp_path), *words])
    rest = LAYOUT.sub(b"", seen).decode()
    assert rest.isprintable(), "beyond colours and moves of the cursor no control character came"
    assert "[bold]not markup[/]" in rest and "[bold red]x[/] :smile: [link" in rest
    assert "##[" not in rest
    if words:
        assert rest.isascii()


def test_a_digest_is_never_cut_at_80_columns_and_stands_below_its_text() -> None:
    digest = "0123456789abcdef" * 4
    line = f"             failed: digest of words-1.0.txt [digest-mismatch]: it has the SHA-256 {digest}, not {digest}"
    pieces = [text.plain for text in _wrapped(line, Console(width=80))]
    assert sum(digest in piece for piece in pieces) == 2
    assert all(len(piece) <= 80 and piece.startswith(" " * 13) for piece in pieces)


@pytest.mark.parametrize(
    ("line", "colour"),
    [
        ("  verdict  RED: 1 failed", "bold red"),
        ("  verdict  green: all 6 items", "bold green"),
        ("✗ FAILED  x", "bold red"),
        ("error: x", "bold red"),
        ("  policy   failed", ""),
    ],
)
def test_a_line_has_the_colour_of_what_it_begins_with(line: str, colour: str) -> None:
    assert _style(line) == colour


def test_no_color_takes_each_colour(tmp_path: Path) -> None:
    colour = re.compile(rb"\x1b\[[0-9;]*(?<![0-9])(3[0-7]|9[0-7]|4[0-7])(?![0-9])[0-9;]*m")
    assert colour.search(on_a_pty([str(tmp_path)]))
    assert not colour.search(on_a_pty([str(tmp_path)], env={"NO_COLOR": "1"}))


def test_whatever_is_raised_the_block_goes_and_the_cursor_comes_back(tmp_path: Path) -> None:
    seen = on_a_pty([str(tmp_path), "raise"])
    assert b"it broke" in seen
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")


def test_a_run_that_was_asked_to_stop_says_so(tmp_path: Path) -> None:
    assert b"stopping: builds are being ended" in on_a_pty([str(tmp_path), "stop"])


@pytest.mark.parametrize("size", [(1, 1), (3, 10), (24, 40)])
def test_a_terminal_of_any_size_is_no_reason_to_fail(tmp_path: Path, size: tuple[int, int]) -> None:
    seen = on_a_pty([str(tmp_path)], size)
    assert b"Traceback" not in seen and b"after" in LAYOUT.sub(b"", seen)


def test_what_does_not_fit_is_counted(tmp_path: Path) -> None:
    story = made_up.started()
    for name in made_up.NAMES:
        story.tell(ev.ItemStarted(f"{name}/source has arrived"))
    lines = [plain(line) for line in block(fold(story.entries), outlook(tmp_path), 61, (80, 6))]
    assert len(lines) == 6 and "1:01" in lines[1]
    assert lines[-1] == "  … and 5 more at work"


def test_a_name_as_long_as_it_likes_moves_no_column(tmp_path: Path) -> None:
    story = made_up.started()
    for name in ("x", "long" * 30, HOSTILE):
        story.declare(name, *made_up.GIT_ITEMS)
        item = f"{name}/source has arrived"
        story.tell(ev.ItemStarted(item), ev.ItemProgress(item, 1, 2, "via tor"))
    lines = [plain(line) for line in block(fold(story.entries), outlook(tmp_path), 0, (80, 24))][2:]
    assert {line.index("50%") for line in lines} == {lines[0].index("50%")}
