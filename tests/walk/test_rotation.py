"""A keyring that goes on: a release under version 1, a rotation, a release under version 2, and reviewers of both."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.other_keys import OtherKeys
from support.rotating import beside
from support.small_release import write_signing_policy
from walk.walking import Walk, events

TABLE = '[policy]\nversion = 1\nsigners = ["cleo", "dan"]\nthreshold = 2\n\n'


@pytest.fixture
def others(tmp_path: Path) -> OtherKeys:
    return OtherKeys(tmp_path / "others")


class Keyring:
    """The keyring folder of a walk, by the commands that people use."""

    def __init__(self, walk: Walk, others: OtherKeys) -> None:
        self.walk, self.others, self.folder = walk, others, walk.folder / "keyring"

    def add(self, name: str) -> None:
        file, print_ = self.others.ssh_file(name), self.others.ssh(name).fingerprint
        self.say("add", file.with_suffix(".ssh.pub"), name, print_)

    def say(self, *words: str | Path, code: int = 0) -> str:
        done = self.walk.say("keyring", *words, "--keyring", self.folder)
        assert done.exit == code, done.told()
        return done.out

    def sign(self, *names: str) -> None:
        text = self.say("digest").encode()
        (self.folder / "SHA256SUMS").write_bytes(text)
        for name in names:
            (self.folder / beside(f"ssh:{name}")).write_bytes(self.others.ssh_sign(name, text))


def test_a_reviewer_who_holds_version_1_audits_a_release_of_version_2(
    sandbox: None, walk: Walk, others: OtherKeys, tmp_path: Path
) -> None:
    ring = Keyring(walk, others)
    for name in ("cleo", "dan"):
        ring.add(name)
    signers = ring.folder / "signers.toml"
    signers.write_text(TABLE + signers.read_text())
    ring.sign("cleo", "dan")
    walk.run().well()
    mine = shutil.copytree(ring.folder, tmp_path / "mine")
    one = walk.evidence.rename(walk.folder / "evidence-1")
    assert not (one / "policy" / "history").exists()

    assert "version 2 is begun" in ring.say("rotate")
    assert "2 of cleo, dan, with the keys of version 1" in ring.say("history", code=1)
    ring.add("ed")
    signers.write_text(signers.read_text().replace('["cleo", "dan"]', '["cleo", "ed"]'))
    ring.sign("cleo", "ed")
    walk.change('version = "1.0"', 'version = "1.1"')
    shutil.rmtree(walk.folder / "signer-policy")
    write_signing_policy(walk.folder / "signer-policy" / "policy.toml", "small", "1.1")
    shutil.rmtree(walk.work)
    walk.run().refused(2, "version 2 of the keyring", "missing: dan")
    assert not (walk.work / "log").exists(), "nothing began"
    ring.sign("cleo", "ed", "dan")
    assert "counts" in ring.say("history") and "DOES NOT" not in ring.say("history")
    assert "version 2, each since the first signed by the one before it" in walk.run().well().err
    assert [event["version"] for event in events(walk.work) if event["e"] == "policy.rotated"] == [2]

    def audit(evidence: Path, keyring: Path, code: int = 0) -> dict[str, str]:
        done = walk.look("audit", evidence, "--json", "--keyring", keyring, "--signers", "manager")
        assert done.exit == code, done.told()
        return {
            found["what"]: found["detail"]
            for found in json.loads(done.out)["findings"]
            if found["what"] == "keyring"
        }

    assert audit(walk.evidence, ring.folder) == {}
    told = audit(walk.evidence, mine)["keyring"]
    assert told == (
        "your keyring (version 1) leads to version 2 by 1 signed step: version 2 by cleo, dan (2 of version 1 needed) "
        "and cleo, ed (2 of version 2 needed)"
    )
    assert "leads to version 2" in walk.look("review", walk.evidence, "--batch", "--keyring", mine).well().out
    assert audit(one, mine) == {}
    assert "is in the history of yours (version 2)" in audit(one, ring.folder)["keyring"]
    assert "version 2" in walk.look("status", "--work", walk.work).well().out
    product = next((walk.evidence / "products").rglob("*.out"))
    walk.look("check", product, "--evidence", walk.evidence, "--keyring", mine, "--signers", "manager").well()
    (walk.evidence / "policy" / beside("ssh:dan")).unlink()
    assert "missing: dan" in walk.look("audit", walk.evidence, "--keyring", mine).out
    audit(walk.evidence, mine, code=1)
