from __future__ import annotations

import dataclasses
import json
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from build.workbench import Remembered, job, no_archive
from sealwright_stages.build.bootstrap import Wish, require_newuidmap
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.debian_root import installed, usable
from sealwright_stages.build.environments import Environments
from sealwright_stages.build.packages import Key, Stock, packages_of
from sealwright_stages.build.root_cache import share
from sealwright_stages.build.tree_digest import tree_digest, tree_lines
from sealwright_stages.errors import BuildError, MachineError
from sealwright_stages.events import Stage
from sealwright_stages.files import remove_tree
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.ports import Archive, Package, Prepared, Workshop
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.verdict import Passed


@pytest.fixture
def workshop(tmp_path: Path, identities: Identities) -> Workshop:
    for name in ("q", "cache"):
        (tmp_path / name).mkdir()
    sandbox = BwrapFetchSandbox(identities.fetcher)
    return Workshop(tmp_path / "q", tmp_path / "cache", threading.Event(), lambda a, b, c: None, sandbox)


@pytest.mark.parametrize(
    "name", ["tar:" + "0" * 63, "tar:", "debian:", "debian", "ubuntu:noble", "", "host:x", "Host"]
)
def test_an_environment_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(BuildError, match="no such build root"):
        Environments(no_archive).items(name)


def test_a_debian_environment_has_one_item_and_the_host_has_none() -> None:
    (item,) = Environments(no_archive).items("debian:bookworm")
    assert (item.id, item.component) == ("environment debian:bookworm/apt", "environment debian:bookworm")
    assert item.stage is Stage.VERIFY
    assert Environments(no_archive).items("host") == ()


def test_a_component_has_a_root_of_its_own_in_a_suite_and_shares_the_host_and_a_tar() -> None:
    environments = Environments(no_archive)
    item = environments.root_item("debian:bookworm", "xen")
    assert item is not None
    assert (item.id, item.component) == ("xen/environment", "environment debian:bookworm")
    assert environments.root_item("host", "xen") is environments.root_item(f"tar:{'0' * 64}", "xen") is None


@settings(deadline=None, max_examples=60)
@given(st.text(min_size=1).filter(lambda name: not re.fullmatch(r"[a-z0-9][a-z0-9+.-]{1,99}", name)))
def test_what_names_no_package_never_reaches_apt(name: str) -> None:
    with pytest.raises(BuildError, match="no package"):
        Wish.of("bookworm", "amd64", [name], [])


@pytest.mark.parametrize("field", ["a; reboot", "a\x00b", "-o Dir::Bin=x", "$(id)", "a `id`", 'a "b"', "a & b"])
def test_what_is_no_relation_never_reaches_apt(field: str) -> None:
    with pytest.raises(BuildError, match="relation"):
        Wish.of("bookworm", "amd64", [], [field])


def test_an_ordinary_user_whose_machine_has_no_newuidmap_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="newuidmap is missing") as refused:
        require_newuidmap(str(tmp_path))
    assert refused.value.next_step == "install uidmap, run again"
    program = tmp_path / "newuidmap"
    program.touch(mode=0o755)
    require_newuidmap(str(tmp_path))


@pytest.mark.parametrize("suite", ["../x", "-x", "a/b", "", "http://x"])
def test_what_is_no_suite_never_reaches_apt(suite: str) -> None:
    with pytest.raises(BuildError, match="suite"):
        Wish.of(suite, "amd64", [], [])


def test_a_wish_is_the_same_in_whatever_order_it_was_made() -> None:
    one = Wish.of(
        "bookworm", "amd64", ["tk", "gcc"], ["debhelper (>= 9),\n libc6-dev [linux-any]", "a | b <!nocheck>"]
    )
    other = Wish.of(
        "bookworm", "amd64", ["gcc", "tk", "gcc"], ["a | b <!nocheck>", "debhelper (>= 9), libc6-dev [linux-any],"]
    )
    assert one == other
    assert one.relations == "gcc, tk, a | b <!nocheck>, debhelper (>= 9), libc6-dev [linux-any]"
    assert not one.is_base and Wish.of("bookworm", "amd64", [], []).is_base


def test_what_the_host_lacks_is_named() -> None:
    with pytest.raises(BuildError, match="no-such-package-1"):
        Environments(no_archive).prepare("host", ["no-such-package-1"], [], _nothing())


def test_build_dependencies_that_the_host_lacks_are_named() -> None:
    with pytest.raises(BuildError, match="no-such-package-2"):
        Environments(no_archive).prepare("host", [], ["no-such-package-2 (>= 1)"], _nothing())


