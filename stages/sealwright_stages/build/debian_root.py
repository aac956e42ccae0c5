"""Cached build roots of a Debian suite: the base that all share, and a component's root made of it.

- A root is known by what went into it: suite, architecture, packages, build dependencies, the index's SHA-256.
- A cached root is read again, every byte, before every use; one that differs from its record is made anew, and
  its packages are judged by the index anew: a record vouches for nothing.
- A root's identity is the SHA-256 of the tar file that it came from, which anybody can make again from the same
  index. The base's tar is kept, and hashed before a root is made of it; those of components are not.
- Every installed package must be in the list that the signed index names, with its SHA-256, or the root is red.
- A root in the cache shares the files that it has from its base with that, so that it costs the disk what it adds.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.build.bootstrap import BASE_PACKAGES, Base, Wish, bootstrap
from sealwright_stages.build.packages import Key, Stock, dpkg_status, packages_of
from sealwright_stages.build.repository import Index
from sealwright_stages.build.root_cache import add_mount_points, held, out_of_reach, prune, share, use, vacate
from sealwright_stages.build.tools import versions
from sealwright_stages.build.tree_digest import digest_of, tree_lines
from sealwright_stages.errors import BuildError
from sealwright_stages.files import remove_tree, sha256_file, sync_folder, write_whole
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.ports import Package, Workshop
from sealwright_stages.verdict import Evidence, Passed, Verdict, Warned

_FORM = 5  # of a cached root; a change of how roots are made counts it up
_TAR = "base.tar"

Listed = Mapping[Key, Stock]
"""The packages of a verified list, by name, version and architecture."""


@dataclass(frozen=True)
class Record:
    """What is known of a cached root: its tar's SHA-256, its base's, the digest of its folder, its packages, the
    versions of the tools that made it, and its entries as they were just read."""

    sha256: str
    base: str
    tree: str
    packages: tuple[Package, ...]
    tools: Mapping[str, str]
    lines: Sequence[bytes] = ()


@dataclass(frozen=True)
class Shelf:
    """The cached roots of one suite and index."""

    archive: DebianArchive
    index: Index
    listed: Listed
    workshop: Workshop

    def root(self, wish: Wish) -> tuple[Path, Record]:
        """The folder of a root, made or taken from the cache.

        Raises:
            BuildError: a package or the root is refused.
            FetchError: a package did not arrive.
        """
        base = None if wish.is_base else base_of(wish)
        folder = self._folder(wish)
        with held(folder, self.workshop):
            record = usable(folder, self.listed, wish.suite)
            if record is not None and base is not None and record.base != self._named(base):
                record = None
            record = record or self._make(wish, base, folder)
            use(folder)
        prune(folder.parent, time.time())
        return folder / "root", record

    def _folder(self, wish: Wish) -> Path:
        facts = {"form": _FORM, "wish": asdict(wish), "inrelease": self.index.release.sha256}
        key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
        return self.workshop.cache / "environments" / key

    def _named(self, base: Wish) -> str:
        """The SHA-256 of the base as its record has it, empty without one."""
        folder = self._folder(base)
        try:
            record = json.loads((folder / "root.json").read_bytes())
            return str(record["sha256"]) if out_of_reach(folder, folder / "root.json") else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _base(self, wish: Wish) -> tuple[Base, str]:
        """The base root with its tar, for a root that is made of it, and the tar's SHA-256."""
        folder = self._folder(wish)
        with held(folder, self.workshop):
            record = usable(folder, self.listed, wish.suite)
            if record is None or not _is(folder / _TAR, record.sha256):
                record = self._make(wish, None, folder)
            use(folder)
            status = (folder / "root/var/lib/dpkg/status").read_bytes()
            return Base(folder / _TAR, status, record.lines), record.sha256

    def _make(self, wish: Wish, base_wish: Wish | None, folder: Path) -> Record:
        """Make a root, judge what is in it, and put it into the cache."""
        vacate(folder)
        base, base_sha256 = self._base(base_wish) if base_wish else (None, "")
        for left in folder.glob("making-*"):
            remove_tree(left)  # by a run that was killed
        with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as scratch:
            tar = bootstrap(wish, self.archive, self.index, self.listed, base, Path(scratch), self.workshop)
            root = Path(scratch, "root")
            with ThreadPoolExecutor(1) as pool:
                hashed = pool.submit(sha256_file, tar)
                _unpack(tar, root)
                sha256 = hashed.result()
            packages = tuple(judged(installed(root), self.listed, wish.suite))
            lines = tree_lines(root)
            if base is not None:
                share(base.tar.parent / "root", base.lines, root, lines)
                still(root, lines)
            tree = digest_of(lines)
            record = Record(sha256, base_sha256 or sha256, tree, packages, versions(), lines)
            remove_tree(folder / "root")
            root.rename(folder / "root")
            if base is None:
                tar.rename(folder / _TAR)
            sync_folder(folder)
        told = {"sha256": sha256, "base": record.base, "tree": tree, "tools": dict(record.tools)}
        write_whole(folder / "root.json", json.dumps(told).encode())
        return record

    def verdict(self, wish: Wish, record: Record, *, own: bool) -> Verdict:
        """The root's packages are as good as the index that names them. How good that is, the environment's item says;
        of a component's `own` root it is not said again."""
        release = self.index.release
        told = [f"{p.name} {p.version} {p.architecture} {p.sha256}" for p in record.packages]
        evidence: Evidence = {
            "inrelease_sha256": release.sha256,
            "packages": told,
            "root": self._told(wish, record),
        }
        if own:
            reason = f"{len(told)} packages, each in the signed index of {wish.suite}"
            return Passed(reason, record.sha256, evidence)
        evidence = {
            **evidence,
            "index": dict(release.verdict.evidence),
            "archive": release.told(self.archive.archive.mirror, self.archive.suite),
            "inrelease_base64": base64.b64encode(release.document).decode(),
        }
        reason = f"{len(told)} packages, each in the {release.verdict.reason}"
        if isinstance(release.verdict, Warned):
            return Warned(release.verdict.code, reason, release.verdict.next_step, record.sha256, evidence)
        return Passed(reason, record.sha256, evidence)

    def _told(self, wish: Wish, record: Record) -> dict[str, object]:
        """All that is needed to make the root again."""
        known = self.index.release.files[self.index.name]
        return {
            "form": _FORM,
            "suite": wish.suite,
            "architecture": wish.architecture,
            "base": list(BASE_PACKAGES),
            "packages": list(wish.packages),
            "build_depends": list(wish.depends),
            "base_sha256": record.base,
            "inrelease_sha256": self.index.release.sha256,
            "index": {"name": self.index.name, "sha256": known.sha256, "size": known.size},
            "tree": record.tree,
            "tools": dict(record.tools),
        }


