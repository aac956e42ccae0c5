"""Packages beside those of a small real archive: real .debs, a real signed index, the real fetcher and diffoscope."""

from __future__ import annotations

import lzma
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.environments import Environments
from sealwright_stages.build.reference import besides
from sealwright_stages.errors import FetchError
from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.get_sources.debian import DebianArchive
from sealwright_stages.ports import Archive, Outcome, Reference, Report, Workshop
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.verdict import Failed, Passed, Verdict, Warned
from sealwright_stages.verify.archive import published
from verify.miniature import Miniature
from verify.workbench import Keys

pytestmark = pytest.mark.sandbox
ITEM, SUBJECT = "tiny/reference", "5" * 64
POOL = "pool/main/t/tiny"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    made = Keys(tmp_path_factory.mktemp("k") / "home")
    yield made
    subprocess.run(["gpgconf", "--homedir", str(made.home), "--kill", "all"], check=False)


def deb(folder: Path, text: str, *, name: str = "tiny", version: str = "1.0-1", said: str = "words.txt") -> Path:
    """A real package with one file in it."""
    tree = folder / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    fields = {"Package": name, "Version": version, "Architecture": "all", "Maintainer": "A <a@example.org>"}
    control = "".join(f"{key}: {value}\n" for key, value in fields.items()) + "Description: tiny\n"
    (tree / "DEBIAN" / "control").write_text(control)
    (tree / said).write_text(text)
    path = folder / f"{name}_{version.rsplit(':', maxsplit=1)[-1]}_all.deb"
    env = {"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "86400"}
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, path], check=True, env=env)
    remove_tree(tree)
    return path


def stanza(path: Path, version: str = "1.0-1", **changed: str) -> str:
    """What the index says of a package."""
    name = path.name.split("_")[0]
    fields = {
        "Package": name,
        "Version": version,
        "Architecture": "all",
        "Filename": f"{POOL}/{path.name}",
        "Size": str(path.stat().st_size),
        "SHA256": sha256_file(path),
        **changed,
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items()) + "\n"


@dataclass
class Place:
    """An archive with what it published, and a folder of products."""

    folder: Path
    keys: Keys
    identities: Identities
    stanzas: list[str] = field(default_factory=list)
    builder: type[SandboxBuilder] = SandboxBuilder

    @property
    def products(self) -> Path:
        return self.folder / "products"

    @property
    def pool(self) -> Path:
        return self.folder / "archive" / POOL

    def publish(self, path: Path, version: str = "1.0-1", **changed: str) -> None:
        """Put a package into the archive and its index."""
        self.pool.mkdir(parents=True, exist_ok=True)
        self.stanzas.append(stanza(path, version, **changed))
        path.rename(self.pool / path.name)

    def built(self, text: str, **more: str) -> Path:
        """A product."""
        self.products.mkdir(exist_ok=True)
        path = deb(self.folder, text, **more)
        return path.rename(self.products / path.name)

    def compare(self, quarantine: str = "q") -> Outcome:
        """Set all products beside the archive."""
        mini = Miniature(self.folder / "archive", self.keys)
        mini.release({mini.packages: lzma.compress("".join(self.stanzas).encode())})
        keyring = self.folder / "archive.gpg"
        keyring.write_bytes(self.keys.certificate("archive"))
        archive = DebianArchive(Archive(mini.folder.as_uri(), keyring), "bookworm")
        for name in (quarantine, "cache"):
            (self.folder / name).mkdir(exist_ok=True)
        sandbox = BwrapFetchSandbox(self.identities.fetcher)
        workshop = Workshop(
            self.folder / quarantine, self.folder / "cache", threading.Event(), lambda *_: None, sandbox
        )
        builder = self.builder(self.identities, Environments(lambda suite: archive))
        products = {path.name: sha256_file(path) for path in self.products.iterdir()}
        asked = Reference(ITEM, "bookworm", products, self.products)
        outcome = builder.compare(asked, SUBJECT, workshop, lambda: "")
        assert list((self.folder / quarantine).iterdir()) == [], "the archive's packages are gone"
        return outcome

    def verdict(self) -> Verdict:
        """What that came to."""
        return self.compare().verdicts[ITEM]


