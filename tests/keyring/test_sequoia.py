"""Sequoia's opinion: asked of the chosen keys only, and worth nothing as a verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sealwright_keyring.sequoia import opinion
from sealwright_keyring.tool import Tool

DATA = b"the bytes that were meant\n"


def test_it_agrees_with_a_good_signature_and_refuses_another(world: Any, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(DATA)
    assert opinion(world.sign("s1"), file, [world.cert("s1")])["says"] == "agrees"
    assert opinion(world.sign("s1"), DATA, [world.cert("s1")])["says"] == "agrees"
    assert opinion(world.sign("s1"), DATA + b"x", [world.cert("s1")])["says"] == "refuses"


def test_it_knows_the_chosen_certificates_only(world: Any) -> None:
    assert opinion(world.sign("outsider"), DATA, [world.cert("s1")])["says"] == "refuses"


def test_what_it_says_of_garbage_is_shown_harmless(world: Any) -> None:
    said = opinion(b"\x1b]0;x\x07", DATA, [world.cert("s1")])
    assert said["says"] == "refuses"
    assert str(said["because"]).isprintable()


def test_where_it_is_missing_large_or_unreadable_it_says_nothing(world: Any, tmp_path: Path) -> None:
    assert opinion(world.sign("s1"), tmp_path / "none", [world.cert("s1")])["says"] == "nothing"
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(1 << 30)
    assert opinion(world.sign("s1"), large, [world.cert("s1")])["says"] == "nothing"
    assert opinion(world.sign("s1"), DATA, [world.cert("s1")], Tool("no-such-program")) == {}
    assert opinion(world.sign("s1"), DATA, [world.cert("s1")], Tool("sleep", 0.1))["says"] == "refuses"
    assert opinion(world.sign("s1"), DATA, [world.cert("s1")], Tool("cat", 0.0))["says"] == "nothing"
