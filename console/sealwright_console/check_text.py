"""How a check is told to a person: a line or two for each link, the verdict last.

- Everything that comes from outside passes `clean`, and is cut where it is long; `--json` has it whole.
- A no names the broken link, and what to do.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from sealwright_console.sanitise import clean
from sealwright_stages.check.pins import Pin
from sealwright_stages.check.way import Answer, Link, Way

WIDTH = 80
_LABEL = 12
_MOST = 240
_MARKS = {"good": "✓", "bad": "✗", "open": "?"}


def lines(way: Way, answer: Answer) -> Iterator[str]:
    """The answer for one file."""
    yield clean(str(answer.hashed.path), _MOST)
    for link in answer.links:
        if link.ok == "open":
            continue
        yield from _link(link)
        if link.name == "signed" and link.ok == "good":
            for signer in way.signers:
                yield " " * _LABEL + f"{signer.fingerprint} {signer.signed:%Y-%m-%d %H:%M:%SZ}"
        if link.name == "keys" and link.ok == "bad":
            yield from _both(way)
    unseen = [link.name for link in answer.links if link.ok == "open"]
    if unseen and answer.kind != "unread":
        yield from _wrapped("?", "not reached", ", ".join(unseen))
    yield from _verdict(way, answer)


def _link(link: Link) -> Iterator[str]:
    yield from _wrapped(_MARKS[link.ok], link.name, link.said)


def _wrapped(mark: str, label: str, said: str) -> Iterator[str]:
    """A line for people, in as many as it takes; at most four. A SHA-256 is never broken."""
    head = f"{mark} {label}".ljust(_LABEL - 1) + " "
    room = WIDTH - _LABEL
    pieces = textwrap.wrap(clean(said, _MOST), room, break_on_hyphens=False) or [""]
    for number, piece in enumerate(pieces[:4]):
        yield f"{head if number == 0 else ' ' * _LABEL}{piece}"


def _both(way: Way) -> Iterator[str]:
    """The keys that are not trusted, beside those that are pinned."""
    if way.trust.pin is not None:
        yield from keys("pinned", way.trust.pin)
    if way.trust.offered is not None:
        yield from keys("in the folder", way.trust.offered)


def keys(title: str, pin: Pin) -> Iterator[str]:
    """Persons with their full fingerprints."""
    yield " " * _LABEL + f"{title}: {pin.threshold} of"
    for person, fingerprints in pin.persons.items():
        for fingerprint in fingerprints:
            yield " " * _LABEL + f"  {fingerprint} {clean(person, 24)}"


def _verdict(way: Way, answer: Answer) -> Iterator[str]:
    if answer.yes:
        others = len(way.state.products) - len(answer.products)
        told = f"the {others} other products; --json names what else" if others else "see --json for what else"
        yield from _wrapped("?", "not seen", told)
        proviso = f", {way.audit.provided}" if way.audit.provided else ""
        yield clean(f"verdict: YES, a product of {way.state.release} {way.state.version}{proviso}", _MOST)
        return
    broken = answer.broken
    for link in broken:
        if link.next:
            yield from _wrapped(" ", "next", link.next)
            break
    where = f" at {broken[0].name}" if broken else ""
    if answer.kind == "input":
        yield "verdict: NO, an input of the release, not a product"
    elif broken and broken[0].name == "keys" and way.trust.how == "first":
        yield "verdict: NO, not yet: nobody whom you know vouches for it"
    elif broken and broken[0].name == "keys" and way.trust.how == "other":
        yield "verdict: NO, OTHER KEYS than the ones that you pinned"
    else:
        yield f"verdict: NO, the way breaks{where}"


def pins(known: Mapping[str, Pin]) -> Iterator[str]:
    """The pins, as `check --pins` tells them."""
    for pin in known.values():
        yield f"{clean(pin.name)}: pinned on {pin.pinned} from {clean(pin.source, _MOST)} ({clean(pin.release)})"
        yield from keys("signers", pin)
    if not known:
        yield "nothing is pinned"
