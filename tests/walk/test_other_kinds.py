"""A whole release whose file is signed with SSH and minisign keys, and whose keyring is signed itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.other_keys import OtherKeys
from walk.walking import Walk, events

TABLE = '\n[policy]\nsigners = ["cleo", "author"]\n'


@pytest.fixture
def others(tmp_path: Path) -> OtherKeys:
    return OtherKeys(tmp_path / "others")


def prepared(walk: Walk, others: OtherKeys) -> None:
    """Give cleo and dan keys, let both sign the file, and demand that the keyring be signed."""
    ring = walk.folder / "keyring"
    ssh, mini = others.ssh_file("cleo"), others.minisign_file("dan")
    for file, person, name in (
        (ssh.with_suffix(".ssh.pub"), "cleo", others.ssh("cleo").fingerprint),
        (mini.with_suffix(".minisign.pub"), "dan", others.minisign("dan").text),
    ):
        walk.say("keyring", "add", file, person, name, "--keyring", ring).well()
    words = walk.folder / "upstream" / "words-1.0.txt"
    words.with_name("words.sig").write_bytes(others.ssh_sign("cleo", words.read_bytes()))
    words.with_name("words.minisig").write_bytes(others.minisign_sign("dan", words.read_bytes()))
    text = walk.manifest.read_text()
    head, file = text.split("[[component.file]]")
    file = file.replace('signers = ["author"]', 'signers = ["cleo", "dan"]\nthreshold = 2')
    file = file.replace('"upstream/words-1.0.txt.asc"', '["upstream/words.sig", "upstream/words.minisig"]')
    walk.manifest.write_text(f"{head}[[component.file]]{file}{TABLE}")


def test_a_release_under_a_signed_policy_with_keys_of_all_kinds(
    sandbox: None, walk: Walk, others: OtherKeys
) -> None:
    prepared(walk, others)
    ring = walk.folder / "keyring"
    walk.run().refused(2, "SHA256SUMS", "keyring digest")
    assert not (walk.work / "log").exists(), "nothing began"
    text = walk.say("keyring", "digest", "--keyring", ring).well().out.encode()
    (ring / "SHA256SUMS").write_bytes(text)
    (ring / "SHA256SUMS.sig").write_bytes(others.ssh_sign("outsider", text))
    walk.run().refused(2, "none of the chosen keys")
    (ring / "SHA256SUMS.sig").write_bytes(others.ssh_sign("cleo", text))
    assert "signed itself by cleo" in walk.run().well().err
    verdicts = {e["item"]: e["verdict"] for e in events(walk.work) if e["e"] == "item.verdict"}
    assert verdicts["greeting/file-signature/words-1.0.txt"] == "passed"
    told = walk.say("audit", walk.evidence, "--json", "--keyring", ring, "--signers", "manager").well().out
    findings = [f["detail"] for f in json.loads(told)["findings"] if f["what"] == "policy"]
    assert findings == ["signed itself by cleo; 1 needed"]
    assert "signed itself by cleo" in walk.say("review", walk.evidence, "--batch").well().out
    assert "signed itself by cleo" in walk.say("status", "--work", walk.work).well().out
    (walk.evidence / "policy" / "SHA256SUMS.sig").write_bytes(others.ssh_sign("outsider", text))
    assert walk.say("audit", walk.evidence).exit == 1