@pytest.fixture
def place(tmp_path: Path, keys: Keys, identities: Identities) -> Place:
    return Place(tmp_path, keys, identities)


def row(verdict: Verdict, name: str = "tiny_1.0-1_all.deb") -> Mapping[str, object]:
    compared = verdict.evidence["compared"]
    assert isinstance(compared, dict)
    return dict(compared[name])


def test_a_package_that_is_the_archives_is_green_without_a_fetch(place: Place) -> None:
    place.publish(deb(place.folder, "words\n"))
    place.built("words\n")
    (place.pool / "tiny_1.0-1_all.deb").unlink()  # nothing is asked of the pool
    verdict = place.verdict()
    assert isinstance(verdict, Passed)
    assert "1 packages bit-identical to those in the InRelease" in verdict.reason
    assert verdict.subject_sha256 == SUBJECT
    assert (row(verdict)["result"], row(verdict)["built"]) == ("identical", row(verdict)["published"])
    archive = verdict.evidence["archive"]
    assert isinstance(archive, dict) and archive["suite"] == "bookworm" and archive["inrelease_sha256"]


def test_a_package_that_differs_is_a_warning_with_a_report_that_names_what_differs(place: Place) -> None:
    place.publish(deb(place.folder, "made by the archive\n"))
    place.built("made by us\n")
    verdict = place.verdict()
    assert isinstance(verdict, Warned)
    assert verdict.code == "differs-from-archive"
    assert verdict.reason == "1 of 1 packages differ from the archive's: tiny_1.0-1_all.deb"
    report = verdict.evidence["report"]
    assert isinstance(report, dict)
    text = str(report["text"])
    assert "words.txt" in text and "-made by us" in text and "+made by the archive" in text
    assert text.startswith("--- built\n+++ archive\n")
    assert place.products.joinpath("tiny_1.0-1_all.deb").stat().st_nlink == 1
    assert [path.name for path in place.products.iterdir()] == ["tiny_1.0-1_all.deb"]


def test_a_package_that_the_archive_rebuilt_is_named_with_the_version_that_it_has(place: Place) -> None:
    place.publish(deb(place.folder, "words\n", version="1.0-1+b1"), "2:1.0-1+b1")
    place.built("words\n")
    verdict = place.verdict()
    assert isinstance(verdict, Warned)
    assert verdict.code == "not-in-archive"
    assert "the archive has 2:1.0-1+b1: it has rebuilt it from the same source" in verdict.reason
    assert row(verdict)["result"] == "absent"


def test_an_epoch_is_no_part_of_a_file_name(place: Place) -> None:
    place.publish(deb(place.folder, "words\n"), "3:1.0-1")
    place.built("words\n")
    assert isinstance(place.verdict(), Passed)


def test_each_way_to_be_absent_has_its_reason() -> None:
    index = (
        b"Package: aa\nVersion: 2.0-1\nArchitecture: all\n\nPackage: bb\nVersion: 1.0-1\nArchitecture: riscv64\n"
    )
    assert published(index, "aa_1.0-1_all.deb") == (None, "the archive has 2.0-1")
    assert published(index, "bb_1.0-1_all.deb") == (None, "the archive has no bb for all")
    assert published(index, "cc_1.0-1_all.deb") == (None, "the archive has no cc")
    for odd in ("AA_1_all.deb", "aa.deb", "aa_1_all_x.deb", "aa_1_all.udeb", "../aa_1_all.deb", "aa_1_all.deb\n"):
        assert published(index, odd)[1] == "its name is not one that the archive gives to a package"


def test_a_difference_and_an_absence_are_one_warning_of_two_codes(place: Place) -> None:
    place.publish(deb(place.folder, "made by the archive\n"))
    place.built("made by us\n")
    place.built("more\n", name="tiny-more")
    verdict = place.verdict()
    assert isinstance(verdict, Warned)
    assert verdict.code == "differs-from-archive+not-in-archive"
    assert "the archive has no tiny-more" in verdict.reason


