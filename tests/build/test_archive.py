"""A miniature archive, signed by a throw-away key, served from a folder."""

from __future__ import annotations

import hashlib
import lzma
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sealwright_stages.build.archive import fetch_index, fetch_packages, stanzas
from sealwright_stages.errors import BuildError, FetchError
from sealwright_stages.ports import Archive, Workshop
from sealwright_stages.process import Completed

NOW = datetime(2026, 6, 1, tzinfo=UTC)
PACKAGES = (
    "Package: catdoc\nVersion: 0.95-5\nArchitecture: amd64\nDescription: a\n b: c\nSHA256: " + "ab" * 32 + "\n\n"
    "Package: ucf\nVersion: 3\nArchitecture: all\nSHA256: " + "cd" * 32 + "\n"
)


class FromFolder:
    """A fetch sandbox that copies what curl is asked for, from file URLs."""

    asked: int = 0

    def run(
        self,
        argv: Sequence[str],
        *,
        writable: Path,
        readable: Sequence[Path] = (),
        timeout: float,
        env: Mapping[str, str] | None = None,
        cancel: threading.Event | None = None,
        on_stderr: Callable[[bytes], None] | None = None,
    ) -> Completed:
        self.asked += 1
        source = Path(argv[-1].removeprefix("file://"))
        target = writable / Path(argv[argv.index("--output") + 1]).name
        assert source in readable
        if not source.exists():
            return Completed(tuple(argv), 37, b"", b"curl: (37) no such file", 0.0)
        target.write_bytes(source.read_bytes())
        return Completed(tuple(argv), 0, b"", b"", 0.0)


