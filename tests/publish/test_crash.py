"""Publishing under faults: whatever call is its last, or fails, there is the whole release in its place or none."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from appendlog.faulting import can_trace
from audit.forge import Forger
from publish.crashing import CHANGES, Fault, every_fault, run_traced
from publish.snapshots import snapshot
from publish.test_publish import BOTH, by_the_other, mine
from sealwright_stages.audit import audit
from sealwright_stages.publish.publish import publish
from sealwright_stages.publish.site import STAGING
from support.small_release import Key

traced = pytest.mark.skipif(not can_trace(), reason="strace is not here, or may not trace")
PLACE = "example/1.0/manager-a"
OTHER = "example/1.0/release-key-a"


@dataclass
class Bench:
    """Evidence to publish beside another's, and what the site is when all went well."""

    forger: Forger
    evidence: Path
    start: Path
    whole: dict[str, bytes]
    faults: list[Fault]

    def check(self, fault: Fault, site: Path) -> str:
        """Publish under a fault and look after; says how it ended."""
        shutil.copytree(self.start, site, symlinks=True)
        before = snapshot(site / OTHER)
        done = run_traced(["publish", self.evidence, "--to", site], site.parent / "trace", fault.rule)
        assert "Traceback" not in done.stderr, done.stderr
        assert fault.kind == "KILL" or done.returncode in (0, 1, 3), (fault, done)
        assert snapshot(site / OTHER) == before
        appeared = (site / PLACE).exists()
        if appeared:
            assert {n: b for n, b in held(site).items() if n.startswith(PLACE)} == {
                n: b for n, b in self.whole.items() if n.startswith(PLACE)
            }
            assert audit(site / PLACE / "evidence", mine(self.forger)).passed
        else:
            assert done.returncode != 0
        for name in ("index.html", "example/index.html", "example/1.0/index.html"):
            assert (site / name).read_bytes().endswith(b"</html>\n")
        again = publish(self.evidence, site, mine(self.forger))
        assert again.landed is not None and again.landed.new is not appeared
        assert held(site) == self.whole
        assert snapshot(site / OTHER) == before
        return f"{fault.kind}: {'whole' if appeared else 'nothing'}"


def held(site: Path) -> dict[str, bytes]:
    """The bytes of each file."""
    return {name: data for name, (_, _, data) in snapshot(site).items()}


@pytest.fixture
def bench(forger: Forger, keys: tuple[Key, Key], tmp_path: Path) -> Bench:
    forger.head = BOTH
    start, evidence = tmp_path / "start", forger.evidence()
    publish(by_the_other(forger, keys), start, mine(forger, "release-key-a"))
    site = tmp_path / "clean"
    shutil.copytree(start, site)
    done = run_traced(["publish", evidence, "--to", site], tmp_path / "trace")
    assert done.returncode == 0, done.stderr
    faults = list(every_fault((tmp_path / "trace").read_text(), site))
    assert {fault.call for fault in faults} == set(CHANGES)
    return Bench(forger, evidence, start, held(site), faults)


@traced
def test_a_few_faults_leave_the_whole_release_or_none(bench: Bench, tmp_path: Path) -> None:
    some = [next(f for f in bench.faults if f.kind == "KILL" and f.call == call) for call in CHANGES]
    renames = [f for f in bench.faults if f.call == "renameat"]
    some += [f for f in renames if f.number in (renames[0].number, renames[-1].number)]
    ends = Counter(bench.check(fault, tmp_path / f"site-{n}") for n, fault in enumerate(some))
    assert ends["KILL: nothing"] and ends["KILL: whole"]


@traced
@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_every_fault_leaves_the_whole_release_or_none(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends: Counter[str] = Counter()
    for fault in bench.faults:
        ends[bench.check(fault, tmp_path / "site")] += 1
        shutil.rmtree(tmp_path / "site")
    with capsys.disabled():
        print(f"\n{len(bench.faults)} faults: {dict(sorted(ends.items()))}")
    assert ends["KILL: nothing"] and ends["KILL: whole"]


@pytest.mark.parametrize("kills", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_killed_at_any_time_it_leaves_the_whole_release_or_none(
    forger: Forger, keys: tuple[Key, Key], tmp_path: Path, kills: int
) -> None:
    forger.head = BOTH
    start, evidence = tmp_path / "start", forger.evidence()
    publish(by_the_other(forger, keys), start, mine(forger, "release-key-a"))
    ends: Counter[tuple[bool, bool]] = Counter()
    pause = threading.Event()
    chance = random.Random(8)  # noqa: S311 - moments, no secrets
    for n in range(int(os.environ.get("SEALWRIGHT_KILLS", kills))):
        site = tmp_path / f"site-{n}"
        shutil.copytree(start, site)
        before = snapshot(site / OTHER)
        words = [Path(sys.executable).with_name("sealwright"), "publish", evidence, "--to", site]
        with subprocess.Popen(words, stdout=-1, stderr=-1) as child:
            while child.poll() is None and not (site / STAGING).exists():
                pause.wait(0.0005)  # nothing is written before
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(chance.uniform(0, 0.5) if n else 0)  # the first as soon as something is written
            child.kill()
        assert snapshot(site / OTHER) == before
        ends[(site / PLACE).exists(), (site / STAGING).exists()] += 1
        assert not (site / PLACE).exists() or audit(site / PLACE / "evidence", mine(forger)).passed
        assert publish(evidence, site, mine(forger)).landed is not None
        assert not (site / STAGING).exists()
    assert ends[False, True], ends


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for a part of it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=100k,mode=755", "small", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, check=False, capture_output=True).returncode != 0:
        pytest.skip("a small disk needs root and mounts")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_nothing_is_left(forger: Forger, small_disk: Path) -> None:
    words: list[str | Path] = [Path(sys.executable).with_name("sealwright"), "publish", forger.evidence()]
    done = subprocess.run([*words, "--to", small_disk / "site"], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert "because: No space left on device" in done.stderr and "next: make room" in done.stderr
    assert snapshot(small_disk) == {}
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert publish(forger.folder / "evidence-1", small_disk / "site", mine(forger)).landed is not None
