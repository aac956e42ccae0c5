"""Somebody else's evidence, built again by the real program in another folder.

- Products that are the same, that differ and that are not there are each told as what they are.
- What can't be had or verified any more is red, with the reason and the next step.
- Hostile evidence reaches nothing of this machine: no file of it is read, none is written but below the work folder,
  and no command is run but in a build.
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

from support.small_release import Key, make_key, make_repository, stop_agent, write_keyring
from walk.walking import Done, Running, Walk, events, files

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]

COMMAND = "cat $FILES/words-1.0.txt greeting.txt > $OUT/greeting.out"


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

    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.work / "rebuild.json").read_text())
        return found

    def product(self, name: str = "greeting.out") -> dict[str, Any]:
        (found,) = [each for each in self.result()["products"] if each["name"] == name]
        return dict(found)


@pytest.fixture
def rebuilder(finished: Walk, walk: Walk) -> Iterator[Rebuilder]:
    made = Rebuilder(walk, finished.evidence)
    before = digests(made.evidence)
    yield made
    assert digests(made.evidence) == before or not before


def digests(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder)}


def released(walk: Walk, old: str = COMMAND, new: str = COMMAND) -> Rebuilder:
    """A release of a manifest that was changed first."""
    walk.change(old, new)
    walk.run("--until", "seal").well()
    return Rebuilder(walk, walk.evidence)


def test_the_same_bytes_from_another_folder(rebuilder: Rebuilder) -> None:
    keyring = rebuilder.walk.folder / "keyring"
    done = rebuilder.say("--keyring", keyring, "--signers", "manager").well()
    assert done.out.splitlines()[-1] == "reproduced: 1 of 1 products have the same bytes"
    found = rebuilder.result()
    assert (found["reproduced"], found["counts"]["same"], found["inputs"]) == (True, 1, [])
    assert found["audit"] == {"passed": True, "provided": "", "bad": []}
    assert (rebuilder.work / "SHA256SUMS").read_bytes() == (rebuilder.evidence / "SHA256SUMS").read_bytes()
    words = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    assert subprocess.run(words, cwd=rebuilder.work, check=False, capture_output=True).returncode == 0
    started = [event for event in events(rebuilder.work) if event["e"] == "run.started"]
    assert [event["official"] for event in started] == [False]
    assert not (rebuilder.work / "evidence").exists()

    again = rebuilder.say("--json").well()
    assert json.loads(again.out)["products"] == found["products"]
    assert len([event for event in events(rebuilder.work) if event["e"] == "build.started"]) == 1, "it resumes"


def test_a_build_that_is_not_reproducible_differs_and_no_input_is_blamed(walk: Walk) -> None:
    made = released(walk, new="cat /proc/sys/kernel/random/uuid > $OUT/greeting.out")
    made.say().refused(1, "--despite-audit")  # it is not signed
    done = made.say("--despite-audit")
    assert done.exit == 1 and "DID NOT STAND UP TO ITS AUDIT" in done.out
    assert done.out.splitlines()[-1] == "NOT reproduced: 0 of 1 products have the same bytes, 1 differ"
    found = made.product()
    assert (found["found"], found["causes"]) == ("differs", [])
    assert found["theirs"]["size"] == found["here"]["size"] == 37
    assert found["theirs"]["sha256"] != found["here"]["sha256"]
    assert "its build is not reproducible" in " ".join(done.out.split())


def test_what_is_only_made_there_or_only_here_is_told(walk: Walk) -> None:
    kind = "if test -e /proc/sys/kernel/random/uuid; then n=$(tr -dc a-f </proc/sys/kernel/random/uuid); fi; : > $OUT/x$n.out"
    made = released(walk, new=f"{kind}; cat $FILES/words-1.0.txt > $OUT/greeting.out")
    done = made.say("--despite-audit")
    found = {each["found"]: each for each in made.result()["products"]}
    assert done.exit == 1 and set(found) == {"same", "missing", "surplus"}
    assert found["missing"]["why"] == "its build made no file of that name"


@pytest.mark.parametrize("what", ["repository", "file"])
def test_a_source_that_is_gone_is_named_with_what_to_do(rebuilder: Rebuilder, what: str) -> None:
    upstream = rebuilder.walk.folder / "upstream"
    gone = upstream / {"repository": "greeting.git", "file": "words-1.0.txt"}[what]
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    done = rebuilder.say()
    assert done.exit == 1
    found = rebuilder.product()
    assert found["found"] == "missing" and found["next"]
    assert gone.name in found["why"] and "fetch" in found["why"]
    assert done.out.splitlines()[-1].startswith("NOT reproduced: 0 of 1")


def test_a_tag_that_moved_is_another_input_and_a_likely_cause(rebuilder: Rebuilder) -> None:
    upstream, author = rebuilder.walk.folder / "upstream", author_of(rebuilder)
    shutil.rmtree(upstream / "greeting.git")
    make_repository(upstream / "greeting.git", author, "v1.0", {"greeting.txt": "Another greeting, signed.\n"})
    stop_agent(author.home)
    done = rebuilder.say("--source-keyring", rebuilder.walk.folder / "mine")
    assert done.exit == 1
    found, product = rebuilder.result(), rebuilder.product()
    assert (product["found"], product["causes"][0]) == ("differs", "sources")
    moved = {each["field"] for each in found["inputs"] if each["component"] == "greeting"}
    assert {"commit", "tree", "sources_sha256", "epoch"} & moved >= {"commit", "sources_sha256"}
    assert "its sources are others" in done.out


def author_of(rebuilder: Rebuilder) -> Key:
    """Another author, whom the rebuilder's own keyring names so."""
    author = make_key(rebuilder.walk.folder / "another-home", "author")
    write_keyring(rebuilder.walk.folder / "mine", [author])
    # The file is signed by the first author: sign it again, as the repository is.
    words = rebuilder.walk.folder / "upstream" / "words-1.0.txt"
    from support.small_release import sign_file

    sign_file(words, author)
    return author