def test_debug_symbols_count_only_with_the_package_whose_they_are(place: Place) -> None:
    place.publish(deb(place.folder, "words\n"))
    place.built("words\n")
    place.built("symbols\n", name="tiny-dbgsym")
    verdict = place.verdict()
    assert isinstance(verdict, Passed)
    assert row(verdict, "tiny-dbgsym_1.0-1_all.deb")["result"] == "debug"
    place.built("other words\n")
    changed = place.verdict()
    assert isinstance(changed, Warned) and changed.code == "differs-from-archive"
    names = {"alone-dbgsym_1.0-1_all.deb": "1" * 64}
    assert [each.result for each in besides(b"", names)] == ["absent"]


def test_where_no_product_is_a_package_nothing_was_compared(place: Place) -> None:
    place.products.mkdir()
    (place.products / "tiny.tar").write_bytes(b"words")
    verdict = place.verdict()
    assert isinstance(verdict, Failed) and verdict.code == "reference-missing"


def swap(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [(swap, "digest-mismatch"), (lambda path: path.write_bytes(b"short"), "size-mismatch")],
)
def test_an_official_package_that_was_swapped_on_the_mirror_is_red(place: Place, spoil: object, code: str) -> None:
    place.publish(deb(place.folder, "made by the archive\n"))
    place.built("made by us\n")
    assert callable(spoil)
    spoil(place.pool / "tiny_1.0-1_all.deb")
    outcome = place.compare()
    verdict = outcome.verdicts[ITEM]
    assert isinstance(verdict, Failed) and verdict.code == code
    assert [gone.name for gone in outcome.deleted] == ["tiny_1.0-1_all.deb"]
    assert "report" not in verdict.evidence
    assert not list((place.folder / "cache").rglob("*" + "0" * 64))


def test_an_official_package_that_does_not_arrive_is_red(place: Place) -> None:
    place.publish(deb(place.folder, "made by the archive\n"))
    place.built("made by us\n")
    (place.pool / "tiny_1.0-1_all.deb").unlink()
    with pytest.raises(FetchError) as error:
        place.compare()
    assert error.value.code == "fetch-failed"


def test_two_packages_of_one_file_name_are_nobodys_choice(place: Place) -> None:
    path = deb(place.folder, "words\n")
    place.stanzas.append(stanza(path, "1:1.0-1"))
    place.publish(path, "2:1.0-1")
    place.built("words\n")
    verdict = place.verdict()
    assert isinstance(verdict, Failed) and verdict.code == "archive-package-ambiguous"


def test_an_index_that_points_elsewhere_is_red(place: Place) -> None:
    place.publish(deb(place.folder, "words\n"), Filename="../../etc/tiny_1.0-1_all.deb")
    place.built("made by us\n")
    verdict = place.verdict()
    assert isinstance(verdict, Failed) and verdict.code == "archive-index-malformed"


@dataclass(frozen=True)
class Silent(SandboxBuilder):
    """A builder without diffoscope."""

    def report(self, *_: object, **__: object) -> Report:
        return MISSING


MISSING = Report(why_none="diffoscope is not installed", cure="apt install diffoscope-minimal")


def test_a_difference_without_a_report_says_why_and_stays_a_warning(place: Place) -> None:
    place.publish(deb(place.folder, "made by the archive\n"))
    place.built("made by us\n")
    place.builder = Silent
    verdict = place.verdict()
    assert isinstance(verdict, Warned) and verdict.code == "differs-from-archive"
    assert "there is no report of how: diffoscope is not installed" in verdict.reason
    assert verdict.next_step.startswith("apt install diffoscope-minimal, then retry")
    assert verdict.evidence["report"] == MISSING.evidence()


def test_hostile_names_in_a_package_reach_a_report_and_no_reason(place: Place) -> None:
    evil = "\x1b[2J\x07\u202eevil"
    place.publish(deb(place.folder, "made by the archive\n", said=evil))
    place.built("made by us\n", said=evil)
    verdict = place.verdict()
    assert isinstance(verdict, Warned)
    report = verdict.evidence["report"]
    assert isinstance(report, dict) and "evil" in str(report["text"])
    assert verdict.reason.isprintable() and verdict.next_step.isprintable()
