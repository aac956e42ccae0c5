"""Help for the screen that one comes from, and what the palette lists: both are read from the bindings themselves.

- The keys of this screen stand first, then those of a review, those everywhere, and those of the other screens.
- What a key does is its binding's tooltip, or else its description; a binding without either isn't told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

from sealwright_console.feed import Feed
from sealwright_console.lines import Line, Part, Row, Tone, blank, heading, mark, tone_of
from sealwright_console.screens.base import CHANGING, ConsoleScreen
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.verdict import Status

_NAMES = {
    "escape": "esc",
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "at": "@",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "pagedown": "page down",
    "pageup": "page up",
}
_KEYS_WIDTH = 18
_OURS = "sealwright_console"
_WORDS = {
    Status.PASSED: "checked, and all as demanded",
    Status.WARNED: "genuine but imperfect: blocks until a person waives it",
    Status.FAILED: "refused; what failed was deleted. Nothing overrides it",
    Status.RUNNING: "at work",
    Status.PENDING: "not checked yet, which is not green",
}


@dataclass(frozen=True)
class Command:
    """Something that keys do: which keys, a short name, a sentence; the action and the node that has it."""

    keys: str
    name: str
    what: str
    action: str
    node: DOMNode


def commands_of(screen: Screen[Any]) -> list[Command]:
    """What can be done on this screen now: nearest first, each action once, nothing that the screen refuses."""
    found: dict[tuple[DOMNode, str], list[Binding]] = {}
    for active in screen.active_bindings.values():
        told = active.enabled and (active.binding.tooltip or active.binding.description)
        if told and active.binding.action in _own_actions(type(active.node)):
            found.setdefault((active.node, active.binding.action), []).append(active.binding)
    return [
        Command(_keys(bindings), bindings[0].description, _what(bindings[0]), action, node)
        for (node, action), bindings in found.items()
    ]


@cache
def _own_actions(kind: type[DOMNode]) -> frozenset[str]:
    """The actions that our own classes bind; what Textual binds besides is not told."""
    ours = [each.__dict__.get("BINDINGS", ()) for each in kind.__mro__ if each.__module__.startswith(_OURS)]
    return frozenset(binding.action for each in ours for binding in Binding.make_bindings(each))


def keys_of(screen: Screen[Any]) -> tuple[Row, ...]:
    """The keys of a screen, by where they are bound: here, in a review, everywhere."""
    here, past, anywhere = [], [], [("1 to 5", "get-sources, verify, build, seal, sign")]
    for command in sorted(commands_of(screen), key=lambda each: each.node is not screen):
        told = (command.keys, command.what)
        if command.node is not screen.app:
            here.append(told)
        elif command.action.split("(")[0] in getattr(screen.app, "MOVES", ()):
            past.append(told)
        elif not command.action.startswith("stage("):
            anywhere.append(told)
    rows = _section("on this screen", here)
    rows += _section("in a review", past)
    return tuple(rows + _section("everywhere", anywhere))


def _section(title: str, keys: list[tuple[str, str]]) -> list[Row]:
    lines: tuple[Line, ...] = tuple((Part(f"  {key:<{_KEYS_WIDTH}}", Tone.KEY), Part(what)) for key, what in keys)
    return [heading(title), Row("", lines), blank()] if keys else []


def _keys(bindings: Iterable[Binding]) -> str:
    """`down, j`."""
    return ", ".join(dict.fromkeys(each.key_display or _NAMES.get(each.key, each.key) for each in bindings))


def _what(binding: Binding) -> str:
    return binding.tooltip or binding.description


def _elsewhere(but: type[Screen[Any]], hidden: Collection[str]) -> Iterator[Row]:
    """The keys of the other screens, as their classes bind them; none of those whose actions are `hidden`."""
    from sealwright_console.screens.build import BuildScreen  # noqa: PLC0415 - it imports the evidence page in turn
    from sealwright_console.screens.component import ComponentScreen  # noqa: PLC0415
    from sealwright_console.screens.gate import GateScreen  # noqa: PLC0415
    from sealwright_console.screens.overview import OverviewScreen  # noqa: PLC0415

    for title, kind in (
        ("overview", OverviewScreen),
        ("gate", GateScreen),
        ("evidence of a component", ComponentScreen),
        ("log of a build", BuildScreen),
    ):
        found: dict[str, list[Binding]] = {}
        for binding in Binding.make_bindings(kind.BINDINGS):
            if binding.description and not binding.action.startswith("app.") and binding.action not in hidden:
                found.setdefault(binding.action, []).append(binding)
        if kind is not but:
            yield from _section(title, [(_keys(each), _what(each[0])) for each in found.values()])


def help_rows(keys: Iterable[Row], but: type[Screen[Any]], hidden: Collection[str] = ()) -> list[Row]:
    """The page: these keys, those of the screens that aren't `but`, and what the shapes mean."""
    shapes: tuple[Line, ...] = tuple(
        (Part("  "), mark(status), Part(f" {status.value:<{_KEYS_WIDTH - 2}}", tone_of(status)), Part(meaning))
        for status, meaning in _WORDS.items()
    )
    return [*keys, *_elsewhere(but, hidden), heading("shapes"), Row("", shapes)]


class HelpScreen(ConsoleScreen):
    """The page of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "back", show=False)]

    def __init__(self, feed: Feed, keys: tuple[Row, ...], of: type[Screen[Any]] = ConsoleScreen) -> None:
        """Show `keys`, those of the screen that one comes `of`."""
        super().__init__(feed)
        self._rows = help_rows(keys, of, CHANGING if feed.read_only else ())

    def body(self) -> Iterable[Widget]:
        """The title, and the keys."""
        yield Texts(
            (Part("HELP", Tone.HEAD), Part("  every key, those of the screen below first", Tone.DIM)), id="title"
        )
        yield Ledger(wrapped=True, id="help")

    def on_mount(self) -> None:
        """Begin with the keys on the page."""
        super().on_mount()
        self.query_one(Ledger).focus()

    def show_state(self) -> None:
        """The heading lives on here too."""
        super().show_state()
        self.query_one(Ledger).show(self._rows)
