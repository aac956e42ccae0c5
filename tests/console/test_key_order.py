"""Keys in a burst: each finds the screen and the field that the one before it opened."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from textual.events import Key, Paste
from textual.widgets import Input

from console import made_up
from console.hands import drum, press
from console.test_terminal_bytes import console
from sealwright_console import key_order
from sealwright_console.app import ConsoleApp
from sealwright_console.screens.component import ComponentScreen
from sealwright_console.screens.gate import GateScreen
from sealwright_console.screens.overview import OverviewScreen
from sealwright_console.screens.waive import WaiveScreen
from sealwright_console.widgets.ledger import Ledger

SIZE = (80, 24)
BUSY = "qgtsrR15yn"
"""Keys that are all commands of the overview, or its field's text."""


def console_app(story: made_up.Story | None = None) -> ConsoleApp:
    return ConsoleApp(made_up.MadeUpFeed(story or made_up.troubled()), clock=lambda: 0.0)


async def test_after_the_slash_all_keys_are_the_fields() -> None:
    app = console_app()
    async with app.run_test(size=SIZE) as pilot:
        theme = app.theme
        await press(pilot, "slash", *BUSY)
        assert isinstance(app.screen, OverviewScreen) and app.theme == theme
        assert app.screen.query_one("#filter", Input).value == BUSY
    assert app.feed.asked == []  # type: ignore[attr-defined]


async def test_keys_after_enter_are_those_of_the_screen_that_it_opened() -> None:
    app = console_app()
    async with app.run_test(size=SIZE) as pilot:
        await drum(pilot, "down", "enter", "plus", "end", "escape", "g", "down", "a", *"manager-1")
        assert isinstance(app.screen, WaiveScreen)
        assert app.screen.query_one("#person", Input).value == "manager-1"
        await drum(pilot, "escape", "escape", "up", "enter", "down", "down")
        assert isinstance(app.screen, ComponentScreen)
        ledger = app.screen.query_one(Ledger)
        assert app.focused is ledger and ledger.key != ledger._keys[0]


async def test_keys_typed_before_the_first_screen_stands_are_not_lost() -> None:
    app = console_app()
    async with app.run_test(size=SIZE) as pilot:
        assert isinstance(app.screen, OverviewScreen)
        for name in ("g", "down", "slash", "x", "e", "n"):
            app.post_message(Key(name, "/" if name == "slash" else name if len(name) == 1 else None))
        await drum(pilot)
        assert isinstance(app.screen, GateScreen) and app.screen.query_one("#find", Input).value == "xen"


async def test_what_is_pasted_comes_in_its_turn() -> None:
    app = console_app()
    async with app.run_test(size=SIZE) as pilot:
        app.post_message(Key("slash", "/"))
        app.post_message(Paste("kde"))
        app.post_message(Key("s", "s"))
        await drum(pilot)
        assert app.screen.query_one("#filter", Input).value == "kdes"


async def test_a_key_whose_screen_is_gone_holds_up_no_other() -> None:
    app = console_app()
    async with app.run_test(size=SIZE) as pilot:
        await drum(pilot, *(["g", "escape"] * 10), "5", "escape", "enter", "escape", "s")
        assert isinstance(app.screen, OverviewScreen) and app.screen.order.value != "severity"


async def test_where_too_many_keys_wait_none_is_handed_on_without_those_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_order, "_MOST", 20)
    app = console_app()
    async with app.run_test(size=SIZE) as pilot:
        theme = app.theme
        await press(pilot, "g", "slash", *"t" * 30)
        assert app.theme == theme and isinstance(app.screen, GateScreen)
        assert set(app.screen.query_one("#find", Input).value) == {"t"}


async def test_something_that_fails_behind_a_key_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    app = console_app()
    async with app.run_test(size=SIZE) as pilot:
        await drum(pilot)

        async def fail(*asked: object) -> None:
            raise RuntimeError("a screen that went meanwhile")

        monkeypatch.setattr(app, "_dealt_with", fail)
        await press(pilot, "g")
        await press(pilot, "escape", "g")
        assert isinstance(app.screen, GateScreen)


@contextmanager
def load() -> Iterator[None]:
    """Threads that keep this process from what it wants to do."""
    going = threading.Event()

    def spin() -> None:
        while not going.is_set():
            sum(range(10_000))

    threads = [threading.Thread(target=spin) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        going.set()
        for thread in threads:
            thread.join()


async def test_under_load_too() -> None:
    app = console_app()
    async with app.run_test(size=SIZE) as pilot:
        with load():
            await drum(pilot, "slash", *BUSY, "escape", "g", "slash", *BUSY)
        assert isinstance(app.screen, GateScreen) and app.screen.query_one("#find", Input).value == BUSY


@pytest.mark.parametrize("times", [1, 8])
def test_one_write_of_many_keys_on_a_terminal(times: int) -> None:
    """All of it is written before the first key is dealt with: gate, filter it, back, and so on."""
    with console("feed") as terminal:
        terminal.read_until(b"COMPONENT")
        terminal.press(b"g/tqrt\rg" * (times - 1) + b"g/zqrt")
        terminal.read_until(b"zqrt")
        assert b"theme: " not in terminal.seen
