"""Commands by hand for packages, build roots and builds: really run, on what is whole and on what was tampered with."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from sealwright_console.views.overview import signer, version
from sealwright_stages.build.reference import compare
from sealwright_stages.events import Stage
from sealwright_stages.ports import Collected, ItemSpec, Reference, Report
from sealwright_stages.state import Item
from sealwright_stages.twice import Twice
from sealwright_stages.verdict import Status
from sealwright_stages.verify.rpm_source import rpm_source
from verify import rpms
from verify.miniature import DIRECTORY, Miniature
from verify.repeating import DATA, Judged, archive_of, spoil, upstream
from verify.workbench import sha256, workshop


def test_an_rpm_package(judged: Judged, signed: bytes) -> None:
    judged.judge(rpm_source("c", upstream(judged, rpms.NAME, signed), sha256=None, trust=judged.keys.trust("s1")))
    assert judged.run(f"c/rpm/{rpms.NAME}") == 0
    spoil(judged.folder / "files" / rpms.NAME)
    assert judged.run(f"c/rpm/{rpms.NAME}") != 0


def test_a_stock_package_from_the_signed_index_down(judged: Judged, tmp_path: Path) -> None:
    archive = archive_of(judged, tmp_path)
    judged.judge(archive.deb_source())
    assert judged.run("c/deb/hi") == 0
    spoil(judged.folder / "files" / "hi_1.0-1_all.deb")
    assert judged.run("c/deb/hi") != 0
    assert judged.run("c/deb/hi", sources=None) == 0
    spoil(tmp_path / "archive/dists/bookworm/InRelease")
    assert judged.run("c/deb/hi", sources=None) != 0


def test_a_source_package_by_archive_and_uploader(judged: Judged, tmp_path: Path) -> None:
    archive = archive_of(judged, tmp_path)
    source = replace(archive.source(), component="c")
    judged.judge(source)
    uploaders = tmp_path / "uploaders.gpg"
    uploaders.write_bytes(judged.keys.gpg("--export", judged.keys.fingerprint("uploader")))
    assert judged.run("c/archive/hi") == 0
    assert judged.run("c/uploader/hi") == 0
    spoil(judged.folder / "dsc" / "hi_1.0-1.dsc")
    assert judged.run("c/archive/hi") != 0
    assert judged.run("c/uploader/hi") != 0


def spilled(judged: Judged) -> list[Item]:
    """The items as a state has them: long evidence lies on a stream."""
    items = judged.items.values()
    return [item if len(json.dumps(item.evidence)) <= 1200 else replace(item, evidence="") for item in items]


@pytest.mark.parametrize(("kind", "key"), [("source", "uploader"), ("deb", "archive")])
def test_the_overview_tells_version_and_signer_of_debian_packages(
    judged: Judged, tmp_path: Path, kind: str, key: str
) -> None:
    archive = archive_of(judged, tmp_path)
    judged.judge(archive.deb_source() if kind == "deb" else replace(archive.source(), component="c"))
    assert not all(item.evidence for item in spilled(judged)), "the archive's evidence is long"
    assert (version(spilled(judged)), signer(spilled(judged))) == ("1.0-1", judged.keys.fingerprint(key))


def test_the_signed_index_of_a_build_root_out_of_the_log(judged: Judged, tmp_path: Path) -> None:
    archive_of(judged, tmp_path)
    dist = tmp_path / "archive/dists/bookworm"
    packages = next(dist.glob("main/binary-*/Packages.xz")).read_bytes()
    said = {
        "inrelease_base64": base64.b64encode((dist / "InRelease").read_bytes()).decode(),
        "root": {"index": {"sha256": sha256(packages)}},
    }
    stream = judged.root / "log/data/evidence/1-9"
    stream.mkdir(parents=True)
    (stream / "00000007.log").write_text(json.dumps(said))
    item = Item("environment debian:bookworm/apt", "environment debian:bookworm", Stage.VERIFY, "apt", "root")
    item = replace(item, status=Status.PASSED, evidence=json.dumps(said), evidence_stream="evidence/1-9")
    judged.items[item.id] = item
    assert judged.run(item.id, log=judged.root / "log") == 0
    said["root"] = {"index": {"sha256": "0" * 64}}
    judged.items[item.id] = replace(item, evidence=json.dumps(said))
    assert judged.run(item.id, log=judged.root / "log") != 0


def test_the_products_of_a_build(judged: Judged) -> None:
    product = judged.root / "products" / "c" / "-n x.deb"
    product.parent.mkdir(parents=True)
    product.write_bytes(DATA)
    said = json.dumps({"products": {product.name: sha256(DATA)}})
    judged.items["c/build"] = Item("c/build", "c", Stage.BUILD, "build", "build", Status.PASSED, evidence=said)
    assert judged.run("c/build") == 0
    spoil(product)
    assert judged.run("c/build") != 0


def test_the_files_of_packages_are_fetched_once_more(judged: Judged, tmp_path: Path) -> None:
    archive = archive_of(judged, tmp_path)
    judged.judge(replace(archive.source(), component="c"))
    assert judged.run("c/fetch/hi") == 0
    spoil(tmp_path / "archive" / DIRECTORY / "hi_1.0-1.dsc")
    assert judged.run("c/fetch/hi") != 0


def test_the_file_of_a_stock_package_is_fetched_once_more(judged: Judged, tmp_path: Path) -> None:
    judged.judge(archive_of(judged, tmp_path).deb_source())
    assert judged.run("c/fetch-deb/hi") == 0
    for path in (tmp_path / "archive").rglob("hi_1.0-1_all.deb"):
        spoil(path)
    assert judged.run("c/fetch-deb/hi") != 0


def test_an_rpm_is_fetched_once_more(judged: Judged, signed: bytes) -> None:
    url = upstream(judged, rpms.NAME, signed)
    judged.judge(rpm_source("c", url, sha256=None, trust=judged.keys.trust("s1")))
    assert judged.run(f"c/fetch/{rpms.NAME}") == 0
    upstream(judged, rpms.NAME, signed + b"x")
    assert judged.run(f"c/fetch/{rpms.NAME}") != 0


def compared(judged: Judged, archive: Miniature, tmp_path: Path, products: Mapping[str, bytes]) -> str:
    """Products of a build that were set beside the archive's, as a run does it; gives the item."""
    folder = judged.root / "products" / "c"
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in products.items():
        (folder / name).write_bytes(data)
    digests = {name: sha256(data) for name, data in products.items()}
    outcome = compare(
        Reference("c/reference", "bookworm", digests, folder),
        "0" * 64,
        archive.deb_source().archive,
        workshop(tmp_path / "compared"),
        lambda *_: Report(why_none="not looked at"),
    )
    spec = ItemSpec("c/reference", "c", Stage.BUILD, "reference", "beside the archive")
    judged.take(spec, outcome.verdicts["c/reference"])
    return "c/reference"


