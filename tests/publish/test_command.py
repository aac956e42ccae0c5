"""`sealwright publish`: what it prints, its exit codes, and the commands that its page gives a downloader."""

from __future__ import annotations

import contextlib
import functools
import html
import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit.forge import Forger
from publish.snapshots import snapshot
from publish.test_publish import PLACE, mine, published
from sealwright_stages.audit import audit

SEALWRIGHT = Path(sys.executable).with_name("sealwright")


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SEALWRIGHT, "publish", *words], capture_output=True, text=True, check=False, timeout=60)


def test_it_says_what_it_did_and_what_to_do_next(forger: Forger, tmp_path: Path) -> None:
    evidence, site, keyring = forger.evidence(), tmp_path / "site", tmp_path / "keyring"
    done = run(evidence, "--to", site, "--keyring", keyring, "--signers", "manager-a")
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "verdict: yes"
    assert lines[1] == f"published: {site / PLACE}"
    assert lines[3].startswith("next: look at ")
    again = run(evidence, "--to", site, "--json")
    told = json.loads(again.stdout)
    assert (again.returncode, told["published"]) == (0, "already")
    assert told["provided"] == "as far as the folder's own keys go" and told["sha256"] in lines[2]


def test_in_a_git_repository_the_next_step_adds_what_was_written_and_nothing_else(
    forger: Forger, tmp_path: Path
) -> None:
    repository = tmp_path / "repo sitory"
    subprocess.run(["git", "init", "--quiet", repository], check=True)
    site = repository / "public"
    done = run(forger.evidence(), "--to", site)
    command = re.search(r"look at it, then (git .*) and commit$", done.stdout.splitlines()[-1])
    assert command
    subprocess.run(["sh", "-ec", command[1]], check=True, cwd=tmp_path)
    status = ["git", "-C", repository, "status", "--porcelain", "--untracked-files=all"]
    listed = subprocess.run(status, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {line[:2] for line in listed} == {"A "}
    assert {line[3:] for line in listed} == {f"public/{name}" for name in snapshot(site)}


def test_what_is_no_yes_is_told_as_an_audit_tells_it(forger: Forger, tmp_path: Path) -> None:
    evidence = forger.evidence()
    (evidence / "products/xen/xen.tar").write_bytes(b"other\n")
    done = run(evidence, "--to", tmp_path / "site")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "verdict: NO")
    told = json.loads(run(evidence, "--to", tmp_path / "site", "--json").stdout)
    assert (told["published"], told["passed"]) == ("no", False)
    assert not (tmp_path / "site").exists()


def test_what_is_refused_has_three_lines_and_its_exit_code(forger: Forger, tmp_path: Path) -> None:
    site = tmp_path / "site"
    published(forger, site)
    other = run(forger.evidence(), "--to", site)
    assert other.returncode == 1
    assert [line.partition(":")[0] for line in other.stderr.splitlines()] == ["error", "because", "next"]
    assert len(re.findall("[0-9a-f]{64}", other.stderr)) == 2
    told = json.loads(run(forger.evidence(), "--to", site, "--json").stdout)
    assert told["published"] == "no" and "other bytes" in told["what"]
    inside = forger.evidence()
    assert run(inside, "--to", inside / "site").returncode == 2
    assert run("--to", tmp_path / "nowhere").returncode == 3
    assert run("--to", site, "--as", "manager-a").returncode == 2
    assert run(forger.evidence()).returncode == 2
    assert run("--to", site).stdout.startswith("5 pages")


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a dumb static server serves a folder."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def commands(page: Path) -> list[str]:
    """The blocks of commands on a page."""
    return [
        html.unescape(block) for block in re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page.read_text(), re.S)
    ]


def test_the_commands_on_the_page_fetch_and_verify_it(forger: Forger, tmp_path: Path) -> None:
    site, got = tmp_path / "site", tmp_path / "got"
    got.mkdir()
    published(forger, site)
    fetch, with_us, by_hand = commands(site / PLACE / "index.html")
    with served(site) as address:
        script = fetch.replace("BASE=...", f"BASE={address}/{PLACE}")
        subprocess.run(["sh", "-euc", script], cwd=got, check=True)
    assert audit(got / "evidence", mine(forger)).passed
    line = with_us.splitlines()[0].replace("YOUR_KEYRING", str(tmp_path / "keyring"))
    path = {"PATH": f"{SEALWRIGHT.parent}:/usr/bin:/bin"}
    assert subprocess.run(line.split(), cwd=got, env=path, capture_output=True, check=False).returncode == 0
    done = subprocess.run(["sh", "-euc", by_hand], cwd=got, capture_output=True, text=True, env=path, check=True)
    assert "whole" in done.stdout and done.stderr.count("Good signature") == 2


@pytest.mark.parametrize(
    "name", ["evidence/../../escaped", "evidence//etc/x", "../escaped", "evidence/.bashrc", "/etc/x"]
)
def test_the_commands_on_the_page_write_nothing_outside_whatever_a_server_lists(
    forger: Forger, tmp_path: Path, name: str
) -> None:
    site, got = tmp_path / "site", tmp_path / "deep/got"
    got.mkdir(parents=True)
    published(forger, site)
    for there in (
        "example/1.0/escaped",
        f"{PLACE}/escaped",
        f"{PLACE}/evidence/.bashrc",
        f"{PLACE}/evidence/etc/x",
    ):
        (site / there).parent.mkdir(exist_ok=True)
        (site / there).write_text("so that there is something to fetch")
    listed = site / PLACE / "FILES"
    listed.write_text(f"{'0' * 64}  {name}\n{listed.read_text()}")
    fetch = commands(site / PLACE / "index.html")[0]
    with served(site) as address:
        script = fetch.replace("BASE=...", f"BASE={address}/{PLACE}")
        subprocess.run(["sh", "-uc", script], cwd=got, check=False, capture_output=True)
    assert {path.split("/")[0] for path in snapshot(got)} == {"FILES", "evidence"}
    assert not any("bashrc" in path or "etc" in path for path in snapshot(got))
    assert not list((tmp_path / "deep").rglob("escaped"))


def test_what_a_log_server_must_have_lies_where_c2sp_says(forger: Forger, tmp_path: Path) -> None:
    site = tmp_path / "site"
    published(forger, site)
    log = site / PLACE / "evidence/log"
    size = int((log / "checkpoint").read_text().splitlines()[1])
    assert (log / f"tile/0/000.p/{size}").stat().st_size == 32 * size
    assert (log / f"tile/entries/000.p/{size}").is_file()
