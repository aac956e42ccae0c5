"""RPM packages: two layers that must agree, and all that may be wrong with either."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sealwright_keyring.certificates import certificates
from sealwright_keyring.openpgp import Bad, Keyring
from sealwright_keyring.packets import Reader, detached_signatures, packets
from sealwright_keyring.policy import Person
from sealwright_keyring.tool import Run
from sealwright_stages.memory.facts import Origin, facts_of
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Failed, Green, Passed, Verdict, Warned
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.rpm import judge_rpm
from sealwright_stages.verify.rpm_header import SIGNATURES, STRINGS, Value
from sealwright_stages.verify.rpm_keys import RpmKeys, judge_answer
from sealwright_stages.verify.rpm_package import RpmPackage, read_package
from sealwright_stages.verify.rpm_source import RpmSource, rpm_source
from sealwright_stages.verify.signatures import judge_signature
from sealwright_stages.verify.verifier import rpm_verifier, verifier
from verify import rpms
from verify.rpms import Parts, apart, blob, number, text, write_header
from verify.workbench import Keys, workshop

NAME = "hi-1.0-1.noarch.rpm"


@pytest.fixture(scope="module")
def unsigned(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return rpms.build(tmp_path_factory.mktemp("rpm"))


@pytest.fixture(scope="module")
def signed(unsigned: bytes, keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The package hi, signed by s1 with rpmsign."""
    return rpms.sign(unsigned, keys, keys.fingerprint("s1"), tmp_path_factory.mktemp("rpm"))


