from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sealwright_stages.build.tree_digest import tree_digest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "usr" / "bin").mkdir(parents=True)
    (folder / "usr" / "bin" / "cc").write_bytes(b"compile")
    (folder / "usr" / "bin" / "c99").symlink_to("cc")
    (folder / "empty").mkdir()
    return folder


def _swap(root: Path) -> None:
    (root / "usr" / "bin" / "c99").unlink()
    (root / "usr" / "bin" / "c99").symlink_to("cd")


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "usr/bin/cc").write_bytes(b"compilE"),
        lambda root: (root / "usr/bin/cc").chmod(0o755),
        lambda root: (root / "usr/bin/cc").rename(root / "usr/bin/cd"),
        lambda root: (root / "empty").rmdir(),
        lambda root: (root / "new").touch(),
        _swap,
    ],
    ids=["content", "mode", "name", "gone", "new", "link"],
)
def test_any_change_that_a_build_could_see_changes_it(root: Path, change: Callable[[Path], object]) -> None:
    before = tree_digest(root)
    change(root)
    assert tree_digest(root) != before


def test_times_and_the_place_do_not_count(root: Path) -> None:
    before = tree_digest(root)
    os.utime(root / "usr/bin/cc", (1, 1))
    moved = root.rename(root.with_name("elsewhere"))
    assert tree_digest(moved) == before


def test_what_is_of_no_known_kind_is_an_error(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with pytest.raises(OSError, match="no known kind"):
        tree_digest(root)


def test_content_can_not_pass_for_a_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        folder.mkdir()
    (one / "a").symlink_to("b\nc")
    (other / "a").symlink_to("b")
    (other / "c").symlink_to("d")
    assert tree_digest(one) != tree_digest(other)
