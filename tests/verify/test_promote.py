"""Out of the quarantine: only green, only as judged, all or nothing; and the manifest that is checked later."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages.errors import FetchError
from sealwright_stages.events import Stage
from sealwright_stages.ports import ItemSpec, Outcome, Workshop
from sealwright_stages.verdict import Failed, Green, Passed, Verdict
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.promote import promote
from sealwright_stages.verify.sources_manifest import check_manifest, list_folder
from verify.workbench import workshop

ITEM = "thing/file/a"


@dataclass(frozen=True)
class FolderSource:
    """A source that stages given files, or refuses."""

    files: Mapping[str, bytes]
    refuse: bool = False
    component: str = "thing"
    items: tuple[str, ...] = (ITEM,)
    folder: str = ""

    @property
    def fetch_item(self) -> ItemSpec:
        return ItemSpec("thing/fetch/a", "thing", Stage.GET_SOURCES, "file", "fetch a")

    @property
    def verify_items(self) -> tuple[ItemSpec, ...]:
        return tuple(ItemSpec(item, "thing", Stage.VERIFY, "digest", item) for item in self.items)

    def fetch(self, workshop: Workshop) -> Verdict:
        return Passed("it is there", "")

    def verify(self, workshop: Workshop) -> Outcome:
        return Outcome({})

    def stage(self, workshop: Workshop, green: Mapping[str, Green], destination: Path) -> None:
        if self.folder:
            (destination / self.folder).mkdir()
        for name, data in self.files.items():
            path = destination / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            path.chmod(0o644)
        if self.refuse:
            raise RefusedError("changed-since-verified", "it is not what was judged", "run again")


def green(item: str = ITEM) -> dict[str, Green]:
    return {item: Green(item, Passed("good", "00"))}


def folders(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "sources").mkdir(exist_ok=True)
    return tmp_path / "quarantine/thing/promoted", tmp_path / "sources"


def test_all_of_a_component_moves_by_one_rename(tmp_path: Path) -> None:
    staging, sources = folders(tmp_path)
    source = FolderSource({"files/a": b"a", "source/b/c": b"bc"})
    found = promote("thing", [(source, workshop(tmp_path))], green(), staging, sources)
    assert (found.files, found.bytes) == (2, 3)
    assert not staging.exists()
    manifest = sources / "thing.manifest.jsonl"
    assert isinstance(check_manifest(sources / "thing", manifest, found.manifest_sha256), Passed)
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    assert [line["path"] for line in lines] == ["files/a", "source/b/c"]
    assert set(lines[0]) == {"mode", "path", "sha256", "size"}


def test_an_item_without_its_green_keeps_everything_in_the_quarantine(tmp_path: Path) -> None:
    staging, sources = folders(tmp_path)
    for wrong in ({}, green("thing/file/b"), {ITEM: green("thing/file/b")["thing/file/b"]}):
        with pytest.raises(FetchError, match="not green"):
            promote("thing", [(FolderSource({"a": b""}), workshop(tmp_path))], wrong, staging, sources)
    with pytest.raises(FetchError, match="nothing of it was checked"):
        promote("thing", [], green(), staging, sources)
    assert list(sources.iterdir()) == []


def test_a_refusal_on_the_way_moves_nothing(tmp_path: Path) -> None:
    staging, sources = folders(tmp_path)
    pair = (FolderSource({"a": b""}, refuse=True), workshop(tmp_path))
    with pytest.raises(FetchError) as refused:
        promote("thing", [pair], green(), staging, sources)
    assert refused.value.code == "changed-since-verified"
    assert not staging.exists() and list(sources.iterdir()) == []


def test_an_earlier_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    staging, sources = folders(tmp_path)
    place = workshop(tmp_path)
    promote("thing", [(FolderSource({"old": b"o"}), place)], green(), staging, sources)
    promote("thing", [(FolderSource({"new": b"n"}), place)], green(), staging, sources)
    assert [p.name for p in (sources / "thing").iterdir()] == ["new"]
    assert not list(staging.parent.glob("promoted*"))


def test_where_two_sources_write_the_same_path_neither_wins(tmp_path: Path) -> None:
    from verify.test_files import judged_pair

    staging, sources = folders(tmp_path)
    first, greens = judged_pair(tmp_path / "one", "thing")
    second, more = judged_pair(tmp_path / "two", "thing")
    with pytest.raises(FetchError, match="two sources of the component write files/x") as refused:
        promote("thing", [first, second], {**greens, **more}, staging, sources)
    assert refused.value.code == "path-taken"
    assert not staging.exists() and list(sources.iterdir()) == []


def test_a_folder_that_another_source_has_made_is_refused_too(tmp_path: Path) -> None:
    staging, sources = folders(tmp_path)
    pairs = [(FolderSource({}, folder="dsc"), workshop(tmp_path)) for _ in range(2)]
    with pytest.raises(FetchError, match="two sources of the component write dsc") as refused:
        promote("thing", pairs, green(), staging, sources)
    assert refused.value.code == "path-taken"
    assert not staging.exists() and list(sources.iterdir()) == []


def standing(tmp_path: Path) -> tuple[Path, Path, str]:
    folder = tmp_path / "thing"
    (folder / "sub").mkdir(parents=True)
    for name in ("a", "sub/b"):
        (folder / name).write_bytes(name.encode())
        (folder / name).chmod(0o644)
    (folder / "link").symlink_to("a")
    listing = list_folder(folder)
    (tmp_path / "thing.manifest.jsonl").write_bytes(listing.text)
    return folder, tmp_path / "thing.manifest.jsonl", listing.sha256


def change(folder: Path, how: str) -> None:
    a = folder / "a"
    actions = {
        "byte": lambda: a.write_bytes(b"b"),
        "missing": a.unlink,
        "surplus": lambda: (folder / "c").write_bytes(b""),
        "mode": lambda: a.chmod(0o755),
        "odd mode": lambda: a.chmod(0o666),
        "setuid": lambda: a.chmod(0o4755),
        "empty folder": (folder / "d").mkdir,
        "hard link": lambda: os.link(a, folder.parent / "second"),
        "pipe": lambda: os.mkfifo(folder / "p"),
        "file to link": lambda: (a.rename(folder.parent / "x"), a.symlink_to(folder.parent / "x")),
        "link target": lambda: ((folder / "link").unlink(), (folder / "link").symlink_to("sub/b")),
        "folder to link": lambda: (
            (folder / "sub").rename(folder.parent / "y"),
            (folder / "sub").symlink_to("../y"),
        ),
        "name": lambda: a.rename(folder / "A"),
    }
    actions[how]()


@pytest.mark.parametrize(
    "how",
    [
        "byte",
        "missing",
        "surplus",
        "mode",
        "odd mode",
        "setuid",
        "empty folder",
        "hard link",
        "pipe",
        "file to link",
        "link target",
        "folder to link",
        "name",
    ],
)
def test_any_change_to_verified_sources_is_red(tmp_path: Path, how: str) -> None:
    folder, manifest, digest = standing(tmp_path)
    assert isinstance(check_manifest(folder, manifest, digest), Passed)
    change(folder, how)
    verdict = check_manifest(folder, manifest, digest)
    assert isinstance(verdict, Failed) and verdict.code == "sources-changed"


def test_a_manifest_that_was_changed_with_the_files_is_red(tmp_path: Path) -> None:
    folder, manifest, digest = standing(tmp_path)
    (folder / "a").write_bytes(b"evil")
    manifest.write_bytes(list_folder(folder).text)
    assert check_manifest(folder, manifest, digest).code == "sources-changed"


def test_missing_sources_or_manifest_are_red(tmp_path: Path) -> None:
    folder, manifest, digest = standing(tmp_path)
    manifest.unlink()
    assert check_manifest(folder, manifest, digest).code == "sources-missing"
    assert check_manifest(tmp_path / "nowhere", manifest, digest).code == "sources-missing"
    (tmp_path / "elsewhere").symlink_to(folder)
    assert check_manifest(tmp_path / "elsewhere", manifest, digest).code == "sources-missing"


@given(st.dictionaries(st.text("ab\u00e9\u202e \n'", min_size=1, max_size=5), st.binary(max_size=20), max_size=5))
@settings(deadline=None, max_examples=25)
def test_a_manifest_depends_on_names_and_bytes_alone(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    texts = []
    for order in (sorted(files), sorted(files, reverse=True)):
        folder = tmp_path_factory.mktemp("m")
        for name in order:
            (folder / name).write_bytes(files[name])
            (folder / name).chmod(0o644)
        texts.append(list_folder(folder).text)
    assert texts[0] == texts[1]
    assert [json.loads(line)["path"] for line in texts[0].splitlines()] == sorted(files)


def test_an_empty_folder_is_told_of_in_the_manifest_and_missed_when_it_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "thing"
    (folder / "sub" / "empty").mkdir(parents=True)
    listing = list_folder(folder)
    assert json.loads(listing.text) == {"empty": True, "path": "sub/empty"}
    manifest = tmp_path / "thing.manifest.jsonl"
    manifest.write_bytes(listing.text)
    assert isinstance(check_manifest(folder, manifest, listing.sha256), Passed)
    (folder / "sub" / "empty").rmdir()
    assert check_manifest(folder, manifest, listing.sha256).code == "sources-changed"
