"""Values of ours as plain JSON and back, strictly, by the types that their fields declare.

- A dataclass is the list of its fields, a dictionary a list of pairs, an enum member its value.
- What is read has exactly the declared types, or is refused: no field more or less, no number for a truth value.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Any

Reader = Callable[[Any], Any]
_PLAIN = (str, int, bool, types.NoneType)


class NotPlainError(ValueError):
    """It is not what was to be read; the sentence says so."""


def plain(value: Any) -> Any:
    """`value` as JSON takes it."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple or kind is list:
        return [plain(each) for each in value]
    if kind is dict:
        return [[plain(key), plain(each)] for key, each in value.items()]
    if isinstance(value, Enum):
        return value.value
    return [plain(getattr(value, name)) for name in names(kind)]


@cache
def names(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass, in their order."""
    return tuple(field.name for field in dataclasses.fields(kind))


@cache
def hints(kind: type) -> dict[str, Any]:
    """The types that a dataclass declares."""
    return typing.get_type_hints(kind)


@cache
def reader(hint: Any) -> Reader:
    """What reads values of a type: str, int, bool, an enum, a dataclass, and tuples, lists and dictionaries of such."""
    if hint in _PLAIN:
        return _exactly(hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _or_none(reader(next(each for each in inner if each is not types.NoneType)))
    if origin is tuple and inner[-1] is not Ellipsis:
        return _sequence(tuple, tuple(map(reader, inner)))
    if origin in (tuple, list):
        return _many(origin, reader(inner[0]))
    if origin is dict:
        pairs = _many(list, _sequence(tuple, tuple(map(reader, inner))))
        return lambda value: dict(pairs(value))
    if issubclass(hint, Enum):
        return _member({each.value: each for each in hint})
    return _sequence(lambda values: hint(*values), tuple(reader(hints(hint)[name]) for name in names(hint)))


def _exactly(kind: type[Any]) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise NotPlainError(f"a {type(value).__name__} where a {kind.__name__} belongs")
        return value

    return read


def _or_none(inner: Reader) -> Reader:
    return lambda value: None if value is None else inner(value)


def _sequence(make: Callable[[Any], Any], readers: tuple[Reader, ...]) -> Reader:
    count = len(readers)

    def read(value: Any) -> Any:
        if type(value) is not list or len(value) != count:
            raise NotPlainError(f"no list of {count}")
        return make([each(part) for each, part in zip(readers, value, strict=True)])

    return read


def _many(make: Callable[[Any], Any], inner: Reader) -> Reader:
    def read(value: Any) -> Any:
        if type(value) is not list:
            raise NotPlainError("no list")
        return make([inner(each) for each in value])

    return read


def _member(members: dict[Any, Enum]) -> Reader:
    def read(value: Any) -> Enum:
        if type(value) is not str or value not in members:
            raise NotPlainError("not one of the known words")
        return members[value]

    return read
