"""Reports of real differences, by the real diffoscope in the real sandbox."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from sealwright_stages.build.diffoscope import LIMITS, installed, report, told
from sealwright_stages.files import remove_tree
from sealwright_stages.ports import BuildResult, Limits, Report
from sealwright_stages.sandbox.identity import Identities

pytestmark = pytest.mark.sandbox
Reporter = Callable[..., Report]


@pytest.fixture
def reporter(identities: Identities, tmp_path: Path) -> Reporter:
    """`report`, with a uid of its own and a folder."""

    def ask(mine: Path, other: Path, **more: object) -> Report:
        with identities.builder() as uid:
            return report(mine, other, folder=tmp_path / "work", uid=uid, **more)  # type: ignore[arg-type]

    return ask


def two_files(folder: Path, one: bytes, other: bytes, name: str = "words") -> tuple[Path, Path]:
    """The same name with other bytes, in two folders."""
    paths = (folder / "a" / name, folder / "b" / name)
    for path, data in zip(paths, (one, other), strict=True):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)
    return paths


def deb_of(folder: Path, name: str, text: str) -> Path:
    """A real package with a file of that name."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: tiny\nVersion: 1\nArchitecture: all\nMaintainer: A Manager <manager@example.org>\nDescription: x\n"
    )
    (tree / name).write_text(text)
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, folder / "tiny_1_all.deb"], check=True)
    remove_tree(tree)
    return folder / "tiny_1_all.deb"


def test_the_report_names_what_differs_inside_of_a_package(reporter: Reporter, tmp_path: Path) -> None:
    debs = [deb_of(tmp_path / side, "words.txt", f"made by {side}\n") for side in ("a", "b")]
    found = reporter(*debs, labels=("built", "archive"))
    assert "-made by a" in found.text
    assert "+made by b" in found.text
    assert "words.txt" in found.text
    assert found.text.startswith("--- built/tiny_1_all.deb\n+++ archive/tiny_1_all.deb\n")
    assert (found.tool, found.version, found.cut, found.why_none) == ("diffoscope", installed(), False, "")


def test_the_same_two_sides_give_the_same_report_and_no_temporary_path(reporter: Reporter, tmp_path: Path) -> None:
    debs = [deb_of(tmp_path / side, "words.gz", f"made by {side}\n") for side in ("a", "b")]
    one, other = reporter(*debs), reporter(*debs)
    assert one.text == other.text != ""
    assert not any(place in one.text for place in ("diffoscope_", "/tmp", str(tmp_path), "/unpacked", "\x1b"))


def test_of_two_folders_only_what_differs_is_told(reporter: Reporter, tmp_path: Path) -> None:
    mine, other = (path.parent for path in two_files(tmp_path, b"one\n", b"two\n"))
    two_files(tmp_path, b"same\n", b"same\n", "alike")
    (mine / "surplus").write_bytes(b"more\n")
    found = reporter(mine, other)
    assert "-one" in found.text
    assert "surplus" in found.text
    assert "alike" not in found.text
    assert "surplus" not in reporter(mine, other, only=["words", "alike"]).text


def test_the_bytes_decide_that_nothing_differs(reporter: Reporter, tmp_path: Path) -> None:
    found = reporter(*two_files(tmp_path, b"same\n", b"same\n"))
    assert (found.text, found.why_none) == ("", "the bytes are the same")


def test_where_diffoscope_sees_no_difference_the_report_says_that_the_bytes_differ() -> None:
    found = told(BuildResult(0, 1), b"", "240", 100)
    assert (found.text, found.why_none) == ("", "diffoscope finds no difference, and yet the bytes differ")


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (BuildResult(2, 1, last_line="Traceback"), b"--- a\n+++ b\n"),
        (BuildResult(1, 1, last_line="ImportError: \x1b[2J"), b""),
        (BuildResult(-9, 1), b"--- a\n"),
        (BuildResult(137, 1), b"--- a\n"),
        (BuildResult(127, 1), b""),
    ],
)
def test_any_other_exit_is_no_report(done: BuildResult, said: bytes) -> None:
    found = told(done, said, "240", 100)
    assert found.text == ""
    assert f"failed with exit {done.exit}" in found.why_none
    assert found.why_none.isprintable()
    assert found.cure


def test_a_report_that_is_too_long_is_cut_at_a_line_and_says_so(reporter: Reporter, tmp_path: Path) -> None:
    one = "".join(f"line {n}\n" for n in range(3000)).encode()
    found = reporter(*two_files(tmp_path, one, one.replace(b"line", b"Line")), most=4000)
    assert found.cut
    assert 3000 < len(found.text.encode()) <= 4000
    assert found.text.endswith("\n")
    assert found.evidence()["cut"] is True


def test_without_diffoscope_the_report_names_the_cure(reporter: Reporter, tmp_path: Path) -> None:
    found = reporter(*two_files(tmp_path, b"one", b"two"), programs=str(tmp_path))
    assert (found.text, found.why_none) == ("", "diffoscope is not installed")
    assert found.evidence()["cure"] == "apt install diffoscope-minimal"


def test_what_is_no_regular_file_is_not_read(reporter: Reporter, tmp_path: Path) -> None:
    mine, other = (path.parent for path in two_files(tmp_path, b"one", b"two"))
    (mine / "link").symlink_to("/etc/passwd")
    found = reporter(mine, other)
    assert (found.text, found.why_none) == ("", "link: it is not a regular file")


