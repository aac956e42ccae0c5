"""How long a program of ours takes until it says something: the help, and the first event of `--batch`.

The bars are 150 ms and 250 ms. The machine has been tried before (a warm mark of the selftest), as on every run but the
first one since it was started.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.report import Line
from support.small_release import BIN, make_key, make_repository, stop_agent, write_keyring

_MANIFEST = """[release]
name = "small"
version = "1.0"
keyring = "keyring"
signers = ["author"]

[[component]]
name = "greeting"
git = "upstream/greeting.git"
tag = "v1.0"
signers = ["author"]
"""
_FIRST = b"release small-1.0"
_ENVIRONMENT = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Byte code is kept, as by whoever installs the program."""
_PYTHON = [sys.executable, "-c", "pass"]


def lines(folder: Path, rounds: int = 9) -> Iterator[Line]:
    """Medians; each round takes ours and the peers in turn."""
    ours = [str(BIN / "sealwright"), "--help"]
    rows = [(_ends(ours), _ends(_PYTHON), _ends(["git", "--version"])) for _ in range(rounds)]
    mine, python, git = (statistics.median(times) for times in zip(*rows, strict=True))
    note = f"bar 150 ms; git --version {git * 1000:.1f} ms"
    yield Line("start: sealwright --help", mine, python, "python -c pass", note)
    release = _release(folder)
    _first_event(release)  # tries the machine, if nobody has
    rows = [(_first_event(release), _ends(_PYTHON), _ends(["git", "--version"])) for _ in range(rounds)]
    mine, python, git = (statistics.median(times) for times in zip(*rows, strict=True))
    note = f"bar 250 ms; git --version {git * 1000:.1f} ms"
    yield Line("start: run --batch to its first event", mine, python, "python -c pass", note)


def _ends(argv: Sequence[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=_ENVIRONMENT)
    return time.perf_counter() - begun


def _first_event(release: Path) -> float:
    """Seconds from the start of a new run to its first line, which is its first event."""
    work = release.parent / "work"
    shutil.rmtree(work, ignore_errors=True)
    argv = [str(BIN / "sealwright"), "run", str(release), "--batch", "--until", "verify", "--work", str(work)]
    env = {**_ENVIRONMENT, "XDG_CACHE_HOME": str(release.parent / "cache")}
    begun = time.perf_counter()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env) as child:
        assert child.stderr is not None
        said = next((line for line in child.stderr if line.startswith(_FIRST)), b"")
        took = time.perf_counter() - begun
        rest = child.stderr.read()
    if not said or child.returncode != 0:
        raise RuntimeError(f"the run did not go well: {rest.decode('utf-8', 'replace')}")
    return took


def _release(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "upstream").mkdir()
    author = make_key(folder / "author-home", "author")
    write_keyring(folder / "keyring", [author])
    make_repository(folder / "upstream" / "greeting.git", author, "v1.0", {"greeting.txt": "A greeting.\n"})
    stop_agent(author.home)
    (folder / "release.toml").write_text(_MANIFEST)
    return folder / "release.toml"
