"""The command line as a whole: every end of it has an exit code, three lines, and JSON where that was asked for."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sealwright_console import cli
from sealwright_console.cli import main
from sealwright_stages.errors import Exit
from sealwright_stages.work import WorkFolder

SEALWRIGHT = Path(sys.executable).with_name("sealwright")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["audit", "x", "--signers", "a"], Exit.USAGE),
        (["audit", "x", "--no-such-option"], Exit.USAGE),
        (["check", "x", "--evidence", "x", "--witness", "w"], Exit.USAGE),
        (["diff", "x", "x", "--checkpoint", "nowhere"], Exit.USAGE),
        (["review", "x", "--at", "1", "--search", "y"], Exit.USAGE),
        (["publish", "--to", "nowhere"], Exit.ENVIRONMENT),
        (["publish", "loop", "--to", "site"], Exit.USAGE),
        (["publish", "x", "--to", "loop"], Exit.USAGE),
        (["publish", "x", "--to", ""], Exit.USAGE),
        (["publish", "nowhere", "--to", "site"], Exit.USAGE),
        (["audit", "nowhere"], Exit.USAGE),
        (["check", "x", "--evidence", "nowhere"], Exit.USAGE),
        (["diff", "nowhere", "nowhere"], Exit.USAGE),
        (["review", "--batch", "nowhere"], Exit.USAGE),
    ],
)
def test_json_is_said_of_every_refusal(
    words: list[str],
    code: Exit,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    assert main([*words, "--json"]) == code
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert [line.partition(":")[0] for line in said.err.splitlines()] == ["error", "because", "next"]
    assert told["what"] and told["because"] and told["next"]
    assert told.get("exit", code) == code and "verdict" not in told and told.get("published", "no") == "no"


def test_a_failure_of_our_own_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise RuntimeError("\x1b[31m")

    monkeypatch.setattr(cli, "_parser", fails)
    assert main(["audit", "x", "--json"]) == Exit.ENVIRONMENT
    said = capsys.readouterr()
    assert json.loads(said.out)["exit"] == Exit.ENVIRONMENT and "\x1b" not in said.err
    assert said.err.startswith("error: Sealwright itself failed\nbecause: RuntimeError: ")


def test_what_nobody_read_is_no_yes() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([SEALWRIGHT, "explain"], stdout=write, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize(("broken", "code"), [(">/dev/full", 3), (">&-", 1), ("2>&-", 1), (">&- 2>&-", 1)])
@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_where_nobody_can_be_told_the_exit_code_is_no_yes_and_no_traceback(
    tmp_path: Path, broken: str, code: int, more: tuple[str, ...], unbuffered: str
) -> None:
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    words = ["sh", "-c", f'exec "$@" {broken}', "sh", SEALWRIGHT, "audit", tmp_path, *more]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert not more or code == 3 or done.stdout == "" or json.loads(done.stdout)["verdict"] == "no"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_a_character_is_no_reason_to_fail(encoding: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    words = [SEALWRIGHT, "audit", tmp_path]
    done = subprocess.run(words, env=environment, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (Exit.CLOSED, b"")
    assert done.stdout.splitlines()[-1] == b"verdict: NO" and rb"\u2717 BAD" in done.stdout


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- 2>&-", "<&- >&- 2>&-"])
def test_a_descriptor_that_was_closed_is_no_terminal_and_goes_to_no_file_of_ours(
    closed: str, tmp_path: Path
) -> None:
    look = (
        "import os, sys; from sealwright_console import cli; code = cli.main(['attach', '--work', sys.argv[1]]); "
        "assert {os.readlink(f'/proc/self/fd/{n}') for n in range(3)} - set(sys.argv[2:]) == {'/dev/null'}; sys.exit(code)"
    )
    with WorkFolder(tmp_path).locked():
        program = shlex.join([sys.executable, "-c", look, str(tmp_path)])
        kept = "$(readlink /proc/$$/fd/1) $(readlink /proc/$$/fd/2)"
        argv = ["sh", "-c", f"exec {program} {kept} {closed}"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2, done.stderr
    assert "2>&-" in closed or "no terminal" in done.stderr