def test_it_sees_two_copies_and_no_network_and_leaves_nothing(reporter: Reporter, tmp_path: Path) -> None:
    one, other = two_files(tmp_path, b"one", b"two")
    found = reporter(one, other)
    assert found.text
    assert (one.read_bytes(), one.stat().st_mode & 0o777) == (b"one", 0o600)
    assert not (tmp_path / "work").exists()


def living(identities: Identities) -> list[psutil.Process]:
    """Those that run under uids of this test run; where there are none, all of them."""
    found = [
        p for p in psutil.process_iter(["cmdline", "uids"]) if "/usr/bin/diffoscope" in (p.info["cmdline"] or [])
    ]
    return [p for p in found if not identities.builders or p.info["uids"].real in identities.builders]


def test_over_its_time_it_is_killed_and_the_report_says_so(
    reporter: Reporter, tmp_path: Path, identities: Identities
) -> None:
    found = reporter(*two_files(tmp_path, b"one", b"two"), limits=Limits(0, 1 << 30, 1 << 30, 64))
    assert (found.text, found.why_none) == ("", "diffoscope was ended: it took longer than 0 s")
    assert living(identities) == []


def test_an_interrupted_run_ends_it(reporter: Reporter, tmp_path: Path) -> None:
    found = reporter(*two_files(tmp_path, b"one", b"two"), stop=lambda: "it was interrupted")
    assert found.why_none == "diffoscope was ended: it was interrupted"


def sparse(path: Path, size: int, last: bytes) -> Path:
    """A tar of a few kilobytes, with a file that says to be `size` bytes long."""
    path.parent.mkdir()
    hole = path.parent / "hole"
    with hole.open("wb") as stream:
        stream.seek(size)
        stream.write(last)
    subprocess.run(["tar", "--sparse", "-C", path.parent, "-cf", path, "hole"], check=True)
    hole.unlink()
    return path


def nested(path: Path, depth: int, core: bytes) -> Path:
    """Archives within archives."""
    path.parent.mkdir()
    data = core
    for _ in range(depth):
        inner = io.BytesIO()
        with tarfile.open(fileobj=inner, mode="w") as tar:
            member = tarfile.TarInfo("inner.tar")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        data = gzip.compress(inner.getvalue(), mtime=0)
    path.write_bytes(data)
    return path


NARROW = Limits(wall=20, memory=512 << 20, disk=16 << 20, processes=32)


def taken(folder: Path) -> int:
    """Bytes of disk that the files below a folder take: others work on the same disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


@pytest.mark.parametrize("kind", ["sparse", "gzip", "nested"])
def test_a_bomb_stays_within_the_limits(
    reporter: Reporter, tmp_path: Path, identities: Identities, kind: str
) -> None:
    pairs = []
    for side in ("a", "b"):
        path = tmp_path / side / "bomb"
        if kind == "sparse":
            pairs.append(sparse(path, 1 << 40, side.encode()))
        elif kind == "nested":
            pairs.append(nested(path, 200, side.encode()))
        else:
            path.parent.mkdir()
            path.write_bytes(gzip.compress(bytes(40 << 20) + side.encode(), 9, mtime=0))
            pairs.append(path)
    before = taken(tmp_path)
    begun = time.monotonic()
    found = reporter(*pairs, limits=NARROW)
    assert time.monotonic() - begun < NARROW.wall + 10
    assert taken(tmp_path) - before < 512 << 20
    assert found.text or (found.why_none and found.cure)
    assert len(found.text) < 1 << 20
    assert living(identities) == []
    assert not (tmp_path / "work").exists()


def test_hostile_names_are_a_strangers_text_in_the_report_and_nowhere_else(
    reporter: Reporter, tmp_path: Path
) -> None:
    debs = []
    for side in ("a", "b"):
        path = tmp_path / side / "evil.tar"
        path.parent.mkdir()
        with tarfile.open(path, "w") as tar:
            member = tarfile.TarInfo("\x1b[2J\u202eevil")
            member.size = 1
            tar.addfile(member, io.BytesIO(side.encode()))
        debs.append(path)
    found = reporter(*debs)
    assert "evil" in found.text
    assert found.why_none == ""


def test_the_usual_limits_hold_a_release_up_for_minutes_and_not_for_hours() -> None:
    assert LIMITS.wall <= 600


def test_a_line_that_looks_like_many_temporary_paths_holds_nobody_up() -> None:
    line = b"-" + b"/unpacked/" * (1 << 16) + b"\n"
    begun = time.process_time()
    found = told(BuildResult(1, 1), line + b"+/unpacked/diffoscope_abc/tmp_1/x\n", "240", 1 << 20)
    assert found.text == line.decode() + "+/unpacked/x\n"
    assert time.process_time() - begun < 5, "it took half an hour"


def test_what_is_larger_than_the_room_is_not_copied(reporter: Reporter, tmp_path: Path) -> None:
    mine, other = two_files(tmp_path, b"one\n", b"two\n")
    with mine.open("r+b") as sparse:
        sparse.truncate(NARROW.disk)
    found = reporter(mine.parent, other.parent, limits=NARROW)
    assert found.why_none == "what differs has 16 MiB, and a comparison has room for 16"
    assert not (tmp_path / "work").exists()
