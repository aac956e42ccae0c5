"""Build roots: the host's /usr, a pinned tar, or a Debian suite of which every package is in the verified index.

- A root is known by what went into it: suite, packages, build dependencies, architecture, the index's SHA-256.
- A cached root is read again, every byte, before every use; one that differs from its record is made anew, and
  its packages are judged by the index anew: a record vouches for nothing.
- A root's identity is the SHA-256 of the tar file that it came from, which anybody can make again from the
  same index; the tar itself is not kept.
- Every installed package must be in the list that the signed index names, with its SHA-256, or the root is red.
- An environment of another kind is refused before anything is fetched.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.build.bootstrap import Wish, bootstrap
from sealwright_stages.build.host import prepare_host
from sealwright_stages.build.packages import dpkg_status, packages_of
from sealwright_stages.build.root_cache import add_mount_points, held, out_of_reach
from sealwright_stages.build.tar_root import KIND, prepare_tar
from sealwright_stages.build.tree_digest import tree_digest
from sealwright_stages.errors import BuildError
from sealwright_stages.events import Stage
from sealwright_stages.files import remove_tree, sha256_file, sync_folder, write_whole
from sealwright_stages.get_sources.debian import DebianArchive, architecture
from sealwright_stages.manifest_table import HEX64
from sealwright_stages.ports import ItemSpec, Package, Prepared, Workshop
from sealwright_stages.verdict import Evidence, Passed, Verdict, Warned
from sealwright_stages.verify.archive import Release

_FORM = 3  # of a cached root; a change of how roots are made counts it up


_Listed = Mapping[tuple[str, str, str], Package]
"""The packages of a verified list, by name, version and architecture."""


@dataclass(frozen=True)
class Environments:
    """Makes build roots in the cache.

    `archive` gives the Debian archive of a suite, `tars` where the tar with a SHA-256 is.
    """

    archive: Callable[[str], DebianArchive]
    tars: Mapping[str, str] = field(default_factory=dict)

    def items(self, name: str) -> tuple[ItemSpec, ...]:
        """The items that preparing environment `name` will judge.

        Raises:
            BuildError: there is no such kind of environment.
        """
        suite, component = _suite(name), f"environment {name}"
        if suite is not None:
            title = f"packages of Debian {suite}, by its signed index"
            return (ItemSpec(_item(name), component, Stage.VERIFY, "apt", title),)
        if name.startswith(KIND):
            title = "build root from a tar, pinned by the manifest"
            return (ItemSpec(_item(name), component, Stage.VERIFY, "digest", title),)
        return ()

    def prepare(
        self, name: str, packages: Sequence[str], build_depends: Sequence[str], workshop: Workshop
    ) -> Prepared:
        """Make or take from the cache a build root with these packages.

        Raises:
            BuildError: the environment, its index or a package is refused.
            FetchError: the index did not arrive.
        """
        suite = _suite(name)
        if name.startswith(KIND):
            return prepare_tar(name, _item(name), self.tars[name.removeprefix(KIND)], packages, workshop)
        if suite is None:
            return prepare_host(packages, build_depends)
        wish = Wish.of(suite, architecture(), packages, build_depends)
        archive = self.archive(suite)
        release, text = archive.packages(workshop)
        listed = {
            (package.name, package.version, package.architecture): package
            for package in packages_of(text.decode("utf-8", "surrogateescape"))
        }
        folder = workshop.cache / "environments" / _key(wish, release)
        with held(folder):
            record = usable(folder, listed, suite)
            if record is None:
                try:
                    record = _make(wish, archive, release, listed, folder, workshop)
                except BuildError:
                    archive.forget()  # it may just be changing: the next try asks afresh
                    raise
        return Prepared(
            name,
            folder / "root",
            record.sha256,
            record.packages,
            {_item(name): _verdict(release, record, archive)},
        )


@dataclass(frozen=True)
class _Record:
    """What is known of a cached root: its tar's SHA-256, the digest of its folder, and the packages in it."""

    sha256: str
    tree: str
    packages: tuple[Package, ...]


def _verdict(release: Release, record: _Record, archive: DebianArchive) -> Verdict:
    """The root's packages are as good as the index that names them."""
    told = [f"{p.name} {p.version} {p.architecture} {p.sha256}" for p in record.packages]
    evidence: Evidence = {
        "inrelease_sha256": release.sha256,
        "index": dict(release.verdict.evidence),
        "archive": release.told(archive.archive.mirror, archive.suite),
        "packages": told,
    }
    reason = f"{len(told)} packages, each in the {release.verdict.reason}"
    if isinstance(release.verdict, Warned):
        return Warned(release.verdict.code, reason, release.verdict.next_step, record.sha256, evidence)
    return Passed(reason, record.sha256, evidence)


def _suite(name: str) -> str | None:
    """The suite of `debian:SUITE`, None for `host` and `tar:SHA256`."""
    kind, _, rest = name.partition(":")
    if name == "host" or (kind == "tar" and HEX64.match(rest)):
        return None
    if kind == "debian" and rest:
        return rest
    next_step = "use `host`, `debian:SUITE` or `tar:` with a SHA-256"
    raise BuildError(f"environment {name!r} is refused", "no such build root is made", next_step)


def _item(name: str) -> str:
    return f"environment {name}/{'tar' if name.startswith(KIND) else 'apt'}"


def _key(wish: Wish, release: Release) -> str:
    facts = {"form": _FORM, "wish": asdict(wish), "inrelease": release.sha256}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def usable(folder: Path, listed: _Listed, suite: str) -> _Record | None:
    """The record of a cached root that still is what was recorded and listed; None if it must be made."""
    try:
        if not out_of_reach(folder, folder / "root.json"):
            return None
        told = json.loads((folder / "root.json").read_bytes())
        packages = tuple(_judged(installed(folder / "root"), listed, suite))
        record = _Record(str(told["sha256"]), str(told["tree"]), packages)
        return record if tree_digest(folder / "root") == record.tree else None
    except (OSError, ValueError, KeyError, TypeError, BuildError):
        return None


def _make(
    wish: Wish, archive: DebianArchive, release: Release, listed: _Listed, folder: Path, workshop: Workshop
) -> _Record:
    """Make a root, judge what is in it, and put it into the cache."""
    for left in folder.glob("making-*"):
        remove_tree(left)  # by a run that was killed
    with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as scratch:
        tar = bootstrap(wish, archive.archive, release, Path(scratch), workshop)
        root = Path(scratch, "root")
        _unpack(tar, root)
        packages = tuple(_judged(installed(root), listed, wish.suite))
        record = _Record(sha256_file(tar), tree_digest(root), packages)
        remove_tree(folder / "root")
        root.rename(folder / "root")
        sync_folder(folder)
    write_whole(folder / "root.json", json.dumps({"sha256": record.sha256, "tree": record.tree}).encode())
    return record


def installed(root: Path) -> list[Package]:
    """The packages that dpkg's own status file in a root names, sorted.

    Raises:
        BuildError: there is no such file.
    """
    text = dpkg_status(root)
    if text is None:
        raise BuildError("the build root is refused", "it has no dpkg status", "run again", "environment-failed")
    return sorted(packages_of(text), key=lambda package: (package.name, package.architecture))


def _judged(found: Sequence[Package], listed: _Listed, suite: str) -> Iterator[Package]:
    for package in found:
        known = listed.get((package.name, package.version, package.architecture))
        if known is None or len(known.sha256) != 64:
            raise BuildError(
                f"the build root of {suite} is refused",
                f"{package.name} {package.version} is not in the signed index",
                "look at the mirror; don't build in this root",
                "package-not-in-index",
            )
        yield known


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
