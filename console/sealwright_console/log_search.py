"""Looking for a text among the bytes of a log of any size; no terminal in here.

- ASCII letters of either case match; everything else matches as it is.
- What is read is never more than a window; a match across the border of two windows, or of two segments, is found.
- A match begins in the span that is asked for, and ends before the end of the log.
- It can be given up at any window, and says how far it is.

The cost is one pass that makes letters small and one that looks for the rarest three bytes of the text: a needle as
such is looked for only where those are common. Python's own search of bytes is slowest for texts of many different
letters, and several times as fast for three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

WINDOW = 1 << 16
"""Bytes that are looked at together: more leave the processor's cache, fewer cost more calls."""
_RARE = 3
_CANDIDATES = 32
_MISSES = 64
"""Places of a window in which the rare bytes stand without the rest, until the whole needle is looked for."""

Read = Callable[[int, int], bytes]


class Needle:
    """A text as it is looked for, with its rarest part."""

    def __init__(self, text: str, sample: bytes = b"") -> None:
        """Take the text; `sample` are bytes of the log, which tell what is rare."""
        raw = text.encode("utf-8", "surrogateescape")
        self.bytes = raw.lower()
        self._folds = raw.lower() != raw.upper()
        parts = [(at, self.bytes[at : at + _RARE]) for at in range(len(raw) - _RARE + 1)][:_CANDIDATES]
        sample = sample.lower()
        self._at, self._part = min(parts, key=lambda part: sample.count(part[1]), default=(0, self.bytes))

    def __len__(self) -> int:
        """How many bytes it has."""
        return len(self.bytes)

    def within(self, data: bytes, forward: bool = True) -> int:
        """Where in `data` it stands first, or last; -1 if nowhere."""
        if self._folds:
            data = data.lower()
        place = data.find(self._part, self._at) if forward else data.rfind(self._part)
        for _ in range(_MISSES):
            if place < 0:
                return -1
            if data.startswith(self.bytes, place - self._at):
                return place - self._at
            place = data.find(self._part, place + 1) if forward else data.rfind(self._part, 0, place + _RARE - 1)
        return data.find(self.bytes) if forward else data.rfind(self.bytes)


def find(
    read: Read,
    needle: Needle,
    spans: tuple[tuple[int, int], ...],
    end: int,
    *,
    forward: bool = True,
    stop: Callable[[], bool] = lambda: False,
    told: Callable[[float], object] = lambda part: None,
) -> int | None:
    """The offset of the first match of the spans, in their order; None if there is none, or it was given up.

    Args:
        read: gives bytes from an offset, so many, fewer at the end.
        needle: what is looked for; an empty one is nowhere.
        spans: offsets where a match may begin, each from the first to before the last.
        end: where the log ends; no match goes beyond.
        forward: each span from its beginning, or else from its end.
        stop: asked before each window; True gives up.
        told: is given the part that was looked at, from 0 to 1.
    """
    if not needle:
        return None
    all_bytes = sum(max(0, high - low) for low, high in spans) or 1
    done = 0
    for low, high in spans:
        for start, until in _windows(low, high, forward):
            if stop():
                return None
            data = read(start, min(until + len(needle) - 1, end) - start)
            place = needle.within(data, forward)
            if place >= 0:
                return start + place
            done += until - start
            told(done / all_bytes)
    return None


def _windows(low: int, high: int, forward: bool) -> Iterator[tuple[int, int]]:
    starts = range(low, high, WINDOW)
    for start in starts if forward else reversed(starts):
        yield start, min(start + WINDOW, high)
