"""The second check of the mathematics: it agrees with gpg on what is genuine, and with nobody on what is not."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from keyring.conftest import DATA
from sealwright_keyring.certificates import Certificate, certificates
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.openpgp import Bad, Good, Keyring, Weak
from sealwright_keyring.packets import detached_signatures, packets
from sealwright_keyring.second import Canonical, DisagreesError, Pinned, new_hash

KINDS = ("nistp256", "nistp384", "nistp521", "brainpoolP256r1", "secp256k1", "rsa2048")


def hashed(digest: int, data: bytes = DATA) -> Any:
    state = new_hash(digest)
    assert state is not None
    state.update(data)
    return state


def pinned(*certs: bytes) -> Pinned:
    return Pinned(each for cert in certs for each in certificates(cert))


@pytest.mark.parametrize("kind", KINDS)
def test_it_agrees_on_every_kind_of_key_that_is_accepted(world: Any, kind: str) -> None:
    key = world.fpr.get(kind) or world.make(kind, kind)
    with Keyring.of([world.cert(kind)], [key]) as keyring:
        verdict = keyring.verify_detached(world.sign(kind), DATA)
    assert isinstance(verdict, Good), verdict
    assert verdict.evidence["second_check"] == "agrees"


@pytest.mark.parametrize("digest", ["SHA256", "SHA384", "SHA512"])
def test_it_agrees_on_every_digest_and_on_subkeys(world: Any, digest: str) -> None:
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]]) as keyring:
        verdict = keyring.verify_detached(world.sign("s1", options=("--digest-algo", digest)), DATA)
    assert isinstance(verdict, Good)
    assert verdict.evidence["key"] != verdict.fingerprint, "a subkey signed"


@pytest.mark.parametrize("text", [b"", b"a", b"a\n", b"a\r\nb", b"a \t\nb\r\r\n\n", b"a\rb\n", b"\r"])
def test_it_agrees_on_texts_however_their_lines_end(world: Any, text: bytes) -> None:
    with Keyring.of([world.cert("s2")], [world.fpr["s2"]]) as keyring:
        verdict = keyring.verify_detached(world.sign("s2", options=("--textmode",), data=text), text)
    assert isinstance(verdict, Weak), verdict
    assert verdict.reason_code == "text-mode"


def test_a_text_is_the_same_in_whatever_parts_it_comes() -> None:
    text = b"a\r\nb\r\r\n\nc\rd\r"
    whole = Canonical(hashlib.sha256())
    whole.update(text)
    for cut in range(len(text)):
        parts = Canonical(hashlib.sha256())
        parts.update(text[:cut])
        parts.update(text[cut:])
        assert parts.copy().digest() == whole.copy().digest()


@pytest.mark.parametrize("text", [b"\r" * (8 << 20), b"\r" * (8 << 20) + b"a", b"a" * (8 << 20)])
def test_a_text_that_is_one_endless_line_costs_no_more_than_its_length(text: bytes) -> None:
    canonical = Canonical(hashlib.sha256())
    for start in range(0, len(text), 1 << 16):
        canonical.update(text[start : start + (1 << 16)])
    assert vars(canonical).keys() == {"state", "_held"}, "it holds no part of the text"
    assert canonical.copy().digest() == hashlib.sha256(text.rstrip(b"\r")).digest()


@pytest.mark.parametrize("name", ["s1", "s2"])
def test_no_changed_byte_that_counts_is_accepted(world: Any, name: str) -> None:
    (packet,) = detached_signatures(world.sign(name))
    keys = pinned(world.cert(name))
    (certificate,) = certificates(world.cert(name))
    signer = next(iter(certificate.subkeys), certificate.fingerprint)
    keys.check(packet.raw, signer, hashed(packet.digest))
    (header,) = {len(packet.raw) - len(each.body) for each in packets(packet.raw)}
    covered = header + 6 + int.from_bytes(packet.raw[header + 4 : header + 6], "big")
    unhashed = int.from_bytes(packet.raw[covered : covered + 2], "big")
    for place in (*range(header, covered), *range(covered + 2 + unhashed, len(packet.raw))):
        changed = bytearray(packet.raw)
        changed[place] ^= 1
        if changed == packet.raw or place in _number_lengths(packet.raw, covered + 2 + unhashed + 2):
            continue  # the count of a number's bits is no part of its value
        with pytest.raises(DisagreesError):
            keys.check(bytes(changed), signer, hashed(packet.digest))
    for other in (DATA + b"\n", DATA[:-1], b""):
        with pytest.raises(DisagreesError):
            keys.check(packet.raw, signer, hashed(packet.digest, other))


def _number_lengths(raw: bytes, start: int) -> set[int]:
    places: set[int] = set()
    while start < len(raw):
        places |= {start, start + 1}
        start += 2 + (int.from_bytes(raw[start : start + 2], "big") + 7) // 8
    return places


def test_another_key_is_not_asked(world: Any) -> None:
    (packet,) = detached_signatures(world.sign("s2"))
    with pytest.raises(DisagreesError):
        pinned(world.cert("s2")).check(packet.raw, world.fpr["outsider"], hashed(packet.digest))
    with pytest.raises(DisagreesError):
        pinned(world.cert("outsider")).check(packet.raw, world.fpr["outsider"], hashed(packet.digest))


def test_a_subkey_that_was_never_bound_counts_for_nothing(world: Any) -> None:
    """The donor's subkey, moved below another primary key with its binding."""
    (own,), (donor,) = certificates(world.cert("s2")), certificates(world.cert("donor"))
    moved = b"".join(p.raw for p in list(packets(donor.raw))[-2:])
    forged = Certificate(own.fingerprint, donor.subkeys, own.raw + moved)
    (packet,) = detached_signatures(world.sign("donor"))
    Pinned([donor]).check(packet.raw, donor.subkeys[0], hashed(packet.digest))
    with pytest.raises(DisagreesError, match="not bound"):
        Pinned([forged]).check(packet.raw, donor.subkeys[0], hashed(packet.digest))


