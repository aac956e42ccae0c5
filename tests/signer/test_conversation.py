"""The signer's conversation: what it signs, what it shows of it, and that its answers come when they may."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sealwright_keyring.openpgp import Good, Keyring
from sealwright_keyring.signer import requests
from sealwright_keyring.signer.keys import SigningKey
from sealwright_keyring.signer.server import Conversation
from support.proposals import ORIGIN, PATH, Shown
from support.signing import Desk, line, typed


def test_hello_names_the_key_by_its_full_fingerprint(desk: Desk) -> None:
    (answer,) = desk.talk({"op": "hello"})
    assert answer["ok"] is True
    assert [key["fingerprint"] for key in answer["keys"]] == [desk.key.fingerprint] and len(
        desk.key.fingerprint
    ) == 40
    assert "throw-away, not for releases" in answer["keys"][0]["uid"]


def test_what_a_person_typed_rightly_is_signed_and_verifies(
    desk: Desk, shown: Shown, held: tuple[Path, SigningKey]
) -> None:
    _, answer = desk.talk(shown.proposal(), then=typed)
    assert answer["ok"] is True and answer["fingerprint"] == desk.key.fingerprint
    made = {each["name"]: each for each in answer["signatures"]}
    argv = ["gpg", "--homedir", str(held[0]), "--batch", "--export", desk.key.fingerprint]
    certificate = subprocess.run(argv, capture_output=True, check=True).stdout
    data = {name: data for name, _, data in shown.documents()}
    statement = data["provenance"]
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(statement), statement)
    with Keyring.of([certificate], [desk.key.fingerprint]) as ring:
        for name in ("SHA256SUMS", "log/SHA256SUMS"):
            verdict = ring.verify_detached(made[name]["armor"].encode(), data[name])
            assert isinstance(verdict, Good)
            assert verdict.digest == "SHA512"
        signature = base64.b64decode(made["provenance"]["base64"])
        assert isinstance(ring.verify_detached(signature, pae), Good)
        assert not isinstance(ring.verify_detached(signature, statement), Good)


def test_the_digest_is_over_all_documents(desk: Desk, shown: Shown) -> None:
    (answer,) = desk.talk(shown.proposal())
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, _, data in shown.documents())
    assert answer["digest"] == hashlib.sha256(lines.encode()).hexdigest() == shown.digest()
    assert answer["needs"] == "confirmation"


def test_what_is_shown_comes_from_what_is_signed(desk: Desk, shown: Shown) -> None:
    shown.warned = ["verify:grub", "verify:xen"]
    shown.waivers = [
        {"code": "weak-hash", "item": "verify:xen", "person": "manager-1", "reason": "old \x1b[2J tag"}
    ]
    (answer,) = desk.talk(shown.proposal())
    told = "\n".join(answer["summary"])
    assert "release: example-1.0" in told and "1 products of 1 components, 3 items checked" in told
    assert f"log:  {ORIGIN}, sealed with {shown.sealed.size} records" in told
    assert f"root: {shown.sealed.root.hex()}" in told
    assert "2 warnings, 1 waivers" in told and "warning: verify:grub" in told
    assert "waived: verify:xen, weak-hash, by manager-1: old \\x1b[2J tag" in told


def test_a_console_has_no_word_of_its_own(desk: Desk, shown: Shown) -> None:
    (answer,) = desk.talk(shown.proposal(context={"warnings": [], "waivers": []}))
    assert answer["ok"] is False and "'context'" in answer["because"]


def test_many_lines_are_not_cut_without_a_word(desk: Desk, shown: Shown) -> None:
    shown.warned = [f"verify:{number:04d}" for number in range(400)]
    (answer,) = desk.talk(shown.proposal())
    assert len(answer["summary"]) == 301
    whole = desk.entries()[0]["shown"]
    assert answer["summary"][-1].startswith(f"{len(whole) - 300} lines more")
    assert sum(each.startswith("warning: ") for each in whole) == 400


def test_a_log_that_was_seen_is_told_by_size_and_root(desk: Desk, shown: Shown) -> None:
    ask = {"op": "seen", "origin": ORIGIN}
    before, _, after = desk.talk(ask, shown.proposal(), ask)
    assert before == {"ok": True, "size": 0, "root": ""}
    assert after == {"ok": True, "size": shown.sealed.size, "root": shown.sealed.root.hex()}
    assert desk.talk(ask) == [after], "also after a new start"


def test_a_proposal_is_answered_again_with_the_same_log(desk: Desk, shown: Shown) -> None:
    answers = [desk.talk(shown.proposal(), then=typed)[-1] for _ in range(2)]
    assert [answer["ok"] for answer in answers] == [True, True]


@pytest.mark.parametrize(
    "odd",
    [
        b"\n",
        b"not json\n",
        b"[]\n",
        b"null\n",
        b'{"op":"delete"}\n',
        b'{"op":["hello"]}\n',
        b'{"op":"hello","more":1}\n',
        b'{"op":"hello","op":"sign"}\n',
        b'{"op":"propose"}\n',
        b'{"op":"propose","release":"x","documents":7,"log":{}}\n',
        b'{"op":"propose","release":"x y","documents":[],"log":{}}\n',
        b'{"op":"sign"}\n',
        b'{"op":"sign","proposal":["x"]}\n',
        b'{"op":"seen","origin":7}\n',
        b'{"op":"seen","origin":NaN}\n',
        b'{"op":"hello"}',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        b'{"op":"\\ud800"}\n',
    ],
)
def test_an_odd_request_is_refused_recorded_and_the_conversation_goes_on(desk: Desk, odd: bytes) -> None:
    refused, hello = desk.talk(odd, {"op": "hello"})
    assert refused["ok"] is False
    assert refused["because"] and refused["next"]
    assert hello["ok"] is True
    assert len(desk.entries()) == 2


def test_the_rest_of_an_oversized_line_is_no_request(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MAX_LINE", 1 << 16)
    hidden = b"x" * (1 << 16) + b'{"op":"hello"}'
    assert [answer["ok"] for answer in desk.talk(hidden + b'\n{"op":"hello"}\n')] == [False, True]


def test_the_answer_goes_out_after_the_record_has_it(desk: Desk) -> None:
    seen: list[int] = []

    class Watching:
        def write(self, data: Any) -> int:
            seen.append(len(desk.entries()))
            return len(data)

        def flush(self) -> None:
            pass

    with desk.signer() as signer:
        out: Any = Watching()
        Conversation(signer).serve(io.BytesIO(b'{"op":"hello"}\n{"op":"x"}\n'), out)
    assert seen == [1, 2]


def test_a_proposal_belongs_to_its_conversation(desk: Desk, shown: Shown) -> None:
    with desk.signer() as signer:
        proposed = Conversation(signer).answer(line(shown.proposal()))
        refused = Conversation(signer).answer(line(typed(proposed)))
    assert proposed["ok"] is True and refused["ok"] is False and "nothing was proposed here" in refused["because"]


def test_products_below_two_components_need_a_proof_each(desk: Desk, tmp_path: Path) -> None:
    products = {PATH: "a" * 64, "products/grub/grub.deb": "b" * 64, "products/grub/a/deep": "c" * 64}
    assert desk.talk(Shown(tmp_path / "three", products=products).proposal(), then=typed)[-1]["ok"] is True


def test_what_was_shown_must_still_be_so_when_it_is_agreed_to(desk: Desk, shown: Shown, tmp_path: Path) -> None:
    newer = Shown(tmp_path / "newer", release="example-2.0", origin="log.example.org/example-2.0/1")
    with desk.signer() as signer:
        one, other = Conversation(signer), Conversation(signer)
        first, second = one.answer(line(shown.proposal())), other.answer(line(newer.proposal()))
        assert other.answer(line(typed(second, "example-2.0")))["ok"]
        refused = one.answer(line(typed(first)))
        assert not refused["ok"] and "not so any more" in refused["because"]
        again = one.answer(line(shown.proposal()))
        assert "the version GOES BACK, from 2.0 to 1.0" in again["summary"]
        assert one.answer(line(typed(again)))["ok"]
