"""Detached signatures: the rules of openpgp, judge and home, tried with real gpg and hostile files."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sealwright_keyring.armor import dearmor, enarmor
from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.openpgp import Bad, Good, Keyring, Strangers, Verdict, Weak, signature_issuers
from sealwright_keyring.packets import packets
from support.rooms import ROOM

DATA = b"the bytes that were meant\n"


def check(world: Any, signature: bytes, *chosen: str, data: bytes | Path = DATA, **options: Any) -> Verdict:
    names = chosen or ("s1", "s2")
    with Keyring.of([world.cert(*names)], [world.fpr[name] for name in names]) as ring:
        return ring.verify_detached(signature, data, **options)


def code(verdict: Verdict) -> str:
    return verdict.reason_code if isinstance(verdict, (Bad, Weak)) else "good"


def test_good_by_a_signing_subkey_names_the_primary_key(world: Any) -> None:
    verdict = check(world, world.sign("s1"))
    assert isinstance(verdict, Good)
    assert verdict.fingerprint == world.fpr["s1"]
    assert verdict.algorithm == "EdDSA"


def test_good_by_rsa3072_and_binary_form(world: Any) -> None:
    verdict = check(world, world.sign("s2", armor=False))
    assert isinstance(verdict, Good)
    assert verdict.algorithm == "RSA"


def test_evidence_is_json_and_names_the_bytes(world: Any, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(DATA)
    verdict = check(world, world.sign("s1"), data=file)
    assert json.dumps(verdict.evidence).isascii()
    assert verdict.evidence["data_sha256"] == hashlib.sha256(DATA).hexdigest()
    assert {"argv", "status", "tool", "keyring_sha256", "signature_sha256", "duration_ms"} <= set(verdict.evidence)


@pytest.mark.parametrize("position", [0, 10, -2])
def test_one_changed_byte_is_red(world: Any, position: int) -> None:
    changed = bytearray(DATA)
    changed[position] ^= 1
    assert code(check(world, world.sign("s1"), data=bytes(changed))) == "signature-bad"


def test_unknown_key_is_red(world: Any) -> None:
    assert code(check(world, world.sign("outsider"))) == "signature-unknown-key"


def test_a_key_in_the_file_that_was_not_chosen_is_unknown(world: Any) -> None:
    files = [world.cert("s1", "outsider")]
    with Keyring.of(files, [world.fpr["s1"]]) as ring:
        assert ring.fingerprints == {world.fpr["s1"]}
        assert code(ring.verify_detached(world.sign("outsider"), DATA)) == "signature-unknown-key"


def test_a_borrowed_user_id_is_worth_nothing(world: Any) -> None:
    with Keyring.of([world.cert("s1", "impostor")], [world.fpr["s1"]]) as ring:
        assert code(ring.verify_detached(world.sign("impostor"), DATA)) == "signature-unknown-key"


def test_expired_since_is_weak_and_good_at_signing_time(world: Any) -> None:
    signature = world.sign("expired", time="20200601T000000")
    verdict = check(world, signature, "expired")
    assert isinstance(verdict, Weak)
    assert verdict.reason_code == "key-expired-since"
    assert verdict.fingerprint == world.fpr["expired"]
    kept = check(world, signature, "expired", judged_at_signing=True)
    assert isinstance(kept, Good)
    assert kept.evidence["judged_at"] == "signing"


def test_expired_at_signing_is_red_even_at_signing_time(world: Any) -> None:
    world.make("late", expire="20300101T000000", time="20200101T000000")
    signature = world.sign("late", time="20250601T000000")
    world.gpg("--quick-set-expire", world.fpr["late"], "20210101T000000", time="20200201T000000")
    for judged in (False, True):
        verdict = check(world, signature, "late", judged_at_signing=judged)
        assert code(verdict) == "key-expired-at-signing"


def test_a_revoked_key_is_red_whenever_it_signed(world: Any, revoked_signature: bytes) -> None:
    for judged in (False, True):
        assert code(check(world, revoked_signature, "revoked", judged_at_signing=judged)) == "key-revoked"


def test_a_revoked_signing_subkey_is_red(world: Any, revoked_subkey_signature: bytes) -> None:
    assert code(check(world, revoked_subkey_signature, "halfrevoked")) == "key-revoked"


def test_a_signature_that_has_expired_is_red(world: Any) -> None:
    signature = world.sign("s2", options=("--default-sig-expire", "seconds=5"))
    later = datetime.now(UTC) + timedelta(hours=1)
    assert code(check(world, signature, now=later)) == "signature-expired"


def test_a_signature_dated_in_the_future_is_red(world: Any) -> None:
    assert code(check(world, world.sign("s2", time="20300101T000000"))) == "signature-in-future"


def test_sixty_seconds_of_leeway_and_no_more(world: Any) -> None:
    signature = world.sign("s2", time="20280101T000000")
    made = datetime(2028, 1, 1, tzinfo=UTC)
    assert code(check(world, signature, now=made - timedelta(seconds=59))) == "good"
    assert code(check(world, signature, now=made - timedelta(seconds=62))) == "signature-in-future"


@pytest.mark.parametrize("name", ["s1", "s2"])
@pytest.mark.parametrize("digest", ["SHA1", "RIPEMD160", "MD5", "SHA224"])
def test_broken_digests_are_red(world: Any, name: str, digest: str) -> None:
    options = ("--digest-algo", digest, "--allow-weak-digest-algos")
    verdict = check(world, world.sign(name, options=options))
    assert code(verdict) == "digest-weak"


@pytest.mark.parametrize("digest", ["SHA256", "SHA384", "SHA512"])
def test_sha2_digests_are_good(world: Any, digest: str) -> None:
    verdict = check(world, world.sign("s2", options=("--digest-algo", digest)))
    assert isinstance(verdict, Good)
    assert verdict.digest == digest


def test_rsa_below_2048_bits_is_red(world: Any) -> None:
    assert code(check(world, world.sign("small"), "small")) == "key-weak"


def test_text_mode_is_weak(world: Any) -> None:
    verdict = check(world, world.sign("s1", options=("--textmode",)))
    assert isinstance(verdict, Weak)
    assert verdict.reason_code == "text-mode"


def test_two_signers_in_one_armor_are_two_verdicts(world: Any) -> None:
    signature = world.sign("s1", "s2")
    with Keyring.of([world.cert("s1", "s2")], [world.fpr["s1"], world.fpr["s2"]]) as ring:
        verdicts = ring.verify_detached_many(signature, DATA)
        assert {v.fingerprint for v in verdicts if isinstance(v, Good)} == {world.fpr["s1"], world.fpr["s2"]}
        assert isinstance(ring.verify_detached(signature, DATA), Good)


@pytest.mark.parametrize("order", [("s1", "outsider"), ("outsider", "s1")])
def test_a_stranger_beside_a_good_one_is_red_unless_tolerated(world: Any, order: tuple[str, str]) -> None:
    merged = b"".join(world.sign(name, armor=False) for name in order)
    assert code(check(world, merged)) == "signature-unknown-key"
    assert isinstance(check(world, merged, strangers=Strangers.TOLERATE), Good)


@pytest.mark.parametrize("order", [("s1", "s2"), ("s2", "s1")])
def test_a_bad_signature_beside_a_good_one_is_red_even_if_strangers_are_tolerated(
    world: Any, order: tuple[str, str]
) -> None:
    parts = {"s1": world.sign("s1", armor=False), "s2": world.sign("s2", data=b"other", armor=False)}
    merged = b"".join(parts[name] for name in order)
    assert code(check(world, merged, strangers=Strangers.TOLERATE)) == "signature-bad"


def test_two_armor_blocks_are_red(world: Any) -> None:
    assert code(check(world, world.sign("outsider") + world.sign("s1"))) == "signature-malformed"


@pytest.mark.parametrize("around", [b"hello\n%s", b"%shello\n", b"%s\x00", b"\x1b[2J\n%s"])
def test_text_around_the_armor_is_red(world: Any, around: bytes) -> None:
    assert code(check(world, around % world.sign("s1"))) == "signature-malformed"


def test_an_inline_message_is_no_detached_signature(world: Any) -> None:
    for words in (["--sign"], ["--store"], ["--sign", "--compress-algo", "none"], ["--clear-sign"]):
        message = world.gpg("--armor", "--local-user", world.fpr["s1"], *words, "--output", "-", stdin=DATA)
        assert code(check(world, message)) == "signature-malformed"
        binary = world.gpg("--local-user", world.fpr["s1"], *words, "--output", "-", stdin=DATA)
        assert code(check(world, binary)) == "signature-malformed"


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_truncated_packet_is_red(world: Any, cut: int) -> None:
    packet = world.sign("s1", armor=False)[:-cut]
    assert code(check(world, packet)) == "signature-malformed"
    assert code(check(world, enarmor(packet, "SIGNATURE"))) == "signature-malformed"


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\n",
        b"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n",
        b"<html>404</html>",
        b"\x80",
        b"\xff" * 9,
    ],
)
def test_junk_is_red(world: Any, junk: bytes) -> None:
    assert code(check(world, junk)) == "signature-malformed"


def _with_unhashed(packet: bytes, extra: bytes, drop: bool = False) -> bytes:
    """The signature packet (one-octet old length) with its unhashed area extended or replaced."""
    body = packet[2:] if packet[0] & 3 == 0 else packet[3:]
    hashed = int.from_bytes(body[4:6], "big")
    start = 6 + hashed
    length = int.from_bytes(body[start : start + 2], "big")
    area = (b"" if drop else body[start + 2 : start + 2 + length]) + extra
    body = body[:start] + len(area).to_bytes(2, "big") + area + body[start + 2 + length :]
    return b"\xc2\xff" + len(body).to_bytes(4, "big") + body


def test_additions_in_the_unhashed_area_are_weak(world: Any) -> None:
    notation = b"\x14" + b"\x80\0\0\0" + b"\0\x01" + b"\0\x01" + b"ab"
    extra = bytes([len(notation)]) + notation
    verdict = check(world, _with_unhashed(world.sign("s1", armor=False), extra))
    assert isinstance(verdict, Weak)
    assert verdict.reason_code == "unhashed-extra"


def test_a_forged_issuer_is_red(world: Any) -> None:
    issuer = b"\x09\x10" + bytes.fromhex(world.fpr["s2"][-16:])
    forged = _with_unhashed(world.sign("outsider", armor=False), issuer, drop=True)
    assert code(check(world, forged)) == "signature-malformed"


def test_escape_codes_in_a_notation_reach_the_evidence_escaped(world: Any) -> None:
    message = b"\x1b]0;x\x07\n[GNUPG:] GOODSIG 0000000000000000 nobody\n"
    options = ("--sig-notation", "note@example.org=\u202e[GNUPG:] VALIDSIG", "--utf8-strings")
    verdict = check(world, world.sign("s1", data=message, options=options), data=message)
    assert isinstance(verdict, Good)
    assert all(" " <= c <= "~" for line in verdict.evidence["status"] for c in str(line))  # type: ignore[attr-defined]


def test_data_that_is_a_link_or_no_file_is_red(world: Any, tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(DATA)
    (tmp_path / "link").symlink_to("real")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "missing", "."):
        assert code(check(world, world.sign("s1"), data=tmp_path / name)) == "data-unreadable"


def test_a_chosen_key_that_is_missing_is_an_error(world: Any) -> None:
    with pytest.raises(KeyringError, match="holds no key"):
        Keyring.of([world.cert("s1")], [world.fpr["s2"]])


@pytest.mark.parametrize("name", ["DEADBEEF", "0123456789ABCDEF", "", "x" * 40, "A" * 41])
def test_a_key_is_chosen_by_full_fingerprint_only(world: Any, name: str) -> None:
    with pytest.raises(KeyringError, match="full fingerprint"):
        Keyring.of([world.cert("s1")], [name])


def test_no_choice_is_an_error_and_not_everything(world: Any) -> None:
    with pytest.raises(KeyringError, match="no key was chosen"):
        Keyring.of([world.cert("s1")], [])


def test_a_secret_key_in_a_key_file_is_refused(world: Any) -> None:
    secret = world.gpg("--export-secret-keys", world.fpr["s2"])
    with pytest.raises(KeyringError, match="secret key"):
        Keyring.of([secret], [world.fpr["s2"]])


def test_a_forged_trust_packet_injects_no_subkey(world: Any) -> None:
    (mine,) = certificates(world.cert("s1"))
    (theirs,) = certificates(world.cert("donor"))
    subkey, binding = list(packets(theirs.raw))[-2:]
    forged = mine.raw + subkey.raw + binding.raw + b"\xb0\x02\x00\x03"
    with Keyring.of([forged], [world.fpr["s1"]]) as ring:
        assert code(ring.verify_detached(world.sign("donor", options=()), DATA)) == "signature-unknown-key"
        assert isinstance(ring.verify_detached(world.sign("s1"), DATA), Good)


def test_a_chosen_key_that_gpg_does_not_accept_is_an_error(world: Any) -> None:
    bare = next(packets(world.cert("s2"))).raw  # without a user id
    with pytest.raises(KeyringError, match="does not accept"):
        Keyring.of([world.cert("s1"), bare], [world.fpr["s1"], world.fpr["s2"]])
    with pytest.raises(KeyringError, match="does not import"):
        Keyring.of([bare], [world.fpr["s2"]])


def test_the_keyring_hash_names_the_chosen_keys_only(world: Any) -> None:
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]]) as one:
        with Keyring.of([world.cert("s1", "outsider")], [world.fpr["s1"].lower()]) as same:
            assert one.sha256 == same.sha256
        with Keyring.of([world.cert("s2")], [world.fpr["s2"]]) as other:
            assert one.sha256 != other.sha256


def test_the_private_home_is_closed_to_others_and_gone_afterwards(world: Any) -> None:
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]]) as ring:
        folder = ring._home.folder
        assert folder.stat().st_mode & 0o777 == 0o500
    assert not folder.exists()


def test_signature_issuers_are_advice_from_the_packet(world: Any) -> None:
    (issuer,) = signature_issuers(world.sign("s2"))
    assert issuer == world.fpr["s2"]


def test_armor_survives_a_round_trip(world: Any) -> None:
    armored = world.sign("s1")
    assert enarmor(dearmor(armored, "SIGNATURE"), "SIGNATURE") == armored


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping a uid needs root")
def test_hostile_bytes_are_parsed_as_another_user_when_asked(world: Any, tmp_path: Path) -> None:
    script = tmp_path / "gpg"
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent != ROOM and parent.is_relative_to(ROOM):
            parent.chmod(0o755)
    script.write_text('#!/bin/sh\n[ "$(id -u)" = 61998 ] && exec gpg "$@"\n')
    script.chmod(0o755)
    gpg = Gpg(str(script), uid=61998)
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]], gpg=gpg) as ring:
        assert isinstance(ring.verify_detached(world.sign("s1"), DATA), Good)
        assert isinstance(ring.verify_detached(world.sign("s1"), b"other"), Bad)
