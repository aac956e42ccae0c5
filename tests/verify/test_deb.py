"""Stock .deb packages: the archive's word from its signed index down, and all that may be wrong with it."""

from __future__ import annotations

import lzma
import shutil
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from sealwright_stages.errors import FetchError
from sealwright_stages.get_sources.apt_sources import mirror_from_machine
from sealwright_stages.get_sources.debian import DebianArchive, architecture
from sealwright_stages.memory.facts import Origin, facts_of
from sealwright_stages.ports import Archive
from sealwright_stages.verdict import Green, Passed
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.deb_source import DebSource
from verify.miniature import DEB, DIRECTORY, SOURCES, Miniature, judged
from verify.workbench import Keys, sha256, workshop

NAME = "hi_1.0-1_all.deb"
SECOND = "Package: hi\nVersion: {}\nArchitecture: {}\nFilename: pool/x.deb\nSize: 1\nSHA256: " + "4" * 64 + "\n\n"


@pytest.fixture
def archive(keys: Keys, tmp_path: Path) -> Miniature:
    return Miniature(tmp_path / "archive", keys)


def refused(archive: Miniature, folder: Path, version: str | None = None, wanted: str | None = None) -> str:
    """The code with which the fetch of hi is refused."""
    archive.publish()
    with pytest.raises(FetchError) as error:
        archive.deb_source(version, wanted).fetch(workshop(folder))
    assert error.value.next_step
    return error.value.code


@pytest.mark.parametrize(
    ("version", "wanted"), [(None, None), ("1.0-1", None), (None, "all"), ("1.0-1", "all"), (None, architecture())]
)
def test_a_good_package_is_green_and_ends_in_files(
    archive: Miniature, tmp_path: Path, version: str | None, wanted: str | None
) -> None:
    archive.extra = f"Valid-Until: {format_datetime(datetime.now(UTC) + timedelta(days=7))}\n"
    archive.publish()
    source, place = archive.deb_source(version, wanted), workshop(tmp_path)
    assert isinstance(source.fetch(place), Passed)
    found = source.verify(place)
    (item,) = found.verdicts
    verdict = found.verdicts[item]
    assert isinstance(verdict, Passed) and verdict.subject_sha256 == sha256(DEB)
    assert item == (f"c/deb/hi:{wanted}" if wanted else "c/deb/hi")
    source.stage(place, {item: Green(item, verdict)}, place.quarantine)
    assert (place.quarantine / "files" / NAME).read_bytes() == DEB


def test_the_evidence_says_of_when_the_archive_is_for_a_memory(archive: Miniature, tmp_path: Path) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=7)
    for extra, wanted in (("", ""), (f"Valid-Until: {format_datetime(until)}\n", until.isoformat())):
        archive.extra = extra
        archive.folder = tmp_path / ("with" if extra else "without")
        archive.publish()
        inrelease = (archive.folder / "dists/bookworm/InRelease").read_bytes()
        expected = {
            "mirror": archive.folder.as_uri(),
            "suite": "bookworm",
            "date": "2025-03-01T10:00:00+00:00",
            "valid_until": wanted,
            "inrelease_sha256": sha256(inrelease),
        }
        (verdict,) = judged(archive.deb_source(), tmp_path).verdicts.values()
        place, source = workshop(tmp_path), archive.source()
        source.fetch(place)
        of_source = source.verify(place).verdicts["hi/archive/hi"]
        for each in (verdict, of_source):
            assert each.evidence["archive"] == expected and each.evidence["version"] == "1.0-1"
        facts = facts_of("c", verdict.evidence, verdict.subject_sha256, Origin())
        assert [(fact.kind, fact.name, fact.value) for fact in facts] == [
            ("archive", "bookworm", sha256(inrelease)),
            ("package", "hi:all", "1.0-1"),
            ("part", NAME, sha256(DEB)),
        ]


