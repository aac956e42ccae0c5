"""Trees: names, modes and links that could reach outside or hide, and the writer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.git_tree import list_tree
from sealwright_stages.verify.tree_rules import (
    check_link,
    check_links_stay,
    check_name,
    check_stands_alone,
    parse_tree,
)
from sealwright_stages.verify.writer import write_tree
from verify.workbench import Repository

BLOB = "11" * 20


def line(mode: str, name: str | bytes) -> bytes:
    return mode.encode() + b" " + (name if isinstance(name, bytes) else name.encode()) + b"\0" + b"\x11" * 20


@pytest.mark.parametrize("where", ["", "docs/"])
def test_a_folder_holds_something(where: str) -> None:
    with pytest.raises(RefusedError, match="it is empty") as refused:
        parse_tree(b"", where)
    assert refused.value.code == "tree-refused"


@pytest.mark.parametrize(
    "name",
    [
        ".git",
        ".GIT",
        ".Git",
        "git~1",
        "GIT~2",
        ".git.",
        ".git ",
        ".git. .",
        ".git::$INDEX_ALLOCATION",
        "a\\.git",
        ".git\\config",
        ".g\u200cit",
        ".gi\ufefft",
        "\uff0egit",
        "..",
        ".",
        "",
        "../x",
        "/abs",
        "a/b",
        "line\nend",
        "\x1b[2J",
        "\u202egpj.exe",
        "nul\x00",
        "\x7f",
        "x" * 256,
    ],
)
def test_no_disguise_of_git_and_no_odd_name_passes(name: str) -> None:
    with pytest.raises(RefusedError) as refused:
        check_name(name.encode(), "")
    assert refused.value.code == "tree-refused"
    assert refused.value.reason.isprintable()


@pytest.mark.parametrize(
    "name", [".gitignore", ".github", "git", ".gitlab-ci.yml", "a b", "ümläut.txt", "x\\x2dy.service", "日本"]
)
def test_honest_names_pass(name: str) -> None:
    assert check_name(name.encode(), "") == name


def test_a_name_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(RefusedError):
        check_name(b"caf\xe9", "")


@pytest.mark.parametrize("mode", ["100664", "100600", "040000", "0100644", "104755", "", "20000"])
def test_modes_are_those_that_git_writes(mode: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_tree(line(mode, "a"), "")
    assert refused.value.code == "tree-refused"


def test_a_submodule_is_refused_by_its_own_code_unless_declared(repository: Repository) -> None:
    inner = repository.tree([("160000", b"sub", BLOB)])
    tree = repository.tree([("40000", b"d", inner)])
    store = ObjectStore(repository.folder)
    for declared in ((), ("sub",), ("d",), ("D/sub",), ("d/sub/x",)):
        with pytest.raises(RefusedError) as refused:
            list_tree(store, tree, declared)
        assert refused.value.code == "tree-submodule"
    assert list_tree(store, tree, ("d/sub",)).submodules == {"d/sub": BLOB}


@pytest.mark.parametrize("other", ["Lib", "LIB", "lib/SUB", "lib/Sub", "\uff4cib"])
def test_nothing_passes_for_a_submodule_where_case_is_not_told_apart(other: str) -> None:
    with pytest.raises(RefusedError, match="only its case") as refused:
        check_stands_alone(["lib", "lib/sub", other], ["lib/sub"])
    assert refused.value.code == "tree-refused"
    check_stands_alone(["lib", "lib/sub", "lib/subs", "liB2", "README", "readme"], ["lib/sub"])


def test_no_name_stands_twice() -> None:
    for pair in ((("100644", "a"), ("100644", "a")), (("120000", "a"), ("40000", "a"))):
        with pytest.raises(RefusedError, match="twice"):
            parse_tree(b"".join(line(*each) for each in pair), "")


def test_entries_stand_in_gits_order() -> None:
    good = line("100644", "a.b") + line("40000", "a") + line("100644", "a0")
    assert [entry.name for entry in parse_tree(good, "")] == ["a.b", "a", "a0"]
    with pytest.raises(RefusedError, match="order"):
        parse_tree(line("100644", "b") + line("100644", "a"), "")


@pytest.mark.parametrize("name", [".gitmodules", ".GITMODULES", ".gitattributes", "gitmod~1", ".gitmodules "])
def test_files_that_git_reads_are_no_links(name: str) -> None:
    with pytest.raises(RefusedError, match="symbolic link"):
        parse_tree(line("120000", name), "")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", "/etc/passwd"),
        ("a", "../x"),
        ("d/a", "../../x"),
        ("d/a", "x/../../../y"),
        ("a", ""),
        ("a", "x\n"),
    ],
)
def test_a_link_stays_inside_the_tree(path: str, target: str) -> None:
    with pytest.raises(RefusedError):
        check_links_stay({path: check_link(path, target.encode())})


def test_a_link_through_other_links_stays_inside_the_tree() -> None:
    check_links_stay({"a/b/c/up": "../../..", "top": "a/b/c/up/x"})
    with pytest.raises(RefusedError, match="outside"):
        check_links_stay({"a/b/c/up": "../../..", "top": "a/b/c/up/../x"})
    with pytest.raises(RefusedError, match="circle"):
        check_links_stay({"a": "b", "b": "a"})


@given(st.lists(st.sampled_from(["..", ".", "a", "b", ""]), min_size=1, max_size=6), st.integers(0, 3))
@settings(deadline=None, max_examples=150)
def test_following_a_link_as_linux_does_never_leaves_what_was_accepted(parts: list[str], depth: int) -> None:
    path = "/".join([*["d"] * depth, "link"])
    target = "/".join(parts)
    try:
        check_links_stay({path: check_link(path, target.encode())})
    except RefusedError:
        return
    resolved = os.path.normpath("/".join([*["d"] * depth, *[part for part in parts if part]]) or ".")
    assert not resolved.startswith(("..", "/"))


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_parsed_or_refused(raw: bytes) -> None:
    try:
        entries = parse_tree(raw, "")
    except RefusedError:
        return
    again = b"".join(f"{e.mode} {e.name}".encode() + b"\0" + bytes.fromhex(e.id) for e in entries)
    assert again == raw


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.binary(max_size=300), min_size=1, max_size=6))
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_are_written_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    folder = tmp_path_factory.mktemp("tree")
    repository = Repository(folder / "r.git")
    write_tree(ObjectStore(repository.folder), repository.files(files), folder / "out")
    assert {p.name: p.read_bytes() for p in (folder / "out").iterdir()} == files


def test_modes_folders_and_links_are_written(repository: Repository, tmp_path: Path) -> None:
    blob, target = repository.put("blob", b"#!/bin/sh\n"), repository.put("blob", b"../run")
    inner = repository.tree([("120000", b"link", target)])
    tree = repository.tree([("100755", b"run", blob), ("40000", b"sub", inner)])
    old = os.umask(0o077)
    try:
        write_tree(ObjectStore(repository.folder), tree, tmp_path / "out")
    finally:
        os.umask(old)
    assert (tmp_path / "out/run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/sub").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/sub/link").readlink() == Path("../run")


def test_nothing_is_written_where_something_stands(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("/tmp")
    with pytest.raises(RefusedError) as refused:
        write_tree(ObjectStore(repository.folder), repository.files({"a": b""}), tmp_path / "out")
    assert refused.value.code == "path-taken"
    assert (tmp_path / "out").readlink() == Path("/tmp")


def test_a_missing_blob_is_refused(repository: Repository, tmp_path: Path) -> None:
    tree = repository.tree([("100644", b"a", "12" * 20)])
    with pytest.raises(RefusedError) as refused:
        write_tree(ObjectStore(repository.folder), tree, tmp_path / "out")
    assert refused.value.code == "repository-crooked"


def test_an_object_under_a_wrong_name_is_refused(repository: Repository) -> None:
    right = repository.put("blob", b"right")
    wrong = repository.put("blob", b"wrong")
    objects = repository.folder / "objects"
    place = objects / right[:2] / right[2:]
    place.chmod(0o644)
    place.write_bytes((objects / wrong[:2] / wrong[2:]).read_bytes())
    with pytest.raises(RefusedError):
        ObjectStore(repository.folder).read(right, "blob")


def test_links_in_the_repository_are_refused(repository: Repository, tmp_path: Path) -> None:
    (repository.folder / "objects/aa").symlink_to(tmp_path)
    with pytest.raises(RefusedError) as refused:
        ObjectStore(repository.folder)
    assert refused.value.code == "quarantine-odd-file"


def test_a_packed_object_is_hashed_again_too(repository: Repository) -> None:
    right = repository.put("blob", b"right")
    repository.point("refs/heads/main", repository.commit(repository.tree([("100644", b"a", right)])))
    repository.git("repack", "-a", "-d", "-q")
    (index,) = (repository.folder / "objects/pack").glob("*.idx")
    claimed = right[:-2] + ("00" if right[-2:] != "00" else "01")
    index.chmod(0o644)
    index.write_bytes(index.read_bytes().replace(bytes.fromhex(right), bytes.fromhex(claimed)))
    with pytest.raises(RefusedError) as refused:
        ObjectStore(repository.folder).read(claimed, "blob")
    # libgit2 finds it out first; were it told not to, our own hash would.
    assert refused.value.code in ("repository-crooked", "object-hash-mismatch")
