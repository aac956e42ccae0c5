"""States that were kept along a fold, so that an old one need not be folded from the start.

- A snapshot is made by this process, of a state that it folded itself; none is ever read from a disk.
- It holds pages of what never changes. A page that is as it was in the snapshot before is that page, so a snapshot
  costs what changed since, and not what there is.
- Thawing gives a state of its own: folding on in it changes no snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import chain, zip_longest
from typing import Any

from sealwright_stages.state import State

_PAGE = 32
_NAMES = tuple(field.name for field in fields(State))

Pages = tuple[tuple[Any, ...], ...]
Snapshot = Mapping[str, Any]
"""A field's name -> pages of a list, pages of a table's keys and of its values, or the value itself."""


def freeze(state: State, before: Snapshot | None = None) -> Snapshot:
    """Keep `state` as it is now; `before` is the snapshot before this one, of the same fold."""
    old = before or {}
    return {name: _frozen(getattr(state, name), old.get(name)) for name in _NAMES}


def thaw(snapshot: Snapshot) -> State:
    """The state that was kept, as one that may be folded on."""
    return State(**{name: _thawed(value) for name, value in snapshot.items()})


class _Table(tuple[Pages, Pages]):
    """Pages of the keys and of the values of a dictionary, in its order."""

    __slots__ = ()


class _List(tuple[tuple[Any, ...], ...]):
    """Pages of a list."""

    __slots__ = ()


def _frozen(value: Any, before: Any) -> Any:
    if isinstance(value, dict):
        keys, values = before if before is not None else ((), ())
        return _Table((_pages(list(value), keys), _pages(list(value.values()), values)))
    if isinstance(value, list):
        return _List(_pages(value, before or ()))
    return value


def _thawed(value: Any) -> Any:
    if isinstance(value, _Table):
        keys, values = value
        return dict(zip(chain.from_iterable(keys), chain.from_iterable(values), strict=True))
    if isinstance(value, _List):
        return list(chain.from_iterable(value))
    return value


def _pages(values: Sequence[Any], before: Pages) -> Pages:
    cut = (tuple(values[start : start + _PAGE]) for start in range(0, len(values), _PAGE))
    count = -(-len(values) // _PAGE)
    return tuple(old if old == new else new for new, old in zip_longest(cut, before[:count]))
