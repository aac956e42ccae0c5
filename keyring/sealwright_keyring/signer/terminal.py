"""Ask a person at the signer's own terminal, which the console can't type into.

- The terminal is opened by name, so that the conversation on stdin and stdout can't answer for the person.
- Only printable ASCII is shown, whatever the proposal holds; a long list is shown by pages, and all of it.
- What was typed before a question stood there is thrown away, so nothing answers in advance; what is typed is echoed.
- What decides stands right above the question once more.
- An empty answer, `q` at a page's end, or the end of input, is a no.
"""

from __future__ import annotations

import contextlib
import os
import termios
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path

from sealwright_keyring.errors import SignerError
from sealwright_keyring.text import printable

_MAX_TYPED = 400
_MAX_LINE = 4000
_LEAST_COLUMNS, _LEAST_ROWS = 40, 10
_NO = SignerError("nothing was signed", "the person said no", "propose it again to sign")


class Terminal:
    """The terminal of the person who holds the key."""

    def __init__(self, path: Path = Path("/dev/tty")) -> None:
        self.path = path

    def ask(self, lines: Sequence[str], head: Sequence[str] = ()) -> tuple[str, str]:
        """Show `lines`, and `head` above the question; gives the digits and the release's name as typed.

        Raises:
            SignerError: there is no terminal, or the person said no.
        """
        try:
            with self.path.open("rb+", buffering=0) as terminal, _plain(terminal):
                self._show(terminal, lines, head)
                digits = self._typed(terminal, "first 8 digits of the digest: ")
                release = self._typed(terminal, "name of the release: ") if digits else ""
        except (OSError, termios.error) as error:
            why = str(error.args[-1]) if error.args else "it is gone"
            raise SignerError("the signer's terminal", why, "start it in a terminal") from error
        if not digits or not release:
            raise _NO
        return digits, release

    def _show(self, terminal: FileIO, lines: Sequence[str], head: Sequence[str]) -> None:
        columns, rows = _room(terminal)
        pieces = [piece for line in lines for piece in _wrapped(printable(line, _MAX_LINE), columns - 3)]
        again = [piece for line in head for piece in _wrapped(printable(line, _MAX_LINE), columns - 3)]
        page = max(rows - 2, 1)
        _say(terminal, "\r\nSealwright is asked to sign:\r\n")
        for start in range(0, len(pieces), page):
            if start:
                shown = f"-- {start} of {len(pieces)} lines; enter goes on, q refuses: "
                if self._typed(terminal, shown):
                    raise _NO
            _say(terminal, "".join(f"  {piece}\r\n" for piece in pieces[start : start + page]))
        if len(pieces) > page:
            _say(terminal, "\r\n" + "".join(f"  {piece}\r\n" for piece in again))

    @staticmethod
    def _typed(terminal: FileIO, prompt: str) -> str:
        termios.tcflush(terminal.fileno(), termios.TCIFLUSH)
        _say(terminal, prompt)
        typed = terminal.readline(_MAX_TYPED)
        if not typed.endswith(b"\n"):
            raise _NO  # the end of input, or more than any answer
        return typed.decode("ascii", "replace").strip()


@contextlib.contextmanager
def _plain(terminal: FileIO) -> Iterator[None]:
    """Lines and echo, whatever somebody left the terminal in; put back afterwards."""
    fd = terminal.fileno()
    before = termios.tcgetattr(fd)
    plain = [*before[:6], [*before[6]]]
    plain[0] |= termios.ICRNL
    plain[1] |= termios.OPOST | termios.ONLCR
    plain[3] |= termios.ICANON | termios.ECHO | termios.ECHOE | termios.ECHOK
    termios.tcsetattr(fd, termios.TCSANOW, plain)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSANOW, before)


def _room(terminal: FileIO) -> tuple[int, int]:
    """Columns and rows."""
    size = os.get_terminal_size(terminal.fileno())
    return max(size.columns or 80, _LEAST_COLUMNS), max(size.lines or 24, _LEAST_ROWS)


def _wrapped(line: str, width: int) -> list[str]:
    """`line` in pieces that fit; those after the first are indented."""
    pieces, rest = [line[:width]], line[width:]
    while rest:
        pieces.append("    " + rest[: width - 4])
        rest = rest[width - 4 :]
    return pieces


def _say(terminal: FileIO, text: str) -> None:
    rest = memoryview(text.encode("ascii", "replace"))
    while rest:
        rest = rest[terminal.write(rest) or 0 :]
