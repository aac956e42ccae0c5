"""SSH signatures: each rule of ssh, ssh_keys and agreement, with the real ssh-keygen."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_keyring.errors import MalformedError, RefusedError
from sealwright_keyring.ssh import SshKeygen, parse_signature, verify_ssh
from sealwright_keyring.ssh_keys import SshKey, parse_key, parse_key_file
from sealwright_keyring.verdicts import Bad, Good, Verdict
from support.other_keys import OtherKeys, SoftSecurityKey, armored, number, sshsig, string

DATA = b"the bytes that were meant\n"
NOW = datetime.now(UTC)


def judged(signature: bytes, *keys: SshKey, data: bytes | Path = DATA, namespace: str = "file") -> Verdict:
    return verify_ssh(signature, data, keys, namespace=namespace)


def code(verdict: Verdict) -> str:
    return verdict.reason_code if isinstance(verdict, Bad) else type(verdict).__name__


def blob_of(signature: bytes) -> bytes:
    return base64.b64decode(b"".join(signature.split(b"\n")[1:-2]))


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("ed25519", ""), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048"), ("rsa", "3072")],
)
def test_both_checks_agree_on_every_kind_of_key_that_is_accepted(others: OtherKeys, kind: str, bits: str) -> None:
    name = kind + bits
    key = others.ssh(name, kind, bits)
    signature = others.ssh_sign(name, DATA)
    verdict = judged(signature, others.ssh("someone"), key)
    assert isinstance(verdict, Good), verdict
    assert verdict.fingerprint == key.fingerprint
    assert verdict.evidence["second_check"] == "agrees"
    listed = subprocess.run(
        ["ssh-keygen", "-l", "-f", others.ssh_file(name)], capture_output=True, text=True, check=True
    )
    assert listed.stdout.split()[1] == key.fingerprint
    assert code(judged(signature, key, data=DATA + b"x")) == "signature-bad"


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
@pytest.mark.parametrize("name", ["s1", "rsa2048"])
def test_both_checks_agree_on_both_digests(others: OtherKeys, digest: str, name: str) -> None:
    key = others.ssh(name, *(("rsa", "2048") if name == "rsa2048" else ()))
    verdict = judged(others.ssh_sign(name, DATA, "file", "-O", f"hashalg={digest}"), key)
    assert isinstance(verdict, Good) and verdict.digest == digest.upper()


def test_a_file_is_read_once_and_named_by_what_was_read(others: OtherKeys, tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(DATA * 200_000)
    verdict = judged(others.ssh_sign("s1", DATA * 200_000), others.ssh("s1"), data=path)
    assert isinstance(verdict, Good), verdict
    (tmp_path / "link").symlink_to(path)
    assert code(judged(others.ssh_sign("s1", DATA), others.ssh("s1"), data=tmp_path / "link")) == "data-unreadable"
    assert code(judged(others.ssh_sign("s1", DATA), others.ssh("s1"), data=tmp_path / "no")) == "data-unreadable"


def test_a_signature_for_another_namespace_is_red(others: OtherKeys) -> None:
    key = others.ssh("s1")
    for made, asked in (("file", "git"), ("git", "file"), ("file.", "file"), ("email", "file")):
        verdict = judged(others.ssh_sign("s1", DATA, made), key, namespace=asked)
        assert code(verdict) == "signature-namespace", made
    assert code(judged(others.ssh_sign("s1", DATA, "git"), key, namespace="git")) == "Good"
    with pytest.raises(ValueError, match="namespace"):
        judged(others.ssh_sign("s1", DATA), key, namespace='file" cert-authority')


def test_ssh_keygen_is_asked_to_verify_and_an_unknown_key_is_red(others: OtherKeys, tmp_path: Path) -> None:
    signature = others.ssh_sign("outsider", DATA)
    (tmp_path / "s").write_bytes(signature)
    trap = ["ssh-keygen", "-Y", "check-novalidate", "-n", "file", "-s", tmp_path / "s"]
    assert subprocess.run(trap, input=DATA, capture_output=True, check=False).returncode == 0, "the trap is open"
    assert code(judged(signature, others.ssh("s1"))) == code(judged(signature)) == "signature-unknown-key"
    good = judged(others.ssh_sign("s1", DATA), others.ssh("s1"))
    assert good.evidence["argv"][1:3] == ["-Y", "verify"]  # type: ignore[index]


def test_another_key_that_claims_the_signature_is_red(others: OtherKeys) -> None:
    """The outsider's signature, with the chosen key's bytes put in place of the outsider's."""
    theirs = parse_signature(others.ssh_sign("outsider", DATA))
    forged = sshsig(others.ssh("s1").blob, b"file", theirs.value)
    assert code(judged(forged, others.ssh("s1"))) == "signature-bad"


