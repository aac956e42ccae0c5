"""The embedded signer as a process: its words when it is gone, and what it owns under a uid of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealwright_keyring.signer.gpg_sign import make_throwaway_key
from sealwright_stages.errors import InterruptedRunError, SealwrightError, SigningError
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sign.client import SignerProcess, open_signer
from sealwright_stages.work import WorkFolder
from support.closed_python import closed_python
from support.proposals import Shown
from support.release_folder import HEAD, component, write_release
from support.rooms import short_folder

UID = 61991
IDENTITIES = Identities(None, UID, None, ())
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a uid of its own needs root")


def documents(shown: Shown) -> dict[str, tuple[str, bytes]]:
    """What a console shows, by name."""
    return {name: (kind, data) for name, kind, data in shown.documents()}


def with_proofs(shown: Shown) -> Path:
    """The folder of the log, with each product's proof as an evidence folder has it."""
    (shown.folder / "proofs").mkdir(exist_ok=True)
    for path, proof in shown.log()["proofs"].items():
        _, component, name = path.split("/", 2)
        (shown.folder / "proofs" / f"{component}.{name}.tlog-proof").write_text(proof)
    return shown.folder


class Place:
    """A release with a key home of its own, in a folder that is removed."""

    def __init__(self, root: Path) -> None:
        self.root, self.home = root, root / "home"
        make_throwaway_key(self.home, "demo")
        text = HEAD + f'[signer]\nhome = "{self.home}"\n' + component("xen")
        self.manifest: Manifest = load(write_release(root / "release", text))
        self.shown = Shown(root / "log")
        self.documents, self.log = documents(self.shown), with_proofs(self.shown)
        self.work = WorkFolder(root / "work")
        self.work.prepare(self.manifest.release)

    def open(self) -> SignerProcess:
        return open_signer(self.manifest, self.work, IDENTITIES)

    def owners(self) -> set[int]:
        folders = (self.home, self.work.private / "signer")
        return {path.lstat().st_uid for folder in folders for path in (folder, *folder.rglob("*"))}


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed log with its proofs."""
    return with_proofs(Shown(tmp_path_factory.mktemp("shown") / "log"))


@pytest.fixture
def place() -> Iterator[Place]:
    folder = short_folder("sw-signer-uid-")
    (folder / "release").mkdir()
    yield Place(folder)
    shutil.rmtree(folder)


_HELLO = (
    'import sys, time; sys.stdin.readline(); print(\'{"ok": true, "keys": []}\', flush=True); '
    'sys.stdin.readline(); print(\'{"ok": true, "size": 0}\', flush=True); '
)
LARGE = {"x": ("text", b"x" * (1 << 20))}


def stand_in(then: str, cancel: threading.Event | None = None) -> SignerProcess:
    """A program that answers the hello like a signer, and then does as told."""
    return SignerProcess([sys.executable, "-c", _HELLO + then], cancel=cancel)


def test_a_signer_that_does_not_read_its_request_can_be_interrupted(log: Path) -> None:
    cancel = threading.Event()
    signer = stand_in("time.sleep(60)", cancel)
    threading.Timer(0.5, cancel.set).start()
    begun = time.monotonic()
    with pytest.raises(InterruptedRunError):
        signer.propose("example-1.0", LARGE, log)
    signer.close()
    assert time.monotonic() - begun < 20


def test_a_signer_that_drips_its_answer_can_be_interrupted(log: Path) -> None:
    cancel = threading.Event()
    signer = stand_in(
        "[(sys.stdout.write('x'), sys.stdout.flush(), time.sleep(0.05)) for _ in range(1200)]", cancel
    )
    threading.Timer(0.5, cancel.set).start()
    begun = time.monotonic()
    with pytest.raises(InterruptedRunError):
        signer.propose("example-1.0", {}, log)
    signer.close()
    assert time.monotonic() - begun < 20


def test_a_signer_that_says_much_on_stderr_is_still_heard(log: Path) -> None:
    talk = (
        'sys.stderr.write(\'y\' * (1 << 20)); sys.stdin.readline(); print(\'{"ok": false, "because": "heard"}\')'
    )
    signer = stand_in(talk)
    with pytest.raises(SigningError) as refused:
        signer.propose("example-1.0", LARGE, log)
    signer.close()
    assert refused.value.because == "heard"


@as_root
def test_the_key_home_and_the_record_go_back_when_the_signer_is_closed(place: Place) -> None:
    signer = place.open()
    assert place.owners() == {UID}
    proposal = signer.propose("example-1.0", place.documents, place.log)
    assert set(signer.sign(proposal, proposal.digest[:8], "example-1.0")) == set(place.documents)
    signer.close()
    assert place.owners() == {0}


@as_root
def test_they_go_back_to_whom_they_belonged_but_never_to_a_parts_uid(place: Place) -> None:
    for before, after in ((1234, 1234), (UID + 1, 0)):
        for path in (place.home, *place.home.rglob("*")):
            os.chown(path, before, 100, follow_symlinks=False)
        place.open().close()
        assert {path.lstat().st_uid for path in (place.home, *place.home.rglob("*"))} == {after}
        assert place.home.stat().st_gid == (100 if after else 0), "the group too"


@as_root
def test_they_go_back_after_an_error_and_where_it_does_not_start(place: Place) -> None:
    signer = place.open()
    with pytest.raises(SigningError, match="refused"):
        signer.propose("evil-9.9", place.documents, place.log)
    signer.close()
    assert place.owners() == {0}
    for path in place.home.rglob("*.key"):
        path.unlink()
    signer = place.open()
    with pytest.raises(SigningError, match="0 keys that fit"):
        signer.propose("example-1.0", place.documents, place.log)
    signer.close()
    assert place.owners() == {0}


@as_root
def test_no_symbolic_link_in_the_key_home_is_followed(place: Place) -> None:
    (place.root / "mine").mkdir()
    (place.root / "mine" / "file").touch()
    (place.home / "folder").symlink_to(place.root / "mine")
    (place.home / "file").symlink_to(place.root / "mine" / "file")
    place.open().close()
    assert (place.root / "mine").stat().st_uid == (place.root / "mine" / "file").stat().st_uid == 0
    real = place.home.rename(place.root / "elsewhere")
    place.home.symlink_to(real)
    with pytest.raises(SealwrightError, match="no folder"):
        place.open()
    assert real.stat().st_uid == 0


_SIGN = """
import sys
from pathlib import Path
from sealwright_stages.manifest import load
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sign.client import open_signer
from sealwright_stages.work import WorkFolder
work = WorkFolder(Path(sys.argv[2]))
signer = open_signer(load(Path(sys.argv[1])), work, Identities(None, int(sys.argv[3]), None, ()))
try:
    signer.propose("no such release", {"x": ("text", b"\\xff")}, Path(sys.argv[4]))