def test_a_tag_of_somebody_else_is_red(rebuilder: Rebuilder) -> None:
    stranger = make_key(rebuilder.walk.folder / "stranger-home", "author")
    upstream = rebuilder.walk.folder / "upstream"
    shutil.rmtree(upstream / "greeting.git")
    make_repository(upstream / "greeting.git", stranger, "v1.0", {"greeting.txt": "A greeting, signed.\n"})
    stop_agent(stranger.home)
    assert rebuilder.say().exit == 1
    found = rebuilder.product()
    assert found["found"] == "missing" and "[signature-unknown-key]" in found["why"]
    assert not list((rebuilder.work / "build").iterdir())


@pytest.mark.parametrize("what", ["products/greeting/greeting.out", "policy/release.toml", "log/index.jsonl"])
def test_tampered_evidence_is_not_rebuilt(rebuilder: Rebuilder, what: str) -> None:
    path = rebuilder.evidence / what
    path.write_bytes(path.read_bytes().replace(b"greeting", b"greetinG"))
    if what.startswith("products"):
        path.write_bytes(b"evil")
    rebuilder.say().refused(1, "the evidence is not rebuilt")
    assert not rebuilder.work.exists()
    if what.startswith("products"):
        assert rebuilder.say("--despite-audit").exit == 0  # the log names the bytes, and these are built again
        assert rebuilder.result()["audit"]["passed"] is False
    else:
        rebuilder.say("--despite-audit").refused(1, "the evidence is not rebuilt")
        assert not rebuilder.work.exists()
    shutil.rmtree(rebuilder.evidence)
    rebuilder.evidence.mkdir()


def test_local_paths_are_refused_without_a_folder_of_sources(rebuilder: Rebuilder) -> None:
    rebuilder.say(sources=False).refused(1, "upstream/greeting.git", "--sources")
    assert not rebuilder.work.exists()


def test_stop_and_go_on(rebuilder: Rebuilder) -> None:
    running = Running(
        [rebuilder.walk.say.__globals__["SEALWRIGHT"], *rebuilder.words()],
        rebuilder.walk.folder,
        rebuilder.walk.folder / "said",
        rebuilder.walk.env,
        rebuilder.work,
    )
    running.seen("run.started")
    running.stop(signal.SIGTERM)
    running.end().refused(130)
    assert not (rebuilder.work / "rebuild.json").exists()
    rebuilder.say().well()
