"""What rpm says of a package: only the very lines about this package and this key are a yes."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sealwright_keyring.tool import Run
from sealwright_stages.verdict import Failed, Passed
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.rpm_keys import RpmKeys, judge_answer
from sealwright_stages.verify.rpm_package import RpmPackage, read_package
from sealwright_stages.verify.verifier import rpm_verifier, verifier
from verify import rpms
from verify.rpms import apart, judged
from verify.workbench import Keys


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
