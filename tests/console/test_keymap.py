"""One's own keys: what a file may say, what it may not, and that everything tells the keys that hold."""

from __future__ import annotations

import importlib
import os
import pkgutil
import tomllib
from pathlib import Path

import pytest
from textual.dom import DOMNode
from textual.screen import ModalScreen
from textual.widgets import Input

import sealwright_console
from console import made_up
from console.hands import press
from sealwright_console import cli
from sealwright_console.app import ConsoleApp
from sealwright_console.key_names import UnknownKeyError, read_key, shown_key
from sealwright_console.keymap import _bound, default_keys, default_text, read_keymap, sections
from sealwright_console.lines import plain
from sealwright_console.looks import Looks, start_looks
from sealwright_console.screens.build import BuildScreen
from sealwright_console.screens.gate import GateScreen
from sealwright_console.screens.help import keys_of
from sealwright_console.screens.overview import OverviewScreen
from sealwright_console.screens.sign import SignScreen
from sealwright_console.views.overview import Order
from sealwright_console.widgets.ledger import Ledger
from sealwright_stages.errors import Exit, ManifestError
from sealwright_stages.release import cache_folder

SIZE = (80, 24)


def keymap(tmp_path: Path, text: str) -> dict[str, str]:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    return dict(read_keymap(file))


def console(keys: dict[str, str], feed: made_up.MadeUpFeed | None = None) -> ConsoleApp:
    return ConsoleApp(feed or made_up.MadeUpFeed(made_up.troubled()), clock=lambda: 0.0, looks=Looks(keys=keys))


async def test_a_mapped_key_does_it_and_the_old_one_does_not(tmp_path: Path) -> None:
    app = console(keymap(tmp_path, '[everywhere]\ngate = "z"\n[overview]\nsort = ["S", "f5"]\n'))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "s")
        assert isinstance(app.screen, OverviewScreen) and app.screen.order is Order.SEVERITY
        await press(pilot, "f5")
        assert app.screen.order is Order.NAME
        await press(pilot, "g")
        assert isinstance(app.screen, OverviewScreen)
        await press(pilot, "z")
        assert isinstance(app.screen, GateScreen)


async def test_two_actions_may_change_their_keys(tmp_path: Path) -> None:
    app = console(keymap(tmp_path, '[everywhere]\ngate = "l"\nlog = "z"\n[list]\nup = "j"\ndown = "k"\n'))
    async with app.run_test(size=SIZE) as pilot:
        ledger = app.screen.query_one(Ledger)
        await press(pilot, "k")
        assert ledger.key == ledger._keys[1]
        await press(pilot, "j", "l")
        assert ledger.key == ledger._keys[0] and isinstance(app.screen, GateScreen)


async def test_everywhere_holds_for_each_action_of_that_name_and_a_screen_goes_first(tmp_path: Path) -> None:
    app = console(keymap(tmp_path, '[everywhere]\nsearch = "ctrl+f"\n[gate]\nsearch = "f3"\n'))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "ctrl+f", "x", "escape", "g", "ctrl+f")
        assert not app.screen.query_one("#find", Input).display
        await press(pilot, "f3")
        assert app.screen.query_one("#find", Input).display


async def test_help_footer_and_palette_tell_the_keys_that_hold(tmp_path: Path) -> None:
    app = console(keymap(tmp_path, '[everywhere]\ngate = "z"\n[overview]\nsort = "F"\n[gate]\nwaive = "W"\n'))
    async with app.run_test(size=SIZE) as pilot:
        lines = [plain(line) for row in keys_of(app.screen) for line in row.lines]
        assert any(line.split()[:2] == ["F", "sort"] for line in lines) and not any(
            line.split()[:2] == ["s", "sort"] for line in lines
        )
        told = {each.title: each.help for each in app.get_system_commands(app.screen)}
        assert told["Gate"].startswith("z ") and told["Sort"].startswith("F ")
        footer = [app.get_key_display(each.binding) for each in app.screen.active_bindings.values()]
        assert {"z", "F"} <= set(footer) and "s" not in footer
        await press(pilot, "question_mark")
        shown = [plain(line) for row in app.screen.query_one(Ledger)._rows for line in row.lines]
        assert any(line.split()[:2] == ["W", "waive"] for line in shown)


