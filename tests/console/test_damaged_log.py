"""A log that is damaged ends the program with its three lines, on a terminal too, and a review says where."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

from sealwright_console.cursor import Cursor
from sealwright_console.review_feed import ReviewFeed
from sealwright_stages.review.past import read_past
from support.past_log import write_past
from support.release_folder import HEAD, component, write_release
from support.small_release import BIN, make_key, stop_agent, write_keyring
from support.stories import begun


def test_a_damaged_log_ends_the_console_with_exit_4(tmp_path: Path) -> None:
    manifest = write_release(tmp_path, HEAD + component("xen"))
    keys = [make_key(tmp_path / name, name) for name in ("manager-a", "release-key-a")]
    (tmp_path / "keyring" / "keys").rmdir()
    write_keyring(tmp_path / "keyring", keys)
    for key in keys:
        stop_agent(key.home)
    log = tmp_path / "work" / "log"
    log.mkdir(parents=True)
    (log / "index.jsonl").write_bytes(b"no record\n")
    (tmp_path / "work" / "release.json").write_text('{"release": "example-1.0"}')
    ours, theirs = pty.openpty()
    argv = [BIN / "sealwright", "run", manifest, "--work", tmp_path / "work"]
    env = {**os.environ, "TERM": "xterm-256color"}  # where the tests run there may be none
    done = subprocess.run(argv, env=env, stdin=theirs, stdout=theirs, stderr=theirs, check=False, timeout=60)
    os.close(theirs)
    said = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 4, said
    assert [line.split(":")[0] for line in said.splitlines()[-3:]] == ["error", "because", "next"]


def test_a_review_says_where_the_log_is_broken(tmp_path: Path) -> None:
    log = write_past(tmp_path, [begun()])
    with (log / "index.jsonl").open("ab") as index:
        index.write(b"no record\n")
    feed = ReviewFeed(Cursor(read_past(log), 1))
    assert feed.poll() and not feed.poll()
    assert feed.finished == 1 and "can't be read beyond here: record 2" in feed.notices()[0]
