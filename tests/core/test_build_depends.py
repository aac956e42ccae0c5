"""What a Debian package needs to be built, from its .dsc or from its git tree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from build.packaging import CONTROL
from sealwright_stages.build_depends import depends_of
from sealwright_stages.errors import BuildError
from sealwright_stages.manifest import ComponentSpec, load
from support.release_folder import HEAD, component, write_release


@pytest.fixture
def tiny(tmp_path: Path) -> ComponentSpec:
    text = HEAD + component("tiny", build=False) + '[component.build]\nrecipe = "deb"\n'
    return load(write_release(tmp_path, text)).components[0]


def control(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "sources" / "source" / "debian"
    folder.mkdir(parents=True)
    (folder / "control").write_text(text)
    return tmp_path / "sources"


def test_a_git_tree_says_it_in_the_first_paragraph_of_its_control_file(
    tmp_path: Path, tiny: ComponentSpec
) -> None:
    more = CONTROL.replace("Rules-Requires", "Build-Depends-Indep: b | c <!nocheck>\nRules-Requires")
    sources = control(tmp_path, more + "Build-Depends: not-this\n")
    assert depends_of(tiny, {}, sources) == "dpkg-dev (>= 1.20), tar, b | c <!nocheck>"


def test_the_dsc_has_the_word_where_there_is_one(tmp_path: Path, tiny: ComponentSpec) -> None:
    assert depends_of(tiny, {"build_depends": "a"}, control(tmp_path, CONTROL)) == "a"


def test_a_tree_that_is_built_by_another_recipe_is_not_asked(tmp_path: Path, tiny: ComponentSpec) -> None:
    assert tiny.build is not None
    other = replace(tiny, build=replace(tiny.build, recipe="commands"))
    assert depends_of(other, {}, control(tmp_path, CONTROL)) == ""
    assert depends_of(replace(tiny, build=None), {}, tmp_path) == ""


@pytest.mark.parametrize("text", ["no field\n", "A: 1\nA: 2\n", "\udcff"])
def test_a_control_file_that_is_none_is_refused(tmp_path: Path, tiny: ComponentSpec, text: str) -> None:
    sources = control(tmp_path, CONTROL)
    (sources / "source" / "debian" / "control").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BuildError, match="debian/control"):
        depends_of(tiny, {}, sources)


def test_a_tree_without_a_control_file_is_refused(tmp_path: Path, tiny: ComponentSpec) -> None:
    with pytest.raises(BuildError, match="debian/control"):
        depends_of(tiny, {}, tmp_path)
