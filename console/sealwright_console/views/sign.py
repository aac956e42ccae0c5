"""What a person reads before signing, and whether what they typed is enough. Pure functions.

- Armed only by the first eight digits of this very digest and the release's name, both typed, both exact.
- A closed gate or a failed item anywhere disarms, whatever was typed.
"""

from __future__ import annotations

from sealwright_console.feed import SigningRequest
from sealwright_console.figures import grouped, spaced
from sealwright_console.lines import Line, Part, Tone, labelled, mark
from sealwright_stages.events import Stage
from sealwright_stages.gate import decide
from sealwright_stages.state import State
from sealwright_stages.verdict import Status

DIGITS = 8


def digits_of(typed: str) -> str:
    """What was typed of the digest, without blanks, in small letters."""
    return "".join(typed.split()).lower()


def digest_matches(request: SigningRequest, typed: str) -> bool:
    """Whether these are the first eight digits of the digest."""
    return len(request.digest) == 64 and digits_of(typed) == request.digest[:DIGITS].lower()


def release_matches(request: SigningRequest, typed: str) -> bool:
    """Whether this is the release's name and version."""
    return bool(request.release) and typed.strip() == request.release


def armed(state: State, request: SigningRequest | None, typed_digest: str, typed_release: str) -> bool:
    """Whether the sign button may be pressed."""
    if request is None or not digest_matches(request, typed_digest):
        return False
    red = any(item.status is Status.FAILED for item in state.items.values())
    return release_matches(request, typed_release) and not red and decide(Stage.SIGN, state).open


def request_lines(request: SigningRequest) -> tuple[Line, ...]:
    """What exactly is signed."""
    counts = ", ".join(f"{number:,} {what}" for what, number in request.counts)
    lines: list[Line] = [(Part("YOU ARE ABOUT TO SIGN  ", Tone.WARNED), Part(request.release, Tone.HEAD))]
    lines += [labelled("", spaced(text), indent=2) for text in request.summary]
    lines.append(labelled("counts", counts or "none", indent=2))
    lines += [labelled("key", spaced(key), indent=2) for key in request.keys]
    if not request.warnings:
        lines.append(labelled("warnings", "none was waived", indent=2))
    lines += [labelled("waived", text, Tone.WARNED, indent=2) for text in request.warnings]
    return tuple(lines)


def digest_lines(request: SigningRequest) -> tuple[Line, ...]:
    """The digest in two lines of eight groups, the part to type in front and bright."""
    first, second = request.digest[:32], request.digest[32:]
    return (
        (
            Part("digest  ", Tone.DIM),
            Part(grouped(first[:DIGITS]), Tone.KEY),
            Part(f"  {grouped(first[DIGITS:])}"),
        ),
        (Part("        ", Tone.DIM), Part(f"{grouped(second[:8])}  {grouped(second[8:])}")),
    )


def answer_line(good: bool, typed: str, what: str) -> Line:
    """Whether a field matches yet: by shape and word."""
    if good:
        return (mark(Status.PASSED), Part(" matches", Tone.PASSED))
    if typed:
        return (mark(Status.FAILED), Part(" does not match yet", Tone.FAILED))
    return (mark(Status.PENDING), Part(f" {what}", Tone.PENDING))


def waiting_lines(state: State) -> tuple[Line, ...]:
    """Why there is nothing to sign yet."""
    decision = decide(Stage.SIGN, state)
    lines: list[Line] = [(Part("Nothing waits for a signature.", Tone.HEAD),)]
    if Stage.SIGN in state.stages_ended:
        done = state.stages_ended[Stage.SIGN]
        status = Status.PASSED if done else Status.WARNED
        lines.append((mark(status), Part(" the sign stage has ended: see 1 to 4, and the evidence folder")))
    for blocker in decision.blockers[:8]:
        lines.append((mark(Status.PENDING), Part(f" {blocker.what}: {blocker.why}")))
    if len(decision.blockers) > 8:
        lines.append((Part(f"… and {len(decision.blockers) - 8} more: g shows all", Tone.DIM),))
    return tuple(lines)
