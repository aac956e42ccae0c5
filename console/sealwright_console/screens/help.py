"""Help for the screen that one comes from, and what the palette lists: both are read from the bindings themselves.

- The keys of this screen stand first, then those of a review, those everywhere, and those of the other screens.
- What a key does is its binding's tooltip, or else its description; a binding without either isn't told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

from sealwright_console.feed import Feed
from sealwright_console.key_names import shown_key
from sealwright_console.lines import Line, Part, Row, Tone, blank, heading, mark, tone_of
from sealwright_console.screens.base import CHANGING, ConsoleScreen
from sealwright_console.screens.finding import FIND_KEYS, Searched
from sealwright_console.widgets.keys_line import KeysLine
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.verdict import Status

_KEYS_WIDTH = 18
_NONE: Mapping[str, str] = {}
_TITLE: Line = (Part("HELP", Tone.HEAD), Part("  every key, those of the screen below first", Tone.DIM))
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
    here, past, anywhere, stages = [], [], [], []
    for command in sorted(commands_of(screen), key=lambda each: each.node is not screen):
        told = (command.keys, command.what)
        if command.node is not screen.app:
            here.append(told)
        elif command.action.split("(")[0] in getattr(screen.app, "MOVES", ()):
            past.append(told)
        elif command.action.startswith("stage("):
            stages.append(told)
        else:
            anywhere.append(told)
    if stages:
        keys, names = zip(*stages, strict=True)
        anywhere.insert(0, ("1 to 5" if keys == tuple("12345") else " ".join(keys), ", ".join(names)))
    rows = _section("on this screen", here)
    rows += _section("in a review", past)
    return tuple(rows + _section("everywhere", anywhere))


def _section(title: str, keys: list[tuple[str, str]]) -> list[Row]:
    lines: tuple[Line, ...] = tuple((Part(f"  {key:<{_KEYS_WIDTH}}", Tone.KEY), Part(what)) for key, what in keys)
    return [heading(title), Row("", lines), blank()] if keys else []


def _keys(bindings: Iterable[Binding]) -> str:
    """`down, j`."""
    return ", ".join(dict.fromkeys(shown_key(each.key) for each in bindings))


def _what(binding: Binding) -> str:
    return binding.tooltip or binding.description


def _elsewhere(but: type[Screen[Any]], hidden: Collection[str], keymap: Mapping[str, str]) -> Iterator[Row]:
    """The keys of the other screens, as their classes bind them; none of those whose actions are `hidden`."""
    from sealwright_console.screens.build import BuildScreen  # noqa: PLC0415 - it imports the evidence page in turn
    from sealwright_console.screens.builds import BuildsScreen  # noqa: PLC0415
    from sealwright_console.screens.component import ComponentScreen  # noqa: PLC0415
    from sealwright_console.screens.gate import GateScreen  # noqa: PLC0415
    from sealwright_console.screens.overview import OverviewScreen  # noqa: PLC0415
    from sealwright_console.screens.seal import SealScreen  # noqa: PLC0415
    from sealwright_console.screens.sign import SignScreen  # noqa: PLC0415

    for title, kind in (
        ("overview", OverviewScreen),
        ("gate", GateScreen),
        ("evidence of a component", ComponentScreen),
        ("log of a build", BuildScreen),
        ("all builds", BuildsScreen),
        ("seal", SealScreen),
        ("sign", SignScreen),
    ):
        found: dict[str, list[Binding]] = {}
        for binding in _bound_in(kind, keymap):
            if binding.description and not binding.action.startswith("app.") and binding.action not in hidden:
                found.setdefault(binding.action, []).append(binding)
        if kind is not but:
            yield from _section(title, [(_keys(each), _what(each[0])) for each in found.values()])


def _bound_in(kind: type[Screen[Any]], keymap: Mapping[str, str]) -> Iterator[Binding]:
    """What a screen itself binds, with keys of one's own where there are some."""
    merged = kind._merged_bindings
    if merged is None:
        return
    bindings = merged.copy()
    bindings.apply_keymap(dict(keymap))
    told = [each for each in Binding.make_bindings(kind.__dict__.get("BINDINGS", ())) if each.description]
    own = {binding.action for binding in told}
    for _, binding in bindings:
        if binding.action in own:
            yield binding


def help_over(screen: Screen[Any]) -> Screen[None]:
    """The page of keys for a screen, with the release's heading if the screen has it."""
    keymap = screen.app._keymap
    if isinstance(screen, ConsoleScreen):
        return HelpScreen(screen.feed, keys_of(screen), type(screen), keymap)
    return LoneHelpScreen(keys_of(screen))


def help_rows(
    keys: Iterable[Row], but: type[Screen[Any]], hidden: Collection[str] = (), keymap: Mapping[str, str] = _NONE
) -> list[Row]:
    """The page: these keys, those of the screens that aren't `but`, and what the shapes mean."""
    return [*keys, *_elsewhere(but, hidden, keymap), *_shapes()]


def _shapes() -> list[Row]:
    shapes: tuple[Line, ...] = tuple(
        (Part("  "), mark(status), Part(f" {status.value:<{_KEYS_WIDTH - 2}}", tone_of(status)), Part(meaning))
        for status, meaning in _WORDS.items()
    )
    return [heading("shapes"), Row("", shapes)]


class HelpScreen(Searched, ConsoleScreen):
    """The page of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [*FIND_KEYS]

    def __init__(
        self,
        feed: Feed,
        keys: tuple[Row, ...],
        of: type[Screen[Any]] = ConsoleScreen,
        keymap: Mapping[str, str] = _NONE,
    ) -> None:
        """Show `keys`, those of the screen that one comes `of`; `keymap` has one's own."""
        super().__init__(feed)
        self._rows = help_rows(keys, of, CHANGING if feed.read_only else (), keymap)

    def body(self) -> Iterable[Widget]:
        """The title, and the keys."""
        yield Texts(_TITLE, id="title")
        yield Ledger(wrapped=True, id="help")

    def on_mount(self) -> None:
        """Begin with the keys on the page."""
        super().on_mount()
        self.query_one(Ledger).focus()

    def show_state(self) -> None:
        """The heading lives on here too."""
        super().show_state()
        self.query_one(Ledger).show(self._rows)


class LoneHelpScreen(Searched, Screen[None]):
    """The page of keys where there is no release: of the start screen and the doctor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *FIND_KEYS,
        Binding("escape", "back", "Back", tooltip="go back"),
    ]
    DEFAULT_CSS = """
    LoneHelpScreen #title { height: auto; padding: 0 1; background: $panel; }
    """

    def __init__(self, keys: tuple[Row, ...]) -> None:
        """Show `keys`."""
        super().__init__()
        self._rows = [*keys, *_shapes()]

    def compose(self) -> ComposeResult:
        """The title, the keys, and those of this page."""
        yield Texts(_TITLE, id="title")
        yield Ledger(wrapped=True, id="help")
        yield from self.below()
        yield KeysLine()

    def on_mount(self) -> None:
        """Begin with the keys on the page."""
        ledger = self.query_one(Ledger)
        ledger.show(self._rows)
        ledger.focus()

    def action_back(self) -> None:
        """End a search, or go back."""
        if not self.end_search():
            self.dismiss(None)
