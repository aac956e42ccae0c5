"""Fast hands: presses keys as a terminal would, without the pauses that Textual's pilot makes between them."""

from __future__ import annotations

import asyncio

from textual.events import Key
from textual.pilot import Pilot

_NAMES = {
    "/": "slash",
    " ": "space",
    ".": "full_stop",
    "-": "minus",
    "[": "left_square_bracket",
    ":": "colon",
    "@": "at",
}
_CHARACTERS = {name: character for character, name in _NAMES.items()} | {"right_square_bracket": "]"}
_TURNS = 40


def key_event(key: str) -> Key:
    """The event of a key, by its character or its name."""
    name = _NAMES.get(key, key)
    return Key(name, _CHARACTERS.get(name, name if len(name) == 1 else None))


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Press the keys in order, and wait until the app has nothing more to do."""
    await drum(pilot, *keys)
    await pilot.pause()


async def drum(pilot: Pilot[int], *keys: str) -> None:
    """Press the keys in order, all at once, as one read of a terminal brings them; wait until all are dealt with."""
    for key in keys:
        pilot.app.post_message(key_event(key))
    at_rest = False
    while not at_rest and pilot.app.is_running:  # the app takes them from its queue first
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        at_rest = getattr(pilot.app, "at_rest", True)
