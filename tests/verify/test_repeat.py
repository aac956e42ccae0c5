"""The command that repeats a check by hand: really run, on what was verified, and on what was tampered with."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_console.repeat import quoted, repeat, wrapped
from sealwright_stages.events import Stage
from sealwright_stages.ports import Trust
from sealwright_stages.state import Item
from sealwright_stages.unpack.names import unpacked_name
from sealwright_stages.verdict import Status
from sealwright_stages.verify.file_source import Inside, file_source
from sealwright_stages.verify.git_source import git_source
from sealwright_stages.verify.signatures import judge_signature
from verify.repeating import DATA, ODD, Judged, packed, spoil, upstream
from verify.workbench import Repository, sha256, signed_commit, signed_tag, tag_payload


def test_a_pinned_digest(judged: Judged) -> None:
    judged.judge(file_source("c", upstream(judged, "x.txt", DATA), sha256=sha256(DATA)))
    assert judged.run("c/file/x.txt") == 0
    spoil(judged.folder / "files" / "x.txt")
    assert judged.run("c/file/x.txt") != 0


def test_a_failed_digest_is_asked_for_anew(judged: Judged) -> None:
    url = upstream(judged, "x.txt", DATA)
    judged.judge(file_source("c", url, sha256=sha256(DATA + b"x")))
    assert judged.items["c/file/x.txt"].status is Status.FAILED
    assert judged.run("c/file/x.txt") != 0
    upstream(judged, "x.txt", DATA + b"x")
    assert judged.run("c/file/x.txt") == 0


@pytest.mark.parametrize("kind", ["openpgp", "ssh", "minisign"])
def test_a_detached_signature_of_each_kind(judged: Judged, kind: str) -> None:
    sign: Mapping[str, Callable[[str, bytes], bytes]] = {
        "openpgp": judged.keys.sign,
        "ssh": judged.others.ssh_sign,
        "minisign": judged.others.minisign_sign,
    }
    person = judged.others.person("s1", "ssh", "minisign")
    person = replace(person, openpgp=(judged.keys.fingerprint("s1"),))
    url, beside = upstream(judged, "x.txt", DATA), upstream(judged, "x.txt.sig", sign[kind]("s1", DATA))
    judged.judge(
        file_source("c", url, signature=beside, trust=Trust((judged.keys.certificate("s1"),), (person,), 1))
    )
    item = "c/file-signature/x.txt"
    assert judged.items[item].status is Status.PASSED
    assert judged.run(item) == 0
    assert judged.run(item, sources=None) == 0  # as in a review: the file is fetched anew
    upstream(judged, "x.txt.sig", sign[kind]("s2", DATA))
    assert judged.run(item) != 0  # another key of the same keyring
    upstream(judged, "x.txt.sig", sign[kind]("s1", DATA))
    spoil(judged.folder / "files" / "x.txt")
    assert judged.run(item) != 0


def test_a_signature_over_the_uncompressed_bytes(judged: Judged) -> None:
    packed = subprocess.run(["xz", "-c"], input=DATA, capture_output=True, check=True).stdout
    url = upstream(judged, "x.tar.xz", packed)
    beside = upstream(judged, "x.sig", judged.keys.sign("s1", DATA))
    verdict = judge_signature(judged.keys.sign("s1", DATA), DATA, judged.keys.trust("s1"), "x")
    said = {"uncompressed": {"tool": "xz"}, "signature": dict(verdict.evidence)}
    for kind, item, told in (
        ("file", "c/fetch/x.tar.xz", {"url": url, "signatures": [{"url": beside}]}),
        ("file-signature", "c/file-signature/x.tar.xz", said),
    ):
        evidence = json.dumps(told)
        judged.items[item] = Item(item, "c", Stage.VERIFY, kind, "x", Status.PASSED, evidence=evidence)
    assert judged.run("c/file-signature/x.tar.xz", sources=None) == 0
    upstream(judged, "x.tar.xz", packed[:-8])
    assert judged.run("c/file-signature/x.tar.xz", sources=None) != 0


def test_a_signed_tag_and_where_it_came_from(judged: Judged, repository: Repository) -> None:
    signed_tag(repository, judged.keys, "s1")
    url = repository.folder.as_uri()
    judged.judge(git_source("c", url, tag="v1.0", trust=judged.keys.trust("s1")))
    assert judged.run("c/git/v1.0") == 0
    assert judged.run("c/fetch/v1.0") == 0
    signed_tag(repository, judged.keys, "s1", tree=repository.files({"README": b"other\n"}))
    assert judged.run("c/fetch/v1.0") != 0
    (judged.root / "keys" / "s1.asc").unlink()
    assert judged.run("c/git/v1.0") != 0


def test_a_tag_of_which_a_byte_is_changed(judged: Judged, repository: Repository) -> None:
    signed_tag(repository, judged.keys, "s1")
    judged.judge(git_source("c", repository.folder.as_uri(), tag="v1.0", trust=judged.keys.trust("s1")))
    item = judged.items["c/git/v1.0"]
    evidence = json.loads(item.evidence)
    bad = base64.b64decode(evidence["object_base64"]).replace(b"a release", b"A release")
    for id_ in (evidence["tag_object"], repository.put("tag", bad)):
        said = {**evidence, "object_base64": base64.b64encode(bad).decode(), "tag_object": id_}
        judged.items[item.id] = replace(item, evidence=json.dumps(said))
        assert judged.run(item.id) != 0


def test_a_tag_signed_by_ssh(judged: Judged, repository: Repository) -> None:
    commit = repository.commit(repository.files({"README": b"hello\n"}))
    payload = tag_payload(commit, "v1.0")
    signature = judged.others.ssh_sign("s1", payload, "git")
    repository.point("refs/tags/v1.0", repository.put("tag", payload + signature))
    trust = Trust((), (judged.others.person("s1", "ssh"),), 1)
    judged.judge(git_source("c", repository.folder.as_uri(), tag="v1.0", trust=trust))
    assert judged.items["c/git/v1.0"].status is Status.PASSED
    assert judged.run("c/git/v1.0") == 0
    (judged.root / "keys" / "s1-ssh.pub").unlink()
    assert judged.run("c/git/v1.0") != 0


def test_a_signed_commit(judged: Judged, repository: Repository) -> None:
    commit = signed_commit(repository, judged.keys, "s1", repository.files({"README": b"hello\n"}))
    repository.point("refs/heads/main", commit)
    judged.judge(git_source("c", repository.folder.as_uri(), commit=commit, trust=judged.keys.trust("s1")))
    (item,) = (item.id for item in judged.items.values() if item.kind == "git-commit")
    assert judged.items[item].status is Status.WARNED
    assert judged.run(item) == 0
    (judged.root / "keys" / "s1.asc").unlink()
    assert judged.run(item) != 0


@pytest.mark.parametrize("name", ["x-1.0.tar.xz", "x-1.0.tar", "x.zip"])
def test_a_file_that_was_fetched_and_an_archive_that_was_unpacked(judged: Judged, name: str) -> None:
    data = packed(judged, name)
    judged.judge(file_source("c", upstream(judged, name, data), sha256=sha256(data), inside=Inside(unpack=True)))
    assert judged.items[f"c/unpack/{name}"].status is Status.PASSED, judged.items[f"c/unpack/{name}"].reason
    for item in (f"c/fetch/{name}", f"c/file/{name}", f"c/unpack/{name}"):
        assert judged.run(item) == 0, item
    assert judged.run(f"c/fetch/{name}", sources=None) == 0
    inside = judged.folder / "unpacked" / unpacked_name(name) / "x-1.0"
    (inside / "empty").rmdir()
    assert judged.run(f"c/unpack/{name}") != 0
    (inside / "empty").mkdir()
    (inside / "link").unlink()
    (inside / "link").symlink_to("empty")
    assert judged.run(f"c/unpack/{name}") != 0
    upstream(judged, name, data + b"x")
    for places in ({}, {"sources": None}):
        assert judged.run(f"c/fetch/{name}", **places) != 0  # type: ignore[arg-type]


def test_a_tree_of_which_a_byte_is_changed_is_not_what_was_unpacked(judged: Judged) -> None:
    data = packed(judged, "x.tar")
    judged.judge(
        file_source("c", upstream(judged, "x.tar", data), sha256=sha256(data), inside=Inside(unpack=True))
    )
    assert judged.run("c/unpack/x.tar") == 0
    spoil(judged.folder / "unpacked" / "x" / "x-1.0" / "run me")
    assert judged.run("c/unpack/x.tar") != 0


def test_an_archive_whose_unpacking_was_refused_has_no_command_that_unpacks_it(judged: Judged) -> None:
    plain = subprocess.run(["tar", "-P", "-cf", "-", "/etc/hostname"], capture_output=True, check=True).stdout
    url = upstream(judged, "x.tar", plain)
    judged.judge(file_source("c", url, sha256=sha256(plain), inside=Inside(unpack=True)))
    assert judged.items["c/unpack/x.tar"].status is Status.FAILED
    assert judged.repeat("c/unpack/x.tar") is None


def test_an_archive_that_was_signed_before_it_was_compressed(judged: Judged) -> None:
    data = packed(judged, "x.tar.xz")
    inside = subprocess.run(["xz", "-dc"], input=data, capture_output=True, check=True).stdout
    url, beside = upstream(judged, "x.tar.xz", data), upstream(judged, "x.tar.sig", judged.keys.sign("s1", inside))
    trust = judged.keys.trust("s1")
    how = Inside(unpack=True, signed=True)
    judged.judge(file_source("c", url, signature=beside, sha256=sha256(data), trust=trust, inside=how))
    items = [f"c/{part}/x.tar.xz" for part in ("fetch", "file", "file-signature", "unpack")]
    assert {judged.items[item].status for item in items} == {Status.PASSED}
    for item in items:
        assert judged.run(item) == 0, item
    spoil(judged.folder / "files" / "x.tar")
    spoil(judged.folder / "unpacked" / "x" / "x-1.0" / "run me")
    for item in (items[0], *items[2:]):
        assert judged.run(item) != 0, item
    upstream(judged, "x.tar.xz", data[:-8])
    assert judged.run(items[1]) != 0


def test_an_address_with_what_curl_takes_for_a_pattern_is_that_address(judged: Judged) -> None:
    folder = judged.root.parent / "x[1-3]{a,b}"
    folder.mkdir()
    (folder / "x.txt").write_bytes(DATA)
    judged.judge(file_source("c", f"file://{folder}/x.txt", sha256=sha256(DATA)))
    assert judged.run("c/fetch/x.txt") == 0


@pytest.mark.parametrize("width", [0, 24, 25, 31, 40, 59, 78])
@settings(max_examples=30, deadline=None)
@given(
    words=st.lists(st.text(min_size=1, max_size=60).filter(lambda text: "\0" not in text), min_size=1, max_size=6)
)
def test_a_command_that_is_folded_says_what_it_said(width: int, words: list[str]) -> None:
    good = [word for word in words if "\0" not in word]
    command = f'printf "%s\\0" {" ".join(map(quoted, good))} "$(printf %s {quoted(good[0])} | cat)"'
    folded = wrapped(command, width)
    done = subprocess.run(["bash", "-c", folded], capture_output=True, check=True, timeout=20)
    told = [word.encode("utf-8", "surrogateescape") for word in good]
    assert done.stdout == b"\0".join([*told, told[0].rstrip(b"\n")]) + b"\0"
    lengths = [len(line) for line in folded.split("\n")]
    assert max(lengths) <= max(24, width) + 8, folded


def test_a_long_word_is_folded_too(tmp_path: Path) -> None:
    long = "x" * 40_000
    folded = wrapped(f"printf %s {long} '{long} '", 78)
    assert max(map(len, folded.split("\n"))) <= 78
    done = subprocess.run(["bash"], input=folded.encode(), capture_output=True, check=True, timeout=60)
    assert done.stdout.decode() == f"{long}{long} "


@pytest.mark.parametrize("word", [ODD, "'; touch hacked; '", "$'\\x41", "-n", "a\nb", "\udc9b\udcff", "~/x", "!!"])
def test_a_quoted_word_is_one_printable_word_and_comes_back_as_it_was(word: str, tmp_path: Path) -> None:
    text = quoted(word)
    assert text.isascii() and text.isprintable()
    done = subprocess.run(
        ["bash", "-c", f"printf %s {text}"],
        capture_output=True,
        cwd=tmp_path,
        check=True,
    )
    assert done.stdout == word.encode("utf-8", "surrogateescape") and not list(tmp_path.iterdir())
    assert word.isprintable() is False or not word.isascii() or shlex.split(text) == [word]


def test_without_a_known_keyring_the_shell_asks_for_it(judged: Judged, repository: Repository) -> None:
    signed_tag(repository, judged.keys, "s1")
    judged.judge(git_source("c", repository.folder.as_uri(), tag="v1.0", trust=judged.keys.trust("s1")))
    assert judged.run("c/git/v1.0", keys=None) != 0


@pytest.mark.parametrize("name", ["", "..", "a/../../b"])
def test_a_name_that_is_a_path_has_no_command(judged: Judged, name: str) -> None:
    said = {"wanted": sha256(DATA)}
    item = Item(f"c/file/{name}", "c", Stage.VERIFY, "digest", "x", Status.PASSED)
    assert repeat(item, said, judged.places, judged.evidence) is None


@pytest.mark.parametrize(
    "kind",
    [
        "digest",
        "file-signature",
        "git-tag",
        "git",
        "rpm",
        "archive",
        "uploader",
        "build",
        "apt",
        "file",
        "fetch",
        "unpack",
        "reproduce",
        "reference",
        "?",
    ],
)
def test_evidence_that_says_nothing_or_nonsense_has_no_command(judged: Judged, kind: str) -> None:
    item = Item("c/x/y", "c", Stage.VERIFY, kind, "x", Status.PASSED)
    odd = {
        "wanted": "$(id)",
        "object": "$(id)",
        "tag_object": "`id`",
        "object_base64": "$(id)",
        "files": {"x": "$(id)"},
    }
    odd |= {
        "archive": [],
        "products": {"../x": "0" * 64},
        "uploaders": "$(id)",
        "signatures": [{"kind": "openpgp", "key": "$(id)"}],
        "twice": {"../x": {"second_sha256": "0" * 64}},
        "compared": {"x_1_all.deb": {"result": "identical", "published": "$(id)"}},
        "directory": "$(id)",
    }
    for said in ({}, odd):
        assert repeat(item, said, judged.places, lambda _: odd) is None