class Miniature:
    """The archive's folder and the key that signs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(mode=0o700)
        self._gpg("--passphrase", "", "--quick-gen-key", "archive <a@example.org>", "ed25519", "sign", "never")
        self.keyring = folder / "archive.gpg"
        self.keyring.write_bytes(self._gpg("--export"))
        self.mirror = folder / "mirror"
        self.publish()

    def _gpg(self, *words: str, data: bytes = b"") -> bytes:
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--no-tty", "--quiet", *words]
        return subprocess.run(argv, input=data, capture_output=True, check=True).stdout

    def publish(self, *, release: str = "", packages: str = PACKAGES) -> None:
        raw = lzma.compress(packages.encode())
        place = self.mirror / "dists" / "toy" / "main" / "binary-amd64"
        place.mkdir(parents=True, exist_ok=True)
        (place / "Packages.xz").write_bytes(raw)
        digest = hashlib.sha256(raw).hexdigest()
        text = release or "Suite: toy\nCodename: toy\nDate: Fri, 01 May 2026 00:00:00 UTC\n"
        text += f"SHA256:\n {digest} {len(raw)} main/binary-amd64/Packages.xz\n"
        self.inrelease.write_bytes(self._gpg("--clearsign", data=text.encode()))

    @property
    def inrelease(self) -> Path:
        return self.mirror / "dists" / "toy" / "InRelease"

    @property
    def archive(self) -> Archive:
        return Archive(f"file://{self.mirror}", self.keyring)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Miniature]:
    miniature = Miniature(tmp_path_factory.mktemp("a"))
    yield miniature
    subprocess.run(["gpgconf", "--homedir", str(miniature.home), "--kill", "all"], check=False)


@pytest.fixture
def miniature(made: Miniature) -> Miniature:
    made.publish()
    return made


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    for name in ("q", "cache"):
        (tmp_path / name).mkdir()
    return Workshop(tmp_path / "q", tmp_path / "cache", threading.Event(), lambda a, b, c: None, FromFolder())


def test_a_signed_index_and_its_list_are_read(miniature: Miniature, workshop: Workshop) -> None:
    index = fetch_index(miniature.archive, "toy", workshop, NOW)
    assert index.made == datetime(2026, 5, 1, tzinfo=UTC)
    assert len(index.signer) == 40
    listed = fetch_packages(miniature.archive, "toy", index, "amd64", workshop)
    assert {key: package.sha256 for key, package in listed.items()} == {
        ("catdoc", "0.95-5", "amd64"): "ab" * 32,
        ("ucf", "3", "all"): "cd" * 32,
    }


def test_one_changed_byte_of_the_index_is_refused(miniature: Miniature, workshop: Workshop) -> None:
    raw = miniature.inrelease.read_bytes()
    miniature.inrelease.write_bytes(raw.replace(b"Codename: toy", b"Codename: toz"))
    with pytest.raises(BuildError) as refused:
        fetch_index(miniature.archive, "toy", workshop, NOW)
    assert refused.value.code == "signature-bad"


def test_text_outside_the_signature_is_refused(miniature: Miniature, workshop: Workshop) -> None:
    miniature.inrelease.write_bytes(b"Origin: elsewhere\n" + miniature.inrelease.read_bytes())
    with pytest.raises(BuildError) as refused:
        fetch_index(miniature.archive, "toy", workshop, NOW)
    assert refused.value.code == "document-malformed"


@pytest.mark.parametrize(
    ("release", "code"),
    [
        ("Codename: other\nDate: Fri, 01 May 2026 00:00:00 UTC\n", "index-other-suite"),
        (
            "Codename: toy\nDate: Fri, 01 May 2026 00:00:00 UTC\nValid-Until: Sat, 02 May 2026 00:00:00 UTC\n",
            "index-expired",
        ),
        ("Codename: toy\nDate: Fri, 01 Jan 2027 00:00:00 UTC\n", "index-in-future"),
        ("Codename: toy\nDate: soon\n", "index-malformed"),
        ("Codename: toy\n", "index-malformed"),
        ("Codename: toy\nCodename: toy\nDate: Fri, 01 May 2026 00:00:00 UTC\n", "index-malformed"),
    ],
)
def test_an_index_of_another_suite_or_time_is_refused(
    miniature: Miniature, workshop: Workshop, release: str, code: str
) -> None:
    miniature.publish(release=release)
    with pytest.raises(BuildError) as refused:
        fetch_index(miniature.archive, "toy", workshop, NOW)
    assert refused.value.code == code


def test_a_list_counts_only_if_it_hashes_as_the_index_says(miniature: Miniature, workshop: Workshop) -> None:
    index = fetch_index(miniature.archive, "toy", workshop, NOW)
    place = miniature.mirror / "dists/toy/main/binary-amd64/Packages.xz"
    raw = bytearray(place.read_bytes())
    raw[-1] ^= 1
    place.write_bytes(raw)
    with pytest.raises(BuildError) as refused:
        fetch_packages(miniature.archive, "toy", index, "amd64", workshop)
    assert refused.value.code == "list-mismatch"


def test_a_cached_list_is_hashed_again_at_every_use(miniature: Miniature, workshop: Workshop) -> None:
    index = fetch_index(miniature.archive, "toy", workshop, NOW)
    sandbox = workshop.sandbox
    assert isinstance(sandbox, FromFolder)
    fetch_packages(miniature.archive, "toy", index, "amd64", workshop)
    fetch_packages(miniature.archive, "toy", index, "amd64", workshop)
    assert sandbox.asked == 2, "the second time it came from the cache"
    (cached,) = (workshop.cache / "sha256").iterdir()
    cached.write_bytes(b"evil")
    assert len(fetch_packages(miniature.archive, "toy", index, "amd64", workshop)) == 2
    assert sandbox.asked == 3, "a changed copy is fetched anew"


def test_what_did_not_arrive_is_a_fetch_error(miniature: Miniature, workshop: Workshop) -> None:
    with pytest.raises(FetchError, match="no such file"):
        fetch_index(miniature.archive, "nosuch", workshop, NOW)


def test_an_unusable_keyring_is_refused(miniature: Miniature, workshop: Workshop, tmp_path: Path) -> None:
    empty = tmp_path / "empty.gpg"
    empty.touch()
    with pytest.raises(BuildError, match="can't be verified"):
        fetch_index(Archive(miniature.archive.mirror, empty), "toy", workshop, NOW)


def test_a_continuation_line_is_no_field() -> None:
    text = "Package: a\nVersion: 1\nArchitecture: all\nDescription: x\n Version: 2\n\nPackage: half\n"
    (package,) = stanzas(text)
    assert package.version == "1"
