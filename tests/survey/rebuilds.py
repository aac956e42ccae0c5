"""Real packages of the machine's Debian archive, rebuilt by `sealwright run`, beside what the archive published.

- Each package is a release of its own, so its build root holds its own build dependencies and nothing else's.
- The uploaders' keyring is the machine's, or that of a newer suite: a stock package that our own tool verified.
- What is red stays red, and is a line of the table; nothing is waived.
- Where products differ, a second build can be made in the same root with two things put back (see `put_back.py`); how
  many of its products are identical then is told as a reason.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.get_sources.apt_sources import mirror_from_machine
from support.small_release import BIN, make_key, write_keyring
from survey.debian import archive
from survey.differences import Differences
from survey.put_back import put_back

_SUITE = "bookworm"
_RELEASE = """[release]
name = "rebuild"
version = "1"
keyring = "keyring"
signers = ["nobody"]

[environment]
mirror = "{mirror}"

[[component]]
name = "{name}"
"""
_PACKAGE = """dsc = "debian:{suite}/{name}"
uploaders = "{uploaders}"
[component.build]
environment = "{environment}"
recipe = "deb"
limits = {{ wall = "{wall}", memory = "6G", disk = "16G", processes = 2048 }}
"""
_TAR = """[[environment.tar]]
sha256 = "{sha256}"
url = "{path}"
"""
_KEYRING = """[[component.deb]]
package = "debian:{suite}/debian-keyring"
"""
_RESULTS = ("identical", "differs", "absent")
_ROW = "{:24} {:24} {:12} {:>9} {:>5} {:>8}  {}"
HEADING = _ROW.format("package", "version", "source", "build", "root", "= / ≠ / -", "why")


@dataclass
class Rebuilt:
    """What came of one package; `root` is how many packages its build root had."""

    package: str
    version: str = ""
    verdicts: dict[str, tuple[str, str]] = field(default_factory=dict)
    wall: float | None = None
    root: int = 0
    results: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """The archive's word and the uploader's as one: green, or the codes of what is not."""
        told = [self.verdicts.get(kind, ("pending", "pending")) for kind in ("archive", "uploader")]
        return "+".join(code for verdict, code in told if verdict != "passed") or "green"

    def count(self, result: str) -> int:
        """How many products came out as that."""
        return list(self.results.values()).count(result)

    def row(self) -> str:
        """A row of the table; `-` counts what the archive does not have, debug symbols among it."""
        counts = " / ".join(str(self.count(each)) for each in _RESULTS)
        wall = "-" if self.wall is None else f"{self.wall:.1f} s"
        return _ROW.format(
            self.package, self.version, self.source, wall, self.root, counts, "; ".join(self.reasons) or "-"
        )


@dataclass(frozen=True)
class How:
    """Where it is done, what a build may take, and whether one that differs is tried again with things put back."""

    work: Path
    wall: str = "1h"
    put_back: bool = False
    uploaders: str = "debian-keyring"


def rebuilds(names: Sequence[str], how: How, uploaders_of: str | None, jobs: int) -> Iterator[Rebuilt]:
    """Rebuild source packages, `jobs` at a time; gives each as it ends, in the order of `names`."""
    work = how.work
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "keyring").exists():
        write_keyring(work / "keyring", [make_key(work / "home", "nobody")])
    if uploaders_of:
        how = replace(how, uploaders=str(_newer_keyring(work, uploaders_of)))
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda name: _rebuild(name, how), names)


def _newer_keyring(work: Path, suite: str) -> Path:
    """The keyring of uploaders that `suite` ships."""
    folder = work / "uploaders"
    found = folder / "keyring.pgp"
    if not found.exists():
        list(_run(folder, work, "uploaders", _KEYRING.format(suite=suite), "verify"))
        packages = list((folder / "release" / "sources" / "uploaders" / "files").glob("*.deb"))
        if not packages:
            raise SystemExit((folder / "said").read_text())
        tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", *packages], check=True, stdout=subprocess.PIPE).stdout
        argv = ["tar", "--extract", "--to-stdout", "./usr/share/keyrings/debian-keyring.pgp"]
        found.write_bytes(subprocess.run(argv, input=tar, check=True, stdout=subprocess.PIPE).stdout)
    return found


def _run(folder: Path, work: Path, name: str, source: str, until: str) -> Iterator[dict[str, object]]:
    """Run a release of one component afresh; gives its events."""
    remove_tree(folder)
    folder.mkdir()
    (folder / "keyring").symlink_to(work / "keyring")
    (folder / "release.toml").write_text(_RELEASE.format(name=name, mirror=mirror_from_machine(_SUITE)) + source)
    argv = [BIN / "sealwright", "run", "release.toml", "--batch", "--json", "--until", until, "--work", "release"]
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    with (folder / "said").open("wb") as said:
        done = subprocess.run(argv, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=said, check=False)
    for line in done.stdout.splitlines():
        yield json.loads(line)


def _rebuild(name: str, how: How) -> Rebuilt:
    folder = how.work / name
    rebuilt = _built(Rebuilt(name), folder, how, f"debian:{_SUITE}")
    if set(rebuilt.results.values()) - {"identical"}:
        compared = Differences(archive(_SUITE), folder / "release" / "products" / name, folder / "differs")
        rebuilt.reasons += compared.told(rebuilt.results)
    roots = list(folder.glob("cache/sealwright/environments/*/root"))
    if how.put_back and "differs" in rebuilt.results.values() and len(roots) == 1:
        tar = folder / "put-back.tar.zst"
        put_back(roots[0], tar)
        environment = f"tar:{sha256_file(tar)}"
        again = _built(Rebuilt(name), how.work / f"{name}.put-back", how, environment, tar)
        told = f"{again.count('identical')} identical, {again.count('differs')} differ"
        rebuilt.reasons.append(f"with gcc's and glibc's older texts put back: {told}")
        tar.unlink()
    remove_tree(folder / "cache")
    return rebuilt


def _built(rebuilt: Rebuilt, folder: Path, how: How, environment: str, tar: Path | None = None) -> Rebuilt:
    name = rebuilt.package
    source = _PACKAGE.format(
        name=name, suite=_SUITE, uploaders=how.uploaders, environment=environment, wall=how.wall
    )
    if tar is not None:
        source += _TAR.format(sha256=environment.removeprefix("tar:"), path=tar)
    for event in _run(folder, how.work, name, source, "build"):
        _take(rebuilt, event)
    return rebuilt


def _take(rebuilt: Rebuilt, event: dict[str, object]) -> None:
    match event.get("event"):
        case "item.verdict":
            _judged(rebuilt, event)
        case "build.ended":
            rebuilt.wall = int(str(event["wall_ms"])) / 1000
        case "product.compared":
            rebuilt.results[str(event["name"])] = str(event["result"])
        case "result" if event.get("exit") and not rebuilt.reasons:
            rebuilt.reasons.append(str(event.get("because")))


def _judged(rebuilt: Rebuilt, event: dict[str, object]) -> None:
    kind, reason = str(event["item"]).split("/")[1], str(event["reason"])
    rebuilt.verdicts[kind] = str(event["verdict"]), str(event["code"])
    if kind == "fetch" and (found := re.match(r"version (\S+):", reason)):
        rebuilt.version = found[1]
    if kind == "apt" and (found := re.match(r"(\d+) packages", reason)):
        rebuilt.root = int(found[1])
    if event["verdict"] == "failed":
        rebuilt.reasons.append(f"{event['code']}: {reason}")
