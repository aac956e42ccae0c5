"""Whether the sign button may be pressed, and what there is to say where nobody is asked. Pure functions.

- Armed only by the first eight digits of this very digest and the release's name, both typed, both exact.
- The digest must be the one over exactly the documents that are shown; it is computed here again.
- A closed gate, a log that is not sealed, a failed item anywhere disarms, whatever was typed.
"""

from __future__ import annotations

from sealwright_console.feed import SigningRequest
from sealwright_console.lines import Line, Part, Tone, labelled, mark, wrap
from sealwright_console.views.header import signed_word
from sealwright_stages.events import Stage
from sealwright_stages.finish import digest_over
from sealwright_stages.gate import decide
from sealwright_stages.state import State
from sealwright_stages.verdict import Status

DIGITS = 8
_MISSING = 8


def digits_of(typed: str) -> str:
    """What was typed of the digest, without blanks, in small letters."""
    return "".join(typed.split()).lower()


def digest_matches(request: SigningRequest, typed: str) -> bool:
    """Whether these are the first eight digits of the digest."""
    return len(request.digest) == 64 and digits_of(typed) == request.digest[:DIGITS].lower()


def release_matches(request: SigningRequest, typed: str) -> bool:
    """Whether this is the release's name and version."""
    return bool(request.release) and typed.strip() == request.release


def of_these(request: SigningRequest) -> bool:
    """Whether the signer's digest is the one over the documents that are shown, and no others."""
    return bool(request.things) and digest_over(request.things) == request.digest


def asleep(state: State, request: SigningRequest | None) -> str:
    """Why nothing may be signed now, whatever is typed; empty if it may."""
    if request is None:
        return "nothing waits for a signature"
    if any(item.status is Status.FAILED for item in state.items.values()):
        return "something is red: g shows it"
    decision = decide(Stage.SIGN, state)
    if not decision.open:
        first = decision.blockers[0]
        return f"the gate is closed: {first.what}: {first.why}"
    return (
        ""
        if of_these(request)
        else "the signer's digest is not over these documents: refuse, and look at the signer"
    )


def armed(state: State, request: SigningRequest | None, typed_digest: str, typed_release: str) -> bool:
    """Whether the sign button may be pressed."""
    if request is None or asleep(state, request):
        return False
    return digest_matches(request, typed_digest) and release_matches(request, typed_release)


def answer_line(good: bool, typed: str, what: str) -> Line:
    """Whether a field matches yet: by shape and word."""
    if good:
        return (mark(Status.PASSED), Part(" matches", Tone.PASSED))
    if typed:
        return (mark(Status.FAILED), Part(" does not match yet", Tone.FAILED))
    return (mark(Status.PENDING), Part(f" {what}", Tone.PENDING))


def waiting_lines(state: State, width: int, signed: Status | None = None) -> tuple[Line, ...]:
    """Why there is nothing to sign yet, and the next step; of a past release how it is `signed`."""
    if signed is not None and state.sealed:
        told = "how the audit of this folder counts its signatures; its findings stand below"
        return (signed_word(signed), (), (Part(told, Tone.DIM),))
    decision = decide(Stage.SIGN, state)
    lines: list[Line] = [(Part("Nothing waits for a signature.", Tone.HEAD),)]
    if decision.open:
        lines.append((Part("All is sealed. The engine asks as soon as the signer has read it.", Tone.DIM),))
    for blocker in decision.blockers[:_MISSING]:
        item = state.items.get(blocker.item)
        status = item.status if item is not None else Status.PENDING
        lines += wrap((mark(status), Part(f" {blocker.what}: {blocker.why}")), width, 2)
        if status in (Status.FAILED, Status.WARNED) and blocker.next_step:
            lines += wrap(labelled("next", blocker.next_step, indent=2), width, 11)
    if len(decision.blockers) > _MISSING:
        lines.append((Part(f"… and {len(decision.blockers) - _MISSING:,} more: g shows all", Tone.DIM),))
    return tuple(lines)