def test_a_gpg_that_lies_well_is_found_out(world: Any, tmp_path: Path) -> None:
    """A gpg that gives for any data the very lines that it gives for a good signature."""
    liar = tmp_path / "gpg"
    signature = world.sign("s1")
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]]) as honest:
        good = honest.verify_detached(signature, DATA)
    assert isinstance(good, Good)
    lines = "\n".join(str(line) for line in good.evidence["status"])  # type: ignore[attr-defined]
    told = tmp_path / "told"
    told.write_text(lines + "\n")
    liar.write_text(
        f'#!/bin/bash\nfor each; do [ "$last" = --status-fd ] && fd=$each; last=$each; '
        f'[ "$each" = --verify ] && {{ cat >/dev/null; cat {told} >&$fd; exit 0; }}; done\nexec gpg "$@"\n'
    )
    liar.chmod(0o755)
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]], gpg=Gpg(str(liar))) as keyring:
        assert isinstance(keyring.verify_detached(signature, DATA), Good)
        verdict = keyring.verify_detached(signature, DATA + b"evil")
    assert isinstance(verdict, Bad)
    assert verdict.reason_code == "verifiers-disagree"


def test_a_nul_that_gpg_does_not_look_at_in_a_text_is_found_out(world: Any) -> None:
    """gpg 2.2 takes NUL bytes at the end of a line for a part of the line's end, and its signature leaves them out."""
    signature = world.sign("s1", data=b"x\ny\n", options=("--textmode",))
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]]) as ring:
        assert isinstance(ring.verify_detached(signature, b"x\ny\n"), Weak)
        slipped_in = ring.verify_detached(signature, b"x\0\0\ny\n")
    assert isinstance(slipped_in, Bad)
    assert slipped_in.reason_code in ("verifiers-disagree", "signature-bad")  # the latter by a gpg that looks
