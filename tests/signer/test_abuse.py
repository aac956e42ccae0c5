"""Abuse of the signer, kind by kind: each is refused with a reason and a next step, and nothing is signed."""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_appendlog.note import Checkpoint, sign_note
from sealwright_appendlog.tiles import TileReader
from sealwright_appendlog.tree import CompactRange, consistency_proof, leaf_hash
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.signer import requests
from sealwright_keyring.signer.policy import SigningPolicy, load_signing_policy
from sealwright_keyring.signer.server import Conversation
from support.proposals import DIGEST, KEY, ORIGIN, PATH, Shown, collected
from support.signing import Answer, Desk, by_policy, line, typed

Attack = Callable[[Shown, Path], dict[str, Any]]
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(2, 34)))
POLICY = SigningPolicy("example-1.0", 5, allow_warnings=False)
EXTRA = "\N{EM DASH} somebody AAAAAAAA\n"
ATTACKS: dict[str, tuple[Attack, str]] = {}


def attack(because: str) -> Callable[[Attack], Attack]:
    """Register a kind of proposal that must be refused, with words of its reason."""

    def add(made: Attack) -> Attack:
        ATTACKS[made.__name__.replace("_", "-")] = made, because
        return made

    return add


@attack("has no proof, or is no product")
def a_product_without_a_proof(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(log={"proofs": {}})


@attack("has no proof, or is no product")
def a_proof_of_no_product(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(log={"proofs": {**shown.log()["proofs"], "products/xen/more": shown.proof(1)}})


@attack("of another log, or of another checkpoint")
def the_proof_of_another_log(shown: Shown, folder: Path) -> dict[str, Any]:
    other = Shown(folder / "other", origin="log.example.org/other/1")
    return shown.proposal(log={"proofs": other.log()["proofs"]})


@attack(f"the proof of {PATH} is refused")
def a_proof_of_another_place(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(log={"proofs": {PATH: shown.proof(1).replace("index 1", "index 2")}})


def with_line(proof: str, change: Callable[[bytes], bytes]) -> str:
    """A proof whose record is another one."""
    head, extra, rest = proof.split("\n", 2)
    line = change(base64.b64decode(extra.removeprefix("extra ")))
    return f"{head}\nextra {base64.b64encode(line).decode()}\n{rest}"


@attack(f"the proof of {PATH} is refused")
def a_record_that_is_not_in_the_tree(shown: Shown, folder: Path) -> dict[str, Any]:
    products = {PATH: "f" * 64}
    evil = Shown(shown.folder, products=products)
    forged = with_line(shown.proof(1), lambda line: line.replace(DIGEST.encode(), b"f" * 64))
    return evil.proposal(log={"proofs": {PATH: forged}})


@attack("the proof of the seal is refused")
def a_seal_that_is_not_in_the_tree(shown: Shown, folder: Path) -> dict[str, Any]:
    forged = with_line(shown.proof(shown.sealed.size - 1), lambda line: line.replace(b'"bytes":5', b'"bytes":6'))
    return shown.proposal(log={"seal": forged})


@attack(f"the proof of {PATH} is refused")
def a_proof_that_carries_no_record(shown: Shown, folder: Path) -> dict[str, Any]:
    head, _, rest = shown.proof(1).split("\n", 2)
    return shown.proposal(log={"proofs": {PATH: f"{head}\n{rest}"}})


@attack("does not say that this was collected")
def a_record_of_another_kind(shown: Shown, folder: Path) -> dict[str, Any]:
    event = {"e": "product.compared", "component": "xen", "name": "xen.tar.gz", "sha256": DIGEST}
    return Shown(folder / "kind", events=[event]).proposal()


@attack("does not say that this was collected")
def the_output_of_a_build_as_a_product(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(log={"proofs": {PATH: shown.proof(2)}})


@attack("does not say that this was collected")
def a_product_of_another_name(shown: Shown, folder: Path) -> dict[str, Any]:
    return Shown(folder / "name", events=[collected("products/xen/other", DIGEST)]).proposal()


@attack("another SHA-256 than SHA256SUMS")
def a_product_of_other_bytes(shown: Shown, folder: Path) -> dict[str, Any]:
    return Shown(folder / "bytes", events=[collected(PATH, "f" * 64)]).proposal()


@attack("not sealed")
def a_log_without_a_seal(shown: Shown, folder: Path) -> dict[str, Any]:
    return Shown(folder / "open", seals=False, origin=ORIGIN).proposal()


@attack("not sealed")
def another_record_as_the_seal(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(log={"seal": shown.proof(1)})


@attack("the proof of the seal is refused")
def a_seal_that_is_not_the_last(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(log={"seal": shown.proof(shown.sealed.size - 1).replace("index ", "index 1")})


@attack("lists other segments than its seal")
def a_segment_of_other_bytes(shown: Shown, folder: Path) -> dict[str, Any]:
    listed = (shown.folder / "SHA256SUMS").read_text()
    shown.log_sums = "".join(
        "0" * 64 + each[64:] if "data/" in each else each for each in listed.splitlines(keepends=True)
    ).encode()
    return shown.proposal()


@attack("another state of it")
def a_provenance_of_another_root(shown: Shown, folder: Path) -> dict[str, Any]:
    shown.sealed = replace(shown.sealed, root=b"x" * 32)
    return shown.proposal(log={"seal": ""})


@attack("names another checkpoint.sealed")
def checksums_of_another_checkpoint(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(log={"checkpoint": shown.note + EXTRA})


@attack("names another log.vkey")
def checksums_of_another_key(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(log={"vkey": shown.vkey.strip()})


@attack("is refused: the signature|no known key")
def a_checkpoint_that_the_logs_key_did_not_sign(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(log={"checkpoint": sign_note(shown.sealed.text(), ORIGIN, OTHER)})


@attack("the request says example-1.1")
def another_release_than_the_provenance_says(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(release="example-1.1")


@attack("other products than SHA256SUMS")
def a_product_in_the_checksums_alone(shown: Shown, folder: Path) -> dict[str, Any]:
    listed = {**shown.products, "products/xen/z": "f" * 64}
    shown.sums = "".join(f"{sha256}  {path}\n" for path, sha256 in listed.items()).encode()
    return shown.proposal()


@attack("unknown key 'context'")
def free_text_of_the_console(shown: Shown, folder: Path) -> dict[str, Any]:
    return shown.proposal(context={"warnings": ["all is well"]})


@attack("line 1, is not of the form")
def control_characters_in_a_path(shown: Shown, folder: Path) -> dict[str, Any]:
    shown.sums = f"{DIGEST}  products/xen/\x1b]0;x\x07\n".encode()
    return shown.proposal()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_proposal_of_this_kind_is_refused(name: str, desk: Desk, shown: Shown, tmp_path: Path) -> None:
    made, because = ATTACKS[name]
    request = made(shown, tmp_path)
    answers = desk.talk(
        request, {"op": "sign", "proposal": "0" * 16}, typed({"digest": shown.digest(), "proposal": ""})
    )
    assert [answer["ok"] for answer in answers] == [False] * 3
    assert any(word in answers[0]["because"] for word in because.split("|")), answers[0]["because"]
    assert answers[0]["next"] and "signatures" not in answers[0]
    assert desk.signings() == 0


def grown(shown: Shown, folder: Path, **more: Any) -> Shown:
    """Another log of the same origin and key, with other records."""
    return Shown(folder / "grown", events=[collected(PATH, DIGEST), {"e": "made.up"}], **more)


def test_a_log_that_was_rolled_back_is_refused_and_both_notes_are_kept(
    desk: Desk, shown: Shown, tmp_path: Path
) -> None:
    longer = grown(shown, tmp_path)
    assert desk.talk(longer.proposal())[0]["ok"] is True
    (refused,) = desk.talk(shown.proposal())
    assert "rolled back" in refused["because"] and "both notes" in refused["next"]
    assert desk.entries()[-1]["contradicts"] == {"seen": longer.note, "shown": shown.note}
    assert desk.talk({"op": "seen", "origin": ORIGIN})[0]["size"] == longer.sealed.size, (
        "the older one is not forgotten"
    )


def test_a_fork_of_a_log_is_refused_and_both_notes_are_kept(desk: Desk, shown: Shown, tmp_path: Path) -> None:
    other = Shown(tmp_path / "fork", products={PATH: "f" * 64})
    assert other.sealed.size == shown.sealed.size
    assert desk.talk(shown.proposal())[0]["ok"] is True
    (refused,) = desk.talk(other.proposal())
    assert "a fork" in refused["because"]
    assert desk.entries()[-1]["contradicts"] == {"seen": shown.note, "shown": other.note}
    assert desk.signings() == 0


def test_a_log_that_goes_on_after_its_seal_is_refused(desk: Desk, shown: Shown, tmp_path: Path) -> None:
    desk.talk(shown.proposal())
    (refused,) = desk.talk(grown(shown, tmp_path).proposal())
    assert "it was sealed with" in refused["because"]


def test_the_same_origin_under_another_key_is_refused(desk: Desk, shown: Shown, tmp_path: Path) -> None:
    desk.talk(shown.proposal())
    (refused,) = desk.talk(Shown(tmp_path / "key", key=OTHER).proposal())
    assert "its key is another one" in refused["because"]


def test_a_checkpoint_is_remembered_also_where_the_rest_is_refused(
    desk: Desk, shown: Shown, tmp_path: Path
) -> None:
    early = Shown(tmp_path / "early", seals=False)
    assert "not sealed" in desk.talk(early.proposal())[0]["because"]
    seen = desk.talk({"op": "seen", "origin": ORIGIN})[0]
    assert seen["size"] == early.sealed.size
    for consistency in ([], ["A" * 43 + "="]):
        (refused,) = desk.talk(grown(shown, tmp_path).proposal(log={"consistency": consistency}))
        assert "contradicts what was seen" in refused["because"]


def test_an_open_log_may_be_sealed_later_with_a_proof(desk: Desk, tmp_path: Path) -> None:
    shown = Shown(tmp_path / "log")
    size, tree = shown.sealed.size - 2, CompactRange()
    for each in (shown.folder / "index.jsonl").read_bytes().splitlines()[:size]:
        tree.append(leaf_hash(each))
    note = sign_note(Checkpoint(ORIGIN, size, tree.root()).text(), ORIGIN, KEY)
    assert desk.talk(shown.proposal(log={"checkpoint": note}))[0]["ok"] is False
    assert desk.talk({"op": "seen", "origin": ORIGIN})[0]["size"] == size
    proof = consistency_proof(size, shown.sealed.size, TileReader(shown.folder, shown.sealed.size).range_hash)
    assert desk.talk(shown.proposal())[0]["ok"] is False, "without the proof"
    told = [base64.b64encode(each).decode() for each in proof]
    assert desk.talk(shown.proposal(log={"consistency": told}), then=typed)[-1]["ok"] is True


@pytest.mark.parametrize(
    "wrong",
    [
        {"typed_digest": "00000000"},
        {"typed_digest": ""},
        {"typed_digest": "abc"},
        {"typed_digest": None},
        {"typed_digest": ["a"]},
        {"typed_release": "example-1.1"},
        {"typed_release": "EXAMPLE-1.0"},
        {"typed_release": None},
        {"proposal": "0" * 16},
        {"proposal": None},
    ],
)
def test_wrong_words_sign_nothing_and_use_the_proposal_up(desk: Desk, shown: Shown, wrong: dict[str, Any]) -> None:
    def twice(answer: Answer) -> bytes:
        return line(typed(answer, **wrong)) + line(typed(answer))

    answers = desk.talk(shown.proposal(), then=twice)
    assert [answer["ok"] for answer in answers] == [True, False, False]
    assert answers[1]["because"] and answers[1]["next"]
    assert desk.signings() == 0


def test_a_proposal_that_was_used_signs_nothing_more(desk: Desk, shown: Shown) -> None:
    answers = desk.talk(shown.proposal(), then=lambda answer: line(typed(answer)) * 3)
    assert [answer["ok"] for answer in answers] == [True, True, False, False]
    assert desk.signings() == 1


def test_a_proposal_that_was_replaced_or_is_from_before_a_start_signs_nothing(desk: Desk, shown: Shown) -> None:
    first, second = desk.talk(shown.proposal(), shown.proposal())
    assert desk.talk(typed(first))[0]["ok"] is False
    with desk.signer() as signer:
        conversation = Conversation(signer)
        old = conversation.answer(line(shown.proposal()))
        conversation.answer(line(shown.proposal()))
        assert conversation.answer(line(typed(old)))["ok"] is False
        assert conversation.answer(line(typed(second)))["ok"] is False
    assert desk.signings() == 0


def test_a_proposal_before_a_refused_one_can_not_be_signed(desk: Desk, shown: Shown) -> None:
    with desk.signer() as signer:
        conversation = Conversation(signer)
        old = conversation.answer(line(shown.proposal()))
        assert conversation.answer(line(shown.proposal(release="x-1")))["ok"] is False
        assert conversation.answer(line(typed(old)))["ok"] is False
    assert desk.signings() == 0


def test_without_words_and_without_a_policy_nothing_is_signed(desk: Desk, shown: Shown) -> None:
    _, refused = desk.talk(shown.proposal(), then=by_policy)
    assert refused["ok"] is False and "nobody typed the digits" in refused["because"]
    assert desk.signings() == 0


WAIVER = {"code": "weak", "item": "verify:xen", "person": "manager-1", "reason": "known"}


@pytest.mark.parametrize(
    ("change", "policy", "because"),
    [
        ({"release": "example-1.1"}, POLICY, "not for example-1.1"),
        ({"warned": ["verify:xen"]}, POLICY, "1 warnings, and the policy allows none"),
        (
            {"warned": ["verify:xen"], "waivers": [WAIVER]},
            replace(POLICY, allow_warnings=True),
            "1 waivers are more",
        ),
        ({}, replace(POLICY, max_products=0), "1 products are more"),
        ({}, replace(POLICY, log_key="x"), "the log's key is not the policy's"),
        ({}, replace(POLICY, manifest_sha256="3" * 64), "the manifest is not the policy's"),
    ],
)
def test_what_goes_beyond_the_policy_is_not_signed_unasked(
    desk: Desk, shown: Shown, change: dict[str, Any], policy: SigningPolicy, because: str
) -> None:
    desk.policy = policy
    for name, value in change.items():
        setattr(shown, name, value)
    offered, refused = desk.talk(shown.proposal(), then=by_policy)
    assert offered["needs"] == "confirmation" and because in offered["summary"][0]
    assert refused["ok"] is False and because in refused["because"]
    assert desk.signings() == 0


def test_what_the_policy_covers_is_signed_and_the_same_name_with_other_bytes_is_not(
    desk: Desk, shown: Shown, tmp_path: Path
) -> None:
    bound = {"log_key": shown.vkey.strip(), "manifest_sha256": shown.manifest}
    desk.policy = replace(POLICY, allow_warnings=True, max_waivers=1, **bound)
    shown.warned, shown.waivers = ["verify:xen"], [WAIVER]
    for _ in range(2):
        offered, answer = desk.talk(shown.proposal(), then=by_policy)
        assert offered["needs"] == "policy" and answer["ok"] is True
    shown.inputs = {"verify:xen": "f" * 64}
    _, refused = desk.talk(shown.proposal(), then=by_policy)
    assert "was signed before, with other documents" in refused["because"]
    assert desk.signings() == 2


TEXT = '[release]\nname = "example"\nversion = "1.0"\nmax_products = 5\nallow_warnings = false\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT + "extra = 1\n",
        TEXT + "max_waivers = true\n",
        TEXT + "max_waivers = -1\n",
        TEXT + 'log_key = "x"\n',
        TEXT + 'manifest_sha256 = "x"\n',
        TEXT + "[more]\n",
        TEXT.replace("5", '"5"'),
        TEXT.replace("5", "-5"),
        TEXT.replace("false", "0"),
        TEXT.replace("max_products = 5\n", ""),
        "[release\n",
        "x" * (1 << 17),
    ],
)
def test_a_policy_that_is_not_exact_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(KeyringError):
        load_signing_policy(path)


def test_a_policy_that_others_can_change_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    folder.mkdir(mode=0o700)
    path = folder / "policy.toml"
    path.write_text(TEXT)
    path.chmod(0o600)
    assert load_signing_policy(path).release == "example-1.0"
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(KeyringError):
        load_signing_policy(tmp_path / "link")
    for what in (path, folder):
        for mode in (0o620, 0o602):
            before = what.stat().st_mode
            what.chmod(mode | 0o100)
            with pytest.raises(KeyringError, match="can be changed by others"):
                load_signing_policy(path)
            what.chmod(before)
    if os.geteuid() == 0:
        os.chown(path, 61234, 0)
        with pytest.raises(KeyringError, match="can be changed by others"):
            load_signing_policy(path)
        assert load_signing_policy(path, 61234).release == "example-1.0", "it is the signer's own user's"


def test_the_eleventh_signing_within_an_hour_is_refused_also_after_a_new_start(desk: Desk, shown: Shown) -> None:
    for _ in range(10):
        assert desk.talk(shown.proposal(), then=typed)[-1]["ok"] is True
        desk.later(seconds=1)
    (refused,) = desk.talk(shown.proposal(), then=typed)
    assert "10 times within an hour" in refused["because"] and "go on at 13:00:00 UTC" in refused["next"]
    desk.later(days=-1)
    assert desk.talk(shown.proposal())[0]["ok"] is False, "a clock that was set back lets nobody in"
    desk.later(days=1, minutes=60)
    assert desk.talk(shown.proposal(), then=typed)[-1]["ok"] is True
    assert desk.signings() == 11


def test_three_wrong_confirmations_are_followed_by_a_pause_also_after_a_new_start(
    desk: Desk, shown: Shown
) -> None:
    for _ in range(3):
        assert desk.talk(shown.proposal(), then=lambda a: typed(a, typed_digest="00000000"))[-1]["ok"] is False
    (refused,) = desk.talk(shown.proposal(), then=typed)
    assert "wrongly 3 times in a row" in refused["because"] and "12:05:00 UTC" in refused["next"]
    assert desk.signings() == 0
    desk.later(minutes=5)
    assert desk.talk(shown.proposal(), then=typed)[-1]["ok"] is True


def test_a_signature_ends_a_row_of_wrong_confirmations(desk: Desk, shown: Shown) -> None:
    def wrong() -> None:
        desk.talk(shown.proposal(), then=lambda a: typed(a, typed_digest="00000000"))

    wrong()
    wrong()
    assert desk.talk(shown.proposal(), then=typed)[-1]["ok"] is True
    wrong()
    assert desk.talk(shown.proposal(), then=typed)[-1]["ok"] is True


def test_the_limits_hold_between_proposal_and_signature(desk: Desk, shown: Shown) -> None:
    with desk.signer() as signer:
        conversations = [Conversation(signer) for _ in range(12)]
        offered = [each.answer(line(shown.proposal())) for each in conversations]
        signed = [each.answer(line(typed(o)))["ok"] for each, o in zip(conversations, offered, strict=True)]
    assert signed == [True] * 10 + [False] * 2


def test_many_at_once_are_answered_one_after_the_other(desk: Desk, shown: Shown) -> None:
    answers: list[Answer] = []
    request = line(shown.proposal())
    with desk.signer() as signer:
        talks = [Conversation(signer) for _ in range(12)]
        offered = [talk.answer(request) for talk in talks]

        def speak(talk: Conversation, answer: Answer) -> None:
            out = io.BytesIO()
            talk.serve(io.BytesIO(line(typed(answer))), out)
            answers.append(json.loads(out.getvalue()))

        threads = [threading.Thread(target=speak, args=pair) for pair in zip(talks, offered, strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(answer["ok"] for answer in answers) == [False] * 2 + [True] * 10
    assert desk.signings() == 10 and len(desk.entries()) == 24


def test_an_oversized_request_signs_nothing(desk: Desk, shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MAX_LINE", 1000)
    offered, refused = desk.talk(shown.proposal(), typed({"digest": shown.digest(), "proposal": ""}))
    assert "too long" in offered["because"] and refused["ok"] is False
    assert desk.signings() == 0


@pytest.mark.parametrize("key", ["op", "release", "documents", "log"])
def test_a_request_that_says_a_thing_twice_is_refused(desk: Desk, shown: Shown, key: str) -> None:
    request = shown.proposal()
    twice = json.dumps(request)[:-1] + f", {json.dumps(key)}: {json.dumps(request[key])}" + "}\n"
    (refused,) = desk.talk(twice.encode())
    assert "names a key twice" in refused["because"]


def test_a_signature_that_does_not_verify_leaves_nobodys_hands(
    desk: Desk, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = subprocess.CompletedProcess[bytes]([], 0, b"-----BEGIN PGP SIGNATURE-----\n\nno\n", b"")
    monkeypatch.setattr(type(desk.key._gpg), "sign", lambda *_args, **_more: made.stdout)
    _, refused = desk.talk(shown.proposal(), then=typed)
    assert refused["ok"] is False and "the signature over SHA256SUMS" in refused["because"]
    assert desk.signings() == 0