except Exception as error:
    print(error)
documents = {name: (kind, data) for name, kind, data in DOCUMENTS}
proposal = signer.propose("example-1.0", documents, Path(sys.argv[4]))
print(sorted(signer.sign(proposal, proposal.digest[:8], "example-1.0")))
signer.close()
"""


@as_root
def test_the_signer_loads_what_it_needs_before_it_drops_its_uid(place: Place) -> None:
    python = closed_python(place.root / "closed")
    shown = [(name, kind, data) for name, (kind, data) in place.documents.items()]
    manifest = place.root / "release" / "release.toml"
    script = f"DOCUMENTS = {shown!r}\n{_SIGN}"
    argv = [str(python), "-I", "-c", script, str(manifest), str(place.root / "work"), str(UID), str(place.log)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "provenance" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("said", "because"),
    [
        ("error: x\\nbecause: the key\\nnext: y", "the key"),
        ("Traceback\\n  File\\nLookupError: unknown encoding", "LookupError: unknown encoding"),
        ("", "it ended without a word"),
    ],
)
def test_a_signer_that_is_gone_is_an_error_with_the_last_line_that_it_said(
    log: Path, said: str, because: str
) -> None:
    script = f"import sys; sys.stderr.write('{said}'); sys.stdin.readline()"
    signer = SignerProcess([sys.executable, "-I", "-c", script])
    try:
        with pytest.raises(SigningError) as caught:
            signer.propose("example-1.0", {}, log)
        assert caught.value.because == because
    finally:
        signer.close()


_TALKER = """
import json, sys
keys, summary = json.loads(sys.argv[1])
for line in sys.stdin:
    said = {"keys": keys, "size": 0} if "propose" not in line else {"proposal": "1", "digest": "0", "summary": summary, "needs": "person"}
    print(json.dumps({"ok": True, **said}), flush=True)
"""
KEY = [{"fingerprint": "A" * 40}]


@pytest.mark.parametrize(
    ("keys", "summary"),
    [(KEY, ["x"] * 501), (KEY, ["x" * 2001]), (KEY * 501, ["one"]), ([{"fingerprint": "x" * 2001}], ["one"])],
    ids=["lines", "a-line", "keys", "a-key"],
)
def test_a_signer_that_says_more_than_a_person_reads_or_a_console_takes_is_refused(
    log: Path, keys: list[object], summary: list[str]
) -> None:
    def asked(*said: object) -> SignerProcess:
        return SignerProcess([sys.executable, "-c", _TALKER, json.dumps(said)])

    signer = asked(keys, summary)
    with contextlib.closing(signer), pytest.raises(SigningError, match="it says more than 500 lines"):
        signer.propose("example-1.0", {}, log)
    with contextlib.closing(asked(KEY * 500, ["x" * 2000])) as other:
        assert len(other.propose("example-1.0", {}, log).keys) == 500
