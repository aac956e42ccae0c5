"""A run outlives its console, however that one goes, and another console comes back to it: the real programs on a pty."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from sealwright_stages.attended.place import Place
from sealwright_stages.work import WorkFolder
from support.terminal import Terminal
from walk.conftest import manifest_text
from walk.held import HELD, Held
from walk.walking import SEALWRIGHT, events, until

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
RUNS_ON = "runs on, in process"


@dataclass
class Attended(Held):
    """The release that waits for words, on terminals."""

    terminals: list[Terminal] = field(default_factory=list)

    def open(self, command: str = "run", *words: str) -> Terminal:
        """`sealwright run`, or another command, on a new terminal."""
        first = [command, self.manifest] if command == "run" else [command]
        terminal = Terminal([SEALWRIGHT, *first, "--work", self.work, *words], self.folder, self.env)
        self.terminals.append(terminal)
        return terminal

    def builds(self) -> Terminal:
        """A console whose run is in the middle of its build."""
        terminal = self.open()
        self.answers.set()
        until(lambda: any(e["e"] == "build.started" for e in events(self.work)), lambda: terminal.shown)
        until((self.work / "build" / "greeting" / "build" / "greeting").exists, "the build runs")
        terminal.seen("log authority connected")
        return terminal

    @property
    def engine(self) -> psutil.Process:
        """The engine's process."""
        hello = until(self.place.engine, "the engine says who it is")
        return psutil.Process(hello.pid)

    @property
    def place(self) -> Place:
        return Place(WorkFolder(self.work))

    def sign(self, terminal: Terminal) -> None:
        """Type what a person types at the end."""
        terminal.seen("the signer waits for you")
        terminal.press("5")
        terminal.seen("YOU ARE ABOUT TO SIGN")
        terminal.seen("1 products of small-1.0")
        wanted = re.compile(r"digest   ((?:[0-9a-f]{4} +){4})")
        digest = until(lambda: wanted.search(terminal.shown), lambda: terminal.shown[-3000:])
        mark = terminal.mark()
        terminal.press(f"{digest[1].replace(' ', '')[:8]}\tsmall-1.0\t\r")  # in one go, as a busy console gets it
        terminal.seen("armed: tab to Sign", mark)
        terminal.settle()
        assert not [*self.work.glob("evidence/*.asc")], "what was typed ahead signs nothing"
        terminal.press("\r")

    def runs_to_its_end(self, terminal: Terminal) -> None:
        """Let the build go, sign, and leave: the release is done."""
        self.let_build()
        self.signs_to_its_end(terminal)

    def signs_to_its_end(self, terminal: Terminal) -> None:
        """Sign, and leave."""
        self.sign(terminal)
        terminal.seen("✓ SIGNED")
        terminal.seen("✓ signed by manager")
        terminal.press("q")
        assert terminal.end() == 0, terminal.shown[-2000:]
        self.is_done()


@pytest.fixture
def attended(folder: object) -> Iterator[Attended]:
    with Attended.around(folder) as made:  # type: ignore[arg-type]
        home = f'home = "{made.folder}/signer-home"'
        unseen = f'"test ! -e {made.place.folder}", '  # no build sees where its engine listens
        made.begin(manifest_text(made.folder, url=made.url, wait=f'{unseen}"{HELD}", ', signer=home))
        yield made
        for terminal in made.terminals:
            terminal.close()
        made.kill_survivors()


def test_a_console_that_is_killed_leaves_the_run_and_another_signs_it(attended: Attended) -> None:
    console = attended.builds()
    engine = attended.engine
    console.child.kill()
    console.end()
    begun = time.monotonic()
    again = attended.open()
    again.seen("greeting")
    print(f"back after {time.monotonic() - begun:.2f} s")
    assert attended.engine == engine and engine.is_running()
    attended.runs_to_its_end(again)
    assert [e["e"] for e in events(attended.work)].count("run.started") == 1
    assert attended.place.ended() is not None and attended.place.seen
    until(lambda: not _lives(engine), "the engine ends with its run")


@pytest.mark.parametrize("how", ["hang-up", "SIGHUP", "SIGTERM"])
def test_a_terminal_that_is_lost_ends_the_console_and_not_the_run(attended: Attended, how: str) -> None:
    console = attended.builds()
    if how == "hang-up":
        console.hang_up()
    else:
        console.child.send_signal(getattr(signal, how))
    console.child.wait(20)
    assert _lives(attended.engine)
    again = attended.open("attach")
    again.seen("greeting")
    attended.runs_to_its_end(again)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="no tmux here")
