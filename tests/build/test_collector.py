from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import socket
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages.build.collector import MAX_PRODUCTS, collect
from sealwright_stages.errors import BuildError
from sealwright_stages.ports import Collected

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "good.deb").write_bytes(b"good")
    return folder


def _collect(out: Path, *patterns: str, limit: int = 1 << 20) -> tuple[Collected, ...]:
    return collect(out, patterns or ("*.deb",), limit, out.with_name("kept"))


def _refused(out: Path, *patterns: str, because: str, limit: int = 1 << 20) -> None:
    with pytest.raises(BuildError, match=because):
        _collect(out, *patterns, limit=limit)
    assert sorted(path.name for path in out.parent.iterdir()) == ["out"], "nothing is stored"


def test_what_is_stored_is_hashed_and_readable_by_all(out: Path) -> None:
    (out / "good.deb").chmod(0o4701)
    (out / "ignored.txt").write_text("not asked for")
    (product,) = _collect(out)
    kept = out.with_name("kept") / "good.deb"
    assert product == Collected("good.deb", hashlib.sha256(b"good").hexdigest(), 4)
    assert kept.read_bytes() == b"good"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o644
    assert [path.name for path in out.with_name("kept").iterdir()] == ["good.deb"]


def test_a_symbolic_link_is_refused(out: Path) -> None:
    (out / "link.deb").symlink_to("/etc/shadow")
    _refused(out, because="can't be opened as a file")


def test_a_link_to_another_product_is_refused_too(out: Path) -> None:
    (out / "link.deb").symlink_to("good.deb")
    _refused(out, because="can't be opened as a file")


def test_a_hard_link_is_refused(out: Path) -> None:
    (out / "other").hardlink_to(out / "good.deb")
    _refused(out, because="2 names")


def test_a_fifo_is_refused_without_waiting_for_its_writer(out: Path) -> None:
    os.mkfifo(out / "pipe.deb")
    _refused(out, because="not a regular file")


def test_a_socket_is_refused(out: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(out)
        try:
            bound.bind("socket.deb")
        finally:
            os.chdir(here)
        _refused(out, because="can't be opened as a file")


def test_a_folder_is_refused(out: Path) -> None:
    (out / "folder.deb").mkdir()
    _refused(out, because="not a regular file")


@pytest.mark.parametrize(
    "name", ["a\nb.deb", "-rf.deb", ".hidden.deb", "a b.deb", "\x1b[2J.deb", "ä.deb", "a:b.deb"]
)
def test_a_name_that_is_not_plain_is_refused(out: Path, name: str) -> None:
    (out / name).write_bytes(b"")
    _refused(out, because="name is not plain")


def test_a_name_that_is_no_text_is_refused(out: Path) -> None:
    Path(os.fsdecode(os.fsencode(out) + b"/\xff\xfe.deb")).write_bytes(b"")
    _refused(out, because="name is not plain")


def test_a_sparse_file_over_the_limit_is_refused(out: Path) -> None:
    with (out / "sparse.deb").open("wb") as file:
        file.truncate(1 << 40)
    _refused(out, because="over the limit")


def test_the_limit_is_over_all_products_together(out: Path) -> None:
    (out / "more.deb").write_bytes(bytes(1000))
    assert len(_collect(out, limit=1004)) == 2
    again = out.with_name("again")
    with pytest.raises(BuildError, match="over the limit"):
        collect(out, ("*.deb",), 1003, again)
    assert not again.exists()


def test_a_pattern_that_finds_nothing_is_refused(out: Path) -> None:
    _refused(out, "*.deb", "*.tar.gz", because=r"\*\.tar\.gz")


def test_too_many_products_are_refused(out: Path) -> None:
    for number in range(MAX_PRODUCTS):
        (out / f"{number}.deb").touch()
    _refused(out, because="more than 1000")


def test_a_folder_of_products_that_became_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.deb").touch()
    (tmp_path / "out").symlink_to("elsewhere")
    with pytest.raises(BuildError, match="no folder any more"):
        _collect(tmp_path / "out")


_odd = st.text(alphabet="ab.-_~+ \n\x1b/é\udcff", min_size=1, max_size=8)
_names = st.one_of(st.sampled_from("abcdef"), _odd).map(lambda name: name + ".deb")
_kinds = st.sampled_from(["file", "file", "file", "link", "fifo", "hard", "folder"])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(_names, _kinds, min_size=1, max_size=5))
def test_all_products_appear_or_none_does(made: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "out")
        out.mkdir()
        (out / "base").write_bytes(b"x")
        made = {name: kind for name, kind in made.items() if "/" not in name}
        for name, kind in made.items():
            _make(out / name, kind)
        sound = bool(made) and all(
            kind == "file" and _PLAIN.fullmatch(name) and fnmatch.fnmatchcase(name, "*.deb")
            for name, kind in made.items()
        )
        kept = Path(scratch, "kept")
        try:
            products = collect(out, ("*.deb",), 1 << 20, kept)
        except BuildError:
            assert not sound
            assert not kept.exists()
        else:
            assert sound
            assert {p.name for p in products} == {path.name for path in kept.iterdir()} == set(made)


def _make(path: Path, kind: str) -> None:
    if kind == "file":
        path.write_bytes(path.name.encode("utf-8", "surrogateescape"))
    elif kind == "link":
        path.symlink_to("base")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.hardlink_to(path.parent / "base")
