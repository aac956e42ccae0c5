"""The signer's own terminal: nobody answers it from elsewhere or in advance, and everything can be read on it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealwright_keyring.errors import SignerError
from sealwright_keyring.signer.policy import SigningPolicy
from sealwright_keyring.signer.terminal import Terminal
from support.proposals import Shown
from support.signing import Desk, by_policy, typed

RELEASE = "example-1.0"


class Person:
    """Reads a terminal of 80 x 24, and types when a prompt has come."""

    def __init__(self) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.terminal = Terminal(Path(os.ttyname(self.slave)))
        self.read = ""
        self.thread: threading.Thread | None = None

    def does(self, *steps: tuple[str, str]) -> None:
        """Begin to wait for each prompt, and to type what follows it."""

        def act() -> None:
            seen = 0
            for prompt, answer in steps:
                while prompt not in self.read[seen:]:
                    self.read += os.read(self.master, 4096).decode()
                seen = len(self.read)
                os.write(self.master, answer.encode())

        self.thread = threading.Thread(target=act, daemon=True)
        self.thread.start()

    def rest(self) -> str:
        """All that was shown."""
        if self.thread:
            self.thread.join(10)
        os.set_blocking(self.master, False)
        try:
            while data := os.read(self.master, 4096):
                self.read += data.decode()
        except BlockingIOError:
            pass
        return self.read


@pytest.fixture
def person() -> Iterator[Person]:
    made = Person()
    yield made
    os.close(made.slave)
    os.close(made.master)


DIGITS, NAME, MORE = "first 8 digits of the digest: ", "name of the release: ", "q refuses: "


def test_only_what_is_typed_there_counts(desk: Desk, shown: Shown, person: Person) -> None:
    desk.asker = person.terminal
    person.does((DIGITS, shown.digest()[:8] + "\n"), (NAME, RELEASE + "\n"))
    _, answer = desk.talk(shown.proposal(), then=lambda a: typed(a, typed_digest="wrong"))
    assert answer["ok"] is True
    text = person.rest()
    assert f"release: {RELEASE}" in text and shown.sealed.root.hex() in text.replace("\r\n      ", "")


def test_right_words_of_a_console_do_not_answer_it(desk: Desk, shown: Shown, person: Person) -> None:
    desk.asker = person.terminal
    person.does((DIGITS, "\n"))
    _, refused = desk.talk(shown.proposal(), then=typed)
    assert refused["ok"] is False and "the person said no" in refused["because"]
    assert desk.signings() == 0


def test_a_policy_does_not_answer_it(desk: Desk, shown: Shown, person: Person) -> None:
    desk.asker, desk.policy = person.terminal, SigningPolicy("example-1.0", 5, allow_warnings=True)
    person.does((DIGITS, "\n"))
    offered, refused = desk.talk(shown.proposal(), then=by_policy)
    assert offered["needs"] == "confirmation" and refused["ok"] is False
    assert desk.signings() == 0


def test_wrong_digits_or_a_wrong_name_there_are_a_wrong_confirmation(
    desk: Desk, shown: Shown, person: Person
) -> None:
    desk.asker = person.terminal
    person.does((DIGITS, shown.digest()[:8] + "\n"), (NAME, "example-1.1\n"))
    _, refused = desk.talk(shown.proposal(), then=typed)
    assert refused["because"] == "the typed name is not the release's" and desk.entries()[-1]["wrong"] is True


def test_what_was_typed_before_the_question_does_not_answer_it(person: Person) -> None:
    os.write(person.master, b"aaaaaaaa\nexample-1.0\n" * 3)
    person.does((DIGITS, "bbbbbbbb\n"), (NAME, "real-1.0\n"))
    assert person.terminal.ask(["a line"]) == ("bbbbbbbb", "real-1.0")


def test_a_pasted_second_line_does_not_answer_the_second_question(person: Person) -> None:
    person.does((DIGITS, "bbbbbbbb\npasted-1.0\n"), (NAME, "real-1.0\n"))
    assert person.terminal.ask(["a line"]) == ("bbbbbbbb", "real-1.0")


def test_a_long_list_is_shown_by_pages_whole_and_what_decides_comes_last(person: Person) -> None:
    lines = [f"warning: number {number:03d}" for number in range(100)]
    person.does(*[(MORE, "\n")] * 4, (DIGITS, "aaaaaaaa\n"), (NAME, "x-1\n"))
    assert person.terminal.ask(lines, ["digest:  abcd"]) == ("aaaaaaaa", "x-1")
    text = person.rest()
    assert all(each in text for each in lines)
    assert text.index("digest:  abcd") > text.index("number 099")
    pages = text.split(MORE)
    assert all(page.count("\n") <= 24 for page in pages) and all(len(each) <= 80 for each in text.split("\r\n"))


def test_q_between_two_pages_is_a_no(person: Person) -> None:
    person.does((MORE, "q\n"))
    with pytest.raises(SignerError, match="the person said no"):
        person.terminal.ask(["a line"] * 100)


def test_a_long_line_is_wrapped_and_none_of_it_lost(person: Person) -> None:
    reason = "".join(chr(ord("a") + number % 26) for number in range(500))
    person.does((DIGITS, "aaaaaaaa\n"), (NAME, "x-1\n"))
    person.terminal.ask([reason])
    assert reason in "".join(each.strip() for each in person.rest().split("\r\n"))


def test_no_control_character_reaches_it(person: Person) -> None:
    person.does((DIGITS, "aaaaaaaa\n"), (NAME, "x-1\n"))
    person.terminal.ask(["evil \x1b[2J\x9b1m\x07\u202e", "line\r\noverwritten\b\b"], ["\x1b]0;x\x07"])
    shown = person.rest()
    assert {c for c in shown if not c.isprintable()} <= {"\r", "\n"} and shown.isascii()


def test_a_terminal_that_was_left_without_echo_and_lines_has_both(person: Person) -> None:
    tty.setraw(person.slave)
    before = termios.tcgetattr(person.slave)
    person.does((DIGITS, "aaaaaaaa\n"), (NAME, "x-1\n"))
    assert person.terminal.ask(["a line"]) == ("aaaaaaaa", "x-1")
    assert DIGITS + "aaaaaaaa" in person.rest()
    assert termios.tcgetattr(person.slave)[:4] == before[:4], "and is put back"


@pytest.mark.parametrize("typed_there", ["\x04", "\n", "a" * 500 + "\n"])
def test_an_end_an_empty_line_or_too_much_is_a_no(person: Person, typed_there: str) -> None:
    person.does((DIGITS, typed_there))
    with pytest.raises(SignerError):
        person.terminal.ask(["a line"])


def test_no_terminal_is_a_refusal(desk: Desk, shown: Shown, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("12345678\nexample-1.0\n")
    for name in ("no-tty", "file"):
        desk.asker = Terminal(tmp_path / name)
        _, refused = desk.talk(shown.proposal(), then=typed)
        assert refused["ok"] is False and "terminal" in refused["because"] and refused["next"]
    assert desk.signings() == 0
