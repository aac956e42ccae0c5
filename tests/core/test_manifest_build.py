"""What the manifest says of builds: read strictly, or refused at file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.test_manifest import SHA, XEN, read, refused
from sealwright_stages.errors import ManifestError
from sealwright_stages.manifest import load
from support.release_folder import BUILD, HEAD, component, write_release

LIMITS = [
    'wall = "2"',
    'wall = "0h"',
    'wall = "-2h"',
    'wall = "2d"',
    'memory = "8"',
    'disk = "1.5G"',
    "processes = 0",
]


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_are_positive_and_have_units(tmp_path: Path, limit: str) -> None:
    refused(tmp_path, HEAD + XEN + f"limits = {{ {limit} }}\n", "limits", "no number|at least 1")


def test_limits_are_in_seconds_and_bytes(tmp_path: Path) -> None:
    text = HEAD + XEN + 'limits = { wall = "2m", memory = "3G", disk = "1T", processes = 7 }\n'
    build = read(tmp_path, text).components[0].build
    assert build is not None
    limits = build.limits
    assert (limits.wall, limits.memory, limits.disk, limits.processes) == (120, 3 << 30, 1 << 40, 7)


BUILDS = [
    ('recipe = "commands"', 'recipe = "pacman"', "recipe", "not offered"),
    ('recipe = "commands"', 'recipe = "rpm"', "commands =", "takes no commands"),
    ('recipe = "commands"', 'recipe = "commands"\nspec = "x.spec"', "spec", "for the recipe rpm alone"),
    (
        'recipe = "commands"\ncommands = ["make"]',
        'recipe = "rpm"\nspec = "../x.spec"',
        "spec",
        "no path of a .spec",
    ),
    ('recipe = "commands"\ncommands = ["make"]', 'recipe = "rpm"\nspec = "/x.spec"', "spec", "no path of a .spec"),
    ('recipe = "commands"\ncommands = ["make"]', 'recipe = "rpm"\nspec = "x.txt"', "spec", "no path of a .spec"),
    ('recipe = "commands"', 'recipe = "commands"\nreference = "debian"', "reference", 'recipe "deb" alone'),
    ('recipe = "commands"', 'recipe = "commands"\nreference = "fedora"', "reference", "not offered"),
    ('recipe = "commands"', 'recipe = "commands"\nreference = ""', "reference", "not offered"),
    ('recipe = "commands"', 'recipe = "commands"\nreference = true', "reference", "must be a text"),
    (
        'recipe = "commands"\ncommands = ["make"]',
        'recipe = "deb"\nenvironment = "host"\nreference = "debian"',
        "reference",
        "no suite says",
    ),
    ('commands = ["make"]\n', "", "recipe", "wants commands and products"),
    ('products = ["*.tar"]\n', "", "recipe", "wants commands and products"),
    ('recipe = "commands"', 'recipe = "deb"', "commands =", "takes no commands"),
    ('products = ["*.tar"]\n', 'products = ["*.tar"]\nenvironment = "fedora:40"\n', "environment", "is unknown"),
    (
        'products = ["*.tar"]\n',
        f'products = ["*.tar"]\nenvironment = "tar:{SHA}"\n',
        "environment",
        "no tar is declared",
    ),
    ('products = ["*.tar"]\n', 'products = ["*.tar"]\npackages = ["-o"]\n', "packages", "no package name"),
    ('products = ["*.tar"]\n', 'products = ["*.tar"]\npackages = ["a b"]\n', "packages", "no package name"),
]


TAR = f'\n[[environment.tar]]\nsha256 = "{SHA}"\nurl = "root.tar.xz"\n'


def test_a_build_root_from_a_tar_names_one_that_is_declared(tmp_path: Path) -> None:
    there = XEN.replace('products = ["*.tar"]', f'products = ["*.tar"]\nenvironment = "tar:{SHA}"')
    assert read(tmp_path, HEAD + there + TAR).tars == {SHA: str(tmp_path / "root.tar.xz")}
    refused(tmp_path, HEAD + XEN + TAR, "sha256", "nothing is built in this tar")
    again = TAR.replace("sha256 =", "sha256  =")
    refused(tmp_path, HEAD + there + TAR + again, "sha256  =", "two tars have one digest")
    refused(tmp_path, HEAD + there + TAR.replace(SHA, SHA[1:]), "sha256", "not 64 lower-case hex")
    refused(tmp_path, HEAD + there + TAR + 'mode = "fast"\n', "mode", "unknown key")


@pytest.mark.parametrize(("old", "new", "line", "because"), BUILDS)
def test_a_build_that_can_not_be_is_refused(tmp_path: Path, old: str, new: str, line: str, because: str) -> None:
    assert old in BUILD
    with pytest.raises(ManifestError, match=because):
        read(tmp_path, HEAD + XEN.replace(old, new))
    if line != "commands =":
        refused(tmp_path, HEAD + XEN.replace(old, new), line, because)


@pytest.mark.parametrize(
    ("keys", "because"),
    [
        ("reproduce = 3", "reproduce = 3 is not offered"),
        ("reproduce = 0", "reproduce = 0 is not offered"),
        ('reproduce = "2"', "must be"),
        ("reproduce = true", "must be"),
        ('vary = ["uid"]', "vary is for a second build"),
        ('reproduce = 2\nvary = ["moon"]', "'moon' is nothing that is varied"),
        ('reproduce = 2\nvary = ["uid", "uid"]', "'vary' names one thing twice"),
    ],
)
def test_a_component_is_built_once_or_twice_and_varied_in_what_can_be(
    tmp_path: Path, keys: str, because: str
) -> None:
    with pytest.raises(ManifestError, match=because):
        load(write_release(tmp_path, HEAD + component("xen") + keys + "\n"))


def test_a_manifest_may_leave_out_what_is_varied(tmp_path: Path) -> None:
    def read(keys: str) -> tuple[int, tuple[str, ...] | None]:
        build = load(write_release(tmp_path, HEAD + component("xen") + keys)).components[0].build
        assert build is not None
        return build.reproduce, build.vary

    assert read("") == read("reproduce = 1\n") == (1, None)
    assert read("reproduce = 2\n") == (2, None)
    assert read("reproduce = 2\nvary = []\n") == (2, ())
    assert read('reproduce = 2\nvary = ["uid", "path"]\n') == (2, ("uid", "path"))