def test_the_host_is_taken_as_it_is() -> None:
    one = Environments(no_archive).prepare("host", ["bash"], ["dpkg"], _nothing())
    assert (one.root, one.verdict) == (None, None)
    assert one == Environments(no_archive).prepare("host", [], [], _nothing())


STATUS = "Package: b\nVersion: 2\nArchitecture: all\n\nPackage: a\nVersion: 1\nArchitecture: amd64\n"


def rooted(folder: Path, status: str) -> Path:
    """A build root as the cache holds it: its folder, and a record that agrees with it."""
    place = folder / "root" / "var" / "lib" / "dpkg"
    place.mkdir(parents=True, exist_ok=True)
    (place / "status").write_text(status)
    record = {"sha256": "0" * 64, "base": "1" * 64, "tree": tree_digest(folder / "root"), "tools": {}}
    (folder / "root.json").write_text(json.dumps(record))
    return folder


def index_of(*names: str) -> dict[Key, Stock]:
    kinds = {"a": ("a", "1", "amd64"), "b": ("b", "2", "all")}
    return {kinds[name]: Stock(Package(*kinds[name], "ab" * 32), f"pool/{name}.deb", 1) for name in names}


def test_the_packages_are_read_from_the_root_itself(tmp_path: Path) -> None:
    root = rooted(tmp_path, STATUS) / "root"
    assert [(p.name, p.version) for p in installed(root)] == [("a", "1"), ("b", "2")]


def test_a_continuation_line_is_no_field() -> None:
    text = "Package: a\nVersion: 1\nArchitecture: all\nDescription: x\n Version: 2\n\nPackage: half\n"
    (package,) = packages_of(text)
    assert package.version == "1"


def test_a_root_without_a_dpkg_status_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no dpkg status"):
        installed(tmp_path)
    status = rooted(tmp_path, STATUS) / "root/var/lib/dpkg/status"
    status.rename(tmp_path / "elsewhere")
    status.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BuildError, match="no dpkg status"):
        installed(tmp_path / "root")


def test_a_cached_root_is_judged_by_the_index_at_every_use(tmp_path: Path) -> None:
    folder = rooted(tmp_path, STATUS)
    kept = usable(folder, index_of("a", "b"), "toy")
    assert kept is not None
    assert {package.sha256 for package in kept.packages} == {"ab" * 32}
    assert usable(folder, index_of("a"), "toy") is None, "its record vouches for nothing"


def test_a_cached_root_that_differs_from_its_record_is_made_anew(tmp_path: Path) -> None:
    folder = rooted(tmp_path, STATUS)
    (folder / "root" / "added").touch()
    assert usable(folder, index_of("a", "b"), "toy") is None


@pytest.mark.parametrize("part", ["", "root.json"])
def test_a_record_that_a_builder_could_write_does_not_count(tmp_path: Path, part: str) -> None:
    folder = rooted(tmp_path, STATUS)
    (folder / part).chmod(0o777)
    assert usable(folder, index_of("a", "b"), "toy") is None
    (folder / part).chmod(0o775)
    assert usable(folder, index_of("a", "b"), "toy") is not None
    if os.geteuid() == 0:
        os.chown(folder / part, 61500, -1)
        assert usable(folder, index_of("a", "b"), "toy") is None


def _nothing() -> Workshop:
    """A workshop that preparing the host must not touch."""
    nowhere = Path("/nonexistent")
    return Workshop(nowhere, nowhere, threading.Event(), lambda a, b, c: None, BwrapFetchSandbox(None))


def _machine_archive(suite: str) -> DebianArchive:
    """The archive that this machine's own apt uses."""
    for path in (*Path("/etc/apt").glob("sources.list.d/*.sources"), *Path("/etc/apt").glob("*.list")):
        found = re.search(r"(?:URIs: |^deb )(\S+://\S+/debian)/?(?:\s|$)", path.read_text(), re.MULTILINE)
        if found and suite in path.read_text():
            keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
            return DebianArchive(Archive(found[1], keyring), suite)
    pytest.skip(f"this machine's apt knows no mirror with {suite}")


def test_a_root_shares_what_it_has_from_its_base_and_nothing_else(tmp_path: Path) -> None:
    base, root = tmp_path / "base", tmp_path / "root"
    for folder in (base, root):
        (folder / "etc").mkdir(parents=True)
        for name, text in (("same", "a"), ("other", folder.name), ("touched", "b"), ("mode", "c")):
            (folder / "etc" / name).write_text(text)
            os.utime(folder / "etc" / name, (1, 1 if name != "touched" or folder is base else 2))
        (folder / "link").symlink_to("etc")
    (root / "etc" / "mode").chmod(0o755)
    (root / "etc" / "more").touch()
    before = tree_digest(root)
    share(base, tree_lines(base), root, tree_lines(root))
    assert tree_digest(root) == before
    assert [name.name for name in sorted((root / "etc").iterdir()) if name.stat().st_nlink == 2] == ["same"]


