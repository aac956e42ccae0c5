"""Themes: what can be chosen, and whether it can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from rich.color import ColorType
from rich.segment import Segment
from textual.color import Color
from textual.pilot import Pilot

from console import made_up
from console.hands import press
from sealwright_console.app import ConsoleApp
from sealwright_console.cli import _parser
from sealwright_console.lines import Tone
from sealwright_console.theme import ANSI, BACKGROUNDS, STYLES, THEME_NAMES, THEMES

LEAST = 4.5
"""WCAG 2.1, success criterion 1.4.3."""
COLOURED = tuple(theme.name for theme in THEMES if not theme.ansi)
PLACES = {"overview": (), "filter": ("/", "k"), "gate": ("g",), "help": ("question_mark",), "evidence": ("enter",)}
SIZE = (120, 40)


@pytest.fixture(autouse=True)
def _no_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "SEALWRIGHT_THEME"):
        monkeypatch.delenv(name, raising=False)


def luminance(colour: Color) -> float:
    """Relative luminance, as WCAG 2.1 defines it."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (colour.r / 255, colour.g / 255, colour.b / 255)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    """From 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def console(theme: str = "") -> ConsoleApp:
    return ConsoleApp(made_up.MadeUpFeed(made_up.troubled()), theme=theme, clock=lambda: 0.0)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast(Color.parse("#000"), Color.parse("#fff")) == pytest.approx(21)
    assert contrast(Color.parse("#777"), Color.parse("#fff")) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", COLOURED)
async def test_each_tone_can_be_read_on_each_background(theme: str) -> None:
    app = console(theme)
    async with app.run_test(size=SIZE):
        colours = app.theme_variables
        for tone in Tone:
            named = re.search(r"\$([a-z-]+)", STYLES[tone])
            ink = Color.parse(colours[named[1] if named else "foreground"])
            for background in BACKGROUNDS:
                seen = contrast(ink, Color.parse(colours[background]))
                assert seen >= LEAST, f"{tone} on {background}: {seen:.2f}"


def segments(app: ConsoleApp) -> Iterator[Segment]:
    for strip in app.screen._compositor.render_strips():
        yield from (segment for segment in strip if segment.text.strip())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("theme", COLOURED)
async def test_whatever_stands_on_a_screen_can_be_read(theme: str, place: str) -> None:
    app = console(theme)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, *PLACES[place])
        await still(pilot)
        seen = 0
        for segment in segments(app):
            style = segment.style
            assert style is not None and style.color is not None and style.bgcolor is not None
            if set(segment.text) <= set(" ▁▂▃▄▅▆▇█"):  # no text: the scrollbar
                continue
            ink, ground = (Color.from_rich_color(each) for each in (style.color, style.bgcolor))
            assert contrast(ink, ground) >= LEAST, f"{segment.text!r}: {ink.hex} on {ground.hex}"
            seen += 1
        assert seen > 40


async def still(pilot: Pilot[int]) -> None:
    await pilot.pause()
    await pilot.pause()


async def test_t_turns_through_all_themes() -> None:
    app = console()
    async with app.run_test(size=SIZE) as pilot:
        seen = [app.theme]
        for _ in THEME_NAMES:
            await press(pilot, "t")
            seen.append(app.theme)
    assert seen == [*THEME_NAMES, THEME_NAMES[0]]


@pytest.mark.parametrize(
    ("option", "environment", "taken"),
    [("", "", "dark"), ("", "light", "light"), ("ansi", "light", "ansi"), ("", "no such", "dark")],
)
async def test_a_theme_is_chosen_by_option_or_environment(
    option: str, environment: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALWRIGHT_THEME", environment)
    assert console(option).theme == taken


def test_the_command_line_offers_the_themes_that_there_are() -> None:
    for words in (["run", "x.toml"], ["review", "x"]):
        for name in THEME_NAMES:
            assert _parser().parse_args([*words, "--theme", name]).theme == name
        assert _parser().parse_args(words).theme == ""


@pytest.mark.parametrize("place", PLACES)
async def test_with_no_color_there_is_no_colour_and_bold_and_reverse_stay(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = console("dark")
    async with app.run_test(size=SIZE) as pilot:
        assert app.theme == ANSI.name
        await press(pilot, "t", *PLACES[place])
        await still(pilot)
        assert app.theme == ANSI.name
        styles = [segment.style for segment in segments(app) if segment.style is not None]
    colours = [colour for style in styles for colour in (style.color, style.bgcolor) if colour is not None]
    assert {colour.type for colour in colours} <= {ColorType.DEFAULT}
    assert any(style.bold and style.reverse for style in styles), "the gate that is closed by red"


async def test_the_ansi_theme_uses_the_terminals_own_colours_only() -> None:
    app = console("ansi")
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "g")
        await still(pilot)
        styles = [segment.style for segment in segments(app) if segment.style is not None]
    colours = [colour for style in styles for colour in (style.color, style.bgcolor) if colour is not None]
    assert {colour.type for colour in colours} <= {ColorType.DEFAULT, ColorType.STANDARD}
