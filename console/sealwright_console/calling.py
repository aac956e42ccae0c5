"""tmux, asked and told by its own program; and a call to whoever sits elsewhere, from a command without a screen."""

from __future__ import annotations

import contextlib
import os
import sys

from sealwright_console.terminal import call, terminal_of
from sealwright_stages.errors import SealwrightError
from sealwright_stages.process import run

_SOON = 1.0  # seconds that tmux may take to answer
_ASKED = "#{allow-passthrough}|#{client_termname}|#{client_termtype}"


def ask_tmux() -> str:
    """What `terminal_of` wants to know of the tmux around; empty if it does not answer."""
    with contextlib.suppress(SealwrightError):
        asked = ["tmux", "display-message", "-p", _ASKED]
        return run(asked, timeout=_SOON, env=_environment()).stdout.decode("utf-8", "replace")
    return ""


def give_tmux(text: str) -> bool:
    """Make a text tmux's newest buffer; tmux hands it on to the clipboard outside if its own settings say so."""
    with contextlib.suppress(SealwrightError):
        given = ["tmux", "load-buffer", "-w", "-"]
        return run(given, timeout=_SOON, env=_environment(), stdin=text.encode("utf-8", "replace")).returncode == 0
    return False


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ("TMUX", "TMUX_PANE", "TERM", "PATH") if name in os.environ}


def call_here(how: str, title: str, text: str, ascii_only: bool) -> None:
    """Call by the terminal on stderr."""
    sys.stderr.write(call(how, terminal_of(os.environ, ask_tmux), title, text, ascii_only=ascii_only))
    sys.stderr.flush()
