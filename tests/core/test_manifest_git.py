"""The manifest's git repositories: trust roots, submodules, and the host keys of those that come over ssh."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.test_manifest import XEN, read, refused
from sealwright_stages.declared import declared
from sealwright_stages.errors import ManifestError
from sealwright_stages.manifest_git import _PART
from sealwright_stages.reading import read_known_hosts
from support.release_folder import BUILD, HEAD

ROOT = "0123456789" * 4
SUBMODULE = """[[component.submodule]]
path = "third_party/lib"
git = "https://example.org/lib.git"
tag = "v2"
signers = ["release-key-a"]
"""
SSH = XEN.replace("https://", "ssh://git@")
HOSTS = b"# hosts\nexample.org ssh-ed25519 AAAA\n"


def with_root(value: str) -> str:
    return HEAD + XEN.replace('tag = "v1"', f'tag = "v1"\ntrust_root = "{value}"')


def with_submodule(old: str = "", new: str = "") -> str:
    assert old in SUBMODULE
    return HEAD + XEN.replace(BUILD, SUBMODULE.replace(old, new) + BUILD)


def test_a_trust_root_is_a_whole_commit_beside_git(tmp_path: Path) -> None:
    git = read(tmp_path, with_root(ROOT)).components[0].git
    assert git is not None and git.trust_root == ROOT
    for wrong in (ROOT[:39], ROOT.upper().replace("0", "A"), ROOT + "\\n", "v1.0"):
        refused(tmp_path, with_root(wrong), "trust_root", "trust_root is not 40 lower-case hex digits")
    alone = with_root(ROOT).replace('git = "https://example.org/xen.git"\n', "").replace('tag = "v1"\n', "")
    refused(tmp_path, alone, "[[component]]", "'trust_root' without git")


def test_a_submodule_says_where_it_stands_and_who_must_have_signed(tmp_path: Path) -> None:
    text = with_submodule('tag = "v2"', f'tag = "v2"\ntrust_root = "{ROOT}"')
    (found,) = read(tmp_path, text).components[0].submodules
    assert (found.path, found.git.tag, found.git.trust_root) == ("third_party/lib", "v2", ROOT)
    assert (found.signers, found.threshold) == (("release-key-a",), 1)


WRONG = [
    ("path = ", "where = ", "[[component.submodule]]", "has no 'path'"),
    ('tag = "v2"', "", "lib.git", "exactly one of tag, commit, branch"),
    ('tag = "v2"', 'branch = "main"', "branch", 'signed = "commit"'),
    ('tag = "v2"', 'tag = "v2"\ncolour = 1', "colour", "unknown key 'colour'"),
    ('signers = ["release-key-a"]', "", "lib.git", "git without signers"),
    (
        'signers = ["release-key-a"]',
        'signers = ["release-key-a"]\nthreshold = 2',
        "threshold",
        "threshold = 2 of 1",
    ),
    ('signers = ["release-key-a"]', 'signers = ["stranger"]', '"stranger"', "signer 'stranger' is no person"),
    ("git = ", "url = ", "[[component.submodule]]", "'tag' without git"),
]


@pytest.mark.parametrize(("old", "new", "line", "because"), WRONG)
def test_a_submodule_is_declared_as_strictly_as_a_component(
    tmp_path: Path, old: str, new: str, line: str, because: str
) -> None:
    refused(tmp_path, with_submodule(old, new), line, because)


PATHS = [
    "",
    "/lib",
    "lib/",
    "a//b",
    "../lib",
    "a/../b",
    "a/./b",
    ".git",
    "a/.GIT/b",
    "-lib",
    "a b",
    "l\\u00efb",
    "a\\\\b",
]


@pytest.mark.parametrize("path", [*PATHS, "x" * 151, "lib\\r", "lib\\n", "a:b", "a%b"])
def test_a_submodule_stands_at_a_plain_path(tmp_path: Path, path: str) -> None:
    refused(tmp_path, with_submodule("third_party/lib", path), "path = ", "no plain path of a submodule")


@given(st.from_regex(_PART, fullmatch=True))
def test_no_part_of_a_submodules_path_climbs_or_hides(part: str) -> None:
    assert part not in ("", ".", "..") and part.lower() != ".git"
    assert part.isascii() and part.isprintable() and not set(part) & set("/\\: %") and part[0] != "-"


def test_no_two_submodules_share_a_path(tmp_path: Path) -> None:
    again = SUBMODULE.replace("third_party/lib", "Third_Party/LIB")
    refused(tmp_path, with_submodule() + again, "Third_Party", "two submodules stand at")


def test_a_submodule_wants_a_repository_that_has_it(tmp_path: Path) -> None:
    text = f'{HEAD}\n[[component]]\nname = "xen"\ndsc = "debian:bookworm/x1"\nuploaders = "debian-keyring"\n{SUBMODULE}'
    refused(tmp_path, text, "[[component.submodule]]", "a submodule without git")


def test_an_auditor_demands_an_item_for_each_submodule(tmp_path: Path) -> None:
    items = declared(read(tmp_path, with_submodule()))
    assert {"xen/fetch/v1", "xen/git/v1", "xen/submodule/third_party/lib"} <= set(items)
    assert items["xen/submodule/third_party/lib"].kind == "git-tag"


def test_what_is_remembered_of_a_submodule_can_be_declared(tmp_path: Path) -> None:
    accept = '[[memory.accept]]\ncomponent = "xen/{}"\nfrom = "v3"\nto = "v2"\nreason = "v3 was withdrawn"\n'
    (found,) = read(tmp_path, with_submodule() + accept.format("third_party/lib")).memory.accepted
    assert found.component == "xen/third_party/lib"
    refused(tmp_path, with_submodule() + accept.format("lib"), '"xen/lib"', "no component")


def test_a_source_over_ssh_wants_known_hosts(tmp_path: Path) -> None:
    error = refused(tmp_path, HEAD + SSH, "[[component]]", "which key its server must have")
    assert "known_hosts" in error.next_step
    over_ssh = with_submodule("https://example.org/lib", "ssh://git@example.org/lib")
    refused(tmp_path, over_ssh, "[[component]]", "which key its server must have")
    for text in (HEAD + SSH, over_ssh):
        manifest = read(tmp_path, text + '[egress]\nknown_hosts = "hosts"\n')
        assert manifest.known_hosts == tmp_path / "hosts", "an auditor reads the manifest without that file"
    (tmp_path / "hosts").write_bytes(HOSTS)
    assert read_known_hosts(manifest) == HOSTS
    assert read_known_hosts(read(tmp_path, HEAD + XEN)) is None


@pytest.mark.parametrize("kind", ["missing", "link", "folder", "pipe", "empty", "comments", "endless"])
def test_known_hosts_is_a_plain_file_that_names_a_host(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "hosts"
    (tmp_path / "real").write_bytes(HOSTS)
    {
        "missing": lambda: None,
        "link": lambda: path.symlink_to("real"),
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "empty": path.touch,
        "comments": lambda: path.write_bytes(b"# none\n\n  \n"),
        "endless": lambda: path.write_bytes(HOSTS + b"#" * (1 << 20)),
    }[kind]()
    manifest = read(tmp_path, HEAD + SSH + '[egress]\nknown_hosts = "hosts"\n')
    with pytest.raises(
        ManifestError, match=r"names no host|more than|No such file|not a regular|links|directory"
    ) as caught:
        read_known_hosts(manifest)
    assert str(path) in caught.value.because and caught.value.next_step
