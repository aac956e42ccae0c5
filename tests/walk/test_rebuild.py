"""Somebody else's evidence, built again by the real program in another folder.

- Products that are the same, that differ and that are not there are each told as what they are.
- What can't be had or verified any more is red, with the reason and the next step.
- Hostile evidence reaches nothing of this machine: none of its paths is read, nothing is written but below the work
  folder and in our own cache, and no command of it is run but in a build.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.forge import Forger
from sealwright_appendlog.note import VerifierKey
from support.small_release import Key, make_key, make_repository, sign_file, stop_agent, write_keyring
from verify.miniature import Miniature
from verify.workbench import Keys
from walk.walking import SEALWRIGHT, Done, Running, Walk, events, files

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]

COMMAND = "cat $FILES/words-1.0.txt greeting.txt > $OUT/greeting.out"
HOST = VerifierKey("log.example.org/releases", bytes(range(32)))
RANDOM = "/proc/sys/kernel/random/uuid"


class Rebuilder:
    """Somebody with a copy of the evidence, and of the folder that the manifest's paths are told from."""

    def __init__(self, walk: Walk, evidence: Path) -> None:
        self.walk = walk
        self.evidence = shutil.copytree(evidence, walk.folder / "download")
        self.work = walk.folder / "again"

    def words(self, *words: str | Path, sources: bool = True) -> list[str | Path]:
        brought: list[str | Path] = ["--sources", self.walk.folder] if sources else []
        return ["reproduce", self.evidence, "--work", self.work, *brought, *words]

    def say(self, *words: str | Path, sources: bool = True) -> Done:
        return self.walk.say(*self.words(*words, sources=sources))

    def start(self) -> Running:
        folder = self.walk.folder
        return Running([SEALWRIGHT, *self.words()], folder, folder / "said", self.walk.env, self.work)

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.work / "rebuild.json").read_text())
        return found

    def product(self) -> dict[str, Any]:
        (found,) = self.result()["products"]
        return dict(found)

    def upstream(self, author: Key, greeting: str) -> None:
        """Publish the tag and the file anew."""
        upstream = self.walk.folder / "upstream"
        for name in ("greeting.git", "greeting.work"):
            shutil.rmtree(upstream / name)
        make_repository(upstream / "greeting.git", author, "v1.0", {"greeting.txt": greeting})
        sign_file(upstream / "words-1.0.txt", author)
        stop_agent(author.home)


@pytest.fixture
def rebuilder(finished: Walk, walk: Walk) -> Iterator[Rebuilder]:
    made = Rebuilder(walk, finished.evidence)
    before = digests(made.evidence)
    yield made
    assert digests(made.evidence) == before


def digests(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder) if not (folder / name).is_socket()}


def test_the_same_bytes_from_another_folder_and_the_run_resumes(rebuilder: Rebuilder) -> None:
    running = rebuilder.start()
    running.seen("run.started")
    running.stop(signal.SIGTERM)
    running.end().refused(130)
    assert not (rebuilder.work / "rebuild.json").exists()

    done = rebuilder.say("--keyring", rebuilder.walk.folder / "keyring", "--signers", "manager").well()
    assert done.out.splitlines()[-1] == "reproduced: 1 of 1 products have the same bytes"
    found = rebuilder.result()
    assert (found["reproduced"], found["counts"]["same"], found["inputs"]) == (True, 1, [])
    assert found["audit"] == {"passed": True, "provided": "", "bad": []}
    assert (rebuilder.work / "SHA256SUMS").read_bytes() == (rebuilder.evidence / "SHA256SUMS").read_bytes()
    words = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(words, cwd=rebuilder.work, check=False, capture_output=True).returncode == 0
    started = [event for event in events(rebuilder.work) if event["e"] == "run.started"]
    assert [event["official"] for event in started] == [False, False]
    assert not (rebuilder.work / "evidence").exists()
    assert str(rebuilder.walk.folder) not in (rebuilder.work / "rebuild.json").read_text()

    built = len([event for event in events(rebuilder.work) if event["e"] == "build.started"])
    again = rebuilder.say("--json").well()
    assert json.loads(again.out) == {
        **found,
        "audit": {**found["audit"], "provided": "as far as the folder's own keys go"},
    }
    assert len([event for event in events(rebuilder.work) if event["e"] == "build.started"]) == built


