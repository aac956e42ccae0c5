"""RPM packages: two layers that must agree, and all that may be wrong with either."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sealwright_keyring.certificates import certificates
from sealwright_keyring.packets import Reader, detached_signatures, packets
from sealwright_keyring.policy import Person
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Failed, Passed, Warned
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.rpm_header import STRINGS, Value
from sealwright_stages.verify.rpm_package import read_package
from sealwright_stages.verify.signatures import judge_signature
from sealwright_stages.verify.verifier import verifier
from verify import rpms
from verify.rpms import Parts, apart, blob, judged, number, text
from verify.workbench import Keys


def test_a_good_package_is_green_by_both_layers(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    verdict = judged(signed, keys.trust("s1"), tmp_path)
    assert isinstance(verdict, Passed), verdict
    assert verdict.subject_sha256 == hashlib.sha256(signed).hexdigest()
    assert verdict.evidence["nevra"] == "hi-1.0-1.noarch"
    assert verdict.evidence["version"] == "1.0-1"
    told = verdict.evidence["rpmkeys"]
    assert isinstance(told, dict) and told["exit"] == 0 and told["data_sha256"] == verdict.subject_sha256
    assert told["tool_uid"] == verifier().uid
    (signature,) = verdict.evidence["signature"]["signatures"]  # type: ignore[index]
    assert signature["second_check"] == "agrees" and signature["key"] == keys.fingerprint("s1")


def test_a_source_package_and_an_rsa_key_are_green(keys: Keys, tmp_path: Path) -> None:
    key = rpms.key_of_kind(keys, "rsa", "rsa2048")
    made = rpms.sign(rpms.build(tmp_path, source=True), keys, key, tmp_path)
    verdict = judged(made, keys.trust("rsa"), tmp_path, name="hi-1.0-1.src.rpm")
    assert isinstance(verdict, Passed), verdict
    assert rpms.RSA in apart(made).signatures


def test_a_package_with_an_epoch_and_a_long_name_is_green(keys: Keys, tmp_path: Path) -> None:
    """The lead holds 65 bytes of the name, and rpm 4.18 writes the epoch there."""
    for name, more in (("hi", "Epoch: 3"), ("h" + "o" * 80, "")):
        made = rpms.build(tmp_path, name, more=more)
        verdict = judged(
            rpms.sign(made, keys, keys.fingerprint("s1"), tmp_path),
            keys.trust("s1"),
            tmp_path,
            name=f"{name}-1.0-1.noarch.rpm",
        )
        assert isinstance(verdict, Passed), verdict
    assert verdict.evidence["nevra"] == f"{name}-1.0-1.noarch"


def test_a_lead_of_a_later_rpm_is_green(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    """Since 4.20 architecture and system in it are zero."""
    later = signed[:8] + b"\0\0" + signed[10:76] + b"\0\0" + signed[78:]
    assert isinstance(judged(later, keys.trust("s1"), tmp_path), Passed)
    for lead in (signed[:76] + b"\0\0", signed[:76] + b"\0\2", signed[:8] + b"\1" + signed[9:78]):
        with pytest.raises(RefusedError) as refused:
            read_package(io.BytesIO(lead + signed[78:]))
        assert refused.value.code == "rpm-malformed"


def test_an_unsigned_package_is_red(unsigned: bytes, keys: Keys, tmp_path: Path) -> None:
    assert judged(unsigned, keys.trust("s1"), tmp_path).code == "signature-missing"


def test_a_key_that_was_not_chosen_is_red_also_where_it_is_known(
    signed: bytes, keys: Keys, tmp_path: Path
) -> None:
    assert judged(signed, keys.trust("s2", known=["s1"]), tmp_path).code == "signature-unknown-key"


def test_persons_without_an_openpgp_key_can_not_vouch_for_a_package(
    signed: bytes, keys: Keys, tmp_path: Path
) -> None:
    trust = Trust((keys.certificate("s1"),), (Person("s1", ()),), 1)
    assert judged(signed, trust, tmp_path).code == "signature-unknown-key"
    assert judged(signed, Trust((keys.certificate("s1"),), (), 1), tmp_path).code == "keyring-unusable"


def test_one_signature_does_not_make_two_persons(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    assert judged(signed, keys.trust("s1", "s2", threshold=2), tmp_path).code == "threshold-not-met"


def _payload(parts: Parts) -> Parts:
    return Parts(parts.lead, parts.signatures, parts.main, parts.payload[:-1] + b"!")


def _header(parts: Parts) -> Parts:
    return parts.with_main({1004: text("says ho")})


def _longer(parts: Parts) -> Parts:
    return Parts(parts.lead, parts.signatures, parts.main, parts.payload + b"more")


def _touched(parts: Parts) -> Parts:
    data = parts.signatures[rpms.DSA].data
    return parts.with_signatures({rpms.DSA: blob(data[:-1] + bytes([data[-1] ^ 1]))})


SPOILED: dict[str, tuple[Callable[[Parts], Parts], str]] = {
    "payload byte": (_payload, "digest-mismatch"),
    "payload byte, weak digests made right": (lambda p: _payload(p).digested(), "digest-mismatch"),
    "header byte": (_header, "digest-mismatch"),
    "header byte, digests made right": (lambda p: _header(p).digested(), "signature-bad"),
    "signature byte": (_touched, "signature-bad"),
    "bytes appended": (_longer, "rpm-malformed"),
    "bytes appended, size and MD5 made right": (lambda p: _longer(p).digested(), "digest-mismatch"),
    "no SHA-256 of the header": (lambda p: p.with_signatures({rpms.SHA256: None}), "rpm-digest-weak"),
    "wrong MD5": (lambda p: p.with_signatures({rpms.MD5: blob(bytes(16))}), "digest-mismatch"),
    "wrong SHA-1": (lambda p: p.with_signatures({rpms.SHA1: text("0" * 40)}), "digest-mismatch"),
    "MD5 and SHA-1 only": (
        lambda p: p.with_signatures({rpms.SHA256: None, rpms.DSA: None}),
        "signature-missing",
    ),
    "two header signatures": (
        lambda p: p.with_signatures({rpms.RSA: p.signatures[rpms.DSA]}),
        "signature-ambiguous",
    ),
    "two packets in one": (
        lambda p: p.with_signatures({rpms.DSA: blob(p.signatures[rpms.DSA].data * 2)}),
        "signature-ambiguous",
    ),
    "an armored signature": (
        lambda p: p.with_signatures({rpms.DSA: blob(b"-----BEGIN PGP SIGNATURE-----\n")}),
        "signature-malformed",
    ),
    "an old signature beside it": (
        lambda p: p.with_signatures({1005: p.signatures[rpms.DSA]}),
        "rpm-signature-legacy",
    ),
    "an old signature only": (
        lambda p: p.with_signatures({1005: p.signatures[rpms.DSA], rpms.DSA: None}),
        "rpm-signature-legacy",
    ),
    "under the tag for RSA": (
        lambda p: p.with_signatures({rpms.RSA: p.signatures[rpms.DSA], rpms.DSA: None}),
        "rpm-malformed",
    ),
    "an unknown tag": (lambda p: p.with_signatures({278: text("x")}), "rpm-malformed"),
    "reserved space in use": (lambda p: p.with_signatures({rpms.RESERVED: blob(b"\0x\0")}), "rpm-malformed"),
    "no length": (lambda p: p.with_signatures({rpms.SIZE: None}), "rpm-malformed"),
    "two lengths": (
        lambda p: p.with_signatures({270: Value(5, 1, p.signatures[rpms.SIZE].data.rjust(8, b"\0"))}),
        "rpm-malformed",
    ),
    "the lead's name": (lambda p: Parts(p.lead.replace(b"hi-", b"ho-"), *_rest(p)), "rpm-malformed"),
    "the lead's magic": (lambda p: Parts(b"\0" + p.lead[1:], *_rest(p)), "rpm-malformed"),
    "the lead says source": (lambda p: Parts(p.lead[:7] + b"\x01" + p.lead[8:], *_rest(p)), "rpm-malformed"),
}


def _rest(parts: Parts) -> tuple[object, bytes, bytes]:
    return parts.signatures, parts.main, parts.payload


@pytest.mark.parametrize("how", SPOILED)
def test_a_spoiled_package_is_red(how: str, signed: bytes, keys: Keys, tmp_path: Path) -> None:
    spoil, code = SPOILED[how]
    verdict = judged(spoil(apart(signed)).joined(), keys.trust("s1"), tmp_path)
    assert isinstance(verdict, Failed) and verdict.code == code, verdict
    assert verdict.next_step


def test_a_package_signed_in_both_ways_is_red(unsigned: bytes, keys: Keys, tmp_path: Path) -> None:
    made = rpms.sign(unsigned, keys, keys.fingerprint("s1"), tmp_path, "--rpmv3")
    assert {1005, rpms.DSA} <= set(apart(made).signatures)
    assert judged(made, keys.trust("s1"), tmp_path).code == "rpm-signature-legacy"


def test_taking_apart_and_joining_changes_nothing(signed: bytes) -> None:
    assert apart(signed).digested().joined() == signed


def test_a_package_cut_anywhere_is_red(signed: bytes) -> None:
    for length in (*range(0, 200), *range(200, len(signed), 37), len(signed) - 1):
        with pytest.raises(RefusedError) as refused:
            read_package(io.BytesIO(signed[:length]))
        assert refused.value.code == "rpm-malformed", length


RESIGNED: dict[str, tuple[dict[int, Value | None], tuple[str, ...], str]] = {
    "as it was": ({}, (), "ok"),
    "no digest of the payload": ({rpms.PAYLOAD_DIGEST: None}, (), "rpm-digest-weak"),
    "an MD5 of the payload": ({rpms.PAYLOAD_ALGORITHM: number(1)}, (), "rpm-digest-weak"),
    "a SHA-1 of the payload": ({rpms.PAYLOAD_ALGORITHM: number(2)}, (), "rpm-digest-weak"),
    "two digests of the payload": (
        {rpms.PAYLOAD_DIGEST: Value(STRINGS, 2, b"0\0001\0")},
        (),
        "rpm-malformed",
    ),
    "a signature by SHA-1": ({}, ("--digest-algo", "SHA1"), "digest-weak"),
    "a signature of text": ({}, ("--textmode",), "signature-class"),
    "a name with a slash": ({1000: text("../hi")}, (), "rpm-malformed"),
    "no architecture": ({1022: None}, (), "rpm-malformed"),
    "two epochs": ({1003: Value(4, 2, bytes(8))}, (), "rpm-malformed"),
    "an epoch": ({1003: number(7)}, (), "ok"),
}


@pytest.mark.parametrize("how", RESIGNED)
def test_a_signer_can_not_sign_what_is_too_weak(how: str, signed: bytes, keys: Keys, tmp_path: Path) -> None:
    changes, options, code = RESIGNED[how]
    made = apart(signed).with_main(changes).digested().signed(keys, "s1", *options).joined()
    verdict = judged(made, keys.trust("s1"), tmp_path)
    assert verdict.code == code, verdict
    if how == "an epoch":
        assert verdict.evidence["nevra"] == "hi-7:1.0-1.noarch"


def _longer_number(signature: bytes) -> bytes:
    """The same signature, whose first number says that it has other bits than it has."""
    reader = Reader(signature)
    reader.take(6)  # the packet's header, version, class, algorithm, digest
    for _ in ("hashed", "unhashed"):
        reader.take(reader.number(2))
    at = reader.position + 2
    bits = int.from_bytes(signature[at : at + 2], "big")
    most = (bits + 7) // 8 * 8
    return signature[:at] + (most if bits != most else most - 1).to_bytes(2, "big") + signature[at + 2 :]


def _critical(signature: bytes) -> bytes:
    """The same signature, whose unhashed issuer is marked as critical."""
    (packet,) = detached_signatures(signature)
    issuer = b"\x09\x10" + bytes.fromhex(packet.issuers[0][-16:])
    assert signature.count(issuer) == 1
    return signature.replace(issuer, b"\x09\x90" + issuer[2:])


def _armored(signature: bytes) -> bytes:
    body = base64.encodebytes(signature)
    return b"-----BEGIN PGP SIGNATURE-----\n\n" + body + b"-----END PGP SIGNATURE-----\n"


@pytest.mark.parametrize("how", [_longer_number, _critical, _armored])
def test_a_signature_that_is_written_otherwise_is_red(
    how: Callable[[bytes], bytes], signed: bytes, keys: Keys, tmp_path: Path
) -> None:
    """gpg takes each of them for good, so that anybody could make another file of the same package."""
    parts = apart(signed)
    changed = how(parts.signatures[rpms.DSA].data)
    trust = keys.trust("s1")
    assert judge_signature(changed, parts.main, trust, "x").code == "ok"
    made = parts.with_signatures({rpms.DSA: blob(changed)}).joined()
    assert judged(made, trust, tmp_path).code == "signature-malformed"


def test_another_packages_signature_is_red(signed: bytes, other: bytes, keys: Keys, tmp_path: Path) -> None:
    stolen = apart(other).signatures[rpms.DSA]
    made = apart(signed).with_signatures({rpms.DSA: stolen}).joined()
    assert judged(made, keys.trust("s1"), tmp_path).code == "signature-bad"


def test_another_package_of_the_same_signer_is_red(other: bytes, keys: Keys, tmp_path: Path) -> None:
    verdict = judged(other, keys.trust("s1"), tmp_path)
    assert verdict.code == "rpm-mismatch" and "ho-1.0-1.noarch" in verdict.reason
    assert isinstance(judged(other, keys.trust("s1"), tmp_path, name="ho-1.0-1.noarch.rpm"), Passed)


def test_an_older_release_under_a_newer_name_is_red(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    assert judged(signed, keys.trust("s1"), tmp_path, name="hi-1.0-2.noarch.rpm").code == "rpm-mismatch"


def test_file_signatures_that_nobody_vouches_for_are_yellow(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    extra = {274: Value(STRINGS, 1, b"00\0"), 275: number(1)}
    verdict = judged(apart(signed).with_signatures(extra).joined(), keys.trust("s1"), tmp_path)
    assert isinstance(verdict, Warned) and verdict.code == "rpm-unsigned-extra", verdict


def test_a_key_that_expired_since_is_yellow(keys: Keys, unsigned: bytes, tmp_path: Path) -> None:
    at = "20250101T000000!"
    keys.fingerprint("rpm-expired", "2025-06-01", ("--faked-system-time", at))
    made = apart(unsigned).signed(keys, "rpm-expired", "--faked-system-time", at)
    verdict = judged(made.joined(), keys.trust("rpm-expired"), tmp_path)
    assert isinstance(verdict, Warned) and verdict.code == "key-expired-since", verdict


def _by_subkey(keys: Keys, name: str, rpm: bytes) -> tuple[str, bytes]:
    """A signing subkey of the key called `name`, and the package signed by it."""
    primary = keys.fingerprint(name)
    keys.gpg("--quick-add-key", primary, "ed25519", "sign", "never")
    listing = keys.gpg("--with-colons", "--list-keys", primary).decode().splitlines()
    subkey = [line.split(":")[9] for line in listing if line.startswith("fpr")][1]
    signature = keys.gpg("--local-user", subkey + "!", "--detach-sign", stdin=apart(rpm).main)
    return subkey, apart(rpm).with_signatures({rpms.DSA: blob(signature)}).joined()


@pytest.fixture(scope="module")
def subkeyed(keys: Keys, unsigned: bytes) -> tuple[str, bytes]:
    return _by_subkey(keys, "rpm-sub", unsigned)


def test_a_subkey_is_green_while_it_is_bound(subkeyed: tuple[str, bytes], keys: Keys, tmp_path: Path) -> None:
    subkey, rpm = subkeyed
    verdict = judged(rpm, keys.trust("rpm-sub"), tmp_path)
    assert isinstance(verdict, Passed), verdict
    (signature,) = verdict.evidence["signature"]["signatures"]  # type: ignore[index]
    assert signature["key"] == subkey


def test_a_subkey_without_its_binding_is_red(subkeyed: tuple[str, bytes], keys: Keys, tmp_path: Path) -> None:
    whole = certificates(keys.certificate("rpm-sub"))[0].raw
    unbound = b"".join(packet.raw for packet in list(packets(whole))[:-1])
    person = Person("rpm-sub", (keys.fingerprint("rpm-sub"),))
    verdict = judged(subkeyed[1], Trust((unbound,), (person,), 1), tmp_path)
    assert verdict.code == "signature-unknown-key"


def test_a_revoked_subkey_is_red(unsigned: bytes, keys: Keys, tmp_path: Path) -> None:
    _, rpm = _by_subkey(keys, "rpm-revoked", unsigned)
    argv = ["gpg", "--homedir", str(keys.home), "--no-options", "--no-tty", "--command-fd", "0", "--quiet"]
    argv += ["--trust-model", "always", "--pinentry-mode", "loopback", "--passphrase", "", "--expert"]
    argv += ["--edit-key", keys.fingerprint("rpm-revoked")]
    subprocess.run(argv, input=b"key 1\nrevkey\ny\n0\n\ny\nsave\n", capture_output=True, check=True, timeout=60)
    assert judged(rpm, keys.trust("rpm-revoked"), tmp_path).code == "key-revoked"