def test_two_blocks_and_bytes_around_one_are_red(others: OtherKeys) -> None:
    good, other = others.ssh_sign("s1", DATA), others.ssh_sign("outsider", DATA)
    keys = others.ssh("s1"), others.ssh("outsider")
    for made in (
        good + good,
        good + other,
        other + good,
        good + b"\n",
        b"\n" + good,
        good + b"x",
        b" " + good,
        good.replace(b"\n", b"\r\n"),
        good.replace(b"-----BEGIN SSH", b"-----BEGIN PGP"),
        good[: len(good) // 2],
        b"",
        good.replace(b"SSH SIGNATURE-----\n", b"SSH SIGNATURE-----\nComment: x\n\n", 1),
    ):
        assert code(judged(made, *keys)) == "signature-malformed", made
    assert code(judged(good.removesuffix(b"\n"), *keys)) == "Good"
    double = judged(good + good, *keys)
    assert isinstance(double, Bad) and "more than one signature block" in double.sentence


def not_canonical(text: bytes) -> bytes:
    """The same bytes in base64 of another spelling: bits that padding leaves unused are set."""
    place = len(text.rstrip(b"=")) - 1
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = text[:place] + alphabet[alphabet.index(text[place]) + 1 :][:1] + text[place + 1 :]
    assert text.endswith(b"=")
    return other


def test_base64_has_one_spelling(others: OtherKeys) -> None:
    key = others.ssh("s1")
    value = parse_signature(others.ssh_sign("s1", DATA)).value
    blobs = [
        b"SSHSIG\0\0\0\1" + b"".join(map(string, (key.blob, n, b"", b"sha512", value))) for n in (b"fi", b"fil")
    ]
    (blob,) = [blob for blob in blobs if len(blob) % 3][:1]
    assert parse_signature(armored(blob)).key == key.blob
    *lines, last, end, _ = armored(blob).split(b"\n")
    with pytest.raises(MalformedError, match="canonical"):
        parse_signature(b"\n".join([*lines, not_canonical(last), end, b""]))
    with pytest.raises(MalformedError, match="canonical"):
        line = others.ssh("p", "ecdsa", "256").line.encode()
        kind, text = line.split(b" ")
        parse_key_file(kind + b" " + not_canonical(text))


@pytest.mark.parametrize(
    "blob",
    [
        string(b"ssh-ed25519") + string(b"x" * 31),
        string(b"ssh-ed25519") + string(b"x" * 33),
        string(b"ssh-ed25519") + string(b"x" * 32) + b"x",
        string(b"ssh-rsa") + number(65537) + string(b"\xff" * 256),
        string(b"ssh-rsa") + number(65537) + string(b"\0\0" + b"\xff" * 256),
        string(b"ssh-rsa") + number(65536) + string(b"\0" + b"\xff" * 256),
        string(b"ssh-rsa") + number(1) + string(b"\0" + b"\xff" * 256),
        string(b"ssh-rsa") + string(b"") + string(b"\0" + b"\xff" * 256),
        string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(b"\4" + b"x" * 64),
        string(b"ecdsa-sha2-nistp256") + string(b"nistp384") + string(b"\4" + b"x" * 96),
    ],
)
def test_a_key_is_written_in_its_one_form(blob: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_key(blob)


def test_a_point_is_written_in_full(others: OtherKeys) -> None:
    point = others.ssh("p", "ecdsa", "256").blob[-65:]
    short = bytes([2 + (point[-1] & 1)]) + point[1:33]
    with pytest.raises(MalformedError, match="in full"):
        parse_key(string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(short))


def test_no_changed_field_is_accepted(others: OtherKeys) -> None:
    key, found = others.ssh("s1"), parse_signature(others.ssh_sign("s1", DATA))
    blob = blob_of(others.ssh_sign("s1", DATA))
    assert code(judged(sshsig(key.blob, b"file", found.value), key)) == "Good"
    red = {
        sshsig(key.blob, b"file", found.value, reserved=b"x"): "signature-malformed",
        sshsig(key.blob, b"file", found.value, digest=b"sha256"): "signature-bad",
        sshsig(key.blob, b"file", found.value, digest=b"sha1"): "digest-weak",
        sshsig(key.blob, b"file", found.value, digest=b"md5"): "digest-weak",
        sshsig(key.blob, b"", found.value): "signature-malformed",
        sshsig(key.blob, b"file\0", found.value): "signature-malformed",
        sshsig(key.blob, b"file", found.value + b"x"): "signature-malformed",
        armored(blob + b"x"): "signature-malformed",
        armored(blob[:-1]): "signature-malformed",
        armored(blob.replace(b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\2")): "signature-malformed",
        armored(blob.replace(b"SSHSIG\0\0\0\1", b"SSHSIG\0\0\0\0")): "signature-malformed",
        armored(b"SSHSIQ" + blob[6:]): "signature-malformed",
    }
    for made, wanted in red.items():
        assert code(judged(made, key)) == wanted, made
    for place in range(len(blob)):
        changed = bytearray(blob)
        changed[place] ^= 1
        with pytest.raises((MalformedError, RefusedError, AssertionError)):  # without the program: it is slow
            _accepted_by_us(armored(bytes(changed)), key)


def _accepted_by_us(signature: bytes, key: SshKey) -> None:
    found = parse_signature(signature)
    import hashlib

    assert (found.key, found.namespace) == (key.blob, "file")
    assert found.digest in ("sha256", "sha512")
    try:
        key.check(found.value, found.message(hashlib.new(found.digest, DATA).digest()))
    except Exception as error:
        raise AssertionError from error


@given(st.binary(max_size=400))
def test_the_parsers_refuse_what_they_do_not_know_and_never_fail(data: bytes) -> None:
    for parse in (
        parse_signature,
        parse_key,
        parse_key_file,
        lambda made: parse_signature(armored(b"SSHSIG" + made)),
    ):
        with pytest.raises((MalformedError, RefusedError)):
            parse(data)


def test_sha1_dsa_small_keys_and_certificates_are_refused(others: OtherKeys, tmp_path: Path) -> None:
    rsa, small = others.ssh("rsa2048", "rsa", "2048"), others.ssh_file("small", "rsa", "1024")
    value = parse_signature(others.ssh_sign("rsa2048", DATA)).value
    sha1 = value.replace(string(b"rsa-sha2-512"), string(b"ssh-rsa"))
    assert code(judged(sshsig(rsa.blob, b"file", sha1), rsa)) == "digest-weak"
    with pytest.raises(RefusedError) as refused:
        rsa.check(sha1, b"x")
    assert refused.value.code == "digest-weak"
    with pytest.raises(RefusedError, match="1024 bits"):
        parse_key_file(small.with_suffix(".ssh.pub").read_bytes())
    assert code(judged(others.ssh_sign("small", DATA), rsa)) == "key-weak"
    dsa = string(b"ssh-dss") + number(5) * 4
    assert code(judged(sshsig(dsa, b"file", value), rsa)) == "key-weak"
    authority, subject = others.ssh_file("authority"), others.ssh_file("subject")
    subprocess.run(
        ["ssh-keygen", "-q", "-s", authority, "-I", "x", "-n", "chosen", f"{subject}.pub"],
        check=True,
        capture_output=True,
    )
    certificate = Path(f"{subject}-cert.pub")
    with pytest.raises(RefusedError, match="certificate"):
        parse_key_file(certificate.read_bytes())
    words = ["ssh-keygen", "-q", "-Y", "sign", "-f", certificate, "-n", "file"]
    signed = subprocess.run(words, input=DATA, capture_output=True, check=True).stdout
    assert b"cert-v01" in blob_of(signed), "it was made with the certificate"
    verdict = judged(signed, others.ssh("authority"), others.ssh("subject"))
    assert code(verdict) == "key-weak"


@pytest.mark.parametrize(
    "options", ["cert-authority ", 'cert-authority,principals="*" ', 'namespaces="file" ', "* "]
)
def test_a_key_file_with_options_is_refused(others: OtherKeys, options: str) -> None:
    line = others.ssh("s1").line
    assert parse_key_file(f"{line}\n".encode()) == others.ssh("s1").__class__("ssh-ed25519", others.ssh("s1").blob)
    for made in (
        options + line,
        f"{line}\n{line}\n",
        f"# note\n{line}\n",
        f"{line}\n\n",
        f" {line}",
        f"{line} \x1b[2J",
    ):
        with pytest.raises(MalformedError):
            parse_key_file(made.encode())
    with pytest.raises(MalformedError, match="holds a key of kind"):
        parse_key_file(line.replace("ssh-ed25519", "ssh-rsa").encode())


def test_no_key_is_allowed_but_the_chosen_ones_and_none_by_a_pattern(others: OtherKeys, tmp_path: Path) -> None:
    told = tmp_path / "told"
    spy = tmp_path / "ssh-keygen"
    spy.write_text(f'#!/bin/sh\nshift 3; cat "$1" > {told}; exec ssh-keygen -Y verify -f "$@"\n')
    spy.chmod(0o755)
    keys = (others.ssh("s1"), others.ssh("rsa2048", "rsa", "2048"))
    verdict = verify_ssh(others.ssh_sign("s1", DATA), DATA, keys, namespace="git", tool=SshKeygen(str(spy)))
    assert code(verdict) == "signature-namespace" and not told.exists()
    verdict = verify_ssh(others.ssh_sign("s1", DATA), DATA, keys, namespace="file", tool=SshKeygen(str(spy)))
    assert code(verdict) == "Good", verdict
    assert told.read_text() == "".join(f'chosen namespaces="file" {key.line}\n' for key in keys)
    assert not re.search(r"[*?!]|cert-authority", re.sub(r"[A-Za-z0-9+/=]{40,}", "", told.read_text()))


@pytest.mark.parametrize("curve", ["ed25519", "nistp256"])
def test_a_security_key_counts_only_with_a_touch(curve: str) -> None:
    token = SoftSecurityKey(curve)
    key = parse_key_file(token.line())
    assert code(judged(token.sign(DATA), key)) == code(judged(token.sign(DATA, flags=5), key)) == "Good"
    for flags in (0, 4, 0x41, 0x81):
        untouched = judged(token.sign(DATA, flags=flags), key)
        assert code(untouched) == "signature-untouched"
        assert untouched.evidence["exit"] == 0, "ssh-keygen alone would take it"
    assert code(judged(token.sign(DATA), parse_key_file(SoftSecurityKey(curve).line()))) == "signature-unknown-key"
    assert code(judged(token.sign(DATA + b"x"), key)) == "signature-bad"


def test_its_time_is_the_one_that_is_given_and_does_not_lie_ahead(others: OtherKeys) -> None:
    signature, key = others.ssh_sign("s1", DATA, "git"), others.ssh("s1")
    then = datetime(2024, 2, 3, tzinfo=UTC)
    verdict = verify_ssh(signature, DATA, [key], namespace="git", signed_at=then)
    assert isinstance(verdict, Good) and verdict.created == then and "2024-02-03" in str(verdict.evidence["time"])
    later = verify_ssh(signature, DATA, [key], namespace="git", signed_at=datetime.now(UTC) + timedelta(days=1))
    assert code(later) == "signature-in-future"
    today = verify_ssh(signature, DATA, [key], namespace="git")
    assert isinstance(today, Good) and NOW <= today.created <= datetime.now(UTC)


def liar(folder: Path, script: str) -> SshKeygen:
    path = folder / "ssh-keygen"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return SshKeygen(str(path), timeout=5)


def test_an_ssh_keygen_that_lies_well_is_found_out(others: OtherKeys, tmp_path: Path) -> None:
    key = others.ssh("s1")
    yes = f'Good "file" signature for chosen with ED25519 key {key.fingerprint}'
    says_yes = liar(tmp_path, f"cat >/dev/null; echo '{yes}'")
    good, bad = others.ssh_sign("s1", DATA), others.ssh_sign("s1", DATA + b"x")
    assert code(verify_ssh(bad, DATA, [key], namespace="file", tool=says_yes)) == "verifiers-disagree"
    assert code(verify_ssh(good, DATA, [key], namespace="file", tool=says_yes)) == "Good"
    says_no = liar(
        tmp_path, "cat >/dev/null; echo 'Signature verification failed: incorrect signature' >&2; exit 255"
    )
    assert code(verify_ssh(good, DATA, [key], namespace="file", tool=says_no)) == "verifiers-disagree"


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("cat >/dev/null; exit 0", "verifier-confused"),
        ("cat >/dev/null; echo Good; exit 0", "verifier-confused"),
        (
            "cat >/dev/null; echo 'Good \"file\" signature for mallory with ED25519 key x'; exit 0",
            "verifier-confused",
        ),
        ("cat >/dev/null; exit 1", "verifier-confused"),
        ("cat >/dev/null; echo '<yes>'; exit 1", "verifier-confused"),
        ("cat >/dev/null; echo '<yes>' | sed s/chosen/mallory/; exit 0", "verifier-confused"),
        (
            "cat >/dev/null; echo 'Signature verification failed: incorrect signature' >&2; exit 0",
            "verifier-confused",
        ),
        ("kill -9 $$", "verifier-killed"),
        ("exit 127", "verifier-missing"),
        ("exec sleep 60", "verifier-killed"),
        ("exec yes", "verifier-killed"),
    ],
)
def test_a_crash_a_missing_tool_and_an_odd_answer_are_red(
    others: OtherKeys, tmp_path: Path, script: str, wanted: str
) -> None:
    yes = f'Good "file" signature for chosen with ED25519 key {others.ssh("s1").fingerprint}'
    tool = SshKeygen(liar(tmp_path, script.replace("<yes>", yes)).program, timeout=1)
    verdict = verify_ssh(others.ssh_sign("s1", DATA), DATA, [others.ssh("s1")], namespace="file", tool=tool)
    assert code(verdict) == wanted


def test_a_program_that_is_not_there_is_red(others: OtherKeys) -> None:
    tool = SshKeygen("no-such-ssh-keygen")
    verdict = verify_ssh(others.ssh_sign("s1", DATA), DATA, [others.ssh("s1")], namespace="file", tool=tool)
    assert code(verdict) == "verifier-missing"


def test_what_is_wrong_with_this_machine_sends_nobody_to_the_signer(others: OtherKeys, tmp_path: Path) -> None:
    signature, key = others.ssh_sign("s1", DATA), others.ssh("s1")
    for program in ("no-such-ssh-keygen", "/bin/true", "/bin/false"):
        verdict = verify_ssh(signature, DATA, [key], namespace="file", tool=SshKeygen(program))
        assert isinstance(verdict, Bad) and "sealwright doctor" in verdict.next_step
    verdict = verify_ssh(signature, tmp_path / "gone", [key], namespace="file")
    assert isinstance(verdict, Bad) and "signer" not in verdict.next_step


@pytest.mark.skipif(os.geteuid() != 0, reason="a uid of its own needs root")
def test_as_root_it_runs_as_a_user_whom_the_password_file_does_not_have(others: OtherKeys) -> None:
    good, key = others.ssh_sign("s1", DATA), others.ssh("s1")
    for signature, wanted in ((good, "Good"), (others.ssh_sign("s1", DATA + b"x"), "signature-bad")):
        verdict = verify_ssh(signature, DATA, [key], namespace="file", tool=SshKeygen(uid=61190))
        assert (code(verdict), verdict.evidence["tool_uid"]) == (wanted, 61190)
