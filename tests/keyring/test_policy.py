"""signers.toml: each rule of policy, threshold and toml_lines."""

from __future__ import annotations

import hashlib
import re
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_keyring.ed25519_keys import Ed25519Key, parse_key_file
from sealwright_keyring.errors import PolicyError
from sealwright_keyring.policy import Policy, load_policy
from sealwright_keyring.threshold import count_persons
from sealwright_keyring.toml_lines import line_of
from sealwright_keyring.verdicts import Bad, Good, Weak
from support.other_keys import OtherKeys


def folder(world: Any, tmp_path: Path, text: str, *names: str) -> Path:
    (tmp_path / "keys").mkdir(exist_ok=True)
    for name in names or ("s1", "s2"):
        (tmp_path / "keys" / f"{name}.asc").write_bytes(world.gpg("--armor", "--export", world.fpr[name]))
    for name in ("s1", "s2", "outsider"):
        text = text.replace(f"<{name}>", world.fpr[name])
    (tmp_path / "signers.toml").write_text(text)
    return tmp_path


TWO = '[person.ada]\nopenpgp = ["<s1>"]\n\n[person.bob]\nopenpgp = ["<s2>"]\n'


def test_persons_and_their_keys_are_read(world: Any, tmp_path: Path) -> None:
    policy = load_policy(folder(world, tmp_path, TWO))
    assert set(policy.persons) == {"ada", "bob"}
    person = policy.person_of(world.fpr["s1"].lower())
    assert person is not None
    assert person.name == "ada"
    assert policy.person_of("0" * 40) is None


@pytest.mark.parametrize(
    ("text", "line", "because"),
    [
        ('[person.ada]\nopenpgp = ["DEADBEEF"]\n', 2, "not a full fingerprint"),
        ('[person.ada]\nopenpgp = ["0123456789ABCDEF"]\n', 2, "not a full fingerprint"),
        (TWO + 'colour = "red"\n', 6, "unknown key 'colour'"),
        (TWO + "[persons.eve]\n", 6, "unknown key 'persons'"),
        (TWO + 'openpgp = ["<s2>"]\n', 6, "not valid TOML"),
        (TWO + '[person.eve]\nopenpgp = ["<s1>"]\n', 7, "belongs to ada already"),
        ('[person.ada]\nopenpgp = "<s1>"\n', 2, "list of texts"),
        ("[person.ada]\nopenpgp = [1]\n", 2, "list of texts"),
        ('[person.ada]\nopenpgp = ["<s1>", "<s1>"]\n', 2, "twice"),
        ('[person.ada]\nopenpgp = ["<outsider>"]\n', 2, "no file of keys/ holds"),
        ('[person.ada]\nssh = ["ada.pub"]\n', 2, "keys/ has no file"),
        ('[person.ada]\nssh = ["../ada.pub"]\n', 2, "keys/ has no file"),
        ("[person.ada]\n", 1, "has no key"),
        ('[person.ada]\nopenpgp = ["<s1>"]\nnot_after = "2026-01-01"\n', 3, "must be a date"),
        ('[person.ada]\nopenpgp = ["<s1>"]\nnot_after = 2026-01-01T00:00:00Z\n', 3, "must be a date"),
        ('[person.ada]\nopenpgp = ["<s1>"]\nrotate_by = 2026\n', 3, "must be a date"),
        ("", 1, "names no person"),
        ('[person."a b"]\nopenpgp = ["<s1>"]\n', 1, "no plain name"),
    ],
)
def test_what_is_not_known_is_refused_with_its_line(
    world: Any, tmp_path: Path, text: str, line: int, because: str
) -> None:
    with pytest.raises(PolicyError, match=re.escape(because)) as refused:
        load_policy(folder(world, tmp_path, text))
    assert refused.value.line == line
    assert refused.value.next_step


def others_folder(others: OtherKeys, tmp_path: Path, text: str) -> Path:
    (tmp_path / "keys").mkdir(exist_ok=True)
    for name in ("s1", "s2"):
        (tmp_path / "keys" / f"{name}.ssh.pub").write_text(f"{others.ssh(name).line} {name}\n")
        public = others.minisign_file(name).with_suffix(".minisign.pub")
        (tmp_path / "keys" / f"{name}.mini.pub").write_bytes(public.read_bytes())
    (tmp_path / "signers.toml").write_text(text)
    return tmp_path


