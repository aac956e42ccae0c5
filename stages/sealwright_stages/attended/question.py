"""Carries the signer's question from the engine to whoever is attached, and one answer back.

- A question has a number, and the first answer to that number is the answer; another comes too late.
- A yes counts only with eight digits of that very digest, or more, and the release's name; any other is no answer.
- While nobody is attached it waits, for however long.
- Stopping the run answers it with a no.
"""

from __future__ import annotations

import threading

from sealwright_stages.attended.protocol import Asks
from sealwright_stages.sign.signing import SigningRequest, Typed

_DIGITS = 8


class Question:
    """The question that is open now, if one is. Any thread."""

    def __init__(self) -> None:
        self.open = Asks()
        self._changed = threading.Condition()
        self._number = 0
        self._answer: Typed | None = None
        self._answered = self._stopped = False

    def ask(self, request: SigningRequest) -> Typed | None:
        """Wait for a person; None is a no. Called by the engine."""
        with self._changed:
            self._number += 1
            self._answered = False
            self.open = _told(self._number, request)
            self._changed.wait_for(lambda: self._answered or self._stopped)
            self.open = Asks()
            return self._answer if self._answered and not self._stopped else None

    def give(self, number: int, answer: Typed | None) -> bool:
        """Answer question `number`; False if it is not open any more, or if that is no answer to it."""
        with self._changed:
            if number == 0 or number != self.open.number or self._answered:
                return False
            if answer is not None and not _fits(answer, self.open):
                return False
            self._answer, self._answered = answer, True
            self._changed.notify_all()
            return True

    def stop(self) -> None:
        """Ask nobody any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()


def _fits(answer: Typed, open_: Asks) -> bool:
    """Whether this was typed by somebody who read the question; the signer judges it once more."""
    whole = len(open_.digest) == 64 and len(answer.digest) >= _DIGITS
    return whole and open_.digest.startswith(answer.digest) and answer.release == open_.release != ""


def _told(number: int, request: SigningRequest) -> Asks:
    proposal = request.proposal
    return Asks(
        number,
        request.release,
        proposal.digest,
        proposal.summary,
        proposal.keys,
        request.products,
        request.warnings,
        request.things,
    )
