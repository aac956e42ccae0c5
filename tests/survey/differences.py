"""Why a product is not the archive's, as far as the two files themselves show it.

- A name that the archive does not have, and a version of it that was rebuilt there without a new source (a binNMU).
- Which members differ; whether of ELF files anything but the build-id does, which is over debug symbols too; whether
  another compiler says that it made them.
- The archive's file is the one that its signed index names, by SHA-256 and size.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.errors import FetchError
from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.verify.archive import stanzas
from sealwright_stages.verify.deb822 import Listed
from verify.workbench import workshop

_COMPILER = re.compile(rb"GCC: \(([^)\x00]{1,60})\)")
_BUILD_ID = (".note.gnu.build-id", ".gnu_debuglink", ".gnu_debugaltlink")
_NAMED = 3  # of the members that differ, how many are named
_CHECKSUMS = "DEBIAN/md5sums"


@dataclass(frozen=True)
class Differences:
    """Compares products below `mine` with those of `debian`; both files of a pair stay in `folder`."""

    debian: DebianArchive
    mine: Path
    folder: Path

    def told(self, results: Mapping[str, str]) -> Iterator[str]:
        """A sentence for each reason; `results` are the products, each with what came of comparing it."""
        place = workshop(self.folder)
        _, index = self.debian.packages(place)
        rebuilt = set()
        for name, result in sorted(results.items()):
            package, version, _ = name.split("_")
            published = list(stanzas(index, "Package", package))
            if result == "absent":
                rebuilt |= {each["version"] for each in published if f"{version}+b" in each["version"]}
            elif result == "differs":
                stanza = next(each for each in published if each["version"].endswith(version))
                theirs = self.folder / f"archive_{name}"
                known = Listed(stanza["sha256"], int(stanza["size"]), name)
                try:
                    self.debian.file(place, stanza["filename"], known, theirs.name)
                except FetchError as error:
                    yield f"{package}: {error}"
                    continue
                (place.quarantine / theirs.name).rename(theirs)
                assert sha256_file(theirs) == known.sha256
                yield f"{package}: {between(self.mine / name, theirs, self.folder)}"
        yield from (f"the archive rebuilt it as {version}" for version in sorted(rebuilt))


def between(mine: Path, theirs: Path, folder: Path) -> str:
    """What is different in two .deb files."""
    trees = folder / "mine", folder / "theirs"
    for tree, package in zip(trees, (mine, theirs), strict=True):
        remove_tree(tree)
        subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    one, other = (_members(tree) for tree in trees)
    odd = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    plain = [name for name in odd if name != _CHECKSUMS]
    told = [
        f"{len(plain)} of {len(one)} members ({', '.join(plain[:_NAMED])})" if plain else "order, owner or time"
    ]
    if plain and all(len({_without_build_id(tree / name) for tree in trees}) == 1 for name in plain):
        told.append("in nothing but the build-id")
    compilers = [sorted({each for name in odd for each in _compilers(tree / name)}) for tree in trees]
    if compilers[0] != compilers[1]:
        told.append(f"there by {', '.join(compilers[1])}, here by {', '.join(compilers[0])}")
    for tree in trees:
        remove_tree(tree)
    return ", ".join(told)


def _members(tree: Path) -> dict[str, str]:
    found = {}
    for path in tree.rglob("*"):
        name = path.relative_to(tree).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = f"{path.stat().st_mode:o} {sha256_file(path)}"
    return found


def _without_build_id(path: Path) -> str:
    """The SHA-256 of an ELF file without its build-id, and without the links to its debug files, which are such too."""
    bare = path.with_name(f"{path.name}.bare")
    argv = ["objcopy", *(f"--remove-section={name}" for name in _BUILD_ID), path, bare]
    done = subprocess.run(argv, check=False, capture_output=True)
    return hashlib.sha256(bare.read_bytes()).hexdigest() if done.returncode == 0 else str(path)


def _compilers(path: Path) -> set[str]:
    if path.is_symlink() or not path.is_file():
        return set()
    return {name.decode("utf-8", "replace") for name in _COMPILER.findall(path.read_bytes())}
