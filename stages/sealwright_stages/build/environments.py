"""Build roots: the host's /usr, or a Debian suite of which every package is in the verified index.

- A root is known by what went into it: suite, packages, build dependencies, architecture, the index's SHA-256.
- A cached root is read again, every byte, before every use; one that differs from its record is made anew.
- A root's identity is the SHA-256 of the tar file that it came from, which anybody can make again from the
  same index; the tar itself is not kept.
- Every installed package must be in the list that the signed index names, with its SHA-256, or the root is red.
- An environment of another kind is refused before anything is fetched.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sealwright_stages import process
from sealwright_stages.build.archive import Index, fetch_index, fetch_packages, stanzas
from sealwright_stages.build.bootstrap import Wish, bootstrap
from sealwright_stages.build.host import prepare_host
from sealwright_stages.build.tree_digest import tree_digest
from sealwright_stages.errors import BuildError, MachineError
from sealwright_stages.events import Stage
from sealwright_stages.files import remove_tree, sha256_file, sync_folder, write_whole
from sealwright_stages.ports import Archive, ItemSpec, Package, Prepared, Workshop
from sealwright_stages.verdict import Passed

_MOUNT_POINTS = ("build", "sources", "out")
_FORM = 1  # of a cached root; a change of how roots are made counts it up


@dataclass(frozen=True)
class Environments:
    """Makes build roots in the cache; `archive` names the Debian archive of a suite."""

    archive: Callable[[str], Archive]

    def items(self, name: str) -> tuple[ItemSpec, ...]:
        """The items that preparing environment `name` will judge.

        Raises:
            BuildError: there is no such kind of environment.
        """
        suite = _suite(name)
        if suite is None:
            return ()
        component = f"environment {name}"
        title = f"packages of Debian {suite}, by its signed index"
        return (ItemSpec(_item(name), component, Stage.VERIFY, "apt", title),)

    def prepare(
        self, name: str, packages: Sequence[str], build_depends: Sequence[str], workshop: Workshop
    ) -> Prepared:
        """Make or take from the cache a build root with these packages.

        Raises:
            BuildError: the environment, its index or a package is refused.
            FetchError: the index did not arrive.
        """
        suite = _suite(name)
        if suite is None:
            return prepare_host(packages, build_depends)
        wish = Wish.of(suite, _architecture(), packages, build_depends)
        archive = self.archive(suite)
        index = fetch_index(archive, suite, workshop)
        key = _key(wish, index)
        folder = workshop.cache / "environments" / key
        with _held(folder):
            record = _usable(folder)
            if record is None:
                record = _make(wish, archive, index, folder, workshop)
        verdict = Passed(
            f"{len(record.packages)} packages, each in the index signed by {index.signer}",
            record.sha256,
            {
                "inrelease_sha256": index.sha256,
                "inrelease_date": index.made.isoformat(),
                "signer": index.signer,
                "status": list(index.status),
                "packages": [f"{p.name} {p.version} {p.architecture} {p.sha256}" for p in record.packages],
            },
        )
        return Prepared(name, folder / "root", record.sha256, record.packages, {_item(name): verdict})


@dataclass(frozen=True)
class _Record:
    """What is known of a cached root: its tar's SHA-256, the digest of its folder, and the packages in it."""

    sha256: str
    tree: str
    packages: tuple[Package, ...]


def _suite(name: str) -> str | None:
    """The suite of `debian:SUITE`, None for `host`."""
    kind, _, rest = name.partition(":")
    if name == "host":
        return None
    if kind == "debian" and rest:
        return rest
    next_step = "use `host` or `debian:SUITE`"
    raise BuildError(f"environment {name!r} is refused", "only host and Debian roots are made", next_step)


def _item(name: str) -> str:
    return f"environment {name}/apt"


def _architecture() -> str:
    done = process.run(["dpkg", "--print-architecture"], timeout=30)
    word = done.stdout.decode("ascii", "replace").strip()
    if done.returncode != 0 or not word.isalnum():
        raise MachineError("this machine's architecture is unknown", done.complaint(), "install dpkg")
    return word


def _key(wish: Wish, index: Index) -> str:
    facts = {"form": _FORM, "wish": asdict(wish), "inrelease": index.sha256}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a cached root, so that two consoles don't make it at once."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _usable(folder: Path) -> _Record | None:
    """The record of a cached root that still is what was recorded; None if it must be made."""
    try:
        told = json.loads((folder / "root.json").read_bytes())
        packages = tuple(Package(**package) for package in told["packages"])
        record = _Record(str(told["sha256"]), str(told["tree"]), packages)
        return record if tree_digest(folder / "root") == record.tree else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _make(wish: Wish, archive: Archive, index: Index, folder: Path, workshop: Workshop) -> _Record:
    """Make a root, judge what is in it, and put it into the cache."""
    for left in folder.glob("making-*"):
        remove_tree(left)  # by a run that was killed
    listed = fetch_packages(archive, wish.suite, index, wish.architecture, workshop)
    with tempfile.TemporaryDirectory(dir=folder, prefix="making-") as scratch:
        tar = bootstrap(wish, archive, index, Path(scratch), workshop)
        packages = tuple(_judged(installed(tar), listed, wish.suite))
        root = Path(scratch, "root")
        _unpack(tar, root)
        record = _Record(sha256_file(tar), tree_digest(root), packages)
        remove_tree(folder / "root")
        root.rename(folder / "root")
        sync_folder(folder)
    write_whole(folder / "root.json", json.dumps(asdict(record)).encode())
    return record


def installed(tar: Path) -> list[Package]:
    """The packages that dpkg's own status file in a root's tar names, sorted.

    Raises:
        BuildError: there is no such file.
    """
    with tarfile.open(tar) as members:
        for member in members:
            if member.name.removeprefix("./") == "var/lib/dpkg/status" and member.isfile():
                file = members.extractfile(member)
                text = file.read().decode("utf-8", "surrogateescape") if file else ""
                return sorted(stanzas(text), key=lambda package: (package.name, package.architecture))
    raise BuildError("the build root is refused", "it has no dpkg status", "run again", "environment-failed")


def _judged(
    found: Sequence[Package], listed: dict[tuple[str, str, str], Package], suite: str
) -> Iterator[Package]:
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
    root.chmod(0o755)
    for name in _MOUNT_POINTS:
        (root / name).mkdir(exist_ok=True)