def base_of(wish: Wish) -> Wish:
    """The wish for the base that a component's root is made of."""
    return Wish(wish.suite, wish.architecture, (), ())


def usable(folder: Path, listed: Listed, suite: str) -> Record | None:
    """The record of a cached root that still is what was recorded and listed; None if it must be made."""
    try:
        if not out_of_reach(folder, folder / "root.json"):
            return None
        told = json.loads((folder / "root.json").read_bytes())
        packages = tuple(judged(installed(folder / "root"), listed, suite))
        tools = {str(name): str(version) for name, version in told["tools"].items()}
        lines = tree_lines(folder / "root")
        record = Record(str(told["sha256"]), str(told["base"]), str(told["tree"]), packages, tools, lines)
        return record if digest_of(lines) == record.tree else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, BuildError):
        return None


def installed(root: Path) -> list[Package]:
    """The packages that dpkg's own status file in a root names, sorted.

    Raises:
        BuildError: there is no such file.
    """
    text = dpkg_status(root)
    if text is None:
        raise BuildError("the build root is refused", "it has no dpkg status", "run again", "environment-failed")
    return sorted(packages_of(text), key=lambda package: (package.name, package.architecture))


def judged(found: Sequence[Package], listed: Listed, suite: str) -> Iterator[Package]:
    """Each package as the index names it.

    Raises:
        BuildError: one is not in the index, in this version and architecture.
    """
    for package in found:
        known = listed.get((package.name, package.version, package.architecture))
        if known is None:
            raise BuildError(
                f"the build root of {suite} is refused",
                f"{package.name} {package.version} is not in the signed index",
                "look at the mirror; don't build in this root",
                "package-not-in-index",
            )
        yield known.package


def still(root: Path, lines: Sequence[bytes]) -> None:
    """Whether a root is what it was before it got the base's files: those may have been spoiled since they were read."""
    if digest_of(tree_lines(root)) != digest_of(lines):
        raise BuildError(
            "the build root is refused", "its base changed while it was made", "run again", "environment-failed"
        )


def _is(path: Path, sha256: str) -> bool:
    try:
        return sha256_file(path) == sha256
    except OSError:
        return False


def _unpack(tar: Path, root: Path) -> None:
    """Unpack a root, without owners, devices or set-uid bits.

    Raises:
        BuildError: it can't be unpacked.
    """
    root.mkdir(mode=0o755)
    argv = [
        *("sh", "-c", 'umask 022; exec "$@"', "unpack"),
        *("tar", "--extract", "--file", str(tar), "--directory", str(root)),
        *("--no-same-owner", "--no-same-permissions", "--exclude=./dev/*", "--delay-directory-restore"),
    ]
    done = process.run(argv, timeout=600)
    if done.returncode != 0:
        raise BuildError(
            "the build root can't be unpacked", done.complaint(), "make room, run again", "environment-failed"
        )
    add_mount_points(root)
