"""Every screen and widget of the console, found in the package itself, and each screen made from what its constructor asks.

A new screen is in the tests that walk over all of them by being there. One whose constructor asks for something that
no `GIVEN` can name makes those tests fail, and so does a new message of the feed that nobody has put into a class.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from textual.screen import Screen

import sealwright_console
from console import made_up
from sealwright_console.cursor import Cursor
from sealwright_console.feed import Feed
from sealwright_console.lines import Part
from sealwright_stages.doctor import Finding
from sealwright_stages.reviewer import Reviewer

Kind = TypeVar("Kind")


@cache
def modules() -> tuple[ModuleType, ...]:
    """All modules of the console, imported."""
    found = pkgutil.walk_packages(sealwright_console.__path__, f"{sealwright_console.__name__}.")
    return tuple(importlib.import_module(each.name) for each in found)


def classes(kind: type[Kind]) -> list[type[Kind]]:
    """The console's own classes that are a `kind`, by their names."""
    found = {
        each
        for module in modules()
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, kind) and each.__module__ == module.__name__
    }
    return sorted(found, key=lambda each: each.__name__)


def screens() -> list[type[Screen[Any]]]:
    """All screens and windows of the console."""
    return classes(Screen)


def _warned() -> Any:
    feed = made_up.MadeUpFeed(made_up.troubled())
    return feed.state.items["kde-desktop/signature of the tag"]


GIVEN: dict[str, Callable[[Feed, Cursor], object]] = {
    "feed": lambda feed, cursor: feed,
    "cursor": lambda feed, cursor: cursor,
    "past": lambda feed, cursor: cursor.past,
    "name": lambda feed, cursor: next(iter(feed.state.components), "xen"),
    "text": lambda feed, cursor: "a text\n+ of some lines\n" * 40,
    "keys": lambda feed, cursor: (),
    "item": lambda feed, cursor: _warned(),
    "question": lambda feed, cursor: ((Part("A question?"),),),
    "hint": lambda feed, cursor: "a hint",
    "check": lambda feed, cursor: lambda path: "wrong",
    "yes": lambda feed, cursor: "Yes",
    "no": lambda feed, cursor: "No",
    "answers": lambda feed, cursor: {"one": "One", "other": "Other"},
    "why": lambda feed, cursor: "because",
    "recent": lambda feed, cursor: [],
    "here": lambda feed, cursor: Path("/nonexistent/here"),
    "other": lambda feed, cursor: Path("/nonexistent/other"),
    "reviewer": lambda feed, cursor: Reviewer(),
    "look": lambda feed, cursor: no_findings,
    "trial": lambda feed, cursor: no_trial,
}
"""What the constructor of a screen may ask for, by the name of its parameter."""


def no_findings() -> list[Finding]:
    """A machine of which nothing is said."""
    return []


def no_trial(tell: Callable[[Sequence[Any]], None], stop: threading.Event) -> None:
    """A selftest that tries nothing."""


def make(kind: type[Screen[Any]], feed: Feed, cursor: Cursor) -> Screen[Any]:
    """A screen of this kind over a feed, or a review at a cursor; optional parameters are left out but for `given` ones.

    Raises:
        KeyError: its constructor asks for what `GIVEN` does not name.
    """
    words: dict[str, object] = {}
    for name, asked in inspect.signature(kind).parameters.items():
        if asked.default is inspect.Parameter.empty or name in ("look", "trial"):
            given = GIVEN[name](feed, cursor)
            said = isinstance(given, str) or asked.annotation != "str"
            words[name] = given if said else GIVEN["hint"](feed, cursor)
    return kind(**words)


def bound_keys() -> list[str]:
    """Every key that a class of the console, or of Textual below it, binds."""
    kinds = [each for kind in classes(object) for each in kind.__mro__ if "BINDINGS" in vars(each)]
    from textual.binding import Binding

    found = {bound.key for kind in kinds for bound in Binding.make_bindings(vars(kind)["BINDINGS"])}
    return sorted(found)


def at(folder: Path, story: made_up.Story) -> Cursor:
    """The end of a past release that is this story."""
    past = made_up.past(folder, story)
    return Cursor(past, past.size - 1)