def test_built_packages_beside_those_of_the_archive(judged: Judged, tmp_path: Path) -> None:
    archive = archive_of(judged, tmp_path)
    (published,) = (tmp_path / "archive").rglob("hi_1.0-1_all.deb")
    deb = published.read_bytes()
    item = compared(judged, archive, tmp_path, {published.name: deb, "notes.txt": b"no package"})
    assert judged.items[item].status is Status.PASSED
    assert judged.run(item) == 0
    spoil(judged.root / "products" / "c" / published.name)
    assert judged.run(item) != 0
    (judged.root / "products" / "c" / published.name).write_bytes(deb)
    spoil(next((tmp_path / "archive").rglob("Packages.xz")))
    assert judged.run(item) != 0


def test_a_built_package_that_differs_or_that_the_archive_has_not_is_no_good_answer(
    judged: Judged, tmp_path: Path
) -> None:
    archive = archive_of(judged, tmp_path)
    (published,) = (tmp_path / "archive").rglob("hi_1.0-1_all.deb")
    for products in ({published.name: DATA}, {published.name: published.read_bytes(), "ho_1_all.deb": DATA}):
        item = compared(judged, archive, tmp_path, products)
        assert judged.items[item].status is Status.WARNED
        assert judged.run(item) != 0


def test_the_products_of_two_builds(judged: Judged) -> None:
    product = judged.root / "products" / "c" / "-n x.deb"
    product.parent.mkdir(parents=True)
    product.write_bytes(DATA)
    made = (Collected(product.name, sha256(DATA), len(DATA)),)
    for second, code in (
        (made, 0),
        ((Collected(product.name, "0" * 64, len(DATA)),), 1),
    ):
        evidence = json.dumps({"twice": Twice(made, second).told()})
        item = Item("c/reproduce", "c", Stage.BUILD, "reproduce", "twice", Status.PASSED, evidence=evidence)
        judged.items[item.id] = item
        assert judged.run(item.id) == code
    judged.items[item.id] = replace(item, evidence=json.dumps({"twice": Twice(made, ()).told()}))
    assert judged.repeat(item.id) is None, "what only one build made can't be compared"