@pytest.mark.parametrize("how", ["kill-pane", "kill-server"])
def test_a_pane_that_is_closed_ends_the_console_and_not_the_run(attended: Attended, how: str) -> None:
    def tmux(*words: str | Path) -> str:
        argv = ["tmux", "-S", attended.folder / "tmux", "-f", "/dev/null", *words]
        return subprocess.run(
            argv, env=attended.env, capture_output=True, text=True, check=True, timeout=20
        ).stdout

    program = shlex.join([str(SEALWRIGHT), "run", str(attended.manifest), "--work", str(attended.work)])
    tmux("new-session", "-d", "-x", "80", "-y", "24", "-c", attended.folder, program)
    attended.answers.set()
    until((attended.work / "build" / "greeting" / "build" / "greeting").exists, "the build runs")
    until(lambda: "log authority connected" in tmux("capture-pane", "-p"), "the console shows it")
    pane = psutil.Process(int(tmux("list-panes", "-F", "#{pane_pid}")))
    tmux(how)
    until(lambda: not _lives(pane), "the console ends")
    again = attended.open()
    again.seen("greeting")
    attended.runs_to_its_end(again)


def test_a_hang_up_is_nothing_to_the_engine(attended: Attended) -> None:
    console = attended.builds()
    attended.engine.send_signal(signal.SIGHUP)
    attended.runs_to_its_end(console)


def test_the_engine_has_no_terminal_and_brings_in_no_screen_library(attended: Attended) -> None:
    attended.builds()
    engine = attended.engine
    assert engine.terminal() is None and os.getsid(engine.pid) == engine.pid == os.getpgid(engine.pid)
    assert str(Path(f"/proc/{engine.pid}/fd/0").readlink()) == "/dev/null"
    assert "GPG_TTY" not in engine.environ()
    with contextlib.suppress(psutil.AccessDenied):
        assert not [each.path for each in engine.memory_maps() if "textual" in each.path]


def test_leaving_is_what_quitting_offers_first_and_says_how_to_come_back(attended: Attended) -> None:
    console = attended.builds()
    console.press("q")
    console.seen("Leave it running")
    console.press("\r")
    assert console.end() == 130
    assert RUNS_ON in console.shown and "sealwright attach --work work" in console.shown
    again = attended.open("attach")
    again.seen("greeting")
    attended.runs_to_its_end(again)


def test_staying_changes_nothing(attended: Attended) -> None:
    console = attended.builds()
    console.press("q")
    console.seen("Leave it running")
    console.press("\x1b")
    attended.runs_to_its_end(console)


def test_stopping_ends_the_run_and_the_next_one_resumes(attended: Attended) -> None:
    console = attended.builds()
    engine = attended.engine
    console.press("q")
    console.seen("Leave it running")
    console.press("\t\r")
    assert console.end() == 130
    assert "because: " in console.shown and RUNS_ON not in console.shown
    until(lambda: not _lives(engine), "the engine ends")
    attended.nothing_is_half_done()
    attended.let_sign()
    again = attended.open()
    until(lambda: len([e for e in events(attended.work) if e["e"] == "build.started"]) == 2, lambda: again.shown)
    attended.runs_to_its_end(again)


def test_two_consoles_see_one_run_and_the_signer_is_answered_once(attended: Attended) -> None:
    first = attended.builds()
    second = attended.open("attach")
    second.seen("2 consoles watch")
    attended.let_build()
    attended.sign(second)
    for console in (first, second):
        console.seen("✓ SIGNED")
        console.seen("✓ signed by manager")
        console.press("q")
        assert console.end() == 0
    attended.is_done()


def test_two_runs_that_are_started_at_once_meet_at_one_engine(attended: Attended) -> None:
    attended.answers.set()
    both = [attended.open(), attended.open()]
    for console in both:
        console.seen("2 consoles watch")
    assert [e["e"] for e in events(attended.work)].count("run.started") == 1
    both[1].press("q")
    both[1].seen("Leave it running")
    both[1].press("\r")
    assert both[1].end() == 130
    attended.runs_to_its_end(both[0])


