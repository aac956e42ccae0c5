"""What verification costs: git components, against `git verify-tag` one by one."""

from __future__ import annotations

import os
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
from sealwright_stages.verify.git_source import git_source

COMPONENTS = 100


def git(folder: Path, env: dict[str, str], *words: str) -> None:
    """Run git in `folder`."""
    subprocess.run(["git", *words], cwd=folder, env=env, check=True, capture_output=True)


def verify_components(folder: Path) -> Iterator[Line]:
    """Fetch and verify of 100 git components, warm, against `git verify-tag` one by one."""
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
    ours = timed(lambda: [source.verify(workshop) for source, workshop in pairs])
    peer = timed(lambda: [git(repository, env, "verify-tag", f"v{number}") for number in range(COMPONENTS)])
    bad = [v.reason for s, w in pairs[:3] for v in s.verify(w).verdicts.values() if v.status != "passed"]
    yield Line(f"fetch of {COMPONENTS} git components, each", fetched / COMPONENTS, note="in the fetch sandbox")
    yield Line(
        f"verify of {COMPONENTS} git components, each",
        ours / COMPONENTS,
        peer / COMPONENTS,
        "git verify-tag",
        f"PROBLEM: {bad[0]}" if bad else "",
    )
