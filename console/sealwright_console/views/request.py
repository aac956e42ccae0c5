"""What exactly is going to be signed, as a person reads it before typing. Pure functions.

- Each document has its whole digest; in front stand those, then what decides, then the rest.
- Digits are in groups of four, of eight, or in none, and never fewer than all.
"""

from __future__ import annotations

from collections import Counter
from enum import IntEnum

from sealwright_console.feed import SigningRequest
from sealwright_console.figures import clock, size, spaced
from sealwright_console.lines import MARKS, Line, Part, Tone, fit, mark, tone_of, wrap
from sealwright_console.sanitise import one_line
from sealwright_console.views.seal import reproduction
from sealwright_console.views.sign import DIGITS, of_these
from sealwright_stages.finish import Act, Finish, Thing
from sealwright_stages.state import State, reproduced
from sealwright_stages.verdict import Status

_KINDS = {"sha256sums": "the products", "log-sha256sums": "the sealed log", "dsse-payload": "how they were made"}
_NAME = 26
_LABEL = 11
_HALF = 32


class Groups(IntEnum):
    """How digits stand together."""

    FOUR = 4
    EIGHT = 8
    NONE = 0

    @property
    def following(self) -> Groups:
        """The next way."""
        order = list(Groups)
        return order[(order.index(self) + 1) % len(order)]


def digit_rows(digits: str, groups: Groups, room: int) -> list[str]:
    """All digits, in one row if there is room for it, else in rows of 32; a wider gap in the middle of each."""
    rows = [digits] if len(_grouped(digits, groups)) <= room else [digits[:_HALF], digits[_HALF:]]
    return [_grouped(row, groups) for row in rows]


def _grouped(digits: str, groups: Groups) -> str:
    if not groups:
        return digits
    pieces = [digits[at : at + groups] for at in range(0, len(digits), groups)]
    half = (len(pieces) + 1) // 2
    return "  ".join(" ".join(part) for part in (pieces[:half], pieces[half:]) if part)


def thing_lines(things: tuple[Thing, ...], summary: tuple[str, ...], groups: Groups, width: int) -> list[Line]:
    """Each document by its name and its whole digest; below the name what the signer read in it."""
    lines: list[Line] = []
    for thing in things:
        kind = _KINDS.get(thing.kind, thing.kind)
        told = next((each.removeprefix(f"{thing.name}: ") for each in summary if _about(each, thing)), kind)
        rows = digit_rows(thing.sha256, groups, width - _NAME - 4)
        left = (Part(f"  {fit(thing.name, _NAME)}  ", Tone.HEAD), Part(f"  {fit(told, _NAME)}  ", Tone.DIM))
        lines.append((left[0], Part(rows[0])))
        lines.append((left[1], Part(rows[1] if len(rows) > 1 else "")))
    return lines


def _about(told: str, thing: Thing) -> bool:
    return told.startswith(f"{thing.name}: ")


def request_lines(
    request: SigningRequest, state: State, finish: Finish, groups: Groups, width: int
) -> tuple[Line, ...]:
    """What is signed, what it rests on, and what the signer said of it."""
    lines: list[Line] = [(Part("YOU ARE ABOUT TO SIGN  ", Tone.WARNED), Part(request.release, Tone.HEAD))]
    lines += thing_lines(request.things, request.summary, groups, width)
    if not of_these(request):
        wrong = " the signer's digest is not over these documents"
        lines.append((Part("  "), Part(f"{MARKS[Status.FAILED]}{wrong}", Tone.FAILED)))
    lines += _log(finish, width) + rebuilt_lines(state, width) + warning_lines(state, request, width)
    return tuple(lines)