def test_a_run_that_ends_with_nobody_there_is_told_to_the_next_who_comes(attended: Attended) -> None:
    console = attended.builds()
    console.child.kill()
    console.end()
    engine = attended.engine
    engine.terminate()
    until(lambda: not _lives(engine), "the engine ends")
    status = attended.say("status", "--work", attended.work).well()
    assert "the last attended run ended with exit 130" in status.out
    assert json.loads(attended.say("status", "--json", "--work", attended.work).out)["run"]["ended"]["exit"] == 130
    attended.say("attach", "--work", attended.work).refused(130)
    again = attended.open()
    attended.runs_to_its_end(again)
    assert "while nobody watched" not in again.shown, "attach has told it"


def test_an_engine_that_is_killed_is_told_at_once_and_the_next_run_resumes(attended: Attended) -> None:
    console = attended.builds()
    attended.engine.kill()
    console.seen("is gone", seconds=10)
    console.press("q")
    assert console.end() == 3
    assert "killed by signal 9" in console.shown and "next: " in console.shown
    attended.nothing_runs()
    status = attended.say("status", "--work", attended.work).well()
    assert "is gone without a word" in status.out
    attended.say("attach", "--work", attended.work).refused(3, "is gone")
    again = attended.open()
    until(lambda: len([e for e in events(attended.work) if e["e"] == "build.started"]) == 2, lambda: again.shown)
    attended.runs_to_its_end(again)


def test_what_the_engine_refuses_is_the_answer_of_run(attended: Attended) -> None:
    attended.change('signers = ["manager"]', 'signers = ["nobody-known"]')
    console = attended.open()
    assert console.end() == 2
    assert "nobody-known" in console.shown and "because: " in console.shown and not attended.work.exists()


def test_another_manifest_does_not_come_to_a_run(attended: Attended) -> None:
    attended.builds()
    attended.change('tag = "v1.0"', 'tag = "v1.1"')
    other = attended.open()
    assert other.end() == 2
    assert "is not what the engine works on" in other.shown


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_a_work_folder_that_goes_away_ends_the_run_with_that_reason(attended: Attended, how: str) -> None:
    console = attended.builds()
    engine = attended.engine
    if how == "moved":
        attended.work.rename(attended.work.with_name("moved"))
    else:
        shutil.rmtree(attended.work, ignore_errors=True)
    console.seen("folder any more", seconds=30)  # wrapped
    until(lambda: not _lives(engine), "the engine ends")
    console.press("q")
    assert console.end() == 3
    assert "because: it was moved or deleted while the run worked in it" in console.shown
    assert not attended.work.exists() or not attended.place.folder.exists()
    attended.nothing_runs()
    if how == "moved":
        attended.work.with_name("moved").rename(attended.work)
        attended.let_sign()
        again = attended.open()
        until(lambda: len([e for e in events(attended.work) if e["e"] == "build.started"]) == 2, again.shown)
        attended.runs_to_its_end(again)


def test_a_terminal_that_is_lost_in_the_middle_of_the_question_answers_nothing(attended: Attended) -> None:
    console = attended.builds()
    attended.let_build()
    console.seen("the signer waits for you")
    console.press("5")
    console.seen("YOU ARE ABOUT TO SIGN")
    console.press("0123")
    console.hang_up()
    console.child.wait(20)
    attended.signs_to_its_end(attended.open("attach"))


def test_a_log_authority_that_is_killed_ends_the_run_as_a_lost_log(attended: Attended) -> None:
    console = attended.builds()
    (authority,) = [each for each in attended.engine.children() if "appendlog" in " ".join(each.cmdline())]
    engine = attended.engine
    authority.kill()
    console.seen("the log is lost")
    until(lambda: not _lives(engine), "the engine ends")
    console.press("q")
    assert console.end() == 4
    attended.nothing_runs()
    attended.say("attach", "--work", attended.work).refused(4, "the log authority is lost")


def test_batch_keeps_off_a_run_and_status_tells_of_it(attended: Attended) -> None:
    attended.builds()
    attended.run().refused(3, "is in use", str(attended.engine.pid), "sealwright attach")
    told = json.loads(attended.say("status", "--json", "--work", attended.work).well().out)["run"]
    assert told["runs"] == "engine" and told["pid"] == attended.engine.pid and told["since"].endswith("Z")


def test_where_nothing_runs_attach_starts_nothing(attended: Attended) -> None:
    attended.say("attach", "--work", attended.work).refused(2, "nothing runs in", "sealwright run")
    assert not attended.work.exists()


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