REFUSED = [
    ('[everywhere]\n\ngate = "s"', 3, "gate and sort"),
    ('[overview]\nsort = "g"', 2, "sort and gate"),
    ('[overview]\nsort = "esc"', 2, "always goes back"),
    ('[overview]\nsort = "ctrl+c"', 2, "always leaves"),
    ('[overview]\nsrt = "x"', 2, "no action 'srt'"),
    ('[overview]\nwaive = "x"', 2, "[gate]"),
    ("[gate]\nretry = []", 2, "can't be reached"),
    ('[everywhere]\nhelp = "tab"', 2, "focus-next"),
    ('[nowhere]\nx = "y"', 1, "no screen"),
    ('gate = "x"', 1, "no table"),
    ('[everywhere]\nquit = "bogus"', 2, "no key is called so"),
    ('[everywhere]\nquit = "ctrl+m"', 2, "sends enter"),
    ('[everywhere]\nquit = "shift+q"', 2, "write it as Q"),
    ("[everywhere]\nquit = 3", 2, "no key, nor"),
    ('[everywhere]\nquit = ["a", 3]', 2, "no key, nor"),
    ('[overview]\nsort = "\\u001b"', 2, "no key is called so"),
    ('[list]\ndown = ["down", "n"]', 2, "down and next-hit"),
    ('[list]\ndown = ["down", "v"]', 2, "down and open on the screen builds"),
    ('[overview]\nsort = "z"\nall = "z"', 3, "all and sort"),
]


@pytest.mark.parametrize(("text", "line", "said"), REFUSED)
def test_what_can_not_be_is_one_error_with_file_and_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    with pytest.raises(ManifestError) as refused:
        keymap(tmp_path, text)
    error = refused.value
    assert error.exit_code is Exit.USAGE and str(tmp_path / "keys.toml") in error.what
    assert error.what.endswith(f"line {line}") and said in error.because and error.next_step
    assert "\x1b" not in error.because


@pytest.mark.parametrize("said", [b"[[", b"\xff", b"x" * 99_999])
def test_a_file_that_is_none_is_refused(tmp_path: Path, said: bytes) -> None:
    (tmp_path / "keys.toml").write_bytes(said)
    with pytest.raises(ManifestError, match=r"keys\.toml"):
        read_keymap(tmp_path / "keys.toml")
    with pytest.raises(ManifestError, match="missing"):
        read_keymap(tmp_path / "missing")


def test_a_file_of_keys_that_is_a_pipe_or_huge_or_a_folder_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(b"#" * (1 << 20))
    (tmp_path / "link").symlink_to("/dev/zero")
    for name in ("pipe", "huge", "link", "."):
        with pytest.raises(ManifestError):
            read_keymap(tmp_path / name)


def test_a_user_without_a_home_has_no_keys_of_their_own_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert start_looks([]) == Looks()
    with pytest.raises(ManifestError, match="home"):
        cache_folder()


async def test_keys_for_everywhere_hold_on_the_page_of_all_builds(tmp_path: Path) -> None:
    keys = keymap(tmp_path, '[everywhere]\nback = "z"\n[builds]\nnext = "x"\n')
    app = console(keys, made_up.MadeUpFeed(made_up.building()))
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "3", "v")
        ledger = app.screen.query_one(Ledger)
        was = ledger.key
        await press(pilot, "x")
        assert ledger.key != was
        await press(pilot, "z")
        assert isinstance(app.screen, BuildScreen)


async def test_esc_goes_back_and_ctrl_q_leaves_whatever_the_file_says(tmp_path: Path) -> None:
    feed = made_up.MadeUpFeed(made_up.troubled(), finished=0)
    app = console(keymap(tmp_path, '[everywhere]\nback = "backspace"\nquit = "Q"\n'), feed)
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "g", "escape")
        assert isinstance(app.screen, OverviewScreen)
        await press(pilot, "g", "backspace")
        assert isinstance(app.screen, OverviewScreen)
        await press(pilot, "q")
        assert app.is_running
        await press(pilot, "ctrl+q")
    assert app.return_value == 0