def test_a_build_that_is_not_reproducible_is_told_with_both_digests(walk: Walk) -> None:
    kind = f": > $OUT/x$(tr -dc a-f <{RANDOM}).out"
    walk.change(COMMAND, f"{kind}; cat {RANDOM} > $OUT/greeting.out; echo same > $OUT/same.out")
    walk.run("--until", "seal").well()
    made = Rebuilder(walk, walk.evidence)
    made.say().refused(1, "audit says no", "--despite-audit")  # nobody signed it
    done = made.say("--despite-audit")
    assert done.exit == 1 and "DID NOT STAND UP TO ITS AUDIT" in done.out
    assert done.out.splitlines()[-1] == (
        "NOT reproduced: 1 of 4 products have the same bytes, 1 differ, 1 missing, 1 surplus"
    )
    found = {each["found"]: each for each in made.result()["products"]}
    assert set(found) == {"same", "differs", "missing", "surplus"}
    assert found["missing"]["why"] == "its build made no file of that name"
    differs = found["differs"]
    assert differs["theirs"]["size"] == differs["here"]["size"] == 37 and differs["causes"] == []
    assert differs["theirs"]["sha256"] != differs["here"]["sha256"]
    assert "its build is not reproducible" in " ".join(done.out.split())
    report = differs["report"]
    assert report["why_none"] or "theirs" in (made.work / report["file"]).read_text()


@pytest.mark.parametrize("gone", ["words-1.0.txt", pytest.param("greeting.git", marks=pytest.mark.slow)])
def test_a_source_that_is_gone_is_named_with_what_to_do(rebuilder: Rebuilder, gone: str) -> None:
    path = rebuilder.walk.folder / "upstream" / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = rebuilder.say()
    found = rebuilder.product()
    assert done.exit == 1 and found["found"] == "missing" and found["next"]
    assert gone in found["why"] and "fetch" in found["why"]
    assert done.out.splitlines()[-1].startswith("NOT reproduced: 0 of 1")


def test_a_tag_that_moved_to_somebody_elses_key_is_red(rebuilder: Rebuilder) -> None:
    other = make_key(rebuilder.walk.folder / "other-home", "author")
    rebuilder.upstream(other, "Another greeting, signed.\n")
    assert rebuilder.say().exit == 1
    found = rebuilder.product()
    assert found["found"] == "missing" and "[signature-unknown-key]" in found["why"]
    assert not list((rebuilder.work / "build").iterdir())


@pytest.mark.slow  # which inputs are named as causes is in tests/rebuild/test_results.py
def test_a_tag_that_moved_is_a_likely_cause_for_who_trusts_its_signer(rebuilder: Rebuilder) -> None:
    other = make_key(rebuilder.walk.folder / "other-home", "author")
    write_keyring(rebuilder.walk.folder / "mine", [other])
    rebuilder.upstream(other, "Another greeting, signed.\n")
    done = rebuilder.say("--source-keyring", rebuilder.walk.folder / "mine")
    found = rebuilder.product()
    assert done.exit == 1 and "its sources are others" in done.out
    assert (found["found"], found["causes"][0]) == ("differs", "sources")
    moved = {each["field"] for each in rebuilder.result()["inputs"] if each["component"] == "greeting"}
    assert moved >= {"commit", "sources_sha256"}


@pytest.mark.slow  # what is refused, and where, is in tests/rebuild/test_taken.py
def test_tampered_evidence_is_not_rebuilt_unless_that_is_wanted(finished: Walk, walk: Walk) -> None:
    made = Rebuilder(walk, finished.evidence)
    (made.evidence / "products" / "greeting" / "greeting.out").write_bytes(b"evil\n")
    made.say().refused(1, "the evidence is not rebuilt")
    assert not made.work.exists()
    assert made.say("--despite-audit").exit == 0  # the log names the bytes, and those are built again
    assert made.result()["audit"]["passed"] is False


@pytest.mark.slow  # who began a folder is in tests/rebuild/test_begun.py
def test_a_work_folder_that_came_with_the_evidence_is_not_gone_on_with(rebuilder: Rebuilder) -> None:
    rebuilder.say().well()
    planted = rebuilder.work.rename(rebuilder.walk.folder / "planted")
    shutil.copytree(planted, rebuilder.work)
    rebuilder.walk.env["XDG_CACHE_HOME"] = str(rebuilder.walk.folder / "somebody-elses")
    shutil.copytree(
        rebuilder.walk.folder / "cache" / "sealwright" / "selftest",
        rebuilder.walk.folder / "somebody-elses" / "sealwright" / "selftest",
    )
    rebuilder.say().refused(2, "was not begun here")


