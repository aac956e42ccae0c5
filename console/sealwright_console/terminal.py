"""What a terminal is told beside its picture: a notification, or a text for its clipboard. Bytes only, and pure.

- Text from outside carries no control character, and no `;` where that parts fields; it is cut to a line.
- Which notification a terminal knows is read from its environment; one that is not known gets the bell.
- In tmux a sequence for the terminal outside is wrapped, and sent only where `allow-passthrough` lets it through. What
  it lets through from a pane in sight only is told by the bell too: nobody need be called who sees the pane.
- In screen it is wrapped in pieces that screen takes; what the terminal outside knows can't be asked there.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sealwright_console.ascii_text import as_ascii
from sealwright_console.sanitise import clean, one_line

BELL = "\a"
MOST_COPIED = 74_994
"""Bytes of base64 that every terminal takes in one OSC 52 (xterm's limit of 100,000, less what others keep)."""
_MOST_TOLD = 160
_PIECE = 200  # bytes of one DCS that screen takes
_OSC9 = ("iterm", "wezterm", "ghostty", "kitty", "warp")
_OSC777 = ("vte", "gnome", "foot", "rxvt-unicode", "tilix")
_NO_CLIPBOARD = ("linux", "vt", "cons25", "sun")


class Within(StrEnum):
    """What stands between us and the terminal."""

    NOTHING = "nothing"
    TMUX = "tmux"
    SEEN_TMUX = "tmux, while its pane is in sight"
    SHUT_TMUX = "shut tmux"
    SCREEN = "screen"


@dataclass(frozen=True)
class Terminal:
    """Who draws (names in lower case), and what is between."""

    names: str
    within: Within = Within.NOTHING

    @property
    def takes_clipboard(self) -> bool:
        """Whether it can be hoped to take one; a text console has none."""
        return not self.names.startswith(_NO_CLIPBOARD)

    def through(self, sequence: str) -> str:
        """The sequence as it reaches the terminal outside; empty if nothing gets there."""
        if self.within in (Within.TMUX, Within.SEEN_TMUX):
            doubled = sequence.replace("\x1b", "\x1b\x1b")
            return f"\x1bPtmux;{doubled}\x1b\\"
        if self.within is Within.SCREEN:
            pieces = (sequence[at : at + _PIECE] for at in range(0, len(sequence), _PIECE))
            return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)
        return "" if self.within is Within.SHUT_TMUX else sequence


def terminal_of(env: Mapping[str, str], tmux: Callable[[], str]) -> Terminal:
    """The terminal of an environment; `tmux` says what is around one: whether it lets sequences
    through, and what its terminal is called, with `|` between; or nothing."""
    term = env.get("TERM", "").lower()
    if env.get("TMUX"):
        passes, _, names = tmux().strip().partition("|")
        within = {"all": Within.TMUX, "on": Within.SEEN_TMUX}.get(passes, Within.SHUT_TMUX)
        return Terminal(names.lower().replace("|", " "), within)
    if env.get("STY") or term.startswith("screen"):
        return Terminal("screen", Within.SCREEN)
    vte = "vte" if env.get("VTE_VERSION") else ""
    return Terminal(" ".join(filter(None, (term, env.get("TERM_PROGRAM", "").lower(), vte))))


def call(how: str, terminal: Terminal, title: str, text: str, *, ascii_only: bool = False) -> str:
    """What makes the terminal call a person; `how` is auto, osc9, osc777, bell or off."""
    kind = _known(terminal) if how == "auto" else how
    title, text = (clean(said, _MOST_TOLD) for said in (title, text))
    if ascii_only:
        title, text = as_ascii(title), as_ascii(text)
    bell = BELL if terminal.within is Within.SEEN_TMUX else ""
    if kind == "off":
        return ""
    if kind == "osc9":  # a text that began with a number and `;` would be another command of ConEmu's
        return terminal.through(f"\x1b]9;Sealwright: {title}: {text}\a") + bell or BELL
    if kind == "osc777":
        title, text = (said.replace(";", ",") for said in (title, text))
        return terminal.through(f"\x1b]777;notify;Sealwright: {title};{text}\a") + bell or BELL
    return BELL


def _known(terminal: Terminal) -> str:
    if any(name in terminal.names for name in _OSC9):
        return "osc9"
    return "osc777" if any(name in terminal.names for name in _OSC777) else "bell"


def clipboard(terminal: Terminal, text: str) -> str:
    """What puts a text on the terminal's clipboard (OSC 52); empty if it can't be, or is too long for it."""
    coded = base64.b64encode(text.encode("utf-8", "replace")).decode()
    if len(coded) > MOST_COPIED or not terminal.takes_clipboard:
        return ""
    return terminal.through(f"\x1b]52;c;{coded}\a")


def copyable(text: str) -> str:
    """A text as it is put on a clipboard: its lines, and no control character that a shell would obey.

    Its last line has no end: a shell that it is pasted into waits for the enter key.
    """
    lines = text.expandtabs(8).rstrip("\n").split("\n")
    return "\n".join(map(one_line, lines))
