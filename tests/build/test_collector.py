from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import socket
import stat
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages.build.collector import MAX_PRODUCTS, collect
from sealwright_stages.errors import BuildError
from sealwright_stages.files import remove_tree
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


def test_a_product_that_is_exchanged_while_it_is_collected_is_never_another_than_its_hash(tmp_path: Path) -> None:
    """As if something of the build still lived: by each way a name can come to mean something else."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"of the host")
    out = tmp_path / "out"
    out.mkdir()
    (out / "x.deb").write_bytes(b"a" * 4096)
    ended = threading.Event()
    thread = threading.Thread(target=_exchange, args=(out, secret, ended))
    thread.start()
    collected = 0
    try:
        for number in range(300):
            place = tmp_path / f"kept-{number}"
            try:
                (product,) = collect(out, ("x.deb",), 1 << 20, place)
            except BuildError:
                assert not place.exists()
                continue
            collected += 1
            data = (place / "x.deb").read_bytes()
            assert hashlib.sha256(data).hexdigest() == product.sha256
            assert len(data) == product.size
            assert data != b"of the host"
            assert not (place / "x.deb").is_symlink()
            assert (place / "x.deb").stat().st_nlink == 1
    finally:
        ended.set()
        thread.join()
    assert collected, "some of them must have been sound, or nothing was tried"
    assert secret.read_bytes() == b"of the host"


def _exchange(out: Path, secret: Path, ended: threading.Event) -> None:
    """Let x.deb be a sound file, a link, a second name, a FIFO and a growing file, one after the other."""
    new = out / "new"
    while not ended.is_set():
        for kind in range(5):
            if kind == 0:
                new.write_bytes(b"b" * 4096)
            elif kind == 1:
                new.symlink_to(secret)
            elif kind == 2:
                new.hardlink_to(secret)
            elif kind == 3:
                os.mkfifo(new)
            else:
                new.write_bytes(b"c")
            new.rename(out / "x.deb")
            if kind == 2:
                (out / "new").unlink(missing_ok=True)  # renaming one name of a file over another does nothing
            if kind == 4:
                with (out / "x.deb").open("ab") as growing:
                    growing.write(b"c" * 100_000)


def test_a_product_that_grows_while_it_is_read_is_refused(out: Path) -> None:
    ended = threading.Event()
    fed = threading.Event()

    def grow() -> None:
        with (out / "good.deb").open("ab", buffering=0) as growing:
            while not ended.is_set():
                growing.write(b"x" * 65536)
                fed.set()
                if growing.tell() > 32 << 20:
                    growing.truncate(0)

    thread = threading.Thread(target=grow)
    thread.start()
    said: set[str] = set()
    try:
        assert fed.wait(10)
        for number in range(1000):
            place = out.with_name(f"kept-{number}")
            try:
                (product,) = collect(out, ("*.deb",), 1 << 30, place)
                assert (place / "good.deb").stat().st_size == product.size
                remove_tree(place)
            except BuildError as error:
                said.add(error.because)
                break
    finally:
        ended.set()
        thread.join()
    assert said == {"it changed while it was read"}
    assert not list(out.parent.glob("*kept*"))