def test_what_signs_waives_or_refuses_has_no_name() -> None:
    known = default_keys()
    assert set(known["sign"]) <= {"back", "copy"}
    assert not any(issubclass(kind, ModalScreen) for kind in sections())
    assert not {"confirm", "refuse", "press", "submit", "yes"} & {name for each in known.values() for name in each}


async def test_no_key_of_ones_own_signs(tmp_path: Path) -> None:
    feed = made_up.MadeUpFeed(made_up.sealed(), waiting=made_up.request())
    app = console(
        keymap(tmp_path, '[everywhere]\ngate = "f6"\nlog = "1"\nget-sources = "f7"\ntheme = "F"\n'), feed
    )
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "5", *made_up.DIGEST[:8], "tab", *"example-1.0", "f6", "F")
        assert isinstance(app.screen, SignScreen)  # what was typed went into the fields, all of it
        assert [field.value for field in app.screen.query(Input)] == [made_up.DIGEST[:8], "example-1.0F"]
        await press(pilot, "escape", "f6")
        assert isinstance(app.screen, GateScreen)
    assert feed.asked == []


def test_the_default_file_says_what_holds_and_can_be_used(tmp_path: Path) -> None:
    text = default_text()
    assert keymap(tmp_path, text) == {}
    bare = "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.split("\n"))
    said = tomllib.loads(bare)
    for section, actions in default_keys().items():
        for action, keys in actions.items():
            told = said[section][action]
            assert [read_key(key) for key in ([told] if isinstance(told, str) else told)] == list(keys)
    assert keymap(tmp_path, bare)


def test_the_example_of_the_reference_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "keys.md").read_text()
    assert keymap(tmp_path, page.partition("```toml\n")[2].partition("```")[0])


def test_each_key_is_shown_as_it_can_be_written() -> None:
    for actions in default_keys().values():
        for keys in actions.values():
            assert [read_key(shown_key(key)) for key in keys] == list(keys)
    with pytest.raises(UnknownKeyError):
        read_key("")


def ours(kind: type[DOMNode]) -> set[type[DOMNode]]:
    found = {kind} if kind.__module__.startswith("sealwright_console") else set()
    return found.union(*(ours(each) for each in kind.__subclasses__()))


def test_each_class_of_ours_that_binds_keys_has_a_part_of_the_file() -> None:
    for module in pkgutil.walk_packages(sealwright_console.__path__, "sealwright_console."):
        importlib.import_module(module.name)
    asks = {"FindField", "TypedInput", "Searched", "ConsoleScreen", "Face", "Rows"}
    missing = [
        kind.__name__
        for kind in ours(DOMNode)
        if kind.__dict__.get("BINDINGS") and kind not in sections() and not issubclass(kind, ModalScreen)
    ]
    assert [name for name in missing if name not in asks] == []


def test_no_two_actions_of_one_class_share_a_name() -> None:
    for kind in sections():
        named: dict[str, set[str]] = {}
        for binding, name in _bound(kind):
            named.setdefault(name, set()).add(binding.action)
        assert not {name: each for name, each in named.items() if name and len(each) > 1}


def test_the_command_prints_them_and_checks_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["keys"]) == 0
    assert capsys.readouterr().out == default_text()
    (tmp_path / "k").write_text('[everywhere]\ngate = "s"\n')
    assert cli.main(["keys", "--check", str(tmp_path / "k")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in said] == ["error", "because", "next"] and "line 2" in said[0]


def test_the_file_of_the_configuration_folder_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sealwright_console.looks import start_looks

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert start_looks([]) == Looks()
    (tmp_path / "sealwright").mkdir()
    (tmp_path / "sealwright" / "keys.toml").write_text('[everywhere]\ngate = "z"\n')
    looks = start_looks(["--ascii"])
    assert looks is not None and looks.ascii and looks.keys["everywhere.gate"] == "z"
    assert start_looks(["run"]) is None and start_looks(["--help"]) is None
    (tmp_path / "sealwright" / "keys.toml").unlink()
    (tmp_path / "sealwright" / "keys.toml").symlink_to("gone")
    with pytest.raises(ManifestError):
        start_looks([])
