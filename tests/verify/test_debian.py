"""Debian source packages: the archive's word and the uploader's, and all that may be wrong with either."""

from __future__ import annotations

import lzma
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages.errors import FetchError
from sealwright_stages.get_sources.apt_sources import mirror_from_machine
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.memory.facts import Origin, facts_of
from sealwright_stages.ports import Archive
from sealwright_stages.verdict import Green, Passed, Warned
from sealwright_stages.verify.archive import stanzas, unpacked
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.deb822 import Deb822Error, listed, paragraphs
from sealwright_stages.verify.source_debian import DebianSource
from verify.miniature import DEB, DIRECTORY, SOURCES, Miniature, judged
from verify.workbench import Keys, sha256, workshop

ARCHIVE, UPLOADER = "hi/archive/hi", "hi/uploader/hi"


@pytest.fixture
def archive(keys: Keys, tmp_path: Path) -> Miniature:
    return Miniature(tmp_path / "archive", keys)


def codes(archive: Miniature, folder: Path) -> tuple[str, str]:
    archive.publish()
    found = judged(archive.source(), folder)
    return found.verdicts[ARCHIVE].code, found.verdicts[UPLOADER].code


def fetch_code(source: DebianSource, folder: Path) -> str:
    with pytest.raises(FetchError) as refused:
        source.fetch(workshop(folder))
    return refused.value.code


