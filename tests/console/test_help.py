"""What help and the palette tell: the keys that there are, those of this screen first."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from console import made_up
from console.hands import press
from sealwright_console.app import ConsoleApp
from sealwright_console.lines import plain
from sealwright_console.screens.gate import GateScreen
from sealwright_console.screens.help import commands_of, keys_of
from sealwright_console.screens.overview import OverviewScreen
from sealwright_console.theme import THEME_NAMES
from sealwright_console.views.overview import Order
from sealwright_console.widgets.ledger import Ledger

SIZE = (80, 24)


def console() -> ConsoleApp:
    return ConsoleApp(made_up.MadeUpFeed(made_up.troubled()), clock=lambda: 0.0)


def told(app: ConsoleApp) -> list[str]:
    """The lines of the page of keys for the screen that is shown."""
    return [plain(line).strip() for row in keys_of(app.screen) for line in row.lines]


async def test_the_keys_of_this_screen_stand_first() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        here = told(app)
        assert here[0] == "on this screen" and here.index("everywhere") > 5
        assert any(line.startswith("s ") and "sort" in line for line in here)
        await press(pilot, "g", "down")
        here = told(app)
        assert any(line.startswith("a ") and "red is never waived" in line for line in here)
        assert not any(line.startswith("s ") for line in here)
        await press(pilot, "question_mark")
        shown = [plain(line).strip() for row in app.screen.query_one(Ledger)._rows for line in row.lines]
        assert shown[: len(here)] == here and "overview" in shown and "shapes" in shown and "gate" not in shown


async def test_each_key_that_the_console_binds_is_told() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        for keys in ((), ("enter",), ("g",), ("3",), ("4",)):
            await press(pilot, "escape", *keys)
            known = {command.action for command in commands_of(app.screen)}
            shown = {each.binding.action for each in app.screen.active_bindings.values() if each.binding.show}
            assert shown <= known | {"command_palette"}


async def test_a_review_tells_no_key_that_changes_anything_and_those_of_the_cursor(tmp_path: Path) -> None:
    app = made_up.review(tmp_path, made_up.past_trouble(), 95)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "G")
        lines = told(app)
        assert "in a review" in lines and any("a record's number or a time" in line for line in lines)
        await press(pilot, "escape", "question_mark")
        lines += [plain(line) for row in app.screen.query_one(Ledger)._rows for line in row.lines]
        assert not any("waive a" in line or "fetch and check" in line for line in lines)


async def chosen(pilot: Pilot[int], name: str) -> None:
    """Run a command of the palette by its name, as the palette does."""
    app = pilot.app
    (command,) = [each for each in app.get_system_commands(app.screen) if each.title == name]
    app.call_later(command.callback)
    await pilot.pause()


async def test_the_palette_lists_what_keys_do_here_the_stages_and_the_themes() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        titles = [each.title for each in app.get_system_commands(app.screen)]
        wanted = {"Detail", "Filter", "Sort", "Gate", "Log", "Help", "Quit", "Copy", "Stage 3: build"}
        assert wanted | {f"Theme: {name}" for name in THEME_NAMES} <= set(titles)
        assert len(titles) == len(set(titles))
        await chosen(pilot, "Sort")
        assert isinstance(app.screen, OverviewScreen) and app.screen.order is Order.NAME
        await chosen(pilot, "Theme: light")
        assert app.theme == "light"
        await chosen(pilot, "Gate")
        assert isinstance(app.screen, GateScreen)


async def test_no_command_of_the_palette_waives_or_signs_by_itself() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "g")
        titles = {command.name for command in commands_of(app.screen)} - {"Quit", "Palette"}
        for title in titles & {each.title for each in app.get_system_commands(app.screen)}:
            await press(pilot, "escape", "escape", "g")
            await chosen(pilot, title)
        asked = app.feed.asked  # type: ignore[attr-defined]
    assert not [each for each in asked if each[0] in ("waive", "confirm", "refuse")]
