"""Stock packages, by a real apt and real keys: what the signed index does not name, to the byte, is red."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from build.stock import LIST, StockArchive, brought, index_of
from sealwright_stages.build.environments import Environments
from sealwright_stages.build.packages import Stock, stock_of
from sealwright_stages.build.repository import Index
from sealwright_stages.errors import BuildError, FetchError
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.ports import Workshop
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from sealwright_stages.sandbox.identity import Identities
from verify.workbench import Keys

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    made = Keys(tmp_path_factory.mktemp("k") / "home")
    yield made
    subprocess.run(["gpgconf", "--homedir", str(made.home), "--kill", "all"], check=False)


@dataclass
class Bench:
    """A small archive, and a place to bring its packages to."""

    toy: StockArchive
    archive: DebianArchive
    workshop: Workshop
    folder: Path

    def index(self) -> Index:
        return index_of(self.archive, self.workshop)

    def bring(self, asked: str = "tool", status: bytes = b"", index: Index | None = None) -> list[Stock]:
        return brought(self.archive, index or self.index(), asked, self.folder, self.workshop, status)

    def refused(self, asked: str = "tool", index: Index | None = None) -> BuildError | FetchError:
        with pytest.raises((BuildError, FetchError)) as refused:
            self.bring(asked, index=index)
        assert refused.value.next_step and not list(self.workshop.quarantine.iterdir())
        return refused.value


@pytest.fixture
def bench(tmp_path: Path, keys: Keys, identities: Identities) -> Bench:
    toy = StockArchive(tmp_path / "archive", keys)
    toy.publish()
    for name in ("q", "cache"):
        (tmp_path / name).mkdir()
    sandbox = BwrapFetchSandbox(identities.fetcher)
    workshop = Workshop(tmp_path / "q", tmp_path / "cache", threading.Event(), lambda a, b, c: None, sandbox)
    return Bench(toy, toy.archive(), workshop, tmp_path / "scratch")


def test_what_apt_wants_is_brought_by_the_signed_index(bench: Bench) -> None:
    found = bench.bring()
    assert [(each.package.name, each.package.version) for each in found] == [
        ("library", "2.0-1"),
        ("tool", "1:1.0-1"),
    ]
    for each in found:
        data = (bench.folder / "repository" / each.path).read_bytes()
        assert hashlib.sha256(data).hexdigest() == each.package.sha256


def test_what_a_root_has_already_is_not_brought_again(bench: Bench) -> None:
    status = b"Package: library\nStatus: install ok installed\nVersion: 2.0-1\nArchitecture: all\n"
    assert [each.package.name for each in bench.bring(status=status)] == ["tool"]


def test_a_package_is_fetched_once_for_all_roots_and_hashed_each_time(bench: Bench) -> None:
    index = bench.index()
    bench.bring()
    shutil.rmtree(bench.toy.folder / "pool")
    shutil.rmtree(bench.folder)
    assert len(bench.bring(index=index)) == 2, "it came from the cache"
    for path in (bench.workshop.cache / "sha256").iterdir():
        path.write_bytes(b"spoiled")
    shutil.rmtree(bench.folder)
    assert bench.refused(index=index).code == "fetch-failed"


def swapped(deb: Path) -> None:
    data = bytearray(deb.read_bytes())
    data[-1] ^= 1
    deb.write_bytes(data)


def longer(deb: Path) -> None:
    deb.write_bytes(deb.read_bytes() + b"x")


def shorter(deb: Path) -> None:
    deb.write_bytes(deb.read_bytes()[:-1])


def linked(deb: Path) -> None:
    other = deb.with_suffix(".elsewhere")
    other.write_bytes(b"evil")
    deb.unlink()
    deb.symlink_to(other.name)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (swapped, "package-mismatch"),
        (shorter, "package-mismatch"),
        (longer, "fetch-too-large"),
        (Path.unlink, "fetch-failed"),
        (linked, "package-mismatch"),
    ],
)
def test_a_package_that_is_not_the_one_of_the_index_is_red(
    bench: Bench, spoil: Callable[[Path], None], code: str
) -> None:
    spoil(bench.toy.deb("library", "2.0-1"))
    error = bench.refused()
    assert error.code == code and "library" in str(error)


def test_an_older_package_under_the_newer_ones_name_is_red(bench: Bench) -> None:
    bench.toy.add("library", "1.0-1")
    shutil.copyfile(bench.toy.deb("library", "1.0-1"), bench.toy.deb("library", "2.0-1"))
    error = bench.refused()
    assert error.code in ("package-mismatch", "fetch-too-large")


def test_a_package_that_the_index_does_not_have_is_red(bench: Bench) -> None:
    error = bench.refused("tool, no-such-thing")
    assert error.code == "environment-failed" and "no-such-thing" in str(error)


def test_a_version_that_the_index_does_not_have_is_red(bench: Bench) -> None:
    assert bench.refused("library (>= 3)").code == "environment-failed"


def test_of_two_packages_under_one_name_none_is_taken(bench: Bench) -> None:
    other = bench.toy.stanzas[0].replace("SHA256: ", "SHA256: 0")[: -len("\n\n")][:-1] + "\n\n"
    bench.toy.stanzas.append(other)
    text = "".join(bench.toy.stanzas)
    assert {name for name, _, _ in stock_of(text)} == {"tool"}
    bench.toy.sign()
    assert bench.refused().code == "package-not-in-index"


@pytest.mark.parametrize("path", ["../evil.deb", "/etc/evil.deb", "pool/x y.deb", "pool/.x.deb", "pool/x"])
def test_a_path_that_leads_elsewhere_names_no_package(bench: Bench, path: str) -> None:
    text = bench.toy.stanzas[0].replace("Filename: pool/main/library_2.0-1_all.deb", f"Filename: {path}")
    assert path in text and stock_of(text) == {}


def test_a_list_with_another_hash_than_the_signed_one_is_red(bench: Bench) -> None:
    path = bench.toy.folder / "dists/toy" / f"{LIST}.xz"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(FetchError) as refused:
        Environments(lambda suite: bench.archive).prepare("debian:toy", [], [], bench.workshop)
    assert refused.value.code == "digest-mismatch" and refused.value.next_step


@pytest.mark.parametrize(
    ("extra", "code"), [("Valid-Until: Sun, 02 Mar 2025 10:00:00 UTC\n", "archive-expired"), ("", "signature-bad")]
)
def test_an_index_that_has_expired_or_was_changed_is_red(bench: Bench, extra: str, code: str) -> None:
    bench.toy.extra = extra
    bench.toy.sign()
    if not extra:
        path = bench.toy.folder / "dists/toy/InRelease"
        path.write_bytes(path.read_bytes().replace(b"Suite: toy", b"Suite: Toy"))
    with pytest.raises(FetchError) as refused:
        Environments(lambda suite: bench.archive).prepare("debian:toy", [], [], bench.workshop)
    assert refused.value.code == code and refused.value.next_step


@pytest.mark.parametrize("later", [1, 5 * 365 * 86400])
def test_apt_judges_the_index_by_the_same_keys_and_dates(
    bench: Bench, tmp_path: Path, keys: Keys, later: int
) -> None:
    """What we let pass, apt would not: an expired index, and one of another key."""
    index = bench.index()
    bench.toy.extra = "Valid-Until: Sun, 02 Mar 2025 10:00:00 UTC\n"
    if later == 1:
        bench.toy.sign()
        document = (bench.toy.folder / "dists/toy/InRelease").read_bytes()
        said = "is expired"
    else:
        document, said = index.release.document, "NO_PUBKEY"
        bench.archive.archive.keyring.write_bytes(keys.certificate("outsider"))
    object.__setattr__(index.release, "document", document)
    error = bench.refused(index=index)
    assert error.code == "environment-failed" and said in str(error)


def test_a_mirror_that_changes_meanwhile_changes_nothing(bench: Bench) -> None:
    """apt sees the index that was verified, whatever the mirror gives by then."""
    index = bench.index()
    bench.toy.stanzas.append(bench.toy.add("library", "3.0-1"))
    bench.toy.date = "Sun, 02 Mar 2025 10:00:00 UTC"
    bench.toy.sign()
    assert [each.package.version for each in bench.bring(index=index)] == ["2.0-1", "1:1.0-1"]
    bench.archive.forget()
    shutil.rmtree(bench.folder)
    assert [each.package.version for each in bench.bring()] == ["3.0-1", "1:1.0-1"]
