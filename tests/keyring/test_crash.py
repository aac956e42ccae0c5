"""A verifier that is missing, killed, silent, cut short or lying: always red, never an exception that passes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.openpgp import Bad, Good, Keyring

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


def status(world: Any) -> list[str]:
    """The status lines of a true gpg about a good signature by S2."""
    with Keyring.of([world.cert("s2")], [world.fpr["s2"]]) as ring:
        verdict = ring.verify_detached(SIGNATURES.setdefault("s2", world.sign("s2")), DATA)
    assert isinstance(verdict, Good)
    return list(verdict.evidence["status"])  # type: ignore[call-overload]


SIGNATURES: dict[str, bytes] = {}
_LINE = "[GNUPG:] "


def without(keyword: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [line for line in lines if not line.startswith(_LINE + keyword)]


def twice(keyword: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [line for line in lines for _ in range(1 + line.startswith(_LINE + keyword))]


def also(*more: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [*lines, *(_LINE + line for line in more)]


def swapped(old: str, new: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [line.replace(_LINE + old, _LINE + new) for line in lines]


def kept(lines: list[str]) -> list[str]:
    return lines


TOLD = [
    (kept, "exit 0", "good"),
    (kept, "exit 1", "verifier-confused"),
    (kept, "exit 2", "verifier-confused"),
    (kept, "exit 33", "verifier-killed"),
    (kept, "kill -KILL $$", "verifier-killed"),
    (kept, "kill -SEGV $$", "verifier-killed"),
    (without("VALIDSIG"), "exit 0", "verifier-confused"),
    (without("GOODSIG"), "exit 0", "verifier-confused"),
    (without("NEWSIG"), "exit 0", "verifier-confused"),
    (twice("VALIDSIG"), "exit 0", "verifier-confused"),
    (twice("GOODSIG"), "exit 0", "verifier-confused"),
    (twice("NEWSIG"), "exit 0", "verifier-confused"),
    (lambda lines: lines * 2, "exit 0", "verifier-confused"),
    (lambda lines: [*lines[:-1], lines[-1][:20]], "exit 0", "verifier-confused"),
    (lambda lines: [line.lower() for line in lines], "exit 0", "verifier-confused"),
    (lambda lines: [line + "\r" for line in lines], "exit 0", "verifier-confused"),
    (lambda lines: [line.removeprefix(_LINE) for line in lines], "exit 0", "verifier-confused"),
    (also("SOMETHING_NEW 1"), "exit 0", "verifier-confused"),
    (also("NODATA 1"), "exit 0", "verifier-confused"),
    (also("FAILURE gpg-exit 33554433"), "exit 0", "verifier-confused"),
    (also("BADSIG 0000000000000000 nobody"), "exit 0", "verifier-confused"),
    (also("ERRSIG 0000000000000000 1 8 00 1 9 -"), "exit 0", "verifier-confused"),
    (also("DECRYPTION_OKAY"), "exit 0", "verifier-confused"),
    (also("PLAINTEXT 62 0 x"), "exit 0", "verifier-confused"),
    (also("", ""), "exit 0", "verifier-confused"),
    (swapped("GOODSIG", "BADSIG"), "exit 1", "verifier-confused"),
    (swapped("GOODSIG", "EXPSIG"), "exit 0", "signature-expired"),
    (swapped("GOODSIG", "REVKEYSIG"), "exit 0", "key-revoked"),
    (swapped("GOODSIG", "EXPKEYSIG"), "exit 0", "verifier-confused"),
    (lambda lines: without("VALIDSIG")(swapped("GOODSIG", "BADSIG")(lines)), "exit 0", "verifier-confused"),
]


@pytest.mark.parametrize(("spoil", "ending", "code"), TOLD)
def test_a_verifier_that_says_anything_but_the_whole_truth_is_red(
    world: Any, tmp_path: Path, spoil: Callable[[list[str]], list[str]], ending: str, code: str
) -> None:
    (tmp_path / "told").write_text("".join(f"{line}\n" for line in spoil(status(world))))
    gpg = fake(tmp_path, f"cat {tmp_path}/told >&$fd; {ending}")
    with Keyring.of([world.cert("s2")], [world.fpr["s2"]], gpg=gpg) as ring:
        verdict = ring.verify_detached(SIGNATURES["s2"], DATA)
    assert (verdict.reason_code if isinstance(verdict, Bad) else "good") == code


@pytest.mark.parametrize("tail", ["", "[GNUPG:] KEY_CONS"])
def test_a_status_that_does_not_end_with_a_whole_line_is_red(world: Any, tmp_path: Path, tail: str) -> None:
    (tmp_path / "told").write_text("\n".join(status(world)) + (f"\n{tail}" if tail else ""))
    gpg = fake(tmp_path, f"cat {tmp_path}/told >&$fd; exit 0")
    with Keyring.of([world.cert("s2")], [world.fpr["s2"]], gpg=gpg) as ring:
        verdict = ring.verify_detached(SIGNATURES["s2"], DATA)
    assert isinstance(verdict, Bad)
    assert verdict.reason_code == "verifier-confused"


def test_a_good_word_about_a_key_that_was_not_chosen_is_red(world: Any, tmp_path: Path) -> None:
    lines = [line.replace(world.fpr["s2"], world.fpr["outsider"]) for line in status(world)]
    short = [line.replace(world.fpr["s2"][-16:], world.fpr["outsider"][-16:]) for line in lines]
    (tmp_path / "told").write_text("".join(f"{line}\n" for line in short))
    gpg = fake(tmp_path, f"cat {tmp_path}/told >&$fd; exit 0")
    with Keyring.of([world.cert("s2")], [world.fpr["s2"]], gpg=gpg) as ring:
        verdict = ring.verify_detached(SIGNATURES["s2"], DATA)
    assert isinstance(verdict, Bad)
    assert verdict.reason_code == "signature-unknown-key"


def test_a_verifier_that_gives_back_other_text_than_the_documents_is_red(world: Any, tmp_path: Path) -> None:
    document = world.clearsign("s2", data=DATA)
    with Keyring.of([world.cert("s2")], [world.fpr["s2"]]) as ring:
        verdict, _ = ring.verify_clearsigned(document)
    assert isinstance(verdict, Good)
    (tmp_path / "told").write_text("".join(f"{line}\n" for line in verdict.evidence["status"]))  # type: ignore[attr-defined]
    for text, wanted in ((DATA.decode().strip(), Good), ("evil", Bad), ("", Bad)):
        gpg = fake(tmp_path, f"echo '{text}'; cat {tmp_path}/told >&$fd; exit 0")
        with Keyring.of([world.cert("s2")], [world.fpr["s2"]], gpg=gpg) as ring:
            verdict, signed = ring.verify_clearsigned(document)
        assert isinstance(verdict, wanted)
        assert signed == (DATA if wanted is Good else b"")


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


@pytest.mark.parametrize(
    "body",
    [
        "while :; do :; done",
        'exec 1>&- 2>&-; eval "exec $fd>&-"; exec sleep 600',
        "sleep 600 & exit 0",
    ],
)
def test_a_verifier_that_hangs_is_stopped_and_red(world: Any, tmp_path: Path, body: str) -> None:
    gpg = Gpg(fake(tmp_path, body).program, timeout=1.0)
    with Keyring.of([world.cert("s1")], [world.fpr["s1"]], gpg=gpg) as ring:
        verdict = ring.verify_detached(world.sign("s1"), DATA)
    assert isinstance(verdict, Bad)
    assert verdict.reason_code == "verifier-killed"


@pytest.mark.parametrize("where", ["2", "1", "$fd"])
def test_a_verifier_that_floods_is_stopped_and_red(world: Any, tmp_path: Path, where: str) -> None:
    gpg = fake(tmp_path, f"exec yes '[GNUPG:] NEWSIG' >&{where}")
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
