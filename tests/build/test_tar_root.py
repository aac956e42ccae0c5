"""Build roots from a tar that the manifest pins, fetched and unpacked by the real sandbox."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from build.packaging import made, small_root
from build.workbench import job, no_archive
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.environments import Environments
from sealwright_stages.build.tar_root import Bounds, prepare_tar
from sealwright_stages.errors import BuildError, FetchError
from sealwright_stages.files import sha256_file
from sealwright_stages.ports import Prepared, Workshop
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.verdict import Passed

pytestmark = pytest.mark.sandbox
STATUS = "Package: tools\nVersion: 1\nArchitecture: all\n"
Change = Callable[[tarfile.TarFile], object]


@pytest.fixture
def workshop(tmp_path: Path, identities: Identities) -> Workshop:
    for name in ("q", "cache"):
        (tmp_path / name).mkdir()
    sandbox = BwrapFetchSandbox(identities.fetcher)
    return Workshop(tmp_path / "q", tmp_path / "cache", threading.Event(), lambda a, b, c: None, sandbox)


def member(tar: tarfile.TarFile, name: str, data: bytes = b"", mode: int = 0o755, **more: object) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    info.uid = info.gid = 1234
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))


def a_tar(path: Path, change: Change = lambda tar: None) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        member(tar, "./bin/sh", b"#!")
        member(tar, "./var/lib/dpkg/status", STATUS.encode(), 0o644)
        change(tar)
    return path


def prepared(path: Path, workshop: Workshop, *packages: str, sha256: str = "") -> Prepared:
    shutil.rmtree(workshop.quarantine)
    workshop.quarantine.mkdir()
    pin = sha256 or sha256_file(path)
    return Environments(no_archive, {pin: str(path)}).prepare(f"tar:{pin}", packages, [], workshop)


def test_a_pinned_tar_is_an_item_and_becomes_a_root(workshop: Workshop, tmp_path: Path) -> None:
    path = a_tar(tmp_path / "root.tar.gz")
    pin = sha256_file(path)
    (item,) = Environments(no_archive).items(f"tar:{pin}")
    assert item.id == f"environment tar:{pin}/tar"
    made_of = prepared(path, workshop, "tools")
    assert made_of.sha256 == pin and made_of.root is not None
    verdict = made_of.verdict
    assert isinstance(verdict, Passed) and verdict.subject_sha256 == pin
    assert verdict.evidence["found"] == pin
    assert (made_of.root / "bin" / "sh").read_bytes() == b"#!"
    assert (made_of.root / "needs").is_dir()


def test_a_tar_with_another_digest_is_refused_and_gone(workshop: Workshop, tmp_path: Path) -> None:
    path = a_tar(tmp_path / "root.tar.gz")
    with pytest.raises(BuildError) as refused:
        prepared(path, workshop, sha256="0" * 64)
    assert refused.value.code == "digest-mismatch"
    assert list(workshop.quarantine.iterdir()) == []
    assert list(workshop.cache.rglob("root")) == []


def test_a_tar_that_does_not_arrive_is_a_failed_fetch(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(FetchError):
        prepared(tmp_path / "nowhere.tar", workshop, sha256="0" * 64)


def test_no_owner_no_device_and_no_set_uid_bit_comes_out_of_a_tar(workshop: Workshop, tmp_path: Path) -> None:
    def change(tar: tarfile.TarFile) -> None:
        member(tar, "./bin/su", b"x", 0o6755)
        member(tar, "./dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)

    root = prepared(a_tar(tmp_path / "root.tar.gz", change), workshop).root
    assert root is not None
    held = (root / "bin" / "su").stat()
    assert (stat.S_IMODE(held.st_mode), held.st_uid) == (0o755, os.geteuid())
    assert list((root / "dev").iterdir()) == []


HOSTILE: dict[str, tuple[Change, str]] = {
    "device": (lambda tar: member(tar, "./etc/disk", type=tarfile.BLKTYPE, devmajor=8), "can't be unpacked"),
    "whiteout": (lambda tar: member(tar, "./etc/gone", type=tarfile.CHRTYPE), "no known kind"),
    "hard-link": (lambda tar: member(tar, "./x", type=tarfile.LNKTYPE, linkname="../../x"), "can't be unpacked"),
    "fifo": (lambda tar: member(tar, "./etc/pipe", type=tarfile.FIFOTYPE), "no known kind"),
    "parent": (lambda tar: member(tar, "../../evil", b"x"), "can't be unpacked"),
    "link-at-mount": (lambda tar: member(tar, "./build", type=tarfile.SYMTYPE, linkname="/etc"), "/build in it"),
    "link-above-mount": (lambda tar: member(tar, "./run", type=tarfile.SYMTYPE, linkname="../.."), "/run in it"),
    "file-at-mount": (lambda tar: member(tar, "./tmp", b"x"), "/tmp in it"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_tar_that_is_no_plain_root_is_refused(workshop: Workshop, tmp_path: Path, what: str) -> None:
    change, because = HOSTILE[what]
    with pytest.raises(BuildError, match=because.replace("/", ".")) as refused:
        prepared(a_tar(tmp_path / "root.tar.gz", change), workshop)
    assert refused.value.code in ("environment-failed", "environment-refused")
    assert not list(workshop.cache.rglob("root.json"))


def test_an_absolute_link_in_a_tar_is_not_followed_by_what_comes_after_it(
    workshop: Workshop, tmp_path: Path
) -> None:
    def change(tar: tarfile.TarFile) -> None:
        member(tar, "./out-of-here", type=tarfile.SYMTYPE, linkname=str(tmp_path))
        member(tar, "./out-of-here/evil", b"x")

    with pytest.raises(BuildError):
        prepared(a_tar(tmp_path / "root.tar.gz", change), workshop)
    assert not (tmp_path / "evil").exists()


def test_a_tar_without_a_shell_at_its_top_is_refused(workshop: Workshop, tmp_path: Path) -> None:
    path = tmp_path / "other.tar"
    with tarfile.open(path, "w") as tar:
        member(tar, "root/bin/sh", b"#!")
    with pytest.raises(BuildError, match="no root of a system"):
        prepared(path, workshop)


def test_a_cached_root_is_used_without_the_tar_and_made_anew_when_it_differs(
    workshop: Workshop, tmp_path: Path
) -> None:
    path = a_tar(tmp_path / "root.tar.gz")
    pin = sha256_file(path)
    root = prepared(path, workshop).root
    assert root is not None
    path.rename(tmp_path / "away")
    assert prepared(path, workshop, sha256=pin).root == root
    (root / "bin" / "sh").write_bytes(b"evil")
    with pytest.raises(FetchError):
        prepared(path, workshop, sha256=pin)
    (tmp_path / "away").rename(path)
    prepared(path, workshop)
    assert (root / "bin" / "sh").read_bytes() == b"#!"


def sparse(tar: tarfile.TarFile) -> None:
    """A file of 1 GiB that is one hole, in the form of GNU tar."""
    records = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", str(1 << 30))]
    hole = f"1\n{1 << 30}\n0\n".encode().ljust(512, b"\0")
    member(tar, "./hole", hole, pax_headers=dict([*records, ("GNU.sparse.name", "./hole")]))


BOMBS: dict[str, tuple[Change, str]] = {
    "hole": (sparse, "it is too large"),
    "entries": (lambda tar: [member(tar, f"./etc/{n}") for n in range(300)], "it is too large"),
    "bytes": (
        lambda tar: [member(tar, f"./etc/{n}", bytes(1 << 20)) for n in range(40)],
        "unpacked: it holds more than 32 MiB",
    ),
}


@pytest.mark.parametrize("what", BOMBS)
def test_what_comes_out_of_a_tar_is_bounded(workshop: Workshop, tmp_path: Path, what: str) -> None:
    change, because = BOMBS[what]
    path = a_tar(tmp_path / "root.tar.gz", change)
    pin = sha256_file(path)
    with pytest.raises(BuildError, match=because):
        prepare_tar(f"tar:{pin}", str(path), (), workshop, Bounds(32 << 20, 200))
    assert not list(workshop.cache.rglob("root.json"))


def test_a_link_in_a_tar_does_not_make_the_machine_answer_for_its_packages(
    workshop: Workshop, tmp_path: Path
) -> None:
    path = tmp_path / "root.tar"
    with tarfile.open(path, "w") as tar:
        member(tar, "./bin/sh", b"#!")
        member(tar, "./var/lib/dpkg", type=tarfile.SYMTYPE, linkname="/var/lib/dpkg")
    with pytest.raises(BuildError, match="dpkg") as refused:
        prepared(path, workshop, "dpkg")
    assert refused.value.code == "packages-missing"


def test_a_package_that_the_tar_lacks_is_named(workshop: Workshop, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="no-such-package") as refused:
        prepared(a_tar(tmp_path / "root.tar.gz"), workshop, "tools", "no-such-package")
    assert refused.value.code == "packages-missing"


def test_a_component_is_built_in_a_root_from_a_tar(
    builder: SandboxBuilder, workshop: Workshop, tmp_path: Path
) -> None:
    path = small_root(tmp_path, "from the tar\n")
    what = replace(job(tmp_path, "cat /etc/mark > $OUT/mark"), environment=prepared(path, workshop))
    one = made(builder, what, tmp_path / "one")
    assert one.result.exit == 0, one.said
    assert (one.folder / "mark").read_text() == "from the tar\n"
