"""Hostile folders: what isn't a plain file with a plain name is neither copied nor hashed, and nothing is followed."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sealwright_stages.errors import PublishError
from sealwright_stages.publish.files import File, copied, hashed, listing


def opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def copy(source: Path, target: Path) -> list[File]:
    target.mkdir()
    one, two = opened(source), opened(target)
    try:
        return copied(one, two)
    finally:
        os.close(one)
        os.close(two)


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _link_to_folder(path: Path) -> None:
    path.symlink_to("/etc")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def _device(path: Path) -> None:
    try:
        os.mknod(path, 0o20666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("a device needs root")


@pytest.mark.parametrize("make", [_link, _link_to_folder, os.mkfifo, _socket, _device])
@pytest.mark.parametrize("where", ["odd", "log/odd"])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, where: str, make: Callable[[Path], None]) -> None:
    (tmp_path / "from/log").mkdir(parents=True)
    make(tmp_path / "from" / where)
    with pytest.raises(PublishError, match="no plain file"):
        copy(tmp_path / "from", tmp_path / "to")


NAMES = [
    ".git",
    ".gitattributes",
    ".htaccess",
    "-rf",
    "a b",
    "a\nb",
    "\u202eb",
    "<b>",
    "a%2e",
    'a"b',
    "a\\b",
    "a:b",
]


@pytest.mark.parametrize("name", [*NAMES, os.fsdecode(b"\xff")])
@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_name_that_means_something_elsewhere_is_refused(
    tmp_path: Path, name: str, make: Callable[[Path], None]
) -> None:
    (tmp_path / "from").mkdir()
    make(tmp_path / "from" / name)
    with pytest.raises(PublishError, match="name is not plain"):
        copy(tmp_path / "from", tmp_path / "to")


def test_depth_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "from" / "/".join("d" * 30)).mkdir(parents=True)
    with pytest.raises(PublishError, match="folders deep"):
        copy(tmp_path / "from", tmp_path / "to")


def test_a_file_that_grows_while_it_is_read_is_refused() -> None:
    folder = opened(Path("/proc/self"))  # its files have no size, and yet bytes
    try:
        with pytest.raises(PublishError, match="grows"):
            next(iter(_hash_one(folder, "status")))
    finally:
        os.close(folder)


def _hash_one(folder: int, name: str) -> list[tuple[int, str]]:
    from sealwright_stages.publish.files import _carried, _opened

    with _opened(name, folder, "") as stream:
        return [_carried(stream, None, name)]


def test_modes_and_times_do_not_come_along_and_bytes_do(tmp_path: Path) -> None:
    (tmp_path / "from/a/b").mkdir(parents=True)
    (tmp_path / "from/a/b/script").write_bytes(b"\r\n\0\xff" * 1000)
    (tmp_path / "from/a/b/script").chmod(0o4755)
    (tmp_path / "from/empty").touch()
    found = copy(tmp_path / "from", tmp_path / "to")
    assert found == [File("empty", 0, hashlib.sha256().hexdigest()), found[1]]
    assert (tmp_path / "to/a/b/script").read_bytes() == b"\r\n\0\xff" * 1000
    assert (tmp_path / "to/a/b/script").stat().st_mode & 0o7777 == 0o644
    fd = opened(tmp_path / "to")
    try:
        assert hashed(fd) == found
    finally:
        os.close(fd)
    assert listing(found, "x/") == "".join(f"{f.sha256}  x/{f.path}\n" for f in reversed(found)).encode()
