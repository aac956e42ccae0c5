"""Real packages of the machine's Debian archive, rebuilt by `sealwright run`, beside what the archive published.

- Each package is a release of its own, so its build root holds its own build dependencies and nothing else's.
- The uploaders' keyring is the machine's, or that of a newer suite: a stock package that the archive signs.
- What is red stays red, and is a line of the table; nothing is waived.
- A product that differs lies beside the archive's, in PACKAGE/differs/, to be looked at by hand; the table says which
  members differ, and whether another compiler or another build root shows in them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_stages.files import remove_tree
from sealwright_stages.ports import Archive
from sealwright_stages.get_sources.apt_sources import mirror_from_machine
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.verify.archive import stanzas
from support.small_release import BIN, make_key, write_keyring
from verify.workbench import workshop

_SUITE = "bookworm"
_ARCHIVE_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
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
environment = "debian:{suite}"
recipe = "deb"
limits = {{ wall = "{wall}", memory = "6G", disk = "16G", processes = 2048 }}
"""
_KEYRING = """[[component.deb]]
package = "debian:{suite}/debian-keyring"
"""
_COMPILER = re.compile(rb"GCC: \(([^)\x00]{1,60})\) ?([0-9.]*)")


@dataclass
class Rebuilt:
    """What came of one package."""

    package: str
    version: str = ""
    source: str = "not judged"
    wall: float = 0.0
    root: int = 0
    results: dict[str, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One row of the table."""
        counts = "/".join(str(list(self.results.values()).count(each)) for each in ("identical", "differs", "absent"))
        wall = f"{self.wall:8.1f} s" if self.results else "         -"
        told = "; ".join(self.reasons) or "-"
        return f"{self.package:16} {self.version:24} {self.source:28} {wall} {self.root:5} {counts:>9}  {told}"


HEADING = (
    f"{'package':16} {'version':24} {'source':28} {'build':>10} {'root':>5} {'=/≠/absent':>9}  why not identical"
)


def rebuilds(names: Sequence[str], work: Path, uploaders_of: str | None, jobs: int, wall: str) -> Iterator[Rebuilt]:
    """Rebuild source packages below `work`, `jobs` at a time; gives each as it ends, in the order of `names`."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / "keyring").exists():
        write_keyring(work / "keyring", [make_key(work / "home", "nobody")])
    uploaders = str(_newer_keyring(work, uploaders_of)) if uploaders_of else "debian-keyring"
    with ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(lambda name: _rebuild(name, work, uploaders, wall), names)


def _newer_keyring(work: Path, suite: str) -> Path:
    """The keyring of uploaders that `suite` ships, from a stock package that our own tool verified."""
    folder = work / "uploaders"
    found = folder / "keyring.pgp"
    if not found.exists():
        list(_run(folder, work, "uploaders", _KEYRING.format(suite=suite), "verify"))
        packages = list((folder / "release" / "sources" / "uploaders" / "files").glob("*.deb"))
        if len(packages) != 1:
            raise SystemExit((folder / "said").read_text())
        package = packages[0]
        tar = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, stdout=subprocess.PIPE).stdout
        member = "./usr/share/keyrings/debian-keyring.pgp"
        argv = ["tar", "--extract", "--to-stdout", member]
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


def _rebuild(name: str, work: Path, uploaders: str, wall: str) -> Rebuilt:
    rebuilt, folder = Rebuilt(name), work / name
    source = _PACKAGE.format(name=name, suite=_SUITE, uploaders=uploaders, wall=wall)
    verdicts: dict[str, tuple[str, str]] = {}
    begun = time.monotonic()
    for event in _run(folder, work, name, source, "build"):
        match event.get("event"):
            case "item.verdict":
                _judged(rebuilt, event, verdicts)
            case "build.ended":
                rebuilt.wall = int(str(event["wall_ms"])) / 1000
            case "product.compared":
                rebuilt.results[str(event["name"])] = str(event["result"])
            case "result" if event.get("exit") and not rebuilt.reasons:
                rebuilt.reasons.append(f"{event.get('because')}"[:200])
    rebuilt.source = _source(verdicts)
    (folder / "whole").write_text(f"{time.monotonic() - begun:.0f} s\n")
    rebuilt.reasons += _reasons(rebuilt, folder)
    for spent in ("cache", "release/quarantine"):
        remove_tree(folder / spent)
    (folder / "row").write_text(rebuilt.line() + "\n")
    return rebuilt