def test_keys_of_other_kinds_are_read_and_named_by_their_digests(others: OtherKeys, tmp_path: Path) -> None:
    text = '[person.ada]\nssh = ["s1.ssh.pub"]\nminisign = ["s1.mini.pub", "s2.mini.pub"]\n'
    policy = load_policy(others_folder(others, tmp_path, text))
    assert policy.persons["ada"].ssh == (others.ssh("s1").__class__("ssh-ed25519", others.ssh("s1").blob, "s1"),)
    assert [key.public for key in policy.persons["ada"].minisign] == [
        others.minisign("s1").public,
        others.minisign("s2").public,
    ]
    for name in (others.ssh("s1").fingerprint, others.minisign("s2").fingerprint):
        assert policy.person_of(name) is policy.persons["ada"]
    assert policy.person_of(others.ssh("s2").fingerprint) is None


@pytest.mark.parametrize(
    ("content", "because"),
    [
        ("", "not one line"),
        ("<ssh>\n<ssh>\n", "not one line"),
        ('cert-authority,principals="*" <ssh>\n', "not one line"),
        ("* <ssh>\n", "not one line"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA\n", "cut short"),
        ("untrusted comment: x\nRWxx\n", "not one line"),
        ("<small>\n", "1024 bits"),
        ("ssh-rsa <body>\n", "says ssh-rsa and holds"),
    ],
)
@pytest.mark.parametrize("kind", ["ssh", "minisign"])
def test_a_pub_file_holds_one_key_of_its_kind_and_nothing_else(
    others: OtherKeys, tmp_path: Path, content: str, because: str, kind: str
) -> None:
    place = others_folder(others, tmp_path, f'[person.ada]\n{kind} = ["odd.pub"]\n')
    line, small = (
        others.ssh("s1").line,
        others.ssh_file("small", "rsa", "1024").with_suffix(".ssh.pub").read_text(),
    )
    content = content.replace("<ssh>", line).replace("<body>", line.split()[1]).replace("<small>\n", small)
    (place / "keys" / "odd.pub").write_text(content)
    with pytest.raises(PolicyError, match=because if kind == "ssh" else "no minisign key") as refused:
        load_policy(place)
    assert (refused.value.file, refused.value.line) == (place / "keys" / "odd.pub", 1)
    assert refused.value.next_step


@pytest.mark.parametrize("key", ['ssh = ["s1.ssh.pub"]', 'minisign = ["s1.mini.pub"]'])
def test_a_key_of_any_kind_belongs_to_one_person(others: OtherKeys, tmp_path: Path, key: str) -> None:
    text = f'[person.ada]\nssh = ["s1.ssh.pub"]\nminisign = ["s1.mini.pub"]\n[person.bob]\n{key}\n'
    with pytest.raises(PolicyError, match="belongs to ada already") as refused:
        load_policy(others_folder(others, tmp_path, text))
    assert refused.value.line == 5
    twice = '[person.ada]\nssh = ["s1.ssh.pub", "again.pub"]\n'
    (tmp_path / "keys" / "again.pub").write_text(f"{others.ssh('s1').line} another comment\n")
    with pytest.raises(PolicyError, match="belongs to ada already"):
        load_policy(others_folder(others, tmp_path, twice))


def test_a_key_file_that_is_a_link_or_junk_is_refused(world: Any, tmp_path: Path) -> None:
    place = folder(world, tmp_path, TWO)
    (place / "keys" / "junk.asc").write_text("<html>404</html>")
    with pytest.raises(PolicyError, match="no armor block"):
        load_policy(place)
    (place / "keys" / "junk.asc").unlink()
    (place / "keys" / "link.asc").symlink_to("s1.asc")
    with pytest.raises(PolicyError):
        load_policy(place)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"signers\.toml"):
        load_policy(tmp_path)


