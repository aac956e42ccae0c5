from __future__ import annotations

import os
import threading
from pathlib import Path

import psutil
import pytest

from sealwright_stages.errors import FetchError, InterruptedRunError, MachineError
from sealwright_stages.ports import FetchSandbox
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from sealwright_stages.sandbox.identity import Identities

pytestmark = pytest.mark.sandbox


@pytest.fixture
def sandbox(identities: Identities) -> FetchSandbox:
    return BwrapFetchSandbox(identities.fetcher, machine={"SECRET": "s3cret", "no_proxy": "localhost"})


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    folder = tmp_path / "q"
    folder.mkdir(mode=0o700)
    return folder


def test_the_writable_folder_is_quarantine_and_is_ours_again_after(
    sandbox: FetchSandbox, quarantine: Path
) -> None:
    (quarantine / "before").write_text("old")
    script = "cat before; echo new > new; mkdir d; ln -s /etc/passwd d/link; pwd; id -u"
    done = sandbox.run(["sh", "-c", script], writable=quarantine, timeout=20)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"old/quarantine\n1000\n"
    assert (quarantine / "new").read_text() == "new\n"
    owners = {path.lstat().st_uid for path in (quarantine, *quarantine.rglob("*"))}
    assert owners == {os.geteuid()}
    assert Path("/etc/passwd").stat().st_uid == 0, "a link's target is never handed over"


def test_what_is_readable_appears_under_its_own_path_and_can_not_be_written(
    sandbox: FetchSandbox, quarantine: Path, tmp_path: Path
) -> None:
    shown, hidden = tmp_path / "shown", tmp_path / "hidden"
    for folder in (shown, hidden):
        folder.mkdir()
        folder.chmod(0o777)
        (folder / "file").write_text(folder.name)
    script = f"cat {shown}/file; cat {hidden}/file; touch {shown}/x || echo refused"
    done = sandbox.run(["sh", "-c", script], writable=quarantine, readable=[shown], timeout=20)
    assert done.stdout == b"shownrefused\n"
    assert not (shown / "x").exists()


def test_no_variable_of_ours_reaches_it_but_those_for_certificates_and_proxies(
    sandbox: FetchSandbox, quarantine: Path
) -> None:
    done = sandbox.run(["env"], writable=quarantine, timeout=20, env={"GIVEN": "1"})
    names = {line.split(b"=")[0] for line in done.stdout.splitlines()}
    assert names == {b"PATH", b"LC_ALL", b"TZ", b"HOME", b"PWD", b"GIVEN", b"no_proxy"}


def test_it_sees_no_home_and_no_local_socket(sandbox: FetchSandbox, quarantine: Path) -> None:
    script = "import os,socket; print(sorted(os.listdir('/')))\nsocket.socket(socket.AF_UNIX)"
    done = sandbox.run(["/usr/bin/python3", "-c", script], writable=quarantine, timeout=20)
    assert b"Address family not supported" in done.stderr
    seen = set(done.stdout.decode().replace("'", "").strip("[]\n").split(", "))
    links = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"}
    assert seen - links == {"dev", "etc", "proc", "quarantine", "run", "tmp", "usr", "var"}


def _living(mark: str) -> list[int]:
    return [p.pid for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or [])]


def test_no_process_of_it_lives_after_it_ends(sandbox: FetchSandbox, quarantine: Path) -> None:
    script = "setsid sleep 7777.25 </dev/null >/dev/null 2>&1 & exit 3"
    done = sandbox.run(["sh", "-c", script], writable=quarantine, timeout=20)
    assert done.returncode == 3
    assert _living("7777.25") == []


def test_no_process_of_it_lives_after_it_took_too_long(sandbox: FetchSandbox, quarantine: Path) -> None:
    with pytest.raises(MachineError, match="too long"):
        sandbox.run(["sh", "-c", "setsid sleep 7777.5 & sleep 7777.5"], writable=quarantine, timeout=0.3)
    assert _living("7777.5") == []


def test_a_cancelled_fetch_is_dead_when_it_says_so(sandbox: FetchSandbox, quarantine: Path) -> None:
    cancel = threading.Event()
    with pytest.raises(InterruptedRunError):
        sandbox.run(
            ["sh", "-c", "echo up >&2; exec sleep 7777.75"],
            writable=quarantine,
            timeout=20,
            cancel=cancel,
            on_stderr=lambda _data: cancel.set(),
        )
    assert _living("7777.75") == []


def test_a_fetcher_whose_words_have_no_end_is_a_fetch_that_failed(sandbox: FetchSandbox, quarantine: Path) -> None:
    with pytest.raises(FetchError, match="no end") as failed:
        sandbox.run(["sh", "-c", "exec yes 'remote: 7777.125' >&2"], writable=quarantine, timeout=60)
    assert failed.value.code == "fetch-too-large"
    assert _living("remote: 7777.125") == []


def test_a_missing_program_is_the_machines_fault(sandbox: FetchSandbox, quarantine: Path) -> None:
    with pytest.raises(MachineError, match="no-such-program"):
        sandbox.run(["no-such-program"], writable=quarantine, timeout=20)