@pytest.fixture(scope="module")
def other(keys: Keys, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Another package by the same signer."""
    folder = tmp_path_factory.mktemp("rpm")
    return rpms.sign(rpms.build(folder, "ho"), keys, keys.fingerprint("s1"), folder)


def judged(rpm: bytes, trust: Trust, folder: Path, rpmkeys: RpmKeys | None = None, name: str = NAME) -> Verdict:
    path = folder / name
    path.write_bytes(rpm)
    return judge_rpm(path, trust, rpmkeys)


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


def test_a_key_that_rpm_does_not_know_is_a_disagreement(unsigned: bytes, keys: Keys, tmp_path: Path) -> None:
    rpms.key_of_kind(keys, "nist", "nistp256")
    made = apart(unsigned).signed(keys, "nist").joined()
    verdict = judged(made, keys.trust("nist"), tmp_path)
    assert verdict.code == "verifiers-disagree" and "does not take the key" in verdict.reason, verdict


ANSWERS = [
    ("exit 0", "verifier-confused"),
    ("exit 1", "verifiers-disagree"),
    ("kill -9 $$", "verifier-killed"),
    ("exit 3", "verifier-killed"),
    ("case $* in *--import*) exit 0;; esac; cat >/dev/null; echo '-: digests signatures OK'", "verifier-confused"),
]


@pytest.mark.parametrize(("script", "code"), ANSWERS)
def test_an_rpm_that_lies_or_dies_is_red(
    script: str, code: str, signed: bytes, keys: Keys, tmp_path: Path
) -> None:
    program = rpms.fake_rpmkeys(tmp_path / "bin", script)
    verdict = judged(signed, keys.trust("s1"), tmp_path, RpmKeys(program))
    assert isinstance(verdict, Failed) and verdict.code == code, verdict


def test_a_missing_rpm_is_red_and_says_what_to_install(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    verdict = judged(signed, keys.trust("s1"), tmp_path, RpmKeys(str(tmp_path / "rpmkeys")))
    assert verdict.code == "verifier-missing" and verdict.next_step == "apt install rpm"


def test_an_rpm_without_end_is_given_up(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    program = rpms.fake_rpmkeys(tmp_path / "bin", "exec sleep 60")
    begun = time.monotonic()
    verdict = judged(signed, keys.trust("s1"), tmp_path, RpmKeys(program, timeout=1.0))
    assert verdict.code == "verifier-killed" and time.monotonic() - begun < 20


def _package(signed: bytes) -> RpmPackage:
    return read_package(io.BytesIO(signed))


def _said(stdout: bytes, stderr: bytes, package: RpmPackage) -> Run:
    """A run that ended with 0 and was fed the package."""
    return Run(("rpmkeys",), 0, b"", stdout, stderr, package.sha256, 0.0)


def _agree(rpm: bytes, package: RpmPackage, certificate: bytes, key: str) -> None:
    run, _ = rpm_verifier().ask(package, io.BytesIO(rpm), certificate)
    judge_answer(run, package, [key])


def _answer(package: RpmPackage, key: str) -> list[str]:
    return [
        "-:",
        f"    Header V4 EdDSA/SHA512 Signature, key ID {key[-8:].lower()}: OK",
        "    Header SHA256 digest: OK",
        "    Header SHA1 digest: OK",
        "    Payload SHA256 digest: OK",
        "    MD5 digest: OK",
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines, lines[-1]],
        lambda lines: [*lines, lines[1]],
        lambda lines: [*lines, "    RSA signature: NOTFOUND"],
        lambda lines: lines[:1] + lines[2:],
        lambda lines: lines[1:],
        lambda lines: ["other.rpm:", *lines[1:]],
        lambda lines: [*lines[:1], lines[1].replace("key ID ", "key ID f"), *lines[2:]],
        lambda lines: [*lines[:1], lines[1].replace("EdDSA", "RSA"), *lines[2:]],
        lambda lines: [*lines[:1], lines[1].replace(": OK", ": OK (weak)"), *lines[2:]],
        lambda lines: [],
    ],
)
def test_only_the_very_lines_of_this_package_are_a_yes(
    change: Callable[[list[str]], list[str]], signed: bytes, keys: Keys
) -> None:
    package, key = _package(signed), keys.fingerprint("s1")
    digest = {8: "SHA256", 10: "SHA512"}[package.signature.digest]
    lines = [line.replace("SHA512", digest) for line in _answer(package, key)]
    judge_answer(_said("\n".join(lines).encode() + b"\n", b"", package), package, [key])
    later = lines[1].replace("Header V4", "Header OpenPGP V4").replace("Signature", "signature")
    later = later.replace(key[-8:].lower(), key[-16:].lower())
    judge_answer(_said("\n".join([lines[0], later, *lines[2:]]).encode() + b"\n", b"", package), package, [key])
    latest = later.replace("ID " + key[-16:].lower(), "fingerprint: " + key.lower())
    judge_answer(
        _said("\n".join([lines[0], latest, *lines[2:]]).encode() + b"\n", b"", package), package, ["0" * 40, key]
    )
    for answer, stderr in ((change(lines), b""), (lines, b"warning: x\n")):
        with pytest.raises(RefusedError) as refused:
            judge_answer(_said("\n".join(answer).encode() + b"\n", stderr, package), package, [key])
        assert refused.value.code == "verifier-confused"


def test_rpm_judges_the_very_file_that_gpg_did(signed: bytes, other: bytes, keys: Keys) -> None:
    with pytest.raises(RefusedError) as refused:
        _agree(other, _package(signed), keys.certificate("s1"), keys.fingerprint("s1"))
    assert refused.value.code == "changed-since-verified"


def test_rpm_by_another_key_says_no(signed: bytes, keys: Keys) -> None:
    with pytest.raises(RefusedError) as refused:
        _agree(signed, _package(signed), keys.certificate("s2"), keys.fingerprint("s1"))
    assert refused.value.code == "verifiers-disagree" and "NOKEY" in refused.value.reason


def test_a_no_of_rpms_is_told_with_all_that_it_said(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    answer = "case $* in *--checksig*) echo '-:'; echo '    MD5 digest: BAD'; exit 1;; esac"
    verdict = judged(signed, keys.trust("s1"), tmp_path, RpmKeys(rpms.fake_rpmkeys(tmp_path / "bin", answer)))
    assert verdict.code == "verifiers-disagree" and "MD5 digest: BAD" in verdict.reason
    told = verdict.evidence["rpmkeys"]
    assert isinstance(told, dict) and told["exit"] == 1 and told["output"] == ["-:", "    MD5 digest: BAD"]


def test_no_file_of_a_user_changes_what_rpm_says(
    signed: bytes, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".rpmmacros").write_text("%_keyring fs\n%_keyringpath /nonexistent\n%_pkgverify_flags 0xffffff\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("RPM_CONFIGDIR", str(home))
    assert isinstance(judged(signed, keys.trust("s1"), tmp_path), Passed)


@pytest.mark.skipif(os.geteuid() != 0, reason="a uid of its own needs root")
def test_as_root_rpm_runs_under_the_verifiers_uid(
    signed: bytes, keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    place = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        place.chmod(0o755)
        program = rpms.fake_rpmkeys(place / "bin", "echo I am $(id -u):$(id -g) >&2; exit 1")
        verdict = judged(signed, keys.trust("s1"), tmp_path, RpmKeys(program, uid=verifier().uid))
    finally:
        shutil.rmtree(place)
    assert verdict.code == "verifiers-disagree" and f"I am {verifier().uid}:{verifier().uid}" in verdict.reason
    assert isinstance(judged(signed, keys.trust("s1"), tmp_path), Passed)


def source(rpm: bytes, keys: Keys, folder: Path, sha256: str | None = None) -> RpmSource:
    (folder / NAME).write_bytes(rpm)
    return rpm_source("c", (folder / NAME).as_uri(), sha256=sha256, trust=keys.trust("s1"))


@pytest.mark.parametrize("pinned", [False, True])
def test_a_package_of_a_local_repository_ends_in_files(
    pinned: bool, signed: bytes, keys: Keys, tmp_path: Path
) -> None:
    digest = hashlib.sha256(signed).hexdigest()
    one, place = source(signed, keys, tmp_path, digest if pinned else None), workshop(tmp_path)
    assert isinstance(one.fetch(place), Passed)
    found = one.verify(place)
    wanted = {f"c/rpm/{NAME}", f"c/file/{NAME}"} if pinned else {f"c/rpm/{NAME}"}
    assert {item: verdict.code for item, verdict in found.verdicts.items()} == dict.fromkeys(wanted, "ok")
    for verdict in found.verdicts.values():
        (fact,) = facts_of("c", verdict.evidence, verdict.subject_sha256, Origin())
        assert (fact.kind, fact.value, fact.pinned) == ("file", digest, pinned)
    green = {item: Green(item, verdict) for item, verdict in found.verdicts.items() if isinstance(verdict, Passed)}
    one.stage(place, green, place.quarantine)
    assert (place.quarantine / "files" / NAME).read_bytes() == signed
    (tmp_path / NAME).unlink()
    if pinned:
        assert "cache" in one.fetch(workshop(tmp_path)).reason


def test_a_red_package_is_deleted(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    one, place = source(signed, keys, tmp_path, "0" * 64), workshop(tmp_path)
    one.fetch(place)
    found = one.verify(place)
    assert {item: verdict.code for item, verdict in found.verdicts.items()} == {
        f"c/rpm/{NAME}": "ok",
        f"c/file/{NAME}": "digest-mismatch",
    }
    assert [gone.name for gone in found.deleted] == [NAME] and list(place.quarantine.iterdir()) == []


def test_a_package_swapped_after_it_was_judged_is_not_copied(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    one, place = source(signed, keys, tmp_path), workshop(tmp_path)
    one.fetch(place)
    found = one.verify(place)
    green = {item: Green(item, verdict) for item, verdict in found.verdicts.items() if isinstance(verdict, Passed)}
    (place.quarantine / NAME).write_bytes(b"evil")
    with pytest.raises(RefusedError) as refused:
        one.stage(place, green, place.quarantine)
    assert refused.value.code == "changed-since-verified"


def test_a_link_in_place_of_the_package_is_red(signed: bytes, keys: Keys, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.rpm").write_bytes(signed)
    (tmp_path / NAME).symlink_to(tmp_path / "elsewhere.rpm")
    assert judge_rpm(tmp_path / NAME, keys.trust("s1")).code == "data-unreadable"


# Bytes that nothing vouches for, and why a change of them is harmless. Everything else is refused.
UNCOVERED = {
    "lead: architecture": "a number of 1996 that rpm wrote by the machine it was built on, and that nothing reads",
    "signature header: payload size": "how long the payload is unpacked: rpm's progress bar goes by it",
}


def _uncovered(signed: bytes) -> set[int]:
    parts = apart(signed)
    raw = write_header(SIGNATURES, parts.signatures)
    value = parts.signatures[rpms.ARCHIVE].data
    index = 16 + 16 * (1 + len(parts.signatures))
    place = 96 + raw.index(value, index)
    assert signed[place : place + 4] == value
    return {9, *range(place, place + 4)}


def _refused(changed: bytes, keyring: Keyring) -> bool:
    try:
        package = read_package(io.BytesIO(changed))
    except RefusedError:
        return True
    (verdict,) = keyring.verify_detached_many(package.signature.raw, package.header)
    return isinstance(verdict, Bad)


def _flips(signed: bytes, keys: Keys, masks: Callable[[int], list[int]]) -> None:
    uncovered = _uncovered(signed)
    trust = keys.trust("s1")
    with Keyring.of(trust.certificates, [keys.fingerprint("s1")], gpg=verifier()) as keyring:
        for place in range(len(signed)):
            for mask in masks(place):
                changed = bytearray(signed)
                changed[place] ^= mask
                assert _refused(bytes(changed), keyring) != (place in uncovered), (place, mask)


def test_each_byte_is_somebodys(signed: bytes, keys: Keys) -> None:
    assert len(UNCOVERED) == 2
    _flips(signed, keys, lambda place: [1 << place % 8])


@pytest.mark.slow
def test_each_bit_is_somebodys(signed: bytes, keys: Keys) -> None:
    _flips(signed, keys, lambda place: [1 << bit for bit in range(8)])


def test_rpm_refuses_the_same_where_it_looks(signed: bytes, keys: Keys) -> None:
    parts = apart(signed)
    certificate, key = keys.certificate("s1"), keys.fingerprint("s1")
    package = _package(signed)
    begin = len(signed) - len(parts.payload) - len(parts.main)
    for place in (96, begin, begin + 40, begin + len(parts.main) // 2, len(signed) - 1):
        changed = bytearray(signed)
        changed[place] ^= 1
        told = RpmPackage(**{**vars(package), "sha256": hashlib.sha256(changed).hexdigest()})
        with pytest.raises(RefusedError) as refused:
            _agree(bytes(changed), told, certificate, key)
        assert refused.value.code == "verifiers-disagree", place