def test_the_hash_changes_with_any_key_file(world: Any, tmp_path: Path) -> None:
    place = folder(world, tmp_path, TWO)
    before = load_policy(place).sha256
    assert load_policy(place).sha256 == before
    (place / "keys" / "more.asc").write_bytes(world.gpg("--armor", "--export", world.fpr["outsider"]))
    assert load_policy(place).sha256 != before


SCOPED = TWO.replace(
    '["<s1>"]\n', '["<s1>"]\ncomponents = ["xen"]\nnot_before = 2026-01-02\nnot_after = 2026-01-31\n'
)


def test_a_person_vouches_only_for_own_components_and_in_own_time(world: Any, tmp_path: Path) -> None:
    policy = load_policy(folder(world, tmp_path, SCOPED))

    def who(component: str | None, day: date) -> set[str]:
        return {person.name for person in policy.persons_for(component, ["ada", "bob"], day)}

    assert who("xen", date(2026, 1, 2)) == who("xen", date(2026, 1, 31)) == {"ada", "bob"}
    assert who("xen", date(2026, 1, 1)) == who("xen", date(2026, 2, 1)) == {"bob"}
    assert who("grub", date(2026, 1, 15)) == who(None, date(2026, 1, 15)) == {"bob"}
    with pytest.raises(PolicyError, match="no person is called"):
        policy.persons_for("xen", ["eve"])


def test_a_person_may_have_a_day_by_which_the_key_is_to_be_replaced(world: Any, tmp_path: Path) -> None:
    text = TWO.replace('["<s1>"]\n', '["<s1>"]\nrotate_by = 2026-01-31\n')
    persons = load_policy(folder(world, tmp_path, text)).persons
    assert (persons["ada"].rotate_by, persons["bob"].rotate_by) == (date(2026, 1, 31), None)


def good(policy: Policy, name: str, when: datetime, index: int = 0) -> Good:
    return Good(policy.persons[name].openpgp[index], when, "SHA256", "EdDSA")


def test_persons_are_counted_and_not_keys_or_signatures(world: Any, tmp_path: Path) -> None:
    text = TWO.replace('["<s1>"]', '["<s1>", "<outsider>"]')
    policy = load_policy(folder(world, tmp_path, text, "s1", "s2", "outsider"))
    when = datetime(2026, 1, 15, tzinfo=UTC)
    ada = [good(policy, "ada", when), good(policy, "ada", when), good(policy, "ada", when, 1)]
    assert count_persons(ada, policy.persons.values()) == {"ada"}
    assert count_persons([*ada, good(policy, "bob", when)], policy.persons.values()) == {"ada", "bob"}
    assert count_persons(ada, [policy.persons["bob"]]) == frozenset()


RAW = Ed25519Key(bytes(range(32)))


def raw_folder(world: Any, tmp_path: Path, pem: bytes, text: str) -> Path:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "raw.pem").write_bytes(pem)
    return folder(world, tmp_path, text)


def test_a_raw_ed25519_key_is_read_hashed_and_named_by_its_digest(world: Any, tmp_path: Path) -> None:
    text = TWO.replace("[person.bob]", 'ed25519 = ["raw.pem"]\n[person.bob]')
    policy = load_policy(raw_folder(world, tmp_path, RAW.pem, text))
    assert policy.persons["ada"].ed25519 == (RAW,) and policy.person_of(RAW.fingerprint) is policy.persons["ada"]
    assert policy.files["keys/raw.pem"] == RAW.pem and RAW.pem not in policy.certificates
    (tmp_path / "keys" / "raw.pem").write_bytes(Ed25519Key(bytes(32)).pem)
    assert load_policy(tmp_path).sha256 != policy.sha256


def test_a_raw_ed25519_key_alone_makes_nobody_a_signer(world: Any, tmp_path: Path) -> None:
    text = f'{TWO}[person.eve]\ned25519 = ["raw.pem"]\n'
    with pytest.raises(PolicyError, match="eve has no key"):
        load_policy(raw_folder(world, tmp_path, RAW.pem, text))


