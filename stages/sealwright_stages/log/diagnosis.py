"""Why a log elsewhere can't be reached, in a sentence, and what to do about it.

- Decided from what is there when a transport has ended: its argument list, its exit code, what it wrote to its error
  output, and what came before the protocol began.
- What isn't known is told as it is: the last words, and the exit code.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from sealwright_stages.process import last_words

_SHOWN = 200
_SSH = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        "the far machine shows another host key than before",
        "find out why before anything else; if it is meant, put the new key into known_hosts by hand",
    ),
    (
        r"Host key verification failed|No .* host key is known",
        "the far machine's host key is unknown here",
        "get its key by a way that you trust, and put it into known_hosts",
    ),
    (
        r"Permission denied \(|Too many authentication failures",
        "ssh has no key that the far end takes, and can ask for no password here",
        "put the console's public key into authorized_keys there (`sealwright-appendlog setup authorized_keys`)",
    ),
    (
        r"Could not resolve hostname|Connection refused|timed out|No route to host|Network is unreachable",
        "the far machine can't be reached",
        "look at its name, its port and the network; `ssh -v` says more",
    ),
)
_QREXEC = {
    125: ("the far qube can't be started, or can't run the service", "look at its journal and at dom0's"),
    126: (
        "the policy denies it",
        "allow it in dom0's /etc/qubes/policy.d/30-sealwright.policy (`sealwright-appendlog setup 30-sealwright.policy`)",
    ),
    127: (
        "the far qube has no such service",
        "install it there (`sealwright-appendlog setup qubes.AppendLog`), with mode 755",
    ),
}
_REFUSALS = (
    ("speaks format", "install the same version of Sealwright at both ends"),
    ("begun by somebody else", "resume it as the one who began it, or begin anew with another --work DIR"),
    ("no log of this origin", "ask who keeps the log where it went; keep this work folder as evidence"),
    (
        "is no plain name below",
        "put what `sealwright-appendlog host-key` prints there into [log] key",
    ),
    ("may not use this log", "let this uid use the socket at the far end"),
    (
        "is open already",
        "another console writes to this log; end that one first, or wait ten seconds if it is dead",
    ),
)


@dataclass(frozen=True)
class Diagnosis:
    """Why, and what to do next."""

    because: str
    next: str


def of_end(argv: Sequence[str], status: int | None, said: bytes, early: bytes) -> Diagnosis:
    """Why a transport has ended, with the exit code `status` (None: it lives), before or amid the protocol.

    `said` is the end of its error output, `early` what came on its output before the first frame.
    """
    program = PurePath(argv[0]).name
    words = said.decode("utf-8", "replace")
    if early:
        return Diagnosis(
            f"something else came before the log's protocol began: {_shown(early)}",
            "let the far account's shell and profile say nothing (motd, echo) before the command",
        )
    if program.startswith("qrexec") and status in _QREXEC:
        return Diagnosis(*_QREXEC[status])
    if program == "ssh" and status == 255:
        for pattern, because, following in _SSH:
            if re.search(pattern, words):
                return Diagnosis(f"{because}: {last_words(said)}", following)
    if status == 127:
        return Diagnosis(
            f"the far end does not have the command: {last_words(said)}",
            "install Sealwright there, and name its program with its whole path",
        )
    if "nobody serves" in words:
        return Diagnosis(last_words(said), "start it there: `systemctl start sealwright-appendlog.socket`")
    ended = "it goes on" if status is None else f"it ended with exit code {status}"
    heard = last_words(said) if said.strip() else "it said nothing"
    return Diagnosis(f"{program}: {ended}; {heard}", "try [log] transport by hand, then run again")


def cure(why: str) -> str:
    """What to do about a refusal, or nothing if it is not known."""
    return next((following for words, following in _REFUSALS if words in why), "")


def _shown(early: bytes) -> str:
    return repr(early[:_SHOWN].decode("utf-8", "backslashreplace"))
