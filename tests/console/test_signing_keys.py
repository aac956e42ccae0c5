"""Signing by keys and mouse: what it takes, and every way in which nothing may be signed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from textual.events import Paste
from textual.pilot import Pilot
from textual.widgets import Button, Input

from console import finishes, made_up
from console.hands import drum, press
from console.test_keys import EVERY_KEY
from sealwright_console.app import ConsoleApp
from sealwright_console.screens.asking import AskScreen
from sealwright_console.screens.gate import GateScreen
from sealwright_console.screens.help import commands_of
from sealwright_console.screens.sign import SignScreen
from sealwright_console.widgets.careful import CarefulButton
from sealwright_console.widgets.texts import Texts
from sealwright_stages import events as ev

SIZE = (80, 24)
DIGITS, NAME = made_up.DIGEST[:8], "example-1.0"
YES = ("confirm", DIGITS, NAME)


def waiting() -> made_up.MadeUpFeed:
    feed = made_up.MadeUpFeed(made_up.sealed(), waiting=made_up.request())
    feed.finish = finishes.asking()
    return feed


def app_over(feed: made_up.MadeUpFeed) -> ConsoleApp:
    return ConsoleApp(feed, clock=lambda: 0.0)


def button(app: ConsoleApp, name: str = "sign") -> CarefulButton:
    return app.screen.query_one(f"#{name}", CarefulButton)


def fields(app: ConsoleApp) -> list[str]:
    return [field.value for field in app.screen.query(Input)]


async def type_all(pilot: Pilot[int], digits: str = DIGITS, release: str = NAME) -> None:
    """Type both, and go to the next after them."""
    await press(pilot, "5", *digits, "tab", *release)
    await press(pilot, "tab")


async def test_signing_takes_both_words_and_the_button() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await type_all(pilot)
        assert app.focused is button(app) and feed.asked == []
        await press(pilot, "enter")
        await pilot.pause()
    assert feed.asked == [YES]


async def test_the_mouse_signs_what_is_armed_and_nothing_else() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5", *DIGITS, "tab", *"example-1.")
        await pilot.click("#sign")
        assert feed.asked == []
        await press(pilot, "0")
        await pilot.click("#sign")
        await pilot.pause()
    assert feed.asked == [YES]


async def test_enter_in_a_field_never_signs_and_never_reaches_a_button() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5", *DIGITS, "enter", *NAME, *["enter"] * 6)
        await pilot.pause()
        assert fields(app) == [DIGITS, NAME] and isinstance(app.focused, Input)
    assert feed.asked == []


UNMATCHED = [
    ("00000000", NAME),
    (DIGITS, "example-1.1"),
    (DIGITS[:7], NAME),
    (DIGITS, ""),
    ("", NAME),
    (DIGITS + "0", NAME),
]


async def test_signing_stays_disabled_until_both_match() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5")
        for digits, release in UNMATCHED:
            app.screen.set_focus(app.screen.query_one("#digits"))
            await press(pilot, "ctrl+u", *digits, "tab", "ctrl+u", *release)
            assert fields(app) == [digits, release] and button(app).disabled
            button(app).press()
            await pilot.click("#sign")
            await pilot.pause()
            assert feed.asked == [], (digits, release)


async def test_nothing_is_filled_in_and_pasting_is_refused() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5")
        for name in ("#digits", "#release"):
            field = app.screen.query_one(name, Input)
            assert field.value == ""
            field.focus()
            app.copy_to_clipboard(DIGITS)
            field.post_message(Paste(DIGITS))
            await press(pilot, "ctrl+v")
            await pilot.pause()
            assert field.value == ""


# -- the question changes, something turns red, the answer is late ------------------------------------------


async def test_another_question_empties_both_fields_and_disarms() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await type_all(pilot)
        feed.waiting = made_up.other_request()
        feed.said = ("changed",)
        app.look()
        await pilot.pause()
        assert fields(app) == ["", ""] and button(app).disabled
        assert app.focused is app.screen.query_one("#digits")
    assert feed.asked == []


async def test_the_same_digest_asked_anew_has_to_be_typed_anew() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await type_all(pilot)
        feed.waiting = made_up.request(number=2)
        feed.said = ("changed",)
        app.look()
        await pilot.pause()
        assert fields(app) == ["", ""] and button(app).disabled
    assert feed.asked == []


async def test_a_digest_that_changes_between_two_looks_is_seen_when_the_button_is_pressed() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await type_all(pilot)
        feed.waiting = made_up.other_request()
        await press(pilot, "enter")
        await pilot.pause()
        assert fields(app) == ["", ""]
    assert feed.asked == []


async def test_a_digest_that_changes_while_it_is_typed_has_to_be_typed_anew() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5", *DIGITS[:5])
        feed.waiting = made_up.other_request()
        app.look()
        feed.said = ("changed",)
        app.look()
        await press(pilot, *DIGITS[5:], "tab", *NAME)
        assert button(app).disabled
        button(app).press()
        await pilot.pause()
    assert feed.asked == []


async def test_a_red_that_arrives_disarms_at_the_moment_of_the_press() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await type_all(pilot)
        feed.story.verdict("xen/build", "failed", "exit 2")  # no log takes it after its seal; a broken one might
        await press(pilot, "enter")
        await pilot.pause()
        assert button(app).disabled
        why = app.screen.query_one("#why", Texts).lines
        assert "red" in why[0][0].text
    assert feed.asked == []


@pytest.mark.parametrize("which", ["unsealed", "closed", "mismatch"])
async def test_a_question_behind_a_closed_gate_or_of_other_documents_is_never_armed(which: str) -> None:
    story = made_up.sealed()
    if which == "unsealed":
        story.entries.pop()
    if which == "closed":
        story.entries.pop()
        story.tell(ev.ItemReset("xen/build", "again"))
        story.seal()
    feed = made_up.MadeUpFeed(story, waiting=made_up.request())
    if which == "mismatch":
        feed.waiting = replace(made_up.request(), things=made_up.OTHER_THINGS)
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await type_all(pilot)
        assert button(app).disabled
        button(app).press()
        await press(pilot, "enter", "space")
        await pilot.pause()
    assert feed.asked == []


async def test_a_question_is_answered_once_however_often_it_is_pressed() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await type_all(pilot)
        button(app).press()
        button(app).press()
        await press(pilot, "enter", "enter", "space")
        await pilot.pause()
        assert feed.signing() is not None, "the engine's word is late"
        assert app.screen.query_one("#fields").has_class("asleep") and fields(app) == ["", ""]
        await drum(pilot, *DIGITS, "tab", *NAME, "tab", "enter")
    assert feed.asked == [YES]


async def test_a_question_that_is_gone_is_not_answered() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await type_all(pilot)
        feed.waiting = None
        await press(pilot, "enter")
        await pilot.pause()
        assert app.focused is None
    assert feed.asked == []


# -- keys that were typed ahead -----------------------------------------------------------------------------


async def burst(pilot: Pilot[int], *keys: str) -> None:
    """All keys at once, as a terminal gives them to a console that was busy."""
    await drum(pilot, *keys)
    await pilot.pause()


@pytest.mark.parametrize("leave", ["tab", "enter"])
async def test_a_key_right_after_tab_or_enter_goes_to_the_next_field(leave: str) -> None:
    for _ in range(2):
        app = app_over(waiting())
        async with app.run_test(size=SIZE) as pilot:
            await press(pilot, "5")
            await burst(pilot, *DIGITS, leave, *NAME)
            assert fields(app) == [DIGITS, NAME]


@pytest.mark.parametrize("last", [("tab", "enter"), ("enter", "enter", "enter"), ("tab", "space")])
async def test_what_was_typed_ahead_of_an_armed_button_presses_none(last: tuple[str, ...]) -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5")
        await burst(pilot, *DIGITS, "tab", *NAME, *last)
        assert isinstance(app.screen, SignScreen), "nor is it asked whether to refuse"
        assert feed.asked == []
        if app.focused is not button(app):
            assert last[0] == "enter", "tab goes to the button that the name has armed"
            button(app).focus()
            await pilot.pause()
        await press(pilot, "enter")
        await pilot.pause()
    assert feed.asked == [YES], "a press that was meant still signs"


async def test_digits_typed_before_the_screen_stands_lead_nowhere_else() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        app.action_stage(5)
        await burst(pilot, *"43215")
        assert isinstance(app.screen, SignScreen) and fields(app)[0] == "43215"
    assert feed.asked == []


async def test_digits_take_hex_only_and_let_a_few_keys_through() -> None:
    app = app_over(waiting())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5", *"qlt9 AfxRz")
        assert fields(app)[0] == "9 Af" and isinstance(app.screen, SignScreen)
        before = app.screen.query_one("#digest", Texts).lines
        await press(pilot, "g")
        assert app.screen.query_one("#digest", Texts).lines != before and fields(app)[0] == "9 Af"
        await press(pilot, "y")
        assert app.clipboard.splitlines()[0] == f"{made_up.THINGS[0].sha256}  SHA256SUMS"
        await press(pilot, "tab", *"gy")
        assert fields(app)[1] == "gy"
        await press(pilot, "shift+tab", "G")
        assert isinstance(app.screen, GateScreen)


# -- refusing, the palette, and everything at random --------------------------------------------------------


async def test_refusing_to_sign_asks_once_more() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5")
        button(app, "refuse").press()
        await pilot.pause()
        assert isinstance(app.screen, AskScreen) and feed.asked == []
        await press(pilot, "tab", "enter")
        await pilot.pause()
    assert feed.asked == [("refuse",)]


async def test_a_refusal_is_of_the_question_that_was_shown() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5")
        button(app, "refuse").press()
        await pilot.pause()
        feed.waiting = made_up.other_request()
        await press(pilot, "tab", "enter")
        await pilot.pause()
    assert feed.asked == []


async def test_no_command_of_the_palette_signs_or_refuses() -> None:
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await type_all(pilot)
        told = [command.action for command in commands_of(app.screen)]
        assert "groups" in told and not [action for action in told if action in ("press", "sign", "refuse")]
        for command in commands_of(app.screen):
            if command.action not in ("leave", "back") and isinstance(app.screen, SignScreen):
                await app.run_action(command.action, command.node)
                await pilot.pause()
        await app.run_action("press", button(app)) if isinstance(app.screen, SignScreen) else None
        await pilot.pause()
    assert feed.asked == []


@pytest.mark.parametrize("seed", range(2))
async def test_keys_at_random_sign_nothing_without_the_words(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - a seeded walk
    keys = [key for key in EVERY_KEY if key not in ("q",)]
    feed = waiting()
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5")
        for _ in range(100):
            await drum(pilot, dice.choice(keys))
            if not isinstance(app.screen, SignScreen) and dice.random() < 0.3:
                await press(pilot, "escape", "escape", "5")
            if app._exit:
                break
    assert ("confirm" not in {asked[0] for asked in feed.asked}) and app.return_value is None


# -- afterwards -----------------------------------------------------------------------------------------------


async def test_after_signing_y_copies_the_commands_and_fields_are_gone() -> None:
    feed = made_up.MadeUpFeed(made_up.sealed(), finished=0)
    feed.finish = finishes.finish(*finishes.SIGNED)
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5", "y")
        assert (
            "gpg --verify SHA256SUMS.asc SHA256SUMS\n" in app.clipboard and "sealwright publish" in app.clipboard
        )
        assert app.screen.query_one("#answer").has_class("asleep")
        steps = "".join(part.text for part in app.screen.query_one("#steps", Texts).lines[0])
        assert "5 ✓ sign" in steps and steps.endswith("✓ SIGNED")
        await press(pilot, "2")
        assert not isinstance(app.screen, SignScreen), "stage keys lead on again"


async def test_the_buttons_are_careful_ones() -> None:
    app = app_over(waiting())
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5")
        assert all(isinstance(each, CarefulButton) for each in app.screen.query(Button))


async def test_the_seal_screens_table_is_filtered_and_escape_takes_that_away_first() -> None:
    feed = made_up.MadeUpFeed(made_up.sealed())
    app = app_over(feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "4", "slash", *"xen_4", "enter", "y")
        assert app.clipboard == f"{made_up.sha('xen')}  products/xen/xen_4.2.1_amd64.deb"
        await press(pilot, "escape")
        assert app.screen.query_one("#filter", Input).value == ""
        await press(pilot, "y")
        assert app.clipboard.startswith(made_up.sha("xen"))
