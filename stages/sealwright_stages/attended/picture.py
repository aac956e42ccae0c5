"""The state of a release as an engine shows it to a console that comes: in parts of a bounded size.

- What an engine folded over a log of a million records is a few megabytes; folding them anew takes a minute.
- A picture has each field of the state exactly as it is, and no other; what can't be read is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from sealwright_stages.attended.plain import NotPlainError, hints, names, plain, reader
from sealwright_stages.attended.protocol import Part, ProtocolError
from sealwright_stages.state import State

_AT_ONCE = 50  # values of a table or list in one part; one has some ten kilobytes at most


def parts(state: State) -> Iterator[Part]:
    """The parts of a state, which nobody changes meanwhile."""
    for name in names(State):
        value = getattr(state, name)
        if not isinstance(value, dict | list):
            yield Part(name, plain(value))
            continue
        rest = iter(value.items() if isinstance(value, dict) else value)
        while some := list(islice(rest, _AT_ONCE)):
            yield Part(name, plain(some))


class Picture:
    """Takes the parts of a state until it is whole."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def take(self, part: Part) -> None:
        """Take a part.

        Raises:
            ProtocolError: the state has no such part.
        """
        hint = hints(State).get(part.field)
        if hint is None:
            raise ProtocolError("a part of no known field")
        try:
            value = reader(hint)(part.values)
        except (NotPlainError, TypeError) as error:
            raise ProtocolError(f"{part.field}: {error}") from None
        if isinstance(value, dict):
            self._values.setdefault(part.field, {}).update(value)
        elif isinstance(value, list):
            self._values.setdefault(part.field, []).extend(value)
        else:
            self._values[part.field] = value

    def whole(self) -> State:
        """The state."""
        return State(**self._values)
