"""GitHub's workflow commands: the rules of the module, read as the runner reads them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from console import made_up
from sealwright_console.workflow_commands import command, commands
from sealwright_stages.engine import Ended
from sealwright_stages.errors import Exit
from sealwright_stages.fold import fold
from sealwright_stages.gate import decide
from sealwright_stages.manifest import load
from sealwright_stages.stage import Stage
from sealwright_stages.state import State
from support.release_folder import HEAD, component, write_release

HOSTILE = [
    "::set-output name=x::y",
    "a\n::error::b",
    "a\r\n::add-mask::b",
    "%0A::stop-commands::x",
    "a,line=1,title=b::c",
    "a%2Cb%3Ac",
    "##[set-env name=PATH]x",
    "a\u2028::debug::b",
    "a\x85::debug::b\x00\x1b[2J",
]
COMMAND = re.compile(r"::(error|warning) (?P<properties>[^:]*)::(?P<message>.*)")


def undone(text: str) -> str:
    """As the runner undoes the escapes of a property."""
    for code, character in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, character)
    return text


def read(line: str) -> tuple[dict[str, str], str]:
    """Properties and message, as the runner reads them."""
    found = COMMAND.fullmatch(line)
    assert found, line
    pairs = (pair.partition("=") for pair in found["properties"].split(","))
    return {name: undone(value) for name, _, value in pairs}, undone(found["message"])


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_ends_a_command_or_begins_one(text: str) -> None:
    said = command("error", text, (text, f"next: {text}"), (text, 7))
    assert said.isprintable() and len(said.splitlines()) == 1
    properties, message = read(said)
    assert set(properties) == {"file", "line", "title"} and properties["line"] == "7"
    assert message.count("\n") == 1, "the line end between reason and next step is our own"
    if text.isprintable():
        assert properties["title"] == properties["file"] == text
        assert message == f"{text}\nnext: {text}"


def released(folder: Path) -> Path:
    return write_release(folder, HEAD + component("kde-desktop") + component("xen"))


def ended(state: State, code: Exit = Exit.CLOSED) -> Ended:
    return Ended(code, "the gate is closed", "it is", "mend it", decide(Stage.BUILD, state))


def test_red_comes_before_warned_each_at_the_line_of_its_component(tmp_path: Path) -> None:
    path = released(tmp_path)
    state = fold(made_up.troubled().entries)
    first, second = commands(state, load(path), ended(state))
    text = path.read_text().splitlines()
    assert first.startswith("::error ") and second.startswith("::warning ")
    for line, name in ((first, "xen"), (second, "kde-desktop")):
        properties, _ = read(line)
        assert text[int(properties["line"]) - 1] == "[[component]]"
        assert text[int(properties["line"])] == f'name = "{name}"'
        assert properties["title"].startswith(f"{name}: ")


def test_a_waived_warning_is_no_annotation(tmp_path: Path) -> None:
    state = fold(made_up.green().entries)
    assert list(commands(state, load(released(tmp_path)), ended(state))) == []


def test_a_run_that_ended_otherwise_has_one_of_its_own(tmp_path: Path) -> None:
    told = Ended(Exit.SIGNING, "the signer refused", "it said no", "ask it")
    (line,) = commands(fold(made_up.sealed().entries), load(released(tmp_path)), told)
    assert read(line)[1] == "it said no\nnext: ask it"


def test_the_file_is_named_from_the_root_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = fold(made_up.troubled().entries)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    (tmp_path / "release").mkdir()
    path = released(tmp_path / "release")
    assert {read(line)[0]["file"] for line in commands(state, load(path), ended(state))} == {
        f"release/{path.name}"
    }
