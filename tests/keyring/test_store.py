"""Managing a keyring folder: full fingerprints, minimal certificates, text kept, all or nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from sealwright_keyring.certificates import certificates
from sealwright_keyring.ed25519_keys import Ed25519Key
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.keyring_files import fingerprints_in
from sealwright_keyring.policy import load_policy
from sealwright_keyring.store import KeyringFolder, added
from support.other_keys import OtherKeys


@pytest.fixture
def keys(world: Any, tmp_path: Path) -> Path:
    file = tmp_path / "many.asc"
    file.write_bytes(world.gpg("--armor", "--export", *(world.fpr[n] for n in ("s1", "s2", "outsider"))))
    return file


def test_add_makes_a_folder_that_reads_and_keeps_the_text(world: Any, tmp_path: Path, keys: Path) -> None:
    folder = KeyringFolder(tmp_path / "ring")
    (tmp_path / "ring").mkdir()
    place = folder.add(keys, world.fpr["s1"].lower(), "ada")
    text = (tmp_path / "ring" / "signers.toml").read_text()
    (tmp_path / "ring" / "signers.toml").write_text("# kept\n" + text)
    folder.add(keys, world.fpr["s2"], "bob")
    folder.add(keys, world.fpr["outsider"], "ada")
    policy = load_policy(tmp_path / "ring")
    assert set(policy.persons["ada"].openpgp) == {world.fpr["s1"], world.fpr["outsider"]}
    assert (tmp_path / "ring" / "signers.toml").read_text().startswith("# kept\n")
    assert place.name == f"{world.fpr['s1']}.asc"
    assert [c.fingerprint for c in certificates(place.read_bytes())] == [world.fpr["s1"]]


def test_a_key_is_added_by_full_fingerprint_only_and_once(world: Any, tmp_path: Path, keys: Path) -> None:
    folder = KeyringFolder(tmp_path / "ring")
    for name in (world.fpr["s1"][-16:], "one@example.org", ""):
        with pytest.raises(KeyringError, match="full fingerprint"):
            folder.add(keys, name, "ada")
    with pytest.raises(KeyringError, match="no key"):
        folder.add(keys, "A" * 40, "ada")
    folder.add(keys, world.fpr["s1"], "ada")
    with pytest.raises(KeyringError, match="belongs to ada"):
        folder.add(keys, world.fpr["s1"], "bob")


@pytest.mark.parametrize("person", ["", "a b", "a.b", 'x"]\n[person.y', "../x"])
def test_a_person_has_a_plain_name(world: Any, tmp_path: Path, keys: Path, person: str) -> None:
    with pytest.raises(KeyringError, match="not plain"):
        KeyringFolder(tmp_path / "ring").add(keys, world.fpr["s1"], person)


def test_a_folder_that_would_not_read_is_put_back(world: Any, tmp_path: Path, keys: Path) -> None:
    ring = tmp_path / "ring"
    folder = KeyringFolder(ring)
    folder.add(keys, world.fpr["s1"], "ada")
    text = (ring / "signers.toml").read_text()
    inline = text.replace("[person.ada]\n", "[person]\nada = { ").replace('"]\n', '"] }\n')
    (ring / "signers.toml").write_text(inline)
    with pytest.raises(KeyringError):
        folder.add(keys, world.fpr["s2"], "ada")
    assert (ring / "signers.toml").read_text() == inline
    assert not (ring / "keys" / f"{world.fpr['s2']}.asc").exists()


def test_list_and_show_name_person_fingerprint_and_kind(world: Any, tmp_path: Path, keys: Path) -> None:
    folder = KeyringFolder(tmp_path / "ring")
    folder.add(keys, world.fpr["s1"], "ada")
    folder.add(keys, world.fpr["s2"], "bob")
    assert {(e.person, e.algorithm, e.expires) for e in folder.list()} == {
        ("ada", "EdDSA", "never"),
        ("bob", "RSA 3072", "never"),
    }
    (one,) = folder.show("ada")
    assert folder.show(world.fpr["s1"]) == (one,)
    assert one.user_ids == ("Signer One <one@example.org>",)
    with pytest.raises(KeyringError, match="neither a person"):
        folder.show(world.fpr["s1"][-16:])


@pytest.mark.parametrize(
    "before",
    [
        "",
        "[person.bob]\nopenpgp = []\n",
        "[person.ada]\nopenpgp = []\n",
        '[person.ada]\nopenpgp = ["B"]\n[person.bob]\nopenpgp = ["C"]',
        '[person.ada]\nssh = ["a.pub"]\n\n# end\n',
        '[person.ada]\nopenpgp = [\n  "B",\n]\n',
    ],
)
def test_adding_changes_one_list_and_nothing_else(before: str) -> None:
    old, new = tomllib.loads(before), tomllib.loads(added(before, "ada", "A" * 40))
    mine = new["person"]["ada"].pop("openpgp")
    assert mine == ["A" * 40, *old.get("person", {}).get("ada", {}).pop("openpgp", [])]
    old.setdefault("person", {}).setdefault("ada", {})
    assert new == old
    assert tomllib.loads(added(before, "ada", "x.pub", "ssh"))["person"]["ada"]["ssh"][0] == "x.pub"


def test_ssh_and_minisign_keys_are_added_by_their_full_fingerprint_only(others: OtherKeys, tmp_path: Path) -> None:
    folder = KeyringFolder(tmp_path / "ring")
    ssh_file = others.ssh_file("s1").with_suffix(".ssh.pub")
    mini_file = others.minisign_file("s1").with_suffix(".minisign.pub")
    ssh, mini = others.ssh("s1"), others.minisign("s1")
    for file, wrong in (
        (ssh_file, ssh.fingerprint[:20]),
        (ssh_file, others.ssh("s2").fingerprint),
        (ssh_file, mini.fingerprint),
        (mini_file, others.minisign("s2").text),
        (mini_file, mini.key_id[::-1].hex().upper()),
        (mini_file, ssh.fingerprint),
    ):
        with pytest.raises(KeyringError):
            folder.add(file, wrong, "ada")
    assert not (tmp_path / "ring" / "signers.toml").exists()
    assert folder.add(ssh_file, ssh.fingerprint, "ada").read_text() == f"{ssh.line} s1@example.org\n"
    folder.add(mini_file, mini.text, "ada")
    (person,) = load_policy(tmp_path / "ring").persons.values()
    assert person.fingerprints == (ssh.fingerprint, mini.fingerprint)
    for file, name in ((ssh_file, ssh.fingerprint), (mini_file, mini.fingerprint)):
        with pytest.raises(KeyringError, match="belongs to ada"):
            folder.add(file, name, "bob")
    assert [(e.person, e.fingerprint, e.algorithm) for e in folder.list()] == [
        ("ada", ssh.fingerprint, "ssh-ed25519"),
        ("ada", mini.fingerprint, "minisign Ed25519"),
    ]
    assert folder.show(ssh.fingerprint)[0].user_ids == ("s1@example.org",)


def test_a_raw_ed25519_key_is_added_to_a_person_who_has_another(others: OtherKeys, tmp_path: Path) -> None:
    folder, key = KeyringFolder(tmp_path / "ring"), Ed25519Key(bytes(range(32)))
    file, ssh = tmp_path / "key.pem", others.ssh("s1")
    file.write_bytes(key.pem)
    for name in (key.fingerprint, f"ed25519:{'0' * 64}", key.keyid):
        with pytest.raises(KeyringError):
            folder.add(file, name, "ada")
    folder.add(others.ssh_file("s1").with_suffix(".ssh.pub"), ssh.fingerprint, "ada")
    assert folder.add(file, key.fingerprint, "ada").name == f"ed25519-{key.keyid}.pem"
    assert load_policy(tmp_path / "ring").persons["ada"].ed25519 == (key,)
    assert folder.show(key.fingerprint)[0].algorithm == "raw Ed25519, of provenance"


def test_a_key_file_names_its_primary_keys(world: Any) -> None:
    assert fingerprints_in(world.cert("s1", "s2")) == (world.fpr["s1"], world.fpr["s2"])