def said_lines(request: SigningRequest, state: State, finish: Finish, groups: Groups, width: int) -> list[Line]:
    """What stands behind it: counts, the log's root in full, and the signer's other words."""
    built = sum(1 for each in state.components.values() if each.build_exit == 0)
    whole = sum(product.size for product in state.products.values())
    counts = "".join(f", {number:,} {what}" for what, number in request.counts if what != "products")
    said = f"{built:,} components, {len(state.products):,} products, {size(whole)}{counts}"
    lines = wrap(_labelled("release", said), width, _LABEL + 2)
    if finish.root:
        rows = digit_rows(finish.root, groups, width - _LABEL - 2)
        lines += [_labelled("log root" if number == 0 else "", row) for number, row in enumerate(rows)]
    others = [each for each in request.summary if not any(_about(each, thing) for thing in request.things)]
    lines += [piece for each in others for piece in wrap(_labelled("signer", spaced(each)), width, _LABEL + 2)]
    lines += [
        piece for key in request.keys for piece in wrap(_labelled("its key", spaced(key)), width, _LABEL + 2)
    ]
    return lines


def _labelled(label: str, text: str, tone: Tone = Tone.PLAIN) -> Line:
    return (Part(f"  {label:<{_LABEL}} ", Tone.DIM), Part(text, tone))


def _log(finish: Finish, width: int) -> list[Line]:
    """That the root was computed here: when, and that it is the authority's."""
    root = finish.step(Act.ROOT)
    if root is None or root.status is not Status.PASSED or not finish.root:
        return wrap(_labelled("log", "its root was not computed here yet", Tone.PENDING), width, _LABEL + 2)
    told = f" root computed here {clock(root.ended)} = authority's; {finish.records:,} records"
    return wrap((*_labelled("log", "")[:1], mark(Status.PASSED), Part(told)), width, _LABEL + 2)


def rebuilt_lines(state: State, width: int) -> list[Line]:
    """How many products came out the same elsewhere, and how many components a second time."""
    counts = Counter(reproduction(state, product)[:2] for product in state.products.values())
    twice = [told for name in state.components if (told := reproduced(state, name))]
    parts: list[Part] = []
    for (status, word), count in sorted(counts.items(), key=lambda each: -each[1]):
        parts += [Part("   " if parts else ""), mark(status), Part(f" {count:,} {word}", tone_of(status))]
    if twice:
        parts.append(Part(f"   second builds: {twice.count('the same bytes')} of {len(twice)} the same", Tone.DIM))
    return wrap((*_labelled("rebuilt", "")[:1], *(parts or [Part("nothing to compare", Tone.DIM)])), width, 14)


def warning_lines(state: State, request: SigningRequest, width: int) -> list[Line]:
    """What was waived, why and by whom: as the log has it, and what the engine said besides."""
    logged = [f"{w.item}: {w.reason} ({w.person})" for w in state.waivers]
    told = list(dict.fromkeys((*logged, *request.warnings)))
    if not told:
        return [_labelled("warnings", "none was waived")]
    lines: list[Line] = []
    for number, text in enumerate(told):
        label = "warnings" if number == 0 else ""
        line = (*_labelled(label, "")[:1], mark(Status.WARNED), Part(f" {text}", Tone.WARNED))
        lines += wrap(line, width, _LABEL + 5)
    return lines


def digest_lines(digest: str, groups: Groups, width: int) -> tuple[Line, ...]:
    """The digest over all: the digits to type in front, and bright."""
    rows = digit_rows(digest, groups, width - 9)
    typed = len(_grouped(digest[:DIGITS], groups))
    first = (Part("digest   ", Tone.DIM), Part(rows[0][:typed], Tone.KEY), Part(rows[0][typed:]))
    return (first, *((Part("         ", Tone.DIM), Part(row)) for row in rows[1:]))


def copied(things: tuple[Thing, ...], digest: str) -> str:
    """The digests for the clipboard, ungrouped, in the form of sha256sum; the one over all last."""
    return "\n".join([*(one_line(f"{each.sha256}  {each.name}") for each in things), f"{digest}  (all of these)"])
