"""A second release beside the evidence of a first one: what moved, went back or stood still since then."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from support.small_release import (
    make_key,
    make_repository,
    sign_file,
    stop_agent,
    write_keyring,
    write_signing_policy,
)
from verify.miniature import Miniature
from verify.workbench import Keys
from walk.conftest import EMBEDDED
from walk.walking import Walk, adopt_orphans, events

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
MANIFEST = """[release]
name = "small"
version = "{version}"
keyring = "keyring"
signers = ["manager"]

[signer]
{signer}

[environment]
mirror = "{mirror}"
archive_keyring = "archive.gpg"

{memory}
[[component]]
name = "greeting"
git = "upstream/greeting.git"
tag = "{tag}"
signers = ["author"]
[[component.file]]
url = "file://{upstream}/words.txt"
signature = "file://{upstream}/words.txt.asc"
signers = ["author"]
[component.build]
recipe = "commands"
commands = ["cat $FILES/words.txt greeting.txt > $OUT/greeting.out"]
products = ["*.out"]

[[component]]
name = "hi"
dsc = "debian:bookworm/hi"
uploaders = "./uploaders.gpg"
"""
REMEMBER = '[memory]\nevidence = ["earlier"]\n'
ACCEPT = '[[memory.accept]]\ncomponent = "greeting"\nfrom = "{}"\nto = "{}"\nreason = "v1.1 was withdrawn"\n'


@dataclass(frozen=True)
class Upstream:
    """Where things come from: the address stays, what lies there may change until the test is over."""

    base: Path

    @property
    def words(self) -> Path:
        return self.base / "upstream" / "words.txt"

    def serve(self, name: str) -> None:
        """Let the address of the archive, or of the file, give what is called `name`."""
        kind, _, version = name.partition("-")
        if kind == "words":
            for suffix in ("", ".asc"):
                shutil.copy(f"{self.words}.{version}{suffix}", f"{self.words}{suffix}")
            return
        shutil.rmtree(self.base / "mirror", ignore_errors=True)
        shutil.copytree(self.base / f"mirror.{version}", self.base / "mirror")


def release(upstream: Upstream, version: str, tag: str, memory: str = "") -> Walk:
    """A fresh copy of the release, at this version."""
    base = Path(tempfile.mkdtemp(dir=upstream.base))
    folder = shutil.copytree(upstream.base / "inputs", base / "release", ignore=shutil.ignore_patterns("S.*"))
    write_signing_policy(folder / "signer-policy" / "policy.toml", "small", version)
    where = {"mirror": (upstream.base / "mirror").as_uri(), "upstream": upstream.words.parent, "signer": EMBEDDED}
    return Walk(folder, MANIFEST.format(version=version, tag=tag, memory=memory, **where))


@pytest.fixture(scope="session")
def world() -> Iterator[Upstream]:
    """Keys, three repositories, two files, two states of an archive."""
    adopt_orphans()
    base = Path(tempfile.mkdtemp(prefix="sealwright-memory-"))
    inputs, made = base / "inputs", Upstream(base)
    (inputs / "upstream").mkdir(parents=True)
    made.words.parent.mkdir()
    author, manager = make_key(base / "author-home", "author"), make_key(inputs / "signer-home", "manager")
    write_keyring(inputs / "keyring", [author, manager])
    for name, tag in (("greeting", "v1.1"), ("moved", "v1.1"), ("older", "v1.0"), ("newer", "v1.2")):
        make_repository(inputs / "upstream" / f"{name}.git", author, tag, {"greeting.txt": f"{name}\n"})
    archive(base, inputs)
    for version in ("one", "two"):
        path = made.words.with_name(f"words.txt.{version}")
        path.write_text(version * 100)
        sign_file(path, author)
    made.serve("words-one")
    made.serve("mirror-new")
    stop_agent(author.home)
    yield made
    shutil.rmtree(base)


def archive(base: Path, inputs: Path) -> None:
    keys = Keys(base / "archive-home")
    new = Miniature(base / "mirror.new", keys)
    new.publish()
    new.source()
    replace(new, folder=base / "mirror.old", date="Fri, 28 Feb 2025 10:00:00 UTC").publish()
    for name in ("archive.gpg", "uploaders.gpg"):
        shutil.copy(base / name, inputs / name)
    stop_agent(keys.home)


@pytest.fixture(scope="session")
def first(sandbox: None, world: Upstream) -> Path:
    """The evidence of the first release, sealed and signed."""
    made = release(world, "1.0", "v1.1")
    made.run().well()
    return made.evidence


@pytest.fixture
def upstream(world: Upstream) -> Iterator[Upstream]:
    """As it was for the first release, again and again."""
    yield world
    world.serve("words-one")
    world.serve("mirror-new")


@pytest.fixture
def second(first: Path, upstream: Upstream) -> Iterator[Walk]:
    """The next release, which remembers the first."""
    made = release(upstream, "1.1", "v1.1", REMEMBER)
    shutil.copytree(first, made.folder / "earlier" / "small-1.0")
    yield made
    made.kill_survivors()


def use(walk: Walk, repository: str, tag: str) -> None:
    """Let upstream be another repository, and the manifest name its tag."""
    shutil.rmtree(walk.folder / "upstream" / "greeting.git")
    (walk.folder / "upstream" / f"{repository}.git").rename(walk.folder / "upstream" / "greeting.git")
    if tag not in walk.text:
        walk.change('tag = "v1.1"', f'tag = "{tag}"')


def red(walk: Walk) -> dict[str, str]:
    """The items that failed, with their codes."""
    return {
        e["item"]: e["code"] for e in events(walk.work) if e["e"] == "item.verdict" and e["verdict"] == "failed"
    }


def nothing_of(walk: Walk, component: str) -> None:
    walk.nothing_is_half_done()
    assert not (walk.work / "sources" / component).exists()
    assert [e for e in events(walk.work) if e["e"] == "file.deleted" and e["item"].startswith(component)]


def test_what_did_not_move_goes_through_and_says_what_it_remembered(second: Walk) -> None:
    second.run("--until", "verify").well()
    second.resumes()
    (told,) = [e for e in events(second.work) if e["e"] == "memory.read"]
    assert told["release"] == "small-1.0" and told["facts"] >= 5
    said = f"{told['facts']} facts of small-1.0 (sealed {told['sealed'][:10]}, {told['records']} records"
    shutil.rmtree(second.folder / "earlier")
    assert said in second.say("audit", second.evidence, "--keyring", second.folder / "keyring").well().out
    assert said in second.say("review", second.evidence, "--batch").out
    assert said in second.say("status", "--work", second.work).well().out


@pytest.mark.slow
def test_a_newer_tag_goes_through(second: Walk) -> None:
    use(second, "newer", "v1.2")
    second.run().well()


def test_a_tag_that_moved_is_red_although_it_is_truly_signed(second: Walk) -> None:
    use(second, "moved", "v1.1")
    second.run().refused(1, "the gate before build is closed", "release small-1.0", "accepted tag v1.1")
    assert red(second) == {"greeting/git/v1.1": "tag-moved"}
    nothing_of(second, "greeting")


def test_an_older_tag_is_red_although_it_is_truly_signed(second: Walk) -> None:
    use(second, "older", "v1.0")
    second.run().refused(1, "accepted v1.1, now it is v1.0, which is older", "memory.accept")
    assert red(second) == {"greeting/git/v1.0": "version-went-back"}
    nothing_of(second, "greeting")


def test_an_older_tag_that_is_declared_goes_through_on_the_record(second: Walk) -> None:
    use(second, "older", "v1.0")
    second.change(REMEMBER, REMEMBER + ACCEPT.format("v1.1", "v1.0"))
    second.run().well()
    (verdict,) = [e for e in events(second.work) if e["e"] == "item.verdict" and e["item"] == "greeting/git/v1.0"]
    assert verdict["reason"].endswith("from v1.1 to v1.0 by declaration: v1.1 was withdrawn")
    second.is_done()


def test_a_signed_file_that_changed_at_its_address_is_red(second: Walk, upstream: Upstream) -> None:
    upstream.serve("words-two")
    second.run().refused(1, "the gate before build is closed", "with SHA-256")
    assert red(second) == {"greeting/file-signature/words.txt": "file-changed"}
    nothing_of(second, "greeting")


def test_an_archive_that_went_back_is_red(second: Walk, upstream: Upstream) -> None:
    upstream.serve("mirror-old")
    second.run().refused(1, "the index of bookworm of 2025-03-01T10:00:00Z, now it is of 2025-02-28T10:00:00Z")
    assert red(second)["hi/archive/hi"].startswith("archive-went-back")
    nothing_of(second, "hi")


def test_a_frozen_archive_is_a_warning_that_wants_a_waiver(second: Walk) -> None:
    second.change(REMEMBER, REMEMBER + "fresh_days = 30\n")
    closed = second.run().refused(1, "warning not waived", "nothing new since 2025-03-01")
    warned = [e["code"] for e in events(second.work) if e["e"] == "item.verdict" and e["verdict"] == "warned"]
    assert warned == ["nothing-new"] and red(second) == {}
    table = closed.err[closed.err.index("[[waiver]]") : closed.err.index("error:")]
    filled = table.replace('person = ""', 'person = "manager"').replace('reason = ""', 'reason = "a quiet year"')
    second.manifest.write_text(second.manifest.read_text() + filled)
    shutil.rmtree(second.work)
    second.run("--until", "build").well()
    assert [e["code"] for e in events(second.work) if e["e"] == "item.waived"] == ["nothing-new"]


def test_earlier_evidence_that_was_tampered_with_ends_the_run_before_it_begins(second: Walk) -> None:
    index = second.folder / "earlier" / "small-1.0" / "log" / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b"greeting", b"greetinG", 1))
    second.run().refused(4, "the memory", "is not believed", "log: record")
    assert not second.work.exists()


def test_earlier_evidence_of_another_release_ends_the_run_before_it_begins(second: Walk) -> None:
    second.change('name = "small"', 'name = "large"')
    second.run().refused(2, "it is of the release small, not large")
    assert not second.work.exists()


@pytest.mark.slow
def test_a_log_that_was_begun_with_other_earlier_evidence_does_not_go_on(second: Walk, upstream: Upstream) -> None:
    second.run("--until", "verify").well()
    begun = len(events(second.work))
    earlier = second.folder / "earlier"
    (earlier / "small-1.0").rename(second.folder / "small-1.0")
    second.run().refused(2, "there is no evidence folder in it")
    other = release(upstream, "1.0", "v1.1")
    other.run().well()
    shutil.copytree(other.evidence, earlier / "other")
    second.run().refused(
        2, "the earlier evidence is another than when this work folder was begun", "small-1.0 with"
    )
    (second.folder / "small-1.0").rename(earlier / "small-1.0")
    second.run().refused(2, "small-1.0 with the log root", "came to it")
    assert len(events(second.work)) == begun
    shutil.rmtree(earlier / "other")
    second.resumes()
    assert len([e for e in events(second.work) if e["e"] == "memory.read"]) == 1
