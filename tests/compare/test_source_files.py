"""Which files of the sources changed, by the lists that still lie beside the evidence."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compare.releases import greeting, release, with_greeting
from sealwright_stages.compare.source_files import MOST, FileChanges, file_changes
from support.stories import sha

FILES = st.dictionaries(st.sampled_from(["a", "b", "b/c", "d\u00e9", "\udcff", "~"]), st.sampled_from("123"))


def listing(files: dict[str, str]) -> bytes:
    """The list of these files, as a promotion writes it."""
    lines = [{"mode": "644", "path": path, "sha256": sha(text), "size": 1} for path, text in files.items()]
    lines.sort(key=lambda line: str(line["path"]))
    text = "".join(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n" for line in lines)
    return text.encode("ascii")


def compared(folder: Path, a: bytes, b: bytes, digest: str = "") -> tuple[list[FileChanges], list[str]]:
    """What is said of two lists, the second under `digest` if there is one."""
    sides = []
    for name, text in (("a", a), ("b", b)):
        place = folder / name / "sources"
        place.mkdir(parents=True, exist_ok=True)
        (place / "greeting.manifest.jsonl").write_bytes(text)
        sha256 = digest if digest and name == "b" else hashlib.sha256(text).hexdigest()
        sides.append(with_greeting(replace(greeting(), sources_sha256=sha256)))
    return file_changes(*sides, folder / "a" / "evidence", folder / "b" / "evidence")


@settings(max_examples=60)
@given(a=FILES, b=FILES)
def test_every_file_that_differs_is_told(
    tmp_path_factory: pytest.TempPathFactory, a: dict[str, str], b: dict[str, str]
) -> None:
    found, unknown = compared(tmp_path_factory.mktemp("lists"), listing(a), listing(b))
    assert unknown == []
    if a == b:
        assert found == []
        return
    (each,) = found
    assert each.only_a == len(a.keys() - b.keys())
    assert each.only_b == len(b.keys() - a.keys())
    assert each.changed == len([path for path in a.keys() & b.keys() if a[path] != b[path]])
    told = {(change.names, change.kind) for change in each.changes}
    wanted = {((path, ""), "removed") for path in a.keys() - b.keys()}
    wanted |= {(("", path), "added") for path in b.keys() - a.keys()}
    wanted |= {((path, path), "changed") for path in a.keys() & b.keys() if a[path] != b[path]}
    assert told == wanted


@pytest.mark.parametrize("spoil", [lambda text: text + b"\n", lambda text: text[:-2], lambda text: b""])
def test_a_list_that_is_not_the_logged_one_tells_nothing(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    whole = listing({"a": "1", "b": "2"})
    digest = hashlib.sha256(whole).hexdigest()
    found, unknown = compared(tmp_path, listing({"a": "2"}), spoil(whole), digest)
    assert found == []
    assert len(unknown) == 1


@pytest.mark.parametrize(
    "text", [b"[]\n", b"1\n", b'{"path":1}\n', b"x\n", b'{"path":"b"}\n{"path":"a"}\n', b"[" * 99999]
)
def test_a_list_of_another_form_tells_nothing(tmp_path: Path, text: bytes) -> None:
    found, unknown = compared(tmp_path, listing({"z": "2"}), text)
    assert found == []
    assert len(unknown) == 1


def test_without_lists_nothing_is_said(tmp_path: Path) -> None:
    other = with_greeting(replace(greeting(), sources_sha256=sha("other")))
    assert file_changes(release(), other, tmp_path / "a" / "evidence", tmp_path / "b" / "evidence") == ([], [])


def test_a_component_whose_name_is_no_plain_name_is_left_alone(tmp_path: Path) -> None:
    one = release(components={"../x": greeting()})
    other = release(components={"../x": greeting(sources_sha256=sha("other"))})
    assert file_changes(one, other, tmp_path / "a", tmp_path / "b") == ([], [])


def test_all_are_counted_and_the_first_ones_told(tmp_path: Path) -> None:
    many = listing({f"{n:05}": "1" for n in range(MOST + 5)})
    (found,), _ = compared(tmp_path, listing({"a": "1"}), many)
    assert (found.only_b, len(found.changes)) == (MOST + 5, MOST)