def test_a_raw_ed25519_key_belongs_to_one_person(world: Any, tmp_path: Path) -> None:
    text = TWO.replace("[person.bob]", 'ed25519 = ["raw.pem"]\n[person.bob]') + 'ed25519 = ["raw.pem"]\n'
    with pytest.raises(PolicyError, match="belongs to ada already") as refused:
        load_policy(raw_folder(world, tmp_path, RAW.pem, text))
    assert refused.value.line == 7


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        RAW.pem + b"\n",
        RAW.pem.rstrip(b"\n"),
        RAW.pem.replace(b"\n", b"\r\n"),
        b"a comment\n" + RAW.pem,
        RAW.pem * 2,
        RAW.pem.replace(b"PUBLIC", b"PRIVATE"),
        RAW.pem.replace(b"MCow", b"MCox"),
        RAW.pem.replace(b"Hh8=", b"Hh9="),
    ],
)
def test_a_raw_ed25519_key_has_one_form(world: Any, tmp_path: Path, pem: bytes) -> None:
    text = TWO.replace("[person.bob]", 'ed25519 = ["raw.pem"]\n[person.bob]')
    with pytest.raises(PolicyError, match=r"raw\.pem|no Ed25519 public key"):
        load_policy(raw_folder(world, tmp_path, pem, text))


def test_a_raw_ed25519_key_is_a_pem_file_as_openssl_writes_it(tmp_path: Path) -> None:
    words = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(tmp_path / "key.pem")]
    subprocess.run(words, check=True, capture_output=True)
    words = ["openssl", "pkey", "-in", str(tmp_path / "key.pem"), "-pubout"]
    pem = subprocess.run(words, check=True, capture_output=True).stdout
    assert parse_key_file(pem).pem == pem
    der = subprocess.run([*words, "-outform", "DER"], check=True, capture_output=True).stdout
    assert parse_key_file(pem).keyid == hashlib.sha256(der).hexdigest()


def test_a_person_with_keys_of_several_kinds_counts_once(others: OtherKeys) -> None:
    ada, bob = others.person("ada", "ssh", "minisign"), others.person("bob", "minisign")
    when = datetime(2026, 1, 15, tzinfo=UTC)
    both = [Good(name, when, "x", "y") for name in ada.fingerprints]
    assert len(both) == 2 and count_persons(both, [ada, bob]) == {"ada"}
    assert count_persons([*both, Good(bob.fingerprints[0], when, "x", "y")], [ada, bob]) == {"ada", "bob"}


def test_strangers_bad_signatures_and_other_times_count_nothing(world: Any, tmp_path: Path) -> None:
    policy = load_policy(folder(world, tmp_path, SCOPED))
    outside, inside = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 1, 15, tzinfo=UTC)
    stranger = Good("0" * 40, inside, "SHA256", "EdDSA")
    bad = Bad("signature-bad", "no", "no")
    assert count_persons([stranger, bad, good(policy, "ada", outside)], policy.persons.values()) == frozenset()
    weak = Weak("text-mode", "x", policy.persons["ada"].openpgp[0], inside, "x")
    assert count_persons([weak], [policy.persons["ada"]]) == {"ada"}


TOML = """# a comment
[release]
name = "x"

[[component]]
name = "a"
[[component.file]]
url = "1"
[[component.file]]
url = "2"
[component.build]
commands = ['''
url = "inside a text"
''']
[[component]]
name = "b"
"quoted key" = 1
a.b = 2
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("release",), 2),
        (("release", "name"), 3),
        (("release", "missing"), 2),
        (("component", 0, "name"), 6),
        (("component", 0, "file", 1, "url"), 10),
        (("component", 0, "build", "commands", 0), 12),
        (("component", 1), 15),
        (("component", 1, "name"), 16),
        (("component", 1, "quoted key"), 17),
        (("component", 1, "a", "b"), 18),
        (("nowhere",), 1),
    ],
)
def test_the_line_of_a_key_is_found(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(TOML, path) == line


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=200), st.lists(st.text(max_size=5) | st.integers(0, 3), max_size=4))
def test_finding_a_line_never_fails(text: str, path: list[str | int]) -> None:
    assert line_of(text, path) >= 1
