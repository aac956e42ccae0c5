"""Words and steps of a command for a POSIX shell, such as bash and zsh read it: what is shown is what is run.

- Every word from outside is quoted; what is not printable ASCII stands as an escape.
- A long command goes on in the next line after a backslash, between words or in the middle of one: it stays the same.
- A step ends with 0 only if it was passed. No settings of the user's curl are read, and an address has no patterns.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

WIDTH = 78
"""Characters of a line of what is copied: no terminal's line editor has trouble with it."""
_INDENT = "    "
_LEAST = 24  # characters of a line below which nothing is broken
_MIDDLE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._+=:-")
_PLAIN, _DOUBLE, _SINGLE, _ESCAPED, _RUNS = "plain", '"', "'", "$'", "$("
_OPENS = {_PLAIN: (_RUNS, _ESCAPED, _SINGLE, _DOUBLE), _DOUBLE: (_RUNS,), _SINGLE: (), _ESCAPED: ()}
_CLOSES = {_PLAIN: ")", _DOUBLE: '"', _SINGLE: "'", _ESCAPED: "'"}


class UntoldError(Exception):
    """The evidence does not say enough for a command."""


def quoted(word: str) -> str:
    """A word for a shell: plain if it can be, else in quotes; what is not printable ASCII as bytes in `$'...'`."""
    if word.isascii() and word.isprintable():
        return shlex.quote(word)
    data = word.encode("utf-8", "surrogateescape")
    if 0 in data:
        raise UntoldError
    plain = (chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}" for byte in data)
    return f"$'{''.join(plain)}'"


def fetched(url: str, name: str) -> str:
    """The step that brings what is at `url` to `$T/name`."""
    if not url or url.endswith("...") or url.startswith("-"):  # it was cut when it was logged
        raise UntoldError
    if url.startswith("/"):
        return f'cp -- {quoted(url)} "$T/{name}"'
    return f'curl -qgfsSL -o "$T/{name}" -- {quoted(url)}'


def same(path: str, sha256: str) -> str:
    """The step that hashes a file and compares."""
    return f"sha256sum < {path} | grep -x '{sha256}  -'"


def boxed(*steps: str) -> str:
    """The steps, one after the other, with a folder `$T` of their own that is removed."""
    lines = ["(T=$(mktemp -d) && trap 'rm -rf \"$T\"' EXIT", *steps]
    return " &&\n ".join(lines) + ")"


def wrapped(command: str, width: int = WIDTH) -> str:
    """The same command in lines of at most `width` characters, as far as its words let it.

    It is one of ours: a word is plain, in one kind of quotes, or a `"..."` that may hold a `$(...)`.
    """
    room = max(_LEAST, width)
    return "\n".join(piece for line in command.split("\n") for piece in _pieces(line, room))


def _pieces(line: str, room: int) -> Iterator[str]:
    """A line in pieces, each but the last with its backslash."""
    states = _states(line)
    begin, opened, indent = 0, "", ""
    while True:
        head = indent + opened
        if len(head) + len(line) - begin <= room:
            yield head + line[begin:]
            return
        most = begin + room - len(head) - len(_SINGLE) - 1  # a quote and a backslash come after it
        space = next((at for at in range(most - 1, begin, -1) if line[at] == " " and states[at] == _PLAIN), 0)
        if space and space - begin > len(_INDENT) + 1:
            yield f"{head}{line[begin:space]} \\"
            begin, opened, indent = space + 1, "", _INDENT
            continue
        at = next((at for at in range(most, begin, -1) if _may_break(line, states, at)), 0)
        if not at:
            yield head + line[begin:]
            return
        state = states[at]
        yield f"{head}{line[begin:at]}{_SINGLE if state in (_SINGLE, _ESCAPED) else ''}\\"
        begin, opened, indent = at, state if state in (_SINGLE, _ESCAPED) else "", ""


def _may_break(line: str, states: list[str], at: int) -> bool:
    """Whether a word may go on in the next line from `at`."""
    if states[at] != states[at - 1]:
        return False
    if states[at] == _SINGLE:
        return line[at] != _SINGLE and line[at - 1] != _SINGLE
    if states[at] == _ESCAPED:
        return line[at] != _SINGLE and "\\" not in line[max(0, at - 3) : at] and not line[:at].endswith(_ESCAPED)
    return states[at] == _PLAIN and line[at] in _MIDDLE and line[at - 1] in _MIDDLE


def _states(line: str) -> list[str]:
    """In what each character stands; a quote belongs to what it opens or closes."""
    found: list[str] = []
    nested = [_PLAIN]
    while len(found) < len(line):
        state = nested[-1]
        rest = line[len(found) :]
        opens = next((each for each in _OPENS[state] if rest.startswith(each)), "")
        if opens:
            nested.append(_PLAIN if opens == _RUNS else opens)
        elif rest[0] == _CLOSES[state] and len(nested) > 1:
            nested.pop()
        found += [opens or state] * (len(opens) or 1)
    return found
