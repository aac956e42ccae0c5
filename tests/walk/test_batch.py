"""`--batch` as real processes: a terminal, a pipe, a closed stderr, a full disk, a signal in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from console.test_batch_block import LAYOUT
from console.test_junit import read
from walk.held import Held
from walk.test_full_disk import fill, mounts
from walk.walking import SEALWRIGHT, Walk, until

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
__all__ = ["mounts"]


@dataclass
class Terminal:
    """A run whose stderr is a terminal that nobody but the test reads."""

    child: subprocess.Popen[bytes]
    seen: bytearray = field(default_factory=bytearray)

    def end(self) -> str:
        """Wait for its end; gives what was seen without moves of the cursor."""
        self.child.wait(60)
        return LAYOUT.sub(b"", bytes(self.seen)).decode()


@contextlib.contextmanager
def on_a_terminal(walk: Walk, *words: str | Path, **env: str) -> Iterator[Terminal]:
    """Run `--batch` with stderr on a pty."""
    here, there = pty.openpty()
    argv = [SEALWRIGHT, "run", walk.manifest, "--work", walk.work, "--batch", *words]
    told = {**walk.env, "TERM": "xterm-256color", **env}
    child = subprocess.Popen(
        argv, cwd=walk.folder, env=told, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=there
    )
    os.close(there)
    made = Terminal(child)

    def look() -> None:
        with contextlib.suppress(OSError):
            while data := os.read(here, 1 << 16):
                made.seen.extend(data)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        yield made
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        reader.join(10)
        os.close(here)


def test_on_a_terminal_a_block_lives_and_the_summary_stays(walk: Walk) -> None:
    with on_a_terminal(walk) as run:
        text = run.end()
    assert run.child.returncode == 0, text
    assert b"\x1b[?25l" in run.seen, "a block was opened"
    assert re.search(r"passed +greeting +6/6", text) and "verdict  green: all 6 items" in text
    assert "done: signed by manager" in text


def test_a_dumb_terminal_gets_plain_lines(walk: Walk) -> None:
    with on_a_terminal(walk, "--until", "verify", TERM="dumb") as run:
        text = run.end()
    assert run.child.returncode == 0, text
    assert b"\x1b" not in run.seen and "✓ passed  greeting/git/v1.0" in text


def test_ctrl_c_on_a_terminal_leaves_a_tidy_last_state(held: Held) -> None:
    with on_a_terminal(held) as run:
        until(held.asked.is_set, "the server is asked")
        run.child.send_signal(signal.SIGINT)
        text = run.end()
    assert run.child.returncode == 130, text
    assert run.seen.rindex(b"\x1b[?25h") > run.seen.rindex(b"\x1b[?25l"), "the cursor is back"
    last = text[text.index("release small-1.0: 6 items") :]
    assert "verdict  not complete" in last and "was interrupted" in last and "(1)" not in last


def test_off_a_terminal_each_event_is_one_plain_line(walk: Walk) -> None:
    done = walk.run("--until", "verify").well()
    assert "\x1b" not in done.err and "\r" not in done.err and done.out == ""
    assert sum("greeting/git/v1.0" in line for line in done.err.splitlines()) == 1


def test_a_closed_stderr_is_no_reason_to_fail(walk: Walk) -> None:
    argv = ["sh", "-c", 'exec "$@" 2>&-', "sh"]
    done = walk.run("--json", before=argv)
    assert done.exit == 0 and done.err == ""
    assert json.loads(done.out.splitlines()[-1])["event"] == "result"


def test_an_interrupted_run_leaves_valid_json_and_a_whole_report(held: Held) -> None:
    report = held.folder / "report.xml"
    running = held.start("--json", "--junit", report)
    held.to(running, "build")
    assert "the run did not end" in report.read_text(), "who kills it now leaves a red report"
    read(report.read_bytes())
    running.stop(signal.SIGINT)
    done = running.end().refused(130)
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [each for each in records if each["event"] == "result"] == [records[-1]]
    assert records[-1]["exit"] == 130
    top = read(report.read_bytes())
    assert top.find(".//error").attrib["type"] == "exit 130"  # type: ignore[union-attr]
    skipped = [case.attrib["name"] for case in top.iter("testcase") if case.find("skipped") is not None]
    assert skipped == ["build (commands) (greeting/build)"]
    held.goes_on()


def test_a_closed_gate_is_told_as_annotation_and_report(walk: Walk) -> None:
    walk.change('sha256 = "', 'sha256 = "0')
    walk.text = re.sub('sha256 = "0(.{63}).', r'sha256 = "0\1', walk.text)
    walk.manifest.write_text(walk.text)
    report = walk.folder / "report.xml"
    done = walk.run("--annotations", "github", "--junit", report).refused(1)
    (line,) = done.out.splitlines()
    where = re.fullmatch(r"::error file=release\.toml,line=(\d+),title=greeting%3A digest.*::.*%0Anext: .*", line)
    assert where, line
    assert walk.text.splitlines()[int(where[1]) - 1] == "[[component.file]]"
    failures = list(read(report.read_bytes()).iter("failure"))
    assert [each.attrib["type"] for each in failures] == ["digest-mismatch"]


def test_a_run_that_could_not_begin_has_a_report_that_says_why(walk: Walk) -> None:
    walk.change('version = "1.0"', 'version = "1.0"\nnonsense = 1')
    report = walk.folder / "report.xml"
    walk.run("--junit", report).refused(2, "nonsense")
    error = read(report.read_bytes()).find(".//error")
    assert error is not None and error.attrib["type"] == "exit 2" and "nonsense" in (error.text or "")


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of 64 KiB, mounted on a new folder while the block runs."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "small", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.usefixtures("mounts")
def test_where_no_report_can_be_written_nothing_is_begun(walk: Walk) -> None:
    with small_disk(walk.folder / "reports") as place:
        fill(place)
        walk.run("--junit", place / "report.xml").refused(3, "report.xml", "No space left")
        assert [each.name for each in place.iterdir()] == ["ballast"]
    assert not walk.work.exists()


@pytest.mark.usefixtures("mounts")
def test_a_disk_that_is_full_at_the_end_is_an_error_and_leaves_the_first_report(held: Held) -> None:
    with small_disk(held.folder / "reports") as place:
        running = held.start("--junit", place / "report.xml")
        held.to(running, "build")
        fill(place)
        held.let_build()
        running.end().refused(3, "report.xml", "No space left", "signed by manager")
        assert sorted(each.name for each in place.iterdir()) == ["ballast", "report.xml"]
        assert read((place / "report.xml").read_bytes()).find(".//error") is not None
    held.is_done()


@pytest.mark.parametrize("words", [("--junit", "x.xml"), ("--annotations", "github")])
def test_reports_are_for_a_run_without_a_screen(walk: Walk, words: tuple[str, str]) -> None:
    done = walk.look("run", walk.manifest, *words)
    assert done.exit == 2
