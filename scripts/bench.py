"""`make bench`: what things cost, as ratios against a peer in the same run. Nothing here asserts a time."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sealwright_keyring.certificates import certificates
from sealwright_keyring.signer.gpg_sign import make_throwaway_key
from sealwright_stages.log import open_embedded
from sealwright_stages.ports import Person, Trust, Workshop
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from sealwright_stages.verify.git_source import git_source

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.bench.bench_sandbox import sandbox_start_vs_bwrap

COMPONENTS = 100
MEGABYTES = 200


def timed(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def git(folder: Path, env: dict[str, str], *words: str) -> None:
    """Run git in `folder`."""
    subprocess.run(["git", *words], cwd=folder, env=env, check=True, capture_output=True)


def verify_components(folder: Path) -> None:
    """Verify of 100 git components, warm, against `git verify-tag` one by one."""
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
    trust = Trust((certificate,), (Person("bench", frozenset(c.fingerprint for c in certificates(certificate))),))
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
    print(f"fetch of {COMPONENTS} git components: {fetched / COMPONENTS * 1000:.1f} ms each, in the fetch sandbox")
    report(
        f"verify of {COMPONENTS} git components, each", ours / COMPONENTS, peer / COMPONENTS, "git verify-tag", bad
    )


def append_and_audit(folder: Path) -> None:
    """Log append against `cat`, audit against `openssl dgst -sha256`."""
    block = os.urandom(1 << 16)
    plain = folder / "plain"
    plain.write_bytes(block * (MEGABYTES * 16))
    session = open_embedded(folder / "log", folder / "log.key", "bench", None, None, folder / "saved")
    try:
        begun = time.perf_counter()
        stream = session.open_stream("build/bench")
        with plain.open("rb") as data:
            while part := data.read(1 << 16):
                stream.write("D", part)
        stream.finish(0)
        ours = time.perf_counter() - begun
        acks = sorted(timed(lambda: session.append({"e": "bench"})) for _ in range(500))
        session.seal()
    finally:
        session.close()
    peer = timed(
        lambda: subprocess.run(["sh", "-c", f"cat {plain} | cat > {folder}/copy; sync {folder}/copy"], check=True)
    )
    report(f"append of {MEGABYTES} MiB", ours, peer, "cat | cat; sync")
    print(f"durable acknowledgement of an event: p50 {acks[250] * 1000:.1f} ms, p99 {acks[494] * 1000:.1f} ms")
    audit = [sys.executable, "-m", "sealwright_appendlog.cli", "verify", str(folder / "log")]
    ours = timed(lambda: subprocess.run(audit, check=True, capture_output=True))
    peer = timed(
        lambda: subprocess.run(["openssl", "dgst", "-sha256", str(plain)], check=True, capture_output=True)
    )
    report(f"audit of {MEGABYTES} MiB", ours, peer, "openssl dgst -sha256")


def first_paint() -> None:
    """Loading the console's program, against loading textual alone: what the first frame waits for."""
    code = "import sealwright_console.app"
    ours = timed(lambda: subprocess.run([sys.executable, "-c", code], check=False, capture_output=True))
    peer = timed(
        lambda: subprocess.run([sys.executable, "-c", "import textual.app"], check=True, capture_output=True)
    )
    report("loading the console", ours, peer, "import textual.app")


def report(what: str, ours: float, peer: float, name: str, problems: list[str] | None = None) -> None:
    """One line: our time, the peer's, and the ratio (above 1: we are faster)."""
    note = f"  PROBLEM: {problems[0]}" if problems else ""
    print(
        f"{what}: {ours * 1000:.1f} ms, {name} {peer * 1000:.1f} ms, speed ratio {peer / ours:.2f}{note}",
        flush=True,
    )


def main() -> None:
    """Run all of them."""
    with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as name:
        verify_components(Path(name))
    with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as name:
        append_and_audit(Path(name))
    ours, peer = sandbox_start_vs_bwrap()
    report("start of a sandbox", ours, peer, "bare bwrap")
    first_paint()


if __name__ == "__main__":
    main()
