"""What can be reached, how, on every screen: back, help, search, the mouse, small and poor terminals."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Button, Input

from console import lone, made_up
from console.hands import press
from sealwright_console.app import ConsoleApp
from sealwright_console.face import Face
from sealwright_console.keymap import default_keys, sections
from sealwright_console.lines import Part, plain, wrap
from sealwright_console.looks import THEMES, Looks, looks_of, start_looks
from sealwright_console.screens.build import BuildScreen
from sealwright_console.screens.component import ComponentScreen
from sealwright_console.screens.doctor import DoctorScreen
from sealwright_console.screens.gate import GateScreen
from sealwright_console.screens.help import keys_of
from sealwright_console.screens.overview import OverviewScreen
from sealwright_console.screens.selecting import SelectScreen
from sealwright_console.screens.sign import SignScreen
from sealwright_console.start import StartApp, StartScreen
from sealwright_console.theme import THEME_NAMES
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.errors import ManifestError

SIZE = (80, 24)
PLACES = {
    "overview": (),
    "filter": ("slash", "k", "enter"),
    "component": ("enter",),
    "component searched": ("enter", "slash", "g", "enter"),
    "gate": ("g",),
    "gate asked": ("g", "slash", "x"),
    "build": ("3",),
    "seal": ("4",),
    "sign": ("5",),
    "help": ("question_mark",),
    "help searched": ("question_mark", "slash", "t", "enter"),
    "waive": ("g", "down", "a", "x"),
    "quit": ("q",),
    "palette": ("colon",),
    "copied twice": ("y", "y"),
}


def console(**looks: Any) -> ConsoleApp:
    return ConsoleApp(made_up.MadeUpFeed(made_up.troubled()), clock=lambda: 0.0, looks=Looks(**looks))


def lines(screen: Screen[Any], kind: type[Texts] | str = Texts) -> str:
    return "\n".join(plain(line) for texts in screen.query(kind).results(Texts) for line in texts.lines)


# -- back and help ----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", PLACES)
async def test_esc_goes_back_from_everywhere_and_destroys_nothing(place: str) -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *PLACES[place], *["escape"] * 5)
        assert isinstance(app.screen, OverviewScreen) and app.is_running
    assert app.feed.asked == [] and app.return_value is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "keys", [("d",), ("question_mark",), ("n",), ("o",), ("d", "question_mark", "slash", "x")]
)
async def test_esc_goes_back_to_the_start_screen(keys: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealwright_console.screens.doctor.examine", list)
    app = StartApp([])
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *keys, *["escape"] * 5)
        assert isinstance(app.screen, StartScreen) and app.is_running


def apps(tmp_path: Path) -> dict[str, tuple[Callable[[], App[Any]], tuple[str, ...]]]:
    def past() -> App[Any]:
        return made_up.review(tmp_path, made_up.past_trouble(), 95)

    live = ("overview", "component", "gate", "build", "seal", "sign", "help")
    return {
        **{name: (console, PLACES[name]) for name in live},
        **{f"{name} of a past": (past, ("G",) if name == "gate" else PLACES[name]) for name in live},
        "events": (past, ("e",)),
        "start": (lambda: StartApp([]), ()),
        "doctor": (lambda: StartApp([]), ("d",)),
    }


PLACED = [*apps(Path())]


@pytest.mark.parametrize("place", PLACED)
async def test_each_key_of_a_screen_stands_in_its_help_once_with_a_sentence(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealwright_console.screens.doctor.examine", list)
    make, keys = apps(tmp_path)[place]
    app = make()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *keys)
        if place.startswith("sign"):
            app.screen.set_focus(None)
        told = [plain(line) for row in keys_of(app.screen) for line in row.lines if len(line) == 2]
        named = [key for line in told for key in line[:20].strip().split(", ")]
        assert len(named) == len(set(named)), sorted(named)
        for active in app.screen.active_bindings.values():
            binding = active.binding
            ours = type(active.node).__module__.startswith("sealwright") and binding.description
            if ours and not binding.action.startswith("stage(") and "focus_" not in binding.action:
                shown = app.get_key_display(Binding(binding.key, ""))
                assert shown in named or _textuals(active.node, binding), (binding.key, binding.action)
        assert all(len(line[20:].strip().split()) > 1 for line in told), told


def _textuals(node: Any, binding: Binding) -> bool:
    """Whether Textual itself binds this, in a class that ours is made of."""
    ours = [kind for kind in type(node).__mro__ if kind.__module__.startswith("sealwright")]
    made = [each for kind in ours for each in Binding.make_bindings(kind.__dict__.get("BINDINGS", ()))]
    return binding.action not in {each.action for each in made}


OWED = ("seal", "sign")
"""Screens some of whose keys have no sentence of their own; take one away when it has."""


def test_each_binding_that_has_a_name_has_a_sentence() -> None:
    default_keys()
    for kind in (kind for kind, name in sections().items() if name not in OWED):
        for binding in Binding.make_bindings(kind.__dict__.get("BINDINGS", ())):
            if binding.description and "stage(" not in binding.action and "focus_" not in binding.action:
                assert " " in binding.tooltip, (kind.__name__, binding.key)


def test_a_key_at_the_end_of_a_sentence_stays_with_its_word() -> None:
    for width in range(20, 90):
        words = "compare with another mirror; if the pin is wrong, change it in the manifest, then r"
        folded = wrap((Part("      do       "), Part(words)), width)
        assert all(len(plain(line).strip()) > 1 for line in folded)
        assert "then r" in plain(folded[-1])


# -- search -----------------------------------------------------------------------------------------


async def test_a_search_goes_on_round_the_end_and_back() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "g", "p", "slash", *"kde", "enter")
        ledger = app.screen.query_one(Ledger)
        found = ledger.places("kde")
        assert len(found) > 1 and ledger.key == found[0] and f"1 of {len(found)}" in lines(app.screen, "#found")
        seen = []
        for _ in found:
            await press(pilot, "n")
            seen.append(ledger.key)
        assert seen == [*found[1:], found[0]]
        await press(pilot, "N")
        assert ledger.key == found[-1]
        await press(pilot, "escape")
        assert isinstance(app.screen, GateScreen) and ledger.needle == ""
        await press(pilot, "escape")
        assert isinstance(app.screen, OverviewScreen)


async def test_what_is_not_there_is_told_and_esc_returns_to_where_one_was() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "g", "down")
        was = app.screen.query_one(Ledger).key
        await press(pilot, "slash", *"xen")
        assert app.screen.query_one(Ledger).key != was
        await press(pilot, "escape")
        assert app.screen.query_one(Ledger).key == was
        await press(pilot, "slash", *"nowhere", "enter")
        assert "not found" in lines(app.screen, "#found")


async def test_a_search_in_a_tree_unfolds_what_it_finds() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "enter")
        assert isinstance(app.screen, ComponentScreen)
        ledger = app.screen.query_one(Ledger)
        before = set(ledger._keys)
        folded = [place for place in app.screen.places("e") if place not in before]
        assert folded
        await press(pilot, "slash", "e", "enter")
        for _ in range(len(app.screen.places("e"))):
            await press(pilot, "n")
            if ledger.key in folded:
                break
        assert ledger.key in folded


async def test_on_a_page_without_rows_a_search_scrolls() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "question_mark", "slash", *"shapes", "enter")
        ledger = app.screen.query_one(Ledger)
        assert ledger.scroll_offset.y > 0
        assert any("shapes" in plain(line) for _, line, _ in ledger._flat[ledger.scroll_offset.y :][:22])


async def test_in_the_overview_n_goes_through_what_the_filter_found() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "slash", *"core", "enter")
        ledger = app.screen.query_one(Ledger)
        found = ledger.places("")
        assert 1 < len(found) < 11
        await press(pilot, "N")
        assert ledger.key == found[-1]
        await press(pilot, "n")
        assert ledger.key == found[0]


# -- copying ----------------------------------------------------------------------------------------


async def test_the_same_copied_twice_is_shown_to_be_selected() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "y")
        assert app.clipboard and isinstance(app.screen, OverviewScreen)
        await press(pilot, "y")
        assert isinstance(app.screen, SelectScreen)
        shown = app.screen.query_one("#text", Texts)
        assert "\n".join(plain(line) for line in shown.lines) == app.clipboard


# -- the mouse --------------------------------------------------------------------------------------


async def test_a_click_selects_and_a_second_one_opens() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        ledger = app.screen.query_one(Ledger)
        await pilot.click(Ledger, offset=(10, 3))
        await pilot.pause()
        assert ledger.key == ledger._keys[3] and isinstance(app.screen, OverviewScreen)
        await pilot.click(Ledger, offset=(10, 3))
        await pilot.pause()
        assert isinstance(app.screen, ComponentScreen) and app.screen.component_name == ledger.key


async def test_a_double_click_opens() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        ledger = app.screen.query_one(Ledger)
        await pilot.double_click(Ledger, offset=(10, 4))
        await pilot.pause()
        assert isinstance(app.screen, ComponentScreen) and app.screen.component_name == ledger._keys[4]


async def test_stages_and_the_gate_in_the_heading_take_clicks() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        steps = app.screen.query_one("#steps", Texts)
        told = plain(steps.lines[0])
        for word, kind in (("build", BuildScreen), ("sign", SignScreen), ("CLOSED", GateScreen)):
            await pilot.click("#steps", offset=(told.index(word) + 1, 0))
            await pilot.pause()
            assert isinstance(app.screen, kind), word
        await pilot.click("#steps", offset=(told.index("verify"), 0))
        await pilot.pause()
        assert isinstance(app.screen, OverviewScreen) and app.screen.stage == "verify"


async def test_the_keys_of_the_last_line_take_clicks() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        (gate,) = [each for each in app.screen.query("FooterKey") if each.key == "g"]  # type: ignore[attr-defined]
        await pilot.click(gate)
        await pilot.pause(0.1)
        assert isinstance(app.screen, GateScreen)


async def test_the_wheel_scrolls() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "g")
        ledger = app.screen.query_one(Ledger)
        ledger.scroll_down(animate=False)
        assert ledger.allow_vertical_scroll and ledger.key == ledger._keys[0]


@pytest.mark.parametrize("armed", [False, True])
async def test_no_click_but_that_on_the_button_signs(armed: bool) -> None:
    feed = made_up.MadeUpFeed(made_up.sealed(), waiting=made_up.request())
    app = ConsoleApp(feed, clock=lambda: 0.0)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5", *made_up.DIGEST[:8], "tab", *("example-1.0" if armed else "example"))
        button = app.screen.query_one("#sign", Button)
        assert button.disabled is not armed
        for y in range(1, 23):
            for x in (1, 20, 40, 60, 78):
                if armed and button.region.contains(x, y):
                    continue
                if isinstance(app.screen, SignScreen) and not app.screen.query_one("#refuse").region.contains(
                    x, y
                ):
                    await pilot.click(offset=(x, y))
    assert feed.asked == []


# -- terminals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(79, 24), (80, 23), (40, 10), (10, 4), (1, 1)])
async def test_a_small_terminal_says_what_is_needed_and_breaks_nothing(size: tuple[int, int]) -> None:
    app = console()
    async with app.run_test(size=size) as pilot:
        await press(
            pilot, "g", "escape", "enter", "escape", "3", "4", "5", "escape", "question_mark", "escape", "q"
        )
        await press(pilot, "escape", "escape")
        assert app.is_running
        if size[0] > 70:
            assert f"needs 80x24, has {size[0]}x{size[1]}" in lines(app.screen, "#notices")


async def test_where_there_is_room_nothing_is_said_of_it() -> None:
    app = console()
    async with app.run_test(size=SIZE):
        assert "needs" not in lines(app.screen, "#notices")


@pytest.mark.parametrize("term", ["dumb", "vt100", ""])
def test_a_terminal_that_shows_no_screen_is_refused_with_the_way_to_do_without(term: str, tmp_path: Path) -> None:
    code, said = on_terminal(["run", str(tmp_path / "release.toml")], TERM=term)
    assert code == 2 and b"next: use --batch without one" in said and b"\x1b" not in said
    assert term.encode() in said


def on_terminal(words: list[str], **env: str) -> tuple[int, bytes]:
    """Run the program on a terminal of its own; gives its exit code and all that it wrote."""
    ours, theirs = pty.openpty()
    shown = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": "/nonexistent", **env}
    argv = [sys.executable, "-m", "sealwright_console.cli", *words]
    child = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=shown, close_fds=True)
    os.close(theirs)
    said = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:
            break
        if not piece:
            break
        said += piece
    os.close(ours)
    return child.wait(60), said


# -- looks ------------------------------------------------------------------------------------------


def test_there_is_one_list_of_themes() -> None:
    assert THEMES == THEME_NAMES


@pytest.mark.parametrize("variable", ["SEALWRIGHT_THEME", "SEALWRIGHT_NOTIFY"])
def test_what_the_environment_names_wrongly_is_one_error(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "no such")
    with pytest.raises(ManifestError) as refused:
        start_looks([])
    assert (
        refused.value.what == variable and "dark" in refused.value.next_step
    ) or "osc9" in refused.value.next_step


async def test_all_options_reach_the_start_screen_and_what_it_runs() -> None:
    words = ["--ascii", "--theme", "light", "--notify", "off"]
    looks = start_looks(words)
    assert looks is not None and list(looks.words) == words
    app = StartApp([], looks)
    assert isinstance(app, Face) and app.theme == "light" and len(app._last_filters) == 2
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "t")
        assert app.theme == "high-contrast"
        await press(pilot, "colon")
        assert app.screen.query(Input)


async def test_the_doctor_has_help_and_search() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        app.push_screen(DoctorScreen(lone.findings))
        await app.workers.wait_for_complete()
        await press(pilot, "slash", *"clock", "enter")
        assert app.screen.query_one(Ledger).key == "part clock"
        await press(pilot, "escape", "question_mark", "escape")
        assert isinstance(app.screen, DoctorScreen)


def test_looks_of_a_command_line_are_those_that_were_typed() -> None:
    from sealwright_console.cli import _parser

    options = _parser().parse_args(["attach", "--ascii", "--notify", "bell"])
    assert looks_of(options) == Looks(ascii=True, notify="bell", words=("--ascii", "--notify", "bell"))
