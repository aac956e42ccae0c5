"""Two persons sign one release: one by `run`, one by `sealwright sign` with digits typed at a terminal; then `run` again."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from support.small_release import Key, make_key, stop_agent
from support.terminal import Terminal
from walk.walking import SEALWRIGHT, Walk, until

pytestmark = pytest.mark.slow
DIGEST = re.compile(r"digest: {3}((?:[0-9a-f]{4} ){15}[0-9a-f]{4})")


@dataclass
class Two:
    """A walk whose manager has signed, and the other person."""

    walk: Walk
    second: Key

    def words(self, *more: str | Path) -> list[str | Path]:
        record = self.walk.folder / "second-record"
        return ["sign", self.walk.evidence, "--home", self.second.home, "--record", record, *more]

    def at_terminal(self) -> Terminal:
        return Terminal([SEALWRIGHT, *self.words()], self.walk.folder, self.walk.env)

    def ends(self, terminal: Terminal, code: int) -> str:
        assert terminal.child.wait(60) == code, terminal.shown
        terminal.settle()
        terminal.hang_up()
        assert "Traceback" not in terminal.shown
        return terminal.shown

    def asked(self, terminal: Terminal) -> str:
        """Wait for the question; gives the digest that is shown."""
        terminal.seen("first 8 digits of the digest: ")
        found = DIGEST.search(terminal.shown)
        assert found, terminal.shown
        return found[1].replace(" ", "")


@pytest.fixture
def two(sandbox: None, walk: Walk, tmp_path: Path) -> Iterator[Two]:
    second = make_key(tmp_path / "second", "second")
    keyring = walk.folder / "keyring"
    (keyring / "keys" / f"{second.fingerprint}.asc").write_text(second.certificate())
    signers = keyring / "signers.toml"
    signers.write_text(f'{signers.read_text()}\n[person.second]\nopenpgp = ["{second.fingerprint}"]\n')
    walk.change('signers = ["manager"]\n', 'signers = ["manager", "second"]\nthreshold = 2\n')
    walk.run().refused(5, "1 of 2 needed", "have second sign too")
    yield Two(walk, second)
    stop_agent(second.home)


def test_digits_typed_at_a_terminal_sign_and_the_run_after_it_is_final(two: Two) -> None:
    terminal = two.at_terminal()
    digest = two.asked(terminal)
    terminal.press(f"{digest[:8]}\n")
    terminal.seen("name of the release: ")
    terminal.press("small-1.0\n")
    shown = two.ends(terminal, 0)
    assert "signed by manager, second: 2 of 2 needed" in shown and "the release is final" in shown
    two.walk.audit().well()
    block = (two.walk.evidence / "SHA256SUMS.asc").read_bytes()
    done = two.walk.run().well()
    assert "signed by manager, second: 2 of 2 needed, final" in done.out + done.err
    assert (two.walk.evidence / "SHA256SUMS.asc").read_bytes() == block


@pytest.mark.parametrize("typed", [("00000000", "small-1.0"), ("", ""), (None, "small-1.1"), (None, "")])
def test_wrong_or_no_digits_or_name_sign_nothing(two: Two, typed: tuple[str | None, str]) -> None:
    before = two.walk.signatures()
    terminal = two.at_terminal()
    digest = two.asked(terminal)
    digits = digest[:8] if typed[0] is None else typed[0]
    terminal.press(f"{digits}\n")
    if digits:
        terminal.seen("name of the release: ")
        terminal.press(f"{typed[1]}\n")
    two.ends(terminal, 5)
    assert two.walk.signatures() == before
    two.walk.run().refused(5, "1 of 2 needed")


def test_while_a_person_is_asked_nobody_else_signs_and_a_killed_sign_leaves_nothing(two: Two) -> None:
    before = two.walk.signatures()
    terminal = two.at_terminal()
    two.asked(terminal)
    two.walk.say(*two.words("--batch")).refused(5, "somebody else signs it just now")
    two.walk.run().refused(5, "somebody else signs it just now")
    os.kill(terminal.child.pid, signal.SIGKILL)
    two.ends(terminal, -signal.SIGKILL)
    two.walk.nothing_survives()
    assert two.walk.signatures() == before
    two.walk.run().refused(5, "1 of 2 needed")


def test_a_signer_that_dies_while_a_person_is_asked_signs_nothing(two: Two) -> None:
    before = two.walk.signatures()
    terminal = two.at_terminal()
    digest = two.asked(terminal)
    found = until(lambda: _below(terminal.child.pid, "sealwright_keyring.signer.cli"), "the signer")
    os.kill(found, signal.SIGKILL)
    terminal.press(f"{digest[:8]}\n")
    terminal.seen("name of the release: ")
    terminal.press("small-1.0\n")
    assert "next:" in two.ends(terminal, 5)
    assert two.walk.signatures() == before


def test_what_a_killed_signer_left_half_written_goes_and_the_next_completes_it(two: Two) -> None:
    evidence = two.walk.evidence
    for name in (".provenance.second.dsse.json.77.new", "log/.SHA256SUMS.asc.77.new", ".index.html.77.new"):
        (evidence / name).write_bytes(b"half")
    two.walk.run().refused(5, "1 of 2 needed")
    (evidence / ".SHA256SUMS.asc.77.new").write_bytes(b"half")
    policy = two.walk.folder / "signer-policy/policy.toml"
    two.walk.say(*two.words("--policy", policy, "--batch")).well()
    two.walk.run().well()
    two.walk.is_done()


def test_a_signer_is_reached_by_a_transport(two: Two, tmp_path: Path) -> None:
    script = tmp_path / "reach the signer"
    policy = two.walk.folder / "signer-policy/policy.toml"
    program, record = SEALWRIGHT.with_name("sealwright-signer"), tmp_path / "record.jsonl"
    words = f'--home "{two.second.home}" --record "{record}" --policy "{policy}"'
    script.write_text(f'#!/bin/sh\ntest "$*" = "--as second" || exit 9\nexec "{program}" serve {words}\n')
    script.chmod(0o755)
    sign = ["sign", two.walk.evidence, "--batch", "--transport"]
    two.walk.say(*sign, tmp_path / "not there").refused(5)
    two.walk.say(*sign, script).refused(5)
    done = two.walk.say(*sign, script, "--as", "second").well()
    assert "signed by manager, second: 2 of 2 needed" in done.err
    two.walk.run().well()


def test_evidence_that_was_changed_after_it_was_signed_is_not_signed_by_a_run_again(two: Two) -> None:
    page = two.walk.evidence / "HOW-TO-VERIFY.txt"
    page.write_text(page.read_text() + "or else\n")
    two.walk.run().refused(5, "was changed after it was signed", "HOW-TO-VERIFY.txt")


def _below(pid: int, word: str) -> int:
    for process in psutil.Process(pid).children(recursive=True):
        if word in process.cmdline()[3:4]:  # python -I -m it
            return process.pid
    return 0