MADE = pytest.mark.network, pytest.mark.slow, pytest.mark.sandbox, pytest.mark.timeout(1800)


def marked(test: Callable[..., None]) -> Callable[..., None]:
    """A test that makes real roots of the machine's own archive."""
    for mark in MADE:
        test = mark(test)
    return test


def told(prepared: Prepared) -> dict[str, object]:
    """What the evidence says that its root was made of."""
    assert isinstance(prepared.verdict, Passed)
    root = prepared.verdict.evidence["root"]
    assert isinstance(root, dict)
    return root


@marked
def test_a_debian_root_is_made_once_checked_at_every_use_and_built_in(
    workshop: Workshop, identities: Identities, tmp_path: Path
) -> None:
    builder = SandboxBuilder(identities, Environments(_once(_machine_archive)))
    first = builder.prepare("debian:bookworm", ["hello"], ["debhelper-compat (= 13)"], workshop)
    assert {"hello", "debhelper", "gcc", "fakeroot"} <= {package.name for package in first.packages}
    assert all(len(package.sha256) == 64 for package in first.packages)
    assert first.root is not None

    again = builder.prepare("debian:bookworm", ["hello"], ["debhelper-compat (= 13)"], workshop)
    assert again == first

    base = builder.prepare("debian:bookworm", [], [], workshop)
    assert {package.name for package in base.packages} < {package.name for package in first.packages}
    assert told(first)["base_sha256"] == base.sha256 == told(base)["base_sha256"]
    assert base.root is not None and not (base.root / "usr/bin/hello").exists()
    assert not (base.root / "etc/apt/sources.list").read_text()
    for root in (base.root, first.root):
        assert (root / "etc/hostname").read_text() == "build\n", "not the name of this machine"
        assert not (root / "etc/resolv.conf").exists()

    out = tmp_path / "out"
    out.mkdir()
    what = dataclasses.replace(job(tmp_path, "hello > $OUT/said; getent hosts localhost"), environment=first)
    assert builder.run(what, out, Remembered(), lambda sample: None, lambda: "").exit == 0
    builder.collect(what, out, tmp_path / "kept")
    assert (tmp_path / "kept" / "said").read_text() == "Hello, world!\n"

    (first.root / "usr" / "bin" / "hello").write_bytes(b"#!/bin/sh\necho owned\n")
    mended = builder.prepare("debian:bookworm", ["hello"], ["debhelper-compat (= 13)"], workshop)
    assert mended.sha256 == first.sha256, "made anew, from the same index, it is the same to the byte"
    assert b"owned" not in (first.root / "usr" / "bin" / "hello").read_bytes()


@marked
def test_components_whose_build_dependencies_conflict_have_a_root_each(
    workshop: Workshop, identities: Identities
) -> None:
    builder = SandboxBuilder(identities, Environments(_once(_machine_archive)))
    names = []
    for package in ("libcurl4-openssl-dev", "libcurl4-gnutls-dev"):
        made = builder.prepare("debian:bookworm", [], [package], workshop)
        names.append({each.name for each in made.packages})
    assert "libcurl4-openssl-dev" in names[0] - names[1] and "libcurl4-gnutls-dev" in names[1] - names[0]
    with pytest.raises(BuildError, match="libcurl4"):
        builder.prepare("debian:bookworm", [], ["libcurl4-openssl-dev, libcurl4-gnutls-dev"], workshop)


@marked
def test_one_archive_state_gives_the_same_roots_in_two_caches(
    workshop: Workshop, identities: Identities, tmp_path: Path
) -> None:
    found = []
    for name in ("one", "other"):
        place = dataclasses.replace(workshop, cache=tmp_path / name)
        place.cache.mkdir()
        builder = SandboxBuilder(identities, Environments(_once(_machine_archive)))
        wishes: list[tuple[list[str], list[str]]] = [([], []), (["tk"], ["debhelper-compat (= 13), po-debconf"])]
        for packages, depends in wishes:
            began = time.monotonic()
            made = builder.prepare("debian:bookworm", packages, depends, place)
            print(made.sha256, told(made)["tree"], f"{len(made.packages)} packages", time.monotonic() - began)
            found.append((packages, made.sha256, told(made)))
        remove_tree(place.cache)
    assert found[:2] == found[2:], "same inputs, same SHA-256 and same tree"


def _once(archive: Callable[[str], DebianArchive]) -> Callable[[str], DebianArchive]:
    """One archive for a whole test, as a run has it."""
    known: dict[str, DebianArchive] = {}
    return lambda suite: known.setdefault(suite, archive(suite))
