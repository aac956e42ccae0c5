"""The engine's own gate: whatever a hostile or broken console says to the real engine, a red release goes nowhere.

- Every message of the protocol is made from its declaration, so a new one is said here, too, and with every value.
- What is none of the protocol ends that connection, and the engine listens on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import random
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from sealwright_stages.attended import protocol
from sealwright_stages.attended.protocol import (
    PROTOCOL,
    Asked,
    AskRetry,
    AskStop,
    AskWaive,
    Greet,
    Refuse,
    Sign,
    line,
)
from walk.conftest import manifest_text
from walk.test_attended import Attended, _lives
from walk.walking import events, until

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
LAWLESS = (
    b'{"m":"advance"}',
    b'{"m":"advance","stage":"sign"}',
    b'{"m":"sign"}',
    b'{"m":"sign","number":1,"digest":"00000000","release":"small-1.0","force":true}',
    b'{"m":"sign","number":true,"digest":"","release":""}',
    b'{"m":"sign","number":1.0,"digest":"","release":""}',
    b'{"m":"gate","open":true}',
    b'{"m":"position","n":9,"lost":false,"why":"","consoles":1,"beat":1}',
    b'{"m":"asks","number":1,"release":"small-1.0","digest":"","summary":[],"keys":[],"products":0,"warnings":[]}',
    b'{"m":"over","exit":0,"what":"","because":"","next":"","exhibits":[]}',
    b'{"m":"retry","item":"a","m":"sign"}',
    b'["sign",1]',
    b"\xff\xfe\x00",
)


@pytest.fixture
def attended(folder: Path) -> Iterator[Attended]:
    """An attended run that has come to a red item, with its console on a terminal."""
    with Attended.around(folder) as made:
        home = f'home = "{made.folder}/signer-home"'
        made.begin(manifest_text(made.folder, url=made.url, signer=home))
        good = made.text.split('sha256 = "')[1][:64]
        made.change(good, "0" * 64)
        made.answers.set()
        terminal = made.open()
        until(lambda: _red(made), lambda: terminal.shown[-2000:])
        terminal.seen("CLOSED, 1 red")
        yield made
        for each in made.terminals:
            each.close()
        with contextlib.suppress(Exception):
            made.engine.terminate()
        made.kill_survivors()


def _red(made: Attended) -> list[dict[str, Any]]:
    return [e for e in events(made.work) if e["e"] == "item.verdict" and e["verdict"] == "failed"]


def _goes_nowhere(made: Attended) -> None:
    told = events(made.work)
    assert {e["stage"] for e in told if e["e"] == "stage.started"} <= {"get-sources", "verify"}
    assert not [e for e in told if e["e"] in ("item.waived", "build.started", "product.collected")]
    assert not any(e["open"] for e in told if e["e"] == "gate.decided")
    assert not (made.work / "evidence").exists() or not list((made.work / "evidence").rglob("*.asc"))
    assert not list(made.work.rglob("SHA256SUMS*")), "nothing was sealed"


class Hostile:
    """A console that says what it likes."""

    def __init__(self, made: Attended) -> None:
        sock = made.place.connect(10)
        assert sock is not None
        self.sock: socket.socket = sock
        self.sock.sendall(line(Greet(PROTOCOL, "0.1.0")))

    def says(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def let_go(self) -> bool:
        """Whether the engine has ended the connection."""
        self.sock.settimeout(10)
        with contextlib.suppress(ConnectionError):
            while self.sock.recv(1 << 16):
                pass
        self.close()
        return True

    def close(self) -> None:
        """Go."""
        self.sock.close()


def _values(field: dataclasses.Field[Any], known: list[dict[str, Any]]) -> list[object]:
    items = [e["item"] for e in known if e["e"] == "item.declared"]
    judged = [e for e in known if e["e"] == "item.verdict"]
    return {
        "item": [*items, "", "nothing"],
        "person": ["manager", ""],
        "reason": ["because I say so"],
        "code": sorted({e["code"] for e in judged} | {""}),
        "sha256": sorted({e["subject_sha256"] for e in judged} | {""}),
        "number": [0, 1, -1, 2, 2**63, 10**30],
        "digest": ["", "00000000", "0" * 64],
        "release": ["small-1.0", ""],
    }[field.name]


def _every(kind: type[Any], known: list[dict[str, Any]]) -> list[Asked]:
    """A message of a kind with each combination of values."""
    fields = dataclasses.fields(kind)
    return [kind(*values) for values in itertools.product(*(_values(each, known) for each in fields))]


def test_nothing_that_a_console_can_say_takes_a_red_release_further(attended: Attended) -> None:
    kinds = set(get_args(Asked)) - {Greet, AskStop}
    assert kinds == {AskRetry, AskWaive, Sign, Refuse}, "say here what a new message may do"
    known = events(attended.work)
    red = _red(attended)[0]["item"]
    said = [each for kind in (AskWaive, Sign, Refuse) for each in _every(kind, known)]
    dice = random.Random(6)  # noqa: S311 - a seeded walk
    dice.shuffle(said)
    console = Hostile(attended)
    console.says(b"".join(line(each) for each in said))
    for number, each in enumerate(LAWLESS):
        hostile = Hostile(attended)
        hostile.says(line(said[number]) + each + b"\n" + line(Sign(1, "00000000", "small-1.0")))
        assert hostile.let_go(), each
    before = len(_red(attended))
    console.says(line(AskRetry(red)) + b"".join(line(each) for each in _every(AskWaive, known)))
    until(lambda: len(_red(attended)) > before, "the retry comes after all that, and is red again")
    _goes_nowhere(attended)
    assert attended.engine.is_running()
    engine = attended.engine
    console.says(line(AskStop()))
    until(lambda: not _lives(engine), "the engine ends")
    console.close()
    _goes_nowhere(attended)


def test_a_waiver_that_was_said_before_the_check_covers_nothing_red(attended: Attended) -> None:
    red = _red(attended)[0]["item"]
    console = Hostile(attended)
    known = events(attended.work)
    waivers = b"".join(line(each) for each in _every(AskWaive, known) if getattr(each, "item", "") == red)
    console.says(line(AskRetry(red)) + waivers + line(AskRetry(red)) + waivers)
    until(lambda: len(_red(attended)) >= 3, "it was tried again, twice")
    console.close()
    _goes_nowhere(attended)


def test_the_protocol_has_no_word_that_is_not_said_here() -> None:
    words = {kind.__name__ for kind in get_args(Asked)}
    assert words == {"Greet", "AskRetry", "AskWaive", "AskStop", "Sign", "Refuse"}
    assert set(protocol._ASKED) == {"hello", "retry", "waive", "stop", "sign", "refuse"}
    assert json.loads(line(Sign(1, "a", "b")))["m"] == "sign"
