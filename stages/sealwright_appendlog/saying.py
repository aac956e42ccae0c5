"""What the program says to whoever called it: answers on stdout, errors in three lines on stderr.

- Text from outside is one printable line.
- An answer that nobody read is no yes: it ends the program with an exit code of its own.
- Where an error can't be told the exit code must do.
"""

from __future__ import annotations

import contextlib
import os
import sys

from sealwright_appendlog.note import shown

FAILED = 4
UNREAD = 141  # as a shell tells of SIGPIPE
MEND = "mend what is named, then run it again"
_TRIES = 3


class Unread(Exception):  # noqa: N818 - it is what the answer is
    """Nobody reads stdout."""


def say(text: str, end: str = "\n") -> None:
    """Say it on stdout, at once.

    Raises:
        Unread: nobody reads it.
        OSError: it can't be written, to a full disk for instance.
    """
    if sys.stdout is None:  # it was closed by whoever called: then the exit code says all
        return
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # at its end Python would try once more
        raise Unread from None


def complain(what: str, because: str, next_step: str) -> None:
    """Say why it ends, whole and at once; nothing is raised."""
    told = (("error", what), ("because", because), ("next", next_step))
    rest = "".join(f"{word}: {one_line(text)}\n" for word, text in told).encode("utf-8", "backslashreplace")
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            rest = rest[os.write(2, rest) :]


def one_line(text: str) -> str:
    """Text from outside as one line: a file's name may hold a line feed, and after it what looks like a verdict."""
    return shown(text).replace("\n", "\\n")