def _judged(rebuilt: Rebuilt, event: dict[str, object], verdicts: dict[str, tuple[str, str]]) -> None:
    item, reason = str(event["item"]), str(event["reason"])
    kind = item.split("/")[1]
    verdicts[kind] = str(event["verdict"]), str(event["code"])
    if kind == "fetch" and (found := re.match(r"version (\S+):", reason)):
        rebuilt.version = found[1]
    if kind == "apt" and (found := re.match(r"(\d+) packages", reason)):
        rebuilt.root = int(found[1])
    if event["verdict"] == "failed":
        rebuilt.reasons.append(f"{event['code']}: {reason}"[:300])


def _source(verdicts: dict[str, tuple[str, str]]) -> str:
    """The archive's word and the uploader's, as one: what is not green by its code."""
    told = [verdicts.get(kind, ("pending", "pending")) for kind in ("archive", "uploader")]
    codes = [code for verdict, code in told if verdict != "passed"]
    return "+".join(codes) or "green"


def _reasons(rebuilt: Rebuilt, folder: Path) -> Iterator[str]:
    """Why products are absent from the archive, or differ from it."""
    if not rebuilt.results:
        return
    debian = DebianArchive(Archive(mirror_from_machine(_SUITE), _ARCHIVE_KEYS), _SUITE)
    place = workshop(folder / "differs")
    _, index = debian.packages(place)
    absent = [name for name, result in rebuilt.results.items() if result == "absent" and "-dbgsym_" not in name]
    for version in sorted({_rebuilt_version(index, name) for name in absent} - {""}):
        yield f"the archive has a binNMU, {version}"
    for name, result in sorted(rebuilt.results.items()):
        if result == "differs":
            yield f"{name.split('_')[0]}: {_difference(name, index, folder)}"


def _rebuilt_version(index: bytes, product: str) -> str:
    name, version, _ = product.split("_")
    for stanza in stanzas(index, "Package", name):
        if stanza["version"].split(":", 1)[-1].startswith(f"{version}+b"):
            return stanza["version"]
    return ""


def _difference(product: str, index: bytes, folder: Path) -> str:
    """Which members differ, and what of their makers shows."""
    stanza = next(iter(stanzas(index, "Package", product.split("_")[0])))
    theirs = folder / "differs" / product
    mirror = mirror_from_machine(_SUITE)
    fetched = subprocess.run(
        ["curl", "-sSfo", theirs, f"{mirror}/{stanza['filename']}"], check=False, stderr=subprocess.PIPE
    )
    if fetched.returncode != 0 or hashlib.sha256(theirs.read_bytes()).hexdigest() != stanza["sha256"]:
        return "the archive's file did not come"
    trees = []
    for side, deb in (("mine", folder / "release/products" / folder.name / product), ("theirs", theirs)):
        tree = folder / "differs" / f"{product}.{side}"
        remove_tree(tree)
        subprocess.run(["dpkg-deb", "--raw-extract", deb, tree], check=True)
        trees.append(tree)
    shutil.copy2(folder / "release/products" / folder.name / product, folder / "differs" / f"mine_{product}")
    mine, other = (_members(tree) for tree in trees)
    odd = [name for name in sorted(mine.keys() | other.keys()) if mine.get(name) != other.get(name)]
    compilers = [{each for name in odd for each in _compilers(tree / name)} for tree in trees]
    plain = [name for name in odd if name != "DEBIAN/md5sums"]
    told = f"{len(plain)} of {len(mine)} members ({', '.join(plain[:3])})" if plain else "order, owner or time"
    if plain and all(len({_without_build_id(tree / name) for tree in trees}) == 1 for name in plain):
        told += "; in nothing but the build-id, which is over what was stripped"
    for tree in trees:
        remove_tree(tree)
    if compilers[0] != compilers[1]:
        told += f"; built by {', '.join(sorted(compilers[1]))}, not {', '.join(sorted(compilers[0]))}"
    return told


def _members(tree: Path) -> dict[str, str]:
    found = {}
    for path in tree.rglob("*"):
        if path.is_symlink():
            found[str(path.relative_to(tree))] = f"-> {os.readlink(path)}"
        elif path.is_file():
            found[str(path.relative_to(tree))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _without_build_id(path: Path) -> str:
    """The SHA-256 of an ELF file without its build-id, and without the name of its debug file, which is that too."""
    bare = path.with_name(f"{path.name}.bare")
    argv = ["objcopy", "--remove-section=.note.gnu.build-id", "--remove-section=.gnu_debuglink", path, bare]
    done = subprocess.run(argv, check=False, capture_output=True)
    return hashlib.sha256(bare.read_bytes()).hexdigest() if done.returncode == 0 else str(path)


def _compilers(path: Path) -> set[str]:
    if path.is_symlink() or not path.is_file():
        return set()
    return {f"{name.decode()}" for name, _ in _COMPILER.findall(path.read_bytes())}
