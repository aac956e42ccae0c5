"""A verifier that is missing, killed, silent, cut short or lying: always red, never an exception that passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.openpgp import Bad, Keyring

DATA = b"the bytes that were meant\n"
_HEAD = """#!/bin/bash
case " $* " in *" --verify "*) ;; *) exec gpg "$@";; esac
fd=2
while [ $# -gt 0 ]; do [ "$1" = --status-fd ] && fd=$2; shift; done
say() { eval "printf '%b' \\"\\$1\\" >&$fd"; }
cat >/dev/null
"""
_GOOD = (
    "[GNUPG:] NEWSIG\\n[GNUPG:] GOODSIG {short} somebody\\n"
    "[GNUPG:] VALIDSIG {key} 2026-01-01 1767225600 0 4 0 22 8 00 {key}\\n"
)


def fake(tmp_path: Path, body: str) -> Gpg:
    """A gpg that is genuine but for verification, where `body` runs."""
    program = tmp_path / "fakegpg"
    program.write_text(_HEAD + body + "\n")
    program.chmod(0o755)
    return Gpg(str(program), timeout=5)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("kill -KILL $$", "verifier-killed"),
        ("kill -SEGV $$", "verifier-killed"),
        ("exit 0", "verifier-confused"),
        ("echo 'gpg: BAD signature' >&2; exit 0", "verifier-confused"),
        ("echo 'gpg: Good signature' >&2; exit 0", "verifier-confused"),
        ("say '[GNUPG:] NEWSIG\\n[GNUPG:] GOODS'; exit 0", "verifier-confused"),
        ("say 'GOODSIG\\n'; exit 0", "verifier-confused"),
        ("say '[GNUPG:] NEWSIG\\n[GNUPG:] GOODSIG 00 x\\n'; exit 0", "verifier-confused"),
        ("exit 77", "verifier-killed"),
    ],
)
def test_a_crashed_or_silent_verifier_is_red(world: Any, tmp_path: Path, body: str, code: str) -> None:
    gpg = fake(tmp_path, body)
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]], gpg=gpg) as ring:
        verdict = ring.verify_detached(world.sign("s1"), DATA)
    assert isinstance(verdict, Bad)
    assert verdict.reason_code == code


def test_a_verifier_that_speaks_of_another_signature_is_red(world: Any, tmp_path: Path) -> None:
    key = world.fpr["s1"]
    gpg = fake(tmp_path, f"say '{_GOOD.format(key=key, short=key[-16:])}'; exit 0")
    with Keyring.of([world.cert("s1")], [key], gpg=gpg) as ring:
        verdict = ring.verify_detached(world.sign("s1"), DATA)
    assert isinstance(verdict, Bad)
    assert verdict.reason_code == "verifier-confused"


def test_good_words_beside_a_bad_exit_code_are_red(world: Any, tmp_path: Path) -> None:
    key = world.fpr["s2"]
    body = f"say '{_GOOD.format(key=key, short=key[-16:]).replace(' 22 8 ', ' 1 10 ')}'; exit 2"
    gpg = fake(tmp_path, body)
    with Keyring.of([world.cert("s2")], [key], gpg=gpg) as ring:
        verdict = ring.verify_detached(world.sign("s2"), DATA)
    assert isinstance(verdict, Bad)
    assert "exit status 2" in verdict.sentence


def test_a_verifier_that_hangs_is_stopped_and_red(world: Any, tmp_path: Path) -> None:
    gpg = Gpg(fake(tmp_path, "while :; do :; done").program, timeout=1.0)
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]], gpg=gpg) as ring:
        verdict = ring.verify_detached(world.sign("s1"), DATA)
    assert isinstance(verdict, Bad)
    assert verdict.reason_code == "verifier-killed"


def test_a_verifier_that_floods_is_stopped_and_red(world: Any, tmp_path: Path) -> None:
    gpg = fake(tmp_path, "exec yes >&2")
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]], gpg=gpg) as ring:
        verdict = ring.verify_detached(world.sign("s1"), DATA)
    assert isinstance(verdict, Bad)
    assert verdict.reason_code == "verifier-killed"


def test_a_missing_gpg_is_an_error_that_says_what_to_install(world: Any) -> None:
    with pytest.raises(KeyringError, match="missing"):
        Keyring.of([world.cert("s1")], [world.fpr["s1"]], gpg=Gpg("/nonexistent/gpg"))


def test_a_gpg_of_an_unknown_kind_is_an_error(world: Any, tmp_path: Path) -> None:
    program = tmp_path / "gpg"
    program.write_text("#!/bin/sh\necho 'gpg (NotGnuPG) 9.9'\n")
    program.chmod(0o755)
    with pytest.raises(KeyringError, match="not version 2"):
        Keyring.of([world.cert("s1")], [world.fpr["s1"]], gpg=Gpg(str(program)))


def test_no_gpg_of_the_callers_path_is_run(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "ran"
    (tmp_path / "gpg").write_text(f"#!/bin/sh\ntouch {marker}\n")
    (tmp_path / "gpg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]]) as ring:
        assert isinstance(ring.verify_detached(world.sign("s1"), b"other"), Bad)
    assert not marker.exists()
