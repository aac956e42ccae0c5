"""What verification costs: git components against `git verify-tag` one by one, trees and history against git."""

from __future__ import annotations

import os
import random
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.report import Line, timed
from sealwright_keyring.certificates import certificates
from sealwright_keyring.policy import Person
from sealwright_keyring.signer.gpg_sign import make_throwaway_key
from sealwright_stages.ports import Trust, Workshop
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from sealwright_stages.verify.git import read_whole_tree
from sealwright_stages.verify.git_history import check_descent
from sealwright_stages.verify.git_objects import parse_commit
from sealwright_stages.verify.git_source import git_source
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.sources_manifest import list_folder
from sealwright_stages.verify.writer import write_tree

COMPONENTS = 100
ROUNDS = 10  # of all of them: as many checks as a release of a thousand components has
SMALL = 1000  # files of each
FILES, TREE_BYTES, COMMITS = 5000, 45 << 20, 20_000


def git(folder: Path, env: dict[str, str], *words: str) -> None:
    """Run git in `folder`."""
    subprocess.run(["git", *words], cwd=folder, env=env, check=True, capture_output=True)


def verify_components(folder: Path) -> Iterator[Line]:
    """Fetch and verify of 100 git components of 1,000 files, warm, against `git verify-tag` one by one."""
    home = folder / "home"
    key = make_throwaway_key(home, "bench")
    export = ["gpg", "--homedir", str(home), "--export", key]
    certificate = subprocess.run(export, check=True, capture_output=True).stdout
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GNUPGHOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    env |= {
        f"GIT_{who}_{what}": "bench@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    repository = folder / "repository"
    repository.mkdir()
    git(repository, env, "init", "--quiet")
    for number in range(SMALL):
        place = repository / f"folder{number % 20}"
        place.mkdir(exist_ok=True)
        (place / f"file{number}").write_text(f"{number}\n" * 200)
    for number in range(COMPONENTS):
        (repository / "file").write_text(f"{number}\n")
        git(repository, env, "add", ".")
        git(repository, env, "commit", "--quiet", "-m", str(number))
        git(repository, env, "-c", f"user.signingkey={key}", "tag", "-s", f"v{number}", "-m", str(number))
    trust = Trust((certificate,), (Person("bench", tuple(c.fingerprint for c in certificates(certificate))),))
    sandbox = BwrapFetchSandbox(None if os.geteuid() else 61199)
    pairs = []
    begun = time.perf_counter()
    for number in range(COMPONENTS):
        quarantine = folder / f"q{number}"
        quarantine.mkdir()
        source = git_source("bench", str(repository), tag=f"v{number}", trust=trust)
        workshop = Workshop(quarantine, folder / "cache", threading.Event(), lambda d, t, n: None, sandbox)
        source.fetch(workshop)
        pairs.append((source, workshop))
    fetched = time.perf_counter() - begun

    def verify() -> None:
        for source, workshop in pairs:
            source.verify(workshop)

    first = timed(verify)
    peer = timed(lambda: [git(repository, env, "verify-tag", f"v{number}") for number in range(COMPONENTS)])
    many = timed(lambda: [verify() for _ in range(ROUNDS)])
    bad = [v.reason for s, w in pairs[:3] for v in s.verify(w).verdicts.values() if v.status != "passed"]
    yield Line(f"fetch of {COMPONENTS} git components, each", fetched / COMPONENTS, note="in the fetch sandbox")
    yield Line(
        f"verify of {COMPONENTS} git components of {SMALL} files, each",
        first / COMPONENTS,
        peer / COMPONENTS,
        "git verify-tag",
        f"PROBLEM: {bad[0]}" if bad else "it reads no tree",
    )
    each = many / COMPONENTS / ROUNDS
    yield Line(f"of {COMPONENTS * ROUNDS} such, each", each, first / COMPONENTS, f"of {COMPONENTS}")


def large_repository(folder: Path, env: dict[str, str]) -> tuple[str, str]:
    """A packed bare repository: a tree of many files, and a long history below it; its tip and first commit."""
    seeded = random.Random(1)  # noqa: S311 - the same tree in every run
    words = [f"word{number}" for number in range(5000)]
    stream: list[bytes] = []
    for number in range(COMMITS):
        head = f"commit refs/heads/main\ncommitter A <a@example.org> {1_600_000_000 + number} +0000\ndata 0\n"
        stream.append(head.encode())
    for number in range(FILES):
        text = " ".join(seeded.choices(words, k=TREE_BYTES // FILES // 9)).encode()
        text += b"." * (TREE_BYTES // FILES - len(text))
        path = f"d{number % 40}/e{number % 7}/f{number % 3}/file{number}.c"
        stream.append(f"M 100644 inline {path}\ndata {len(text)}\n".encode() + text + b"\n")
    git(folder, env, "init", "--quiet", "--bare", ".")
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=folder,
        env=env,
        check=True,
        input=b"".join(stream),
        capture_output=True,
    )
    git(folder, env, "repack", "-a", "-d", "-F", "-q")
    said = [
        subprocess.run(
            ["git", *words], cwd=folder, env=env, check=True, capture_output=True, text=True
        ).stdout.strip()
        for words in (["rev-parse", "main"], ["rev-list", "--max-parents=0", "main"])
    ]
    return said[0], said[1]


def trees_and_history(folder: Path) -> Iterator[Line]:
    """A large tree read, written and listed, and a long history walked, each against git's own."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    bare = folder / "large.git"
    bare.mkdir()
    tip, first = large_repository(bare, env)
    store = ObjectStore(bare)
    tree = parse_commit(store.read(tip, "commit")).tree
    ours, theirs = folder / "ours", folder / "theirs"
    theirs.mkdir()
    archive = folder / "tree.tar"
    peer = timed(lambda: git(bare, env, "archive", "--output", str(archive), "main"))
    peer += timed(lambda: run(["tar", "-x", "-C", str(theirs), "-f", str(archive)]))
    written = timed(lambda: write_tree(store, tree, ours))
    what = f"{FILES} files, {TREE_BYTES >> 20} MiB"
    yield Line(f"write of a verified tree of {what}", written, peer, "git archive, tar -x")
    check = timed(lambda: read_whole_tree(store, tree)) + timed(lambda: list_folder(ours))
    fsck = timed(lambda: git(bare, env, "fsck", "--no-dangling", "--no-progress", tree))
    sums = timed(lambda: run(["find", str(theirs), "-type", "f", "-exec", "sha256sum", "{}", "+"]))
    yield Line(f"tree check and manifest of {what}", check, fsck + sums, "git fsck, sha256sum")
    walked = timed(lambda: check_descent(store, tip, first, lambda done, total, note: None))
    asked = timed(lambda: git(bare, env, "merge-base", "--is-ancestor", first, tip))
    yield Line(f"descent through {COMMITS} commits, all hashed again", walked, asked, "git merge-base")


def run(words: list[str]) -> None:
    """Run another program."""
    subprocess.run(words, check=True, capture_output=True)
