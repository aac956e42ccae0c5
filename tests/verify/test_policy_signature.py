"""The policy's own signature, as a release is read: each rule of policy_signature and policy_sums, with real keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealwright_keyring.policy import load_policy
from sealwright_keyring.policy_sums import sums_text
from sealwright_stages.errors import ManifestError
from sealwright_stages.policy_signature import PolicySignature
from sealwright_stages.reading import read_release
from support.other_keys import OtherKeys
from verify.workbench import Keys

TODAY = datetime.now(UTC).date()
BESIDE = {"openpgp": "asc", "ssh": "sig", "minisign": "minisig"}


class Release:
    """A release folder whose keyring has four persons: of each kind of key, and an outsider with an OpenPGP key."""

    def __init__(self, folder: Path, keys: Keys, others: OtherKeys) -> None:
        self.folder, self.keys, self.others = folder, keys, others
        self.ring = folder / "keyring"
        (self.ring / "keys").mkdir(parents=True)
        for name in ("s1", "outsider"):
            (self.ring / "keys" / f"{name}.asc").write_bytes(keys.certificate(name))
        ssh, mini = (
            others.ssh_file("s2").with_suffix(".ssh.pub"),
            others.minisign_file("s3").with_suffix(".minisign.pub"),
        )
        (self.ring / "keys" / "s2.pub").write_bytes(ssh.read_bytes())
        (self.ring / "keys" / "s3.pub").write_bytes(mini.read_bytes())
        self.persons()

    def persons(self, more: str = "") -> None:
        """Write signers.toml; `more` goes into the table of ada."""
        one, four = self.keys.fingerprint("s1"), self.keys.fingerprint("outsider")
        (self.ring / "signers.toml").write_text(
            f'[person.ada]\nopenpgp = ["{one}"]\n{more}\n[person.bob]\nssh = ["s2.pub"]\n'
            f'[person.cleo]\nminisign = ["s3.pub"]\n[person.dan]\nopenpgp = ["{four}"]\n'
        )

    def list(self) -> bytes:
        """Write the list over the keyring anew."""
        text = sums_text(self.ring, load_policy(self.ring).files)
        (self.ring / "SHA256SUMS").write_bytes(text)
        return text

    def sign(self, *kinds: str, by: str = "") -> None:
        """Make the list, and sign it by a person for each kind."""
        text = self.list()
        for kind in kinds:
            made = {
                "openpgp": lambda: self.keys.sign(by or "s1", text),
                "ssh": lambda: self.others.ssh_sign(by or "s2", text),
                "minisign": lambda: self.others.minisign_sign(by or "s3", text),
            }[kind]()
            (self.ring / f"SHA256SUMS.{BESIDE[kind]}").write_bytes(made)

    def read(
        self, policy: str = 'signers = ["ada", "bob", "cleo"]', signers: str = '"dan"'
    ) -> PolicySignature | None:
        """Read the release, with this `[policy]`."""
        table = f"[policy]\n{policy}\n" if policy else ""
        (self.folder / "release.toml").write_text(
            f'[release]\nname = "x"\nversion = "1"\nkeyring = "keyring"\nsigners = [{signers}]\n{table}'
            f'[[component]]\nname = "x"\n[[component.file]]\nurl = "https://example.org/x"\nsha256 = "{"0" * 64}"\n'
        )
        return read_release(self.folder / "release.toml")[2]

    def refused(self, policy: str = 'signers = ["ada", "bob", "cleo"]') -> str:
        """Why the release is refused."""
        with pytest.raises(ManifestError) as refusal:
            self.read(policy)
        assert refusal.value.what and refusal.value.next_step and refusal.value.exit_code == 2
        return refusal.value.because


@pytest.fixture
def release(tmp_path: Path, keys: Keys, others: OtherKeys) -> Release:
    return Release(tmp_path, keys, others)


@pytest.mark.parametrize(("kind", "person"), [("openpgp", "ada"), ("ssh", "bob"), ("minisign", "cleo")])
def test_a_signature_of_any_kind_by_a_named_person_is_enough(release: Release, kind: str, person: str) -> None:
    release.sign(kind)
    found = release.read()
    assert found is not None and found.persons == (person,)
    assert set(found.files) == {"SHA256SUMS", f"SHA256SUMS.{BESIDE[kind]}"}
    assert found.evidence["signatures"][0]["kind"] == kind  # type: ignore[index]


def test_persons_are_counted_over_all_kinds(release: Release) -> None:
    wanted = 'signers = ["ada", "bob", "cleo"]\nthreshold = 3'
    release.sign("openpgp", "ssh")
    assert "3 of 3 must sign" in release.refused(wanted)
    release.sign("openpgp", "ssh", "minisign")
    found = release.read(wanted)
    assert found is not None and found.persons == ("ada", "bob", "cleo")


def test_where_it_is_not_demanded_it_is_not_looked_at(release: Release) -> None:
    assert release.read("") is None
    (release.ring / "SHA256SUMS").write_text("junk")
    assert release.read("") is None


def test_what_is_missing_bad_or_incomplete_is_refused_before_anything_begins(release: Release) -> None:
    assert "No such file" in release.refused()
    release.list()
    assert "no signature lies beside it" in release.refused()
    release.sign("openpgp")
    release.read()
    text = (release.ring / "SHA256SUMS").read_bytes()
    (release.ring / "SHA256SUMS").write_bytes(text[: len(text) // 2])
    assert "no line of a list" in release.refused()
    (release.ring / "SHA256SUMS").write_bytes(b"".join(reversed(text.splitlines(keepends=True))))
    assert "does not belong to these bytes" in release.refused()
    release.sign("openpgp")
    (release.ring / "SHA256SUMS.sig").write_bytes(b"")
    assert "malformed" in release.refused() or "breaks the rules" in release.refused(), (
        "each one there must be good"
    )
    (release.ring / "SHA256SUMS.sig").unlink()
    (release.ring / "keys" / "more.asc").write_bytes(release.keys.certificate("late"))
    assert "does not name keys/more.asc" in release.refused()
    (release.ring / "keys" / "more.asc").unlink()
    (release.ring / "keys" / "s2.pub").write_text(f"{release.others.ssh('outsider').line}\n")
    assert "keys/s2.pub is not as it was" in release.refused()


def test_only_the_named_persons_count(release: Release) -> None:
    release.sign("openpgp", by="outsider")
    assert "none of the chosen keys" in release.refused()
    assert release.read('signers = ["dan"]').persons == ("dan",)  # type: ignore[union-attr]
    release.sign("ssh", by="outsider")
    assert "none of the chosen keys" in release.refused()


def test_a_signature_for_another_purpose_is_refused(release: Release) -> None:
    text = release.list()
    (release.ring / "SHA256SUMS.sig").write_bytes(release.others.ssh_sign("s2", text, "git"))
    assert "another purpose" in release.refused()


@pytest.mark.parametrize(
    "more",
    [f"not_after = {TODAY - timedelta(2)}", f"not_before = {TODAY + timedelta(2)}", 'components = ["x"]'],
)
def test_a_person_out_of_time_or_limited_to_components_does_not_count(release: Release, more: str) -> None:
    release.persons(more)
    release.sign("openpgp")
    assert "none of the chosen persons may vouch" in release.refused('signers = ["ada"]')
    assert "none of the chosen keys" in release.refused()


def test_a_weak_signature_is_refused_since_nothing_waives_it(release: Release) -> None:
    text = release.list()
    (release.ring / "SHA256SUMS.asc").write_bytes(release.keys.sign("s1", text, "--textmode"))
    assert "any line ends" in release.refused()


@pytest.mark.parametrize(
    ("policy", "because"),
    [
        ("", None),
        ("signers = []", "names no signers"),
        ("threshold = 1", "names no signers"),
        ('signers = ["eve"]', "is no person"),
        ('signers = ["ada"]\nthreshold = 2', "threshold = 2 of 1"),
        ('signers = ["ada"]\nthreshold = 0', "threshold = 0"),
        ('signers = ["ada"]\nkeys = []', "unknown key"),
        ('signers = ["ada", "ada"]', "twice"),
    ],
)
def test_the_table_is_read_strictly(release: Release, policy: str, because: str | None) -> None:
    release.sign("openpgp")
    if because is None:
        assert release.read(policy) is None
    else:
        assert because in release.refused(policy)


def test_whoever_signs_the_release_has_an_openpgp_key(release: Release) -> None:
    with pytest.raises(ManifestError, match="bob has no OpenPGP key") as refusal:
        release.read("", '"ada", "bob"')
    assert refusal.value.what.endswith("release.toml:5")