def test_it_is_judged_by_the_release_whose_index_named_it(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    sources = archive.deb_source(), archive.source()
    places = [workshop(tmp_path / name) for name in ("deb", "dsc")]
    for source, place in zip(sources, places, strict=True):
        source.fetch(place)
    archive.date = "Sat, 08 Mar 2025 10:00:00 UTC"  # a mirror that showed an old index, and now the new one
    shutil.rmtree(archive.folder)
    archive.publish()
    for source, place in zip(sources, places, strict=True):
        source.archive.forget()  # as another source of the suite does that is tried again
        verdict = next(iter(source.verify(place).verdicts.values()))
        told = verdict.evidence["archive"]
        assert isinstance(told, dict) and told["date"].startswith("2025-03-01"), told


def test_a_second_try_asks_the_archive_afresh(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    without = lzma.compress(b"Package: other\n")
    archive.release({SOURCES: without, archive.packages: without})
    sources = archive.deb_source(), archive.source()
    for source in sources:
        with pytest.raises(FetchError):
            source.fetch(workshop(tmp_path))
    shutil.rmtree(archive.folder)
    archive.publish()
    for source in sources:
        assert isinstance(source.fetch(workshop(tmp_path)), Passed)


@pytest.mark.parametrize(
    ("attribute", "value", "code"),
    [
        ("signers", ("outsider",), "signature-unknown-key"),
        ("codename", "trixie", "archive-suite-mismatch"),
        ("extra", "Valid-Until: Sat, 08 Mar 2025 10:00:00 UTC\n", "archive-expired"),
        ("digests", "MD5Sum", "archive-index-malformed"),
        ("digests", "SHA1", "archive-index-malformed"),
        ("deb", {"SHA256": ""}, "archive-digest-missing"),
        ("deb", {"SHA256": "", "MD5sum": "0" * 32, "SHA1": "0" * 40}, "archive-digest-missing"),
        ("deb", {"SHA256": "1" * 63}, "archive-index-malformed"),
        ("deb", {"Size": ""}, "archive-index-malformed"),
        ("deb", {"Size": "-1"}, "archive-index-malformed"),
        ("deb", {"Filename": f"../{NAME}"}, "archive-index-malformed"),
        ("deb", {"Filename": f"/{NAME}"}, "archive-index-malformed"),
        ("deb", {"Filename": f"pool/../../{NAME}"}, "archive-index-malformed"),
        ("deb", {"Filename": f"{DIRECTORY}/hi_1.0-2_all.deb"}, "archive-index-malformed"),
        ("deb", {"Filename": f"{DIRECTORY}/ho_1.0-1_all.deb"}, "archive-index-malformed"),
        ("deb", {"Filename": ""}, "archive-index-malformed"),
        ("deb", {"Package": "ho"}, "archive-package-missing"),
        ("deb", {"Architecture": "sparc"}, "archive-package-missing"),
        ("deb", {"Architecture": ""}, "archive-package-missing"),
        ("deb", {"Filename": f"{DIRECTORY}/gone/{NAME}"}, "fetch-failed"),
        ("deb", {"Size": "3"}, "fetch-too-large"),
        ("more_debs", SECOND.format("1.0-1", architecture()), "archive-package-ambiguous"),
        ("more_debs", SECOND.format("1.0-2", "all"), "archive-package-ambiguous"),
        ("more_debs", "Package: hi\nVersion: 1\nVersion: 2\n\n", "archive-index-malformed"),
    ],
)
def test_what_the_index_does_not_name_plainly_is_red(
    archive: Miniature, tmp_path: Path, attribute: str, value: object, code: str
) -> None:
    setattr(archive, attribute, value)
    assert refused(archive, tmp_path) == code


def test_another_version_than_the_asked_one_is_red_and_the_others_are_named(
    archive: Miniature, tmp_path: Path
) -> None:
    archive.publish()
    with pytest.raises(FetchError, match=r"it has 1\.0-1") as error:
        archive.deb_source("1.0-2").fetch(workshop(tmp_path))
    assert error.value.code == "archive-package-missing"


def test_a_version_or_an_architecture_settles_what_is_ambiguous(archive: Miniature, tmp_path: Path) -> None:
    archive.more_debs = SECOND.format("1.0-2", architecture())
    archive.publish()
    for version, wanted in (("1.0-1", None), (None, "all")):
        (verdict,) = judged(archive.deb_source(version, wanted), tmp_path).verdicts.values()
        assert isinstance(verdict, Passed), verdict


def test_an_architecture_that_the_archive_does_not_have_is_red(archive: Miniature, tmp_path: Path) -> None:
    assert refused(archive, tmp_path, wanted="sparc") == "archive-digest-missing"


def test_a_changed_package_is_red_and_deleted(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    (archive.folder / DIRECTORY / NAME).write_bytes(b"A package\n")
    (verdict,) = judged(archive.deb_source(), tmp_path).verdicts.values()
    assert verdict.code == "digest-mismatch"


def test_a_shorter_package_is_red_and_deleted(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    (archive.folder / DIRECTORY / NAME).write_bytes(DEB[:-1])
    (verdict,) = judged(archive.deb_source(), tmp_path).verdicts.values()
    assert verdict.code == "size-mismatch"


def test_a_longer_package_is_given_up_while_it_comes(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    (archive.folder / DIRECTORY / NAME).write_bytes(DEB + b"more")
    with pytest.raises(FetchError) as error:
        archive.deb_source().fetch(workshop(tmp_path))
    assert error.value.code == "fetch-too-large"


def test_a_package_that_vanished_is_red(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    source, place = archive.deb_source(), workshop(tmp_path)
    source.fetch(place)
    (place.quarantine / NAME).unlink()
    (verdict,) = source.verify(place).verdicts.values()
    assert verdict.code == "not-fetched"


def test_a_second_run_takes_the_package_from_the_cache(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    judged(archive.deb_source(), tmp_path)
    (archive.folder / DIRECTORY / NAME).unlink()
    (verdict,) = judged(archive.deb_source(), tmp_path).verdicts.values()
    assert isinstance(verdict, Passed)


def test_a_package_swapped_after_it_was_judged_is_not_copied(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    source, place = archive.deb_source(), workshop(tmp_path)
    source.fetch(place)
    found = source.verify(place)
    green = {k: Green(k, v) for k, v in found.verdicts.items() if isinstance(v, Passed)}
    (place.quarantine / NAME).write_bytes(b"evil")
    with pytest.raises(RefusedError) as error:
        source.stage(place, green, place.quarantine)
    assert error.value.code == "changed-since-verified"


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize(("package", "wanted"), [("catdoc", None), ("debian-archive-keyring", "all")])
def test_a_real_package_of_the_machines_mirror_is_green(tmp_path: Path, package: str, wanted: str | None) -> None:
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    if not keyring.exists():
        pytest.skip("debian-archive-keyring is not installed")
    real = DebianArchive(Archive(mirror_from_machine("bookworm"), keyring), "bookworm")
    (verdict,) = judged(DebSource("c", package, None, wanted, real), tmp_path).verdicts.values()
    assert isinstance(verdict, Passed), verdict
