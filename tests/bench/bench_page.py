"""What it costs a browser to check an evidence page: the whole check, as the page measures it, beside node's SHA-256.

Node, which hashes with OpenSSL, computes the same Merkle tree from the same lines, and nothing else; the page computes it
in JavaScript, and checks sums, records, keys and signatures, too. A file that is dropped is measured beside `sha256sum`.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from audit.forge import Forger, Step
from bench.report import Line, timed
from sealwright_stages import events as ev
from support.browser import CHROMIUM, Page
from support.small_release import make_key, stop_agent, write_keyring

_NODE = """
const { createHash } = require("crypto"), lines = JSON.parse(require("fs").readFileSync(0, "utf8"));
const hash = (...parts) => parts.reduce((h, part) => h.update(part), createHash("sha256")).digest();
const zero = Buffer.from([0]), one = Buffer.from([1]);
const times = [];
for (let round = 0; round < 5; round++) {
  const begun = performance.now();
  const root = (l) => { if (l.length === 1) return l[0]; let k = 1; while (k * 2 < l.length) k *= 2;
    return hash(one, root(l.slice(0, k)), root(l.slice(k))); };
  root(lines.map((line) => hash(zero, line)));
  times.push(performance.now() - begun);
}
console.log(times.sort((a, b) => a - b)[2] / 1000);
"""
_FILES = (256 << 20, 257 << 20)


def forged(folder: Path, records: int) -> Path:
    """Signed evidence with a log of so many records."""
    keys = make_key(folder / "manager", "manager-a"), make_key(folder / "author", "release-key-a")
    write_keyring(folder / "keyring", keys)
    forger = Forger(folder, keys[:1])
    missing = records - len(forger.evidence().joinpath("log/index.jsonl").read_bytes().splitlines())

    def longer(steps: list[Step]) -> list[Step]:
        at = next(place for place, step in enumerate(steps) if isinstance(step, ev.BuildStarted)) + 1
        samples = (
            ev.BuildSample("xen", n % 400, n << 20, 9, n << 10, n << 12, disk=n, files=n) for n in range(missing)
        )
        return [*steps[:at], *samples, *steps[at:]]

    evidence = forger.evidence(longer)
    for key in keys:
        stop_agent(key.home)
    return evidence


def checked(page: Page, path: Path, rounds: int = 5) -> list[float]:
    """Seconds of whole checks, as the page says, sorted."""
    times = []
    for _ in range(rounds):
        page.open(path)
        assert page.wait("document.documentElement.dataset.word") == "yes"
        times.append(float(page.ask("document.documentElement.dataset.ms")) / 1000)
    return sorted(times)


def by_node(lines: Sequence[str]) -> float:
    """Median seconds in which node computes the tree."""
    done = subprocess.run(["node", "-e", _NODE], input=json.dumps(lines).encode(), capture_output=True, check=True)
    return float(done.stdout)


def lines() -> Iterator[Line]:
    """Pages of two sizes, and a file."""
    if CHROMIUM is None or shutil.which("node") is None:
        yield Line("", 0, note="evidence page: not measured, for want of chromium or node")
        return
    for records in (5_000, 100_000):
        with tempfile.TemporaryDirectory() as nest, Page(Path(nest) / "chromium") as page:
            evidence = forged(Path(nest), records)
            path = evidence / "index.html"
            times = checked(page, path)
            told = (evidence / "log/index.jsonl").read_text().splitlines()
            note = f"slowest of 5 {times[-1] * 1000:.0f} ms; page of {path.stat().st_size / 1e6:.1f} MB; bar 300 ms at 5,000"
            name = f"evidence page over {records:,} records, checked in Chromium"
            yield Line(name, statistics.median(times), by_node(told), "node, the tree alone,", note)
            if records == 5_000:
                for size in _FILES:
                    page.open(path)
                    yield _file(page, Path(nest) / "file", size)


def _file(page: Page, path: Path, size: int) -> Line:
    """The largest file that WebCrypto hashes, or one that is hashed in slices."""
    path.write_bytes(bytes(size))
    page.ask("begun = performance.now(), ended = 0; new MutationObserver(() => { if (document.querySelector('#files code')) "
             "ended ||= performance.now(); }).observe(document.getElementById('files'), {childList: true, subtree: true})")  # fmt: skip
    page.choose("#pick", [path])
    page.wait("ended", seconds=120)
    ours = page.ask("(ended - begun) / 1000")
    peer = timed(lambda: subprocess.run(["sha256sum", path], check=True, capture_output=True))
    note = f"{size / ours / 1e6:.0f} MB/s"
    return Line(f"a file of {size >> 20} MiB, looked for by the page", ours, peer, "sha256sum", note)


if __name__ == "__main__":
    for line in lines():
        print(line, flush=True)