def test_a_good_package_is_green_twice_and_tells_its_facts(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    source, place = archive.source(), workshop(tmp_path)
    assert isinstance(source.fetch(place), Passed)
    found = source.verify(place)
    assert {k: v.code for k, v in found.verdicts.items()} == {ARCHIVE: "ok", UPLOADER: "ok"}
    assert found.facts["build_depends"] == "debhelper-compat (= 13), libfoo-dev, doxygen"
    assert abs(int(str(found.facts["epoch"])) - time.time()) < 3600
    assert found.facts["references"] == {"hi_1.0-1_all.deb": sha256(DEB), "hi-extra_1.0-1_all.deb": "2" * 64}
    evidence = found.verdicts[UPLOADER].evidence
    assert evidence["uploaders_sha256"] == sha256(source.uploaders.read_bytes())
    told = found.verdicts[ARCHIVE].evidence
    assert told["archive"] == {
        "mirror": archive.folder.as_uri(),
        "suite": "bookworm",
        "date": "2025-03-01T10:00:00+00:00",
        "valid_until": "",
        "inrelease_sha256": sha256((archive.folder / "dists/bookworm/InRelease").read_bytes()),
    }
    facts = facts_of("hi", told, "", Origin())
    assert [f.kind for f in facts] == ["archive", "package", "part", "part", "part"]
    assert (facts[0].date, facts[1].name, facts[1].value) == (1740823200, "hi", "1.0-1")
    green = {k: Green(k, v) for k, v in found.verdicts.items() if isinstance(v, Passed)}
    source.stage(place, green, place.quarantine)
    assert {p.name for p in (place.quarantine / "dsc").iterdir()} == {
        "hi_1.0-1.dsc",
        "hi_1.0.orig.tar.gz",
        "hi_1.0-1.debian.tar.xz",
    }


def test_a_second_try_asks_the_archive_afresh(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    source = archive.source()
    source.fetch(workshop(tmp_path))
    archive.date = "Sun, 02 Mar 2025 10:00:00 UTC"
    shutil.rmtree(archive.folder)
    archive.publish()
    place = workshop(tmp_path)
    source.fetch(place)
    told = source.verify(place).verdicts[ARCHIVE].evidence["archive"]
    assert isinstance(told, dict) and told["date"] == "2025-03-02T10:00:00+00:00"


def test_a_rebuilt_binary_is_no_reference(archive: Miniature, tmp_path: Path) -> None:
    archive.binary_version = "1.0-1+b1"
    archive.publish()
    assert judged(archive.source(), tmp_path).facts["references"] == {"hi-extra_1.0-1_all.deb": "2" * 64}


def test_an_archive_without_binaries_gives_no_references(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    archive.release({SOURCES: (archive.folder / "dists/bookworm" / SOURCES).read_bytes()})
    assert judged(archive.source(), tmp_path).facts["references"] == {}


def test_an_index_signed_by_several_archive_keys_is_green(archive: Miniature, tmp_path: Path) -> None:
    archive.signers = ("archive", "archive-next", "archive-unknown")
    assert codes(archive, tmp_path) == ("ok", "ok")


def test_an_index_signed_by_strangers_only_is_red(archive: Miniature, tmp_path: Path) -> None:
    archive.signers = ("outsider",)
    archive.publish()
    assert fetch_code(archive.source(), tmp_path) == "signature-unknown-key"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace(b"Codename", b"Codenam3"),
        lambda text: b"Evil: before\n" + text,
        lambda text: text + b"Evil: after\n",
        lambda text: text + text,
        lambda text: text.replace(b"Hash: SHA256\n", b""),
        lambda text: text.replace(b"Hash: SHA256\n", b"Hash: MD5\n"),
        lambda text: text.replace(b"Hash: SHA256\n", b"Hash: SHA256\nNotDashEscaped: x\n"),
        lambda text: text[: len(text) // 2],
        lambda text: b"<html>not found</html>",
        lambda text: text.replace(b"Suite", b"\x0cSuite"),
    ],
)
def test_only_the_bytes_that_were_signed_count(
    archive: Miniature, tmp_path: Path, spoil: Callable[[bytes], bytes]
) -> None:
    archive.publish()
    path = archive.folder / "dists/bookworm/InRelease"
    path.write_bytes(spoil(path.read_bytes()))
    assert fetch_code(archive.source(), tmp_path) in ("signature-bad", "document-malformed", "verifier-confused")


@pytest.mark.parametrize(
    ("attribute", "value", "code"),
    [
        ("codename", "trixie", "archive-suite-mismatch"),
        ("extra", "Valid-Until: Sat, 08 Mar 2025 10:00:00 UTC\n", "archive-expired"),
        ("extra", "Date: Sat, 08 Mar 2025 10:00:00 UTC\n", "archive-index-malformed"),
        ("digests", "MD5Sum", "archive-index-malformed"),
    ],
)
def test_an_index_of_another_suite_or_time_or_without_sha256_is_red(
    archive: Miniature, tmp_path: Path, attribute: str, value: str, code: str
) -> None:
    setattr(archive, attribute, value)
    archive.publish()
    assert fetch_code(archive.source(), tmp_path) == code


def test_a_list_that_the_index_does_not_name_by_its_digest_is_red(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    path = archive.folder / "dists/bookworm" / SOURCES
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"!")
    assert fetch_code(archive.source(), tmp_path) == "digest-mismatch"
    path.write_bytes(good + b"more")
    assert fetch_code(archive.source(), tmp_path) == "fetch-too-large"
    path.unlink()
    assert fetch_code(archive.source(), tmp_path) == "fetch-failed"


def test_a_package_that_is_not_there_is_called_so(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    source = archive.source()
    source.package = "h"
    assert fetch_code(source, tmp_path) == "archive-package-missing"


def test_a_list_without_end_is_given_up() -> None:
    packed = lzma.compress(b"Package: hi\n")
    assert unpacked(packed) == b"Package: hi\n"
    for spoiled in (packed[:-8], packed[:20], b"", b"no xz"):
        with pytest.raises(RefusedError) as refused:
            unpacked(spoiled)
        assert refused.value.code == "archive-index-malformed"


def test_a_changed_file_is_red_and_all_is_deleted(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    (archive.folder / DIRECTORY / "hi_1.0.orig.tar.gz").write_bytes(b"0riginal\n")
    found = judged(archive.source(), tmp_path)
    assert found.verdicts[ARCHIVE].code == "digest-mismatch"
    assert len(found.deleted) == 3


def test_a_longer_file_is_given_up_while_it_comes(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    (archive.folder / DIRECTORY / "hi_1.0.orig.tar.gz").write_bytes(b"original\n and more")
    assert fetch_code(archive.source(), tmp_path) == "fetch-too-large"


def test_an_uploader_that_is_not_in_the_keyring_is_red(archive: Miniature, tmp_path: Path) -> None:
    archive.uploader = "outsider"
    assert codes(archive, tmp_path) == ("ok", "signature-unknown-key")


@pytest.mark.parametrize(
    ("attribute", "value", "code"),
    [
        ("dsc_files", {"more.tar.gz": b"x"}, "dsc-file-unlisted"),
        ("dsc_files", {"hi_1.0.orig.tar.gz": b"other\n"}, "dsc-mismatch"),
        ("dsc_package", "ho", "dsc-mismatch"),
        ("dsc_head", "Source: hi\n", "dsc-malformed"),
        ("after_dsc", b"trailing\n", "signature-malformed"),
        ("dsc_digests", "Checksums-Sha1", "dsc-malformed"),
        ("dsc_digests", "Files", "dsc-malformed"),
        ("dsc_head", f"Files:\n {'0' * 32} 1 more.tar.gz\n", "dsc-file-unlisted"),
        ("dsc_head", f"Checksums-Sha1:\n {'0' * 40} 9 hi_1.0.orig.tar.gz\n", "dsc-file-unlisted"),
        (
            "dsc_head",
            f"Files:\n {'0' * 32} 10 hi_1.0-1.debian.tar.xz\n {'0' * 32} 8 hi_1.0.orig.tar.gz\n",
            "dsc-file-unlisted",
        ),
        ("dsc_head", "Files:\n nonsense\n", "dsc-malformed"),
        ("dsc_head", f"Files:\n {'0' * 32} 1 a\n {'0' * 32} 1 a\n", "dsc-malformed"),
    ],
)
def test_a_dsc_that_does_not_agree_with_the_archive_is_red(
    archive: Miniature, tmp_path: Path, attribute: str, value: object, code: str
) -> None:
    setattr(archive, attribute, value)
    found = codes(archive, tmp_path)
    assert found[0] == "ok" and found[1] in (code, "document-malformed")


def test_weak_lists_that_name_the_same_files_are_no_harm(archive: Miniature, tmp_path: Path) -> None:
    rows = "".join(
        f" {'0' * 32} {size} {name}\n"
        for size, name in ((9, "hi_1.0.orig.tar.gz"), (10, "hi_1.0-1.debian.tar.xz"))
    )
    archive.dsc_head = f"Files:\n{rows}"
    assert codes(archive, tmp_path) == ("ok", "ok")


@pytest.mark.parametrize("digests", ["Checksums-Sha1", "Files"])
def test_an_index_with_weak_digests_of_the_source_only_is_red(
    archive: Miniature, tmp_path: Path, digests: str
) -> None:
    archive.source_digests = digests
    archive.publish()
    assert fetch_code(archive.source(), tmp_path) == "archive-index-malformed"


RIGHTS = "Fingerprint: {}\nUid: An Uploader <u@example.org>\nAllow: he ({}),\n {} ({})\n"


@pytest.mark.parametrize(("allowed", "code"), [("hi", "ok"), ("hi-extra", "uploader-rights-unproven")])
def test_a_maintainer_has_the_rights_that_the_list_gives(
    archive: Miniature, keys: Keys, tmp_path: Path, allowed: str, code: str
) -> None:
    archive.publish()
    source, sponsor = archive.source(), "F" * 40
    source.rights = tmp_path / "dm.txt"
    other = RIGHTS.format(sponsor, sponsor, "hi", sponsor)
    source.rights.write_text(other + "\n" + RIGHTS.format(keys.fingerprint("uploader"), sponsor, allowed, sponsor))
    found = judged(source, tmp_path).verdicts[UPLOADER]
    assert found.code == code and found.evidence["rights_sha256"] == sha256(source.rights.read_bytes())


@pytest.mark.parametrize("suffix", ["gpg", "pgp"])
def test_a_maintainer_without_a_list_of_rights_is_yellow(archive: Miniature, tmp_path: Path, suffix: str) -> None:
    archive.publish()
    source = archive.source()
    source.uploaders = source.uploaders.rename(tmp_path / f"debian-maintainers.{suffix}")
    found = judged(source, tmp_path).verdicts
    assert isinstance(found[UPLOADER], Warned) and found[UPLOADER].code == "uploader-rights-unproven"
    assert found[ARCHIVE].code == "ok"


@pytest.mark.parametrize("text", [None, b"\xff", b"no list\n", b"A: 1\nA: 2\n"])
def test_a_list_of_rights_that_is_none_is_red(archive: Miniature, tmp_path: Path, text: bytes | None) -> None:
    archive.publish()
    source = archive.source()
    source.rights = tmp_path / "dm.txt"
    if text is not None:
        source.rights.write_bytes(text)
    assert judged(source, tmp_path).verdicts[UPLOADER].code == "keyring-unusable"


def test_a_missing_keyring_is_red(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    source = archive.source()
    source.uploaders = tmp_path / "none.gpg"
    assert judged(source, tmp_path).verdicts[UPLOADER].code == "keyring-unusable"


def test_a_second_run_takes_indexes_and_files_from_the_cache(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    judged(archive.source(), tmp_path)
    for path in archive.folder.rglob("*"):
        if path.is_file() and path.name != "InRelease":
            path.unlink()
    found = judged(archive.source(), tmp_path)
    assert all(isinstance(verdict, Passed) for verdict in found.verdicts.values())


def test_files_swapped_after_they_were_judged_are_not_copied(archive: Miniature, tmp_path: Path) -> None:
    archive.publish()
    source, place = archive.source(), workshop(tmp_path)
    source.fetch(place)
    found = source.verify(place)
    green = {k: Green(k, v) for k, v in found.verdicts.items() if isinstance(v, Passed)}
    (place.quarantine / "hi_1.0.orig.tar.gz").write_bytes(b"evil")
    with pytest.raises(RefusedError) as refused:
        source.stage(place, green, place.quarantine)
    assert refused.value.code == "changed-since-verified"


@pytest.mark.parametrize(
    "text", ["a line\n", " continued\n", "A: 1\nA: 2\n", "A: 1\na: 2\n", "A\0: 1\n", ": x\n", "-A: 1\n\tB\nC\n"]
)
def test_malformed_control_text_is_refused(text: str) -> None:
    with pytest.raises(Deb822Error):
        list(paragraphs(text))


@pytest.mark.parametrize(
    "line", ["0" * 63 + " 1 a", "0" * 64 + " -1 a", "0" * 64 + " 1", "0" * 64 + " 1 a b", "G" * 64 + " 1 a"]
)
def test_malformed_lists_of_files_are_refused(line: str) -> None:
    with pytest.raises(Deb822Error):
        listed({"sha256": "\n" + line}, "sha256")
    with pytest.raises(Deb822Error, match="twice"):
        listed({"sha256": "\n" + "\n".join(["0" * 64 + " 1 a"] * 2)}, "sha256")


@given(st.lists(st.sampled_from(["hi", "hi-x", "xhi", "h"]), min_size=1, max_size=8))
@settings(deadline=None)
def test_finding_a_stanza_agrees_with_parsing_them_all(names: list[str]) -> None:
    text = "\n\n".join(f"Package: {name}\nNumber: {number}" for number, name in enumerate(names)) + "\n"
    wanted = [p["number"] for p in paragraphs(text) if p["package"] == "hi"]
    assert [p["number"] for p in stanzas(text.encode(), "Package", "hi")] == wanted


def test_the_machines_own_archive_is_found(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("# x\ndeb [arch=amd64] http://one.example/debian sid main\n")
    (tmp_path / "sources.list.d/x.sources").write_text(
        "Enabled: no\nTypes: deb\nURIs: http://off.example\nSuites: bookworm\nComponents: main\n\n"
        "Types: deb deb-src\n# a comment\nURIs: http://two.example/debian/\nSuites: trixie bookworm\n"
        "Components: main contrib\n"
    )
    assert mirror_from_machine("sid", tmp_path) == "http://one.example/debian"
    assert mirror_from_machine("bookworm", tmp_path) == "http://two.example/debian"
    with pytest.raises(Exception, match="apt sources have none"):
        mirror_from_machine("jessie", tmp_path)


@pytest.mark.network
@pytest.mark.slow
def test_a_real_package_of_the_machines_mirror_is_green(tmp_path: Path) -> None:
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    uploaders = Path("/usr/share/keyrings/debian-keyring.gpg")
    if not (keyring.exists() and uploaders.exists()):
        pytest.skip("debian-archive-keyring and debian-keyring are not installed")
    real = DebianArchive(Archive(mirror_from_machine("bookworm"), keyring), "bookworm")
    found = judged(DebianSource("catdoc", "catdoc", real, uploaders), tmp_path)
    assert {v.code for v in found.verdicts.values()} == {"ok"}
    assert len(found.facts["references"]) == 1  # type: ignore[arg-type]