STOCK = """
[[component]]
name = "stock"
[[component.deb]]
package = "debian:bookworm/hi"
[component.build]
recipe = "commands"
commands = ["sha256sum $FILES/*.deb > $OUT/stock.out"]
products = ["stock.out"]

[environment]
mirror = "{mirror}"
archive_keyring = "archive.gpg"
"""


@pytest.mark.slow  # an archive of our own is made and signed first
def test_a_snapshot_of_the_archive_is_the_rebuilders_to_name(walk: Walk) -> None:
    keys = Keys(walk.folder / "packager-home")
    mirror = Miniature(walk.folder / "mirror", keys)
    mirror.publish()
    (walk.folder / "archive.gpg").write_bytes(keys.certificate("archive"))
    stop_agent(keys.home)
    walk.text += STOCK.format(mirror=mirror.folder.as_uri())
    walk.manifest.write_text(walk.text)
    walk.run().well()
    made = Rebuilder(walk, walk.evidence)
    snapshot = mirror.folder.rename(walk.folder / "snapshot")
    sources = walk.folder / "mine"
    shutil.copytree(walk.folder / "upstream", sources / "upstream")
    brought: list[str | Path] = ["--sources", sources, "--archive-keyring", walk.folder / "archive.gpg"]
    made.say(*brought, sources=False).refused(1, "the archive's mirror is refused", "--mirror URL")
    assert made.say(*brought, "--mirror", mirror.folder.as_uri(), sources=False).exit == 1
    found = {each["component"]: each for each in made.result()["products"]}
    assert found["stock"]["found"] == "missing" and "InRelease" in found["stock"]["why"]
    assert found["greeting"]["why"].startswith("nothing is built while stock")
    made.say(*brought, "--mirror", snapshot.as_uri(), sources=False).well()
    assert made.result()["counts"]["same"] == 2

    alone = made.say(*brought, "--only", "greeting", "--work", walk.folder / "alone", sources=False).well()
    assert alone.out.splitlines()[-1] == "reproduced: 1 of 1 products have the same bytes"


HOSTILE = """[release]
name = "example"
version = "1.0"
keyring = "/etc"
signers = ["manager-a"]
[egress]
known_hosts = "/etc/shadow"
[log]
transport = ["sh", "-c", "touch {canary}"]
key = "{key}"
[signer]
transport = ["sh", "-c", "touch {canary}"]
home = "{home}"
policy = "{home}/policy"
[environment]
archive_keyring = "/etc/shadow"
[memory]
evidence = ["{home}"]
[[component]]
name = "xen"
git = "{git}"
tag = "v1"
signers = ["release-key-a"]
[component.build]
recipe = "commands"
commands = ["touch {canary}"]
products = ["*.tar"]
"""


def test_hostile_evidence_reaches_nothing_of_this_machine(walk: Walk, tmp_path: Path) -> None:
    keys = [make_key(tmp_path / name, name) for name in ("manager-a", "release-key-a")]
    write_keyring(tmp_path / "keyring", keys)
    secret = walk.folder / "secret"
    secret.mkdir()
    canary = tmp_path / "canary"
    for git, refused in ((f"{walk.folder}/secret/../secret", "leads out of"), ("upstream/../upstream/x.git", "")):
        text = HOSTILE.format(canary=canary, home=secret, git=git, key=HOST)
        forger = Forger(tmp_path / git.replace("/", "%"), tuple(keys[:1]), text=text)
        forger.folder.mkdir()
        shutil.copytree(tmp_path / "keyring", forger.folder / "keyring")
        made = Rebuilder(walk, forger.evidence())
        before = digests(walk.folder)
        (walk.folder / "upstream").mkdir(exist_ok=True)
        done = walk.say(*made.words("--despite-audit", sources=False), "--sources", walk.folder / "upstream")
        if refused:
            done.refused(1, refused)
        else:
            assert done.exit == 1 and made.product()["found"] == "missing", done.told()
        new = {
            name
            for name in digests(walk.folder).keys() ^ before.keys()
            if not name.startswith(("again/", "said/"))
        }
        assert new <= {"cache/sealwright/rebuild.key"} and not canary.exists()
        shutil.rmtree(made.evidence)
    for key in keys:
        stop_agent(key.home)
