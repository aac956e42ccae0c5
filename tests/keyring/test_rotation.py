"""Versions of a keyring: each rule of `rotation` and `versions`, and attacks of which none may be accepted; real keys."""

from __future__ import annotations

import base64
import functools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealwright_keyring.detached import Tools
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.gpg import Gpg
from sealwright_keyring.keyrings import Keyrings
from sealwright_keyring.policy import load_policy
from sealwright_keyring.rotation import Clock, follow, judge
from sealwright_keyring.versions import read_versions
from support.other_keys import OtherKeys
from support.rotating import Ring, beside
from verify.workbench import Keys

ONE = {"ada": ["ssh:ada"], "bob": ["gpg:bob", "ssh:bob2"], "cleo": ["mini:cleo"]}
TWO = {"ada": ["ssh:ada"], "cleo": ["mini:cleo"], "dora": ["ssh:dora"]}
THREE = {"cleo": ["mini:cleo"], "dora": ["ssh:dora"], "ed": ["gpg:ed"]}
BY_TWO = ("ssh:ada", "mini:cleo", "ssh:dora")
BY_THREE = ("mini:cleo", "ssh:dora", "gpg:ed")
TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    made = Keys(tmp_path_factory.mktemp("g") / "home")
    yield made
    subprocess.run(["gpgconf", "--homedir", str(made.home), "--kill", "all"], check=False)


@pytest.fixture(scope="module")
def tools() -> Iterator[Tools]:
    """Keyrings stay open over the module."""
    open_ones = Keyrings()
    yield Tools(lambda files, chosen: open_ones.of(files, chosen, Gpg()))
    open_ones.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, gpg: Keys, others: OtherKeys) -> Ring:
    """Three versions, each led to by signed steps. It is only copied."""
    ring = Ring(tmp_path_factory.mktemp("made") / "ring", gpg, others, {})
    ring.write(ONE, 1)
    ring.sign("ssh:ada", "gpg:bob")
    ring.keep(1)
    ring.write(TWO, 2)
    ring.sign(*BY_TWO)
    ring.keep(2)
    ring.write(THREE, 3)
    ring.sign(*BY_THREE)
    return ring


@pytest.fixture
def ring(made: Ring, tmp_path: Path) -> Ring:
    return made.copy(tmp_path / "ring")


@pytest.fixture
def lead(made: Ring, tools: Tools) -> Callable[..., int]:
    """The number of the version that a keyring leads to from a trusted version of the made one."""

    def led(ring: Ring, trusted: int = 1) -> int:
        own = made.folder if trusted == 3 else made.folder / "history" / str(trusted)
        version = follow(load_policy(own), ring.folder, tools).version
        assert version is not None
        return version.number

    return led


Lead = Callable[..., int]


def refused(lead: Lead, ring: Ring, trusted: int = 1) -> str:
    """Why the keyring does not lead on."""
    with pytest.raises(KeyringError) as refusal:
        lead(ring, trusted)
    assert refusal.value.what and refusal.value.next_step
    return f"{refusal.value.what}: {refusal.value.because}"


@pytest.mark.parametrize("trusted", [1, 2, 3])
def test_the_newest_that_signed_steps_lead_to_is_followed(ring: Ring, lead: Lead, trusted: int) -> None:
    assert lead(ring, trusted) == 3


def test_each_step_tells_who_signed_it_for_both_versions(ring: Ring, tools: Tools) -> None:
    one, two, three = judge(read_versions(ring.folder), tools)
    assert one.old is None and one.new.persons == ("ada", "bob")
    assert two.old is not None and (two.old.persons, two.new.persons) == (("ada", "cleo"), ("ada", "cleo", "dora"))
    assert three.old is not None and three.old.missing == ("ada",) and three.counts


def last(ring: Ring, *keys: str) -> None:
    ring.sign(*keys)


def second(ring: Ring, *keys: str) -> None:
    """Sign version 2 anew."""
    Ring(ring.folder / "history" / "2", ring.gpg, ring.others, ring.made).sign(*keys)


def replaced(ring: Ring) -> None:
    """Another version 2, well signed by its own."""
    other = Ring(ring.folder / "history" / "2", ring.gpg, ring.others, ring.made)
    other.write({"eve": ["ssh:eve"], "eva": ["mini:eva"]}, 2)
    other.sign("ssh:eve", "mini:eva")


def lowered(ring: Ring) -> None:
    """A threshold that is lowered by the one person whom it then takes."""
    ring.write(THREE, 3, threshold=1)
    ring.sign("ssh:dora")


def lowered_before(ring: Ring) -> None:
    """The same one version earlier, with the next one signed as the lowered one says."""
    other = Ring(ring.folder / "history" / "2", ring.gpg, ring.others, ring.made)
    other.write(TWO, 2, threshold=1)
    other.sign("ssh:ada")
    ring.write(THREE, 3)
    ring.sign("ssh:dora", "mini:cleo")


def skipped(ring: Ring) -> None:
    shutil.rmtree(ring.folder / "history" / "2")


def jumped(ring: Ring) -> None:
    """Version 3 right after 1, in the place of 2."""
    ring.write(TWO, 3)
    ring.sign(*BY_TWO)
    shutil.rmtree(ring.folder / "history" / "2")
    ring.keep(2)
    ring.write(THREE, 3)
    ring.sign(*BY_THREE)


def struck(ring: Ring) -> None:
    text = (ring.folder / "signers.toml").read_text()
    (ring.folder / "signers.toml").write_text(text[text.index("[person") :])
    ring.sign(*BY_THREE)


def put(name: str, data: bytes = b"x") -> Callable[[Ring], None]:
    def do(ring: Ring) -> None:
        (ring.folder / name).parent.mkdir(exist_ok=True)
        (ring.folder / name).write_bytes(data)

    return do


def link(name: str) -> Callable[[Ring], None]:
    """The thing itself, but reached through a link."""

    def do(ring: Ring) -> None:
        path, away = ring.folder / name, ring.folder.with_name("away")
        path.rename(away)
        path.symlink_to(away)

    return do


def pipe(name: str) -> Callable[[Ring], None]:
    def do(ring: Ring) -> None:
        (ring.folder / name).unlink(missing_ok=True)
        os.mkfifo(ring.folder / name)

    return do


def flipped(name: str) -> Callable[[Ring], None]:
    def do(ring: Ring) -> None:
        data = bytearray((ring.folder / name).read_bytes())
        data[-20] ^= 1
        (ring.folder / name).write_bytes(bytes(data))

    return do


def written(version: object = 3, threshold: object = 2, more: str = "") -> Callable[[Ring], None]:
    def do(ring: Ring) -> None:
        ring.write(THREE, version, threshold=threshold, more=more)
        ring.sign(*BY_THREE)

    return do


def unsigned(ring: Ring) -> None:
    for path in ring.folder.glob("SHA256SUMS*"):
        path.unlink()


def one_secret_for_two(ring: Ring) -> None:
    """cleo's minisign key and an SSH key of dora's with the same numbers."""
    mini = ring.others.minisign("cleo").public
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0 " + mini
    ring.write(THREE, 3)
    (ring.folder / "keys" / "dora-ssh.pub").write_bytes(b"ssh-ed25519 " + base64.b64encode(blob) + b"\n")
    ring.sign(*BY_THREE)


def two_names_for_one_key(ring: Ring) -> None:
    ring.write({**THREE, "dan": ["ssh:dora"]}, 3)
    ring.sign(*BY_THREE)


def twice_one_person(ring: Ring) -> None:
    """bob of version 1 signs version 2 with both of his keys, and nobody else of version 1 does."""
    second(ring, "gpg:bob", "ssh:bob2", "ssh:dora")


def other_purpose(ring: Ring) -> None:
    text = (ring.folder / "SHA256SUMS").read_bytes()
    (ring.folder / beside("ssh:dora")).write_bytes(ring.others.ssh_sign("dora", text, "git"))


def line_ends(ring: Ring) -> None:
    text = (ring.folder / "SHA256SUMS").read_bytes()
    (ring.folder / beside("gpg:ed")).write_bytes(ring.gpg.sign("ed", text, "--textmode"))


def back_in_time(ring: Ring) -> None:
    two = Ring(ring.folder / "history" / "2", ring.gpg, ring.others, ring.made)
    two.write(TWO, 2, since=date(2024, 5, 2))
    two.sign(*BY_TWO)
    ring.write(THREE, 3, since=date(2024, 5, 1))
    ring.sign(*BY_THREE)


def ahead_of_time(ring: Ring) -> None:
    ring.write(THREE, 3, since=TODAY + timedelta(days=3))
    ring.sign(*BY_THREE)


def ended(ring: Ring) -> None:
    """cleo, whose time is over for the whole of version 3, and who has no key that dates her signature."""
    ring.write(THREE, 3, since=date(2024, 5, 1), more="not_after = 2024-04-30\n", threshold=3)
    ring.sign(*BY_THREE)


ATTACKS: dict[str, tuple[Callable[[Ring], None], str]] = {
    "a version is skipped": (skipped, "version 2 is missing"),
    "a version is jumped over": (jumped, "says version 3, and lies in history/2"),
    "signed by the new only": (
        lambda r: second(r, "ssh:dora", "mini:cleo"),
        "as version 1 says; cleo did, missing: ada",
    ),
    "signed by the old only": (
        lambda r: second(r, "ssh:ada", "gpg:bob"),
        "as version 2 says; ada did, missing: cleo",
    ),
    "signed by the newest's own": (
        lambda r: last(r, "gpg:ed", "ssh:dora"),
        "version 3 of the keyring: 2 of ada, cleo, dora",
    ),
    "signed by nobody": (last, "nobody did"),
    "a stranger signed too": (lambda r: last(r, *BY_THREE, "ssh:eve"), "none of the chosen keys"),
    "one person with two keys": (twice_one_person, "as version 1 says; bob did"),
    "two persons with one key": (two_names_for_one_key, "belongs to dora already"),
    "two persons with one secret": (one_secret_for_two, "a key of the same numbers"),
    "a step is replaced": (replaced, "version 2 of the keyring"),
    "the threshold is lowered and used": (lowered, "2 of ada, cleo, dora must sign it, as version 2"),
    "it was lowered by one before": (lowered_before, "as version 1 says; ada did"),
    "the version is struck out": (struck, "says no version, and history/"),
    "version 0": (written(0), "no number from 1"),
    "version -1": (written(-1), "no number from 1"),
    "a huge version": (written(10**30), "no number from 1"),
    "version 1001": (written(1001), "no number from 1"),
    "a version that is true": (written("true"), "no number from 1"),
    "a version in quotes": (written('"3"'), "no number from 1"),
    "version 4 without 3": (written(4), "version 3 is missing"),
    "version 2 beside history/2": (written(2), "history/2 is another version 2"),
    "threshold 0": (written(threshold=0), "no number from 1 to 3"),
    "threshold 4 of 3": (written(threshold=4), "no number from 1 to 3"),
    "a signer for components only": (written(more='components = ["x"]\n'), "components only"),
    "an unsigned key file in a step": (put("history/2/keys/eve.pub"), "does not name keys/eve.pub"),
    "an unsigned key file in the newest": (put("keys/eve.pub"), "does not name keys/eve.pub"),
    "another file in a step's keys": (put("history/2/keys/README.md"), "no key file"),
    "another file in a step": (put("history/2/release.toml"), "belongs to no version"),
    "a file in the history": (put("history/note"), "no plain file or folder"),
    "a version that is to come": (put("history/4/signers.toml"), "it holds version 4, and the current one is 3"),
    "a name with a zero before it": (put("history/02/signers.toml"), "is no version"),
    "version 0 in the history": (put("history/0/signers.toml"), "is no version"),
    "a hidden folder": (put("history/.git/HEAD"), "is no version"),
    "the history is a link": (link("history"), "no folder"),
    "a step is a link": (link("history/2"), "no plain file or folder"),
    "a step's keys are a link": (link("history/2/keys"), "no folder"),
    "a key file is a link": (link("history/2/keys/dora-ssh.pub"), "no plain file"),
    "a signature is a link": (link("history/2/" + beside("ssh:ada")), "Too many levels"),
    "the list is a pipe": (pipe("history/2/SHA256SUMS"), "not a regular file"),
    "a signature is a pipe": (pipe("SHA256SUMS.more.sig"), "not a regular file"),
    "a key file is a pipe": (pipe("history/1/keys/more.pub"), "no plain file"),
    "a bit of a key in a step": (flipped("history/2/keys/dora-ssh.pub"), "history/2"),
    "a bit of a list": (flipped("history/2/SHA256SUMS"), "SHA256SUMS"),
    "a bit of a signature": (flipped(beside("ssh:dora")), "SHA256SUMS.dora.sig"),
    "an unsigned newest": (unsigned, "the list SHA256SUMS is missing"),
    "a signature of another purpose": (other_purpose, "another purpose"),
    "a weak signature": (line_ends, "any line ends"),
    "a version older than the one before": (back_in_time, "it is since 2024-05-01"),
    "a version of tomorrow": (ahead_of_time, "still to come"),
    "a person whose time is over": (ended, "version 3 says; dora, ed did, missing: cleo"),
    "junk for a signature": (put("SHA256SUMS.more.sig", b"junk"), "breaks the rules"),
    "an endless key file": (put("history/1/keys/more.asc", bytes(65 << 20)), "at most"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_attack_on_the_chain_is_accepted(ring: Ring, lead: Lead, attack: str) -> None:
    change, because = ATTACKS[attack]
    change(ring)
    assert because in refused(lead, ring)


def test_it_never_goes_back(made: Ring, lead: Lead, tmp_path: Path) -> None:
    older = made.copy(tmp_path / "older")
    shutil.rmtree(older.folder / "keys")
    for name in ("signers.toml", "keys", "SHA256SUMS", *(path.name for path in older.folder.glob("SHA256SUMS.*"))):
        if (older.folder / name).exists():
            (older.folder / name).unlink()
    for path in (older.folder / "history" / "2").iterdir():
        path.rename(older.folder / path.name)
    (older.folder / "history" / "2").rmdir()
    assert lead(older, 1) == 2 and lead(older, 2) == 2
    assert "goes back: it is version 2, and version 3 is trusted" in refused(lead, older, 3)


def test_it_never_forks(ring: Ring, lead: Lead) -> None:
    """Everything of it is well signed, by the same persons; it is another version 2 all the same."""
    two = Ring(ring.folder / "history" / "2", ring.gpg, ring.others, ring.made)
    two.write(TWO, 2, threshold=1)
    two.sign(*BY_TWO)
    assert lead(ring, 1) == 3
    assert "its version 2 is another than the version 2 that is trusted" in refused(lead, ring, 2)
    ring.write(THREE, 3, threshold=1)
    ring.sign(*BY_THREE)
    assert "its version 3 is another" in refused(lead, ring, 3)


def test_the_history_of_another_keyring_leads_nowhere(ring: Ring, lead: Lead, made: Ring, tmp_path: Path) -> None:
    other = Ring(tmp_path / "other", made.gpg, made.others, made.made)
    theirs = {"eve": ["ssh:eve"], "eva": ["mini:eva"]}
    for number in (1, 2):
        other.write(theirs, number)
        other.sign("ssh:eve", "mini:eva")
        other.keep(number)
    other.write(theirs, 3)
    other.sign("ssh:eve", "mini:eva")
    assert "its version 1 is another" in refused(lead, other)
    shutil.rmtree(ring.folder / "history")
    shutil.copytree(other.folder / "history", ring.folder / "history")
    assert "its version 1 is another" in refused(lead, ring)


def test_a_keyring_without_a_version_is_led_nowhere(ring: Ring, lead: Lead, tools: Tools, tmp_path: Path) -> None:
    plain = ring.copy(tmp_path / "plain")
    shutil.rmtree(plain.folder / "history")
    struck(plain)
    with pytest.raises(KeyringError, match="trusted says no version"):
        follow(load_policy(plain.folder), ring.folder, tools)
    assert "it says no version" in refused(lead, plain)
    assert read_versions(plain.folder) == ()


def test_a_key_that_is_replaced_signs_once_more_for_the_old_version(ring: Ring, lead: Lead) -> None:
    ring.write({"cleo": ["ssh:cleo-new"], "dora": ["ssh:dora"]}, 3)
    ring.sign("mini:cleo", "ssh:cleo-new", "ssh:dora")
    assert lead(ring) == 3
    ring.sign("ssh:cleo-new", "ssh:dora")
    assert "as version 2 says; dora did" in refused(lead, ring)


def test_a_step_outlives_the_time_of_those_who_made_it(ring: Ring, lead: Lead) -> None:
    """dora's time of version 2 is over since; her signature has no time, and the version says since when it is."""
    two = Ring(ring.folder / "history" / "2", ring.gpg, ring.others, ring.made)
    long_ago = date(2024, 5, 1)
    persons = {"dora": TWO["dora"], "ada": TWO["ada"], "cleo": TWO["cleo"]}
    two.write(persons, 2, since=long_ago, more="not_after = 2024-12-31\n", threshold=3)
    two.sign(*BY_TWO)
    ring.write(THREE, 3, since=long_ago)
    ring.sign(*BY_TWO, "gpg:ed")
    assert lead(ring) == 3
    two.write(persons, 2, more="not_after = 2024-12-31\n", threshold=3)
    two.sign(*BY_TWO)
    assert "as version 2 says; ada, cleo did, missing: dora" in refused(lead, ring)


def test_a_key_that_expired_since_undoes_no_step_but_the_newest_of_a_run(ring: Ring, tools: Tools) -> None:
    past = (datetime.now(UTC) - timedelta(days=400)).strftime("%Y%m%dT%H%M%S")
    ring.gpg.fingerprint("old", "30d", options=("--faked-system-time", past))  # type: ignore[call-arg]
    ring.write({**THREE, "ed": ["gpg:old"]}, 3)
    ring.sign("mini:cleo", "ssh:dora")
    text = (ring.folder / "SHA256SUMS").read_bytes()
    (ring.folder / beside("gpg:old")).write_bytes(ring.gpg.sign("old", text, "--faked-system-time", past))
    assert all(step.counts for step in judge(read_versions(ring.folder), tools))
    *before, newest = judge(read_versions(ring.folder), tools, Clock(fresh=True))
    assert all(step.counts for step in before) and "expired since" in newest.trouble


def test_a_key_that_the_asking_version_holds_as_revoked_counts_nothing_for_it(ring: Ring, lead: Lead) -> None:
    """bob's key signs version 2 for version 1, which has it whole; version 2 knows that it was revoked."""
    two = Ring(ring.folder / "history" / "2", ring.gpg, ring.others, ring.made)
    persons = {**TWO, "bob": ["gpg:bob"]}
    two.write(persons, 2, signers=["bob", "ada"])
    two.sign("ssh:ada", "gpg:bob")
    ring.write(THREE, 3)
    ring.sign(*BY_THREE, "ssh:ada", "gpg:bob")
    assert lead(ring) == 3
    two.write(persons, 2, signers=["bob", "ada"])
    whole = (two.folder / "keys" / "bob.asc").read_bytes()
    (two.folder / "keys" / "bob.asc").write_bytes(revoked(ring, whole))
    two.sign("ssh:ada", "gpg:bob")
    assert "as version 2 says; ada did, missing: bob" in refused(lead, ring)


@functools.cache
def revoked(ring: Ring, certificate: bytes) -> bytes:
    """A certificate with its owner's revocation in it; the key at home stays good."""
    home = ring.folder.with_name("revoking")
    home.mkdir(mode=0o700)
    words = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    name = ring.gpg.fingerprint("bob")
    source = Path(getattr(ring.gpg, "home")) / "openpgp-revocs.d" / f"{name}.rev"  # noqa: B009
    text = source.read_text().replace(":-----BEGIN", "-----BEGIN")
    for data in (certificate, text.encode()):
        subprocess.run([*words, "--import"], input=data, check=True, capture_output=True)
    done = subprocess.run([*words, "--armor", "--export", name], check=True, capture_output=True)
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)
    return done.stdout


OUTCOMES: list[bool] = []
NAMES = ("a", "b", "c")
SOME = st.sets(st.sampled_from(NAMES))
VERSION = st.tuples(st.sets(st.sampled_from(NAMES), min_size=1), st.integers(1, 3), st.one_of(st.none(), SOME))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.lists(VERSION, min_size=2, max_size=3))
def test_what_is_followed_is_what_was_signed_by_enough_of_both(
    made: Ring,
    tools: Tools,
    tmp_path_factory: pytest.TempPathFactory,
    versions: list[tuple[set[str], int, set[str] | None]],
) -> None:
    """Against a model: each version has signers, a threshold, and those who signed it (None: all of both); a
    stranger's signature is red."""
    ring = Ring(tmp_path_factory.mktemp("p") / "ring", made.gpg, made.others, made.made)
    before: tuple[set[str], int] | None = None
    good = True
    for number, (signers, wanted, chosen) in enumerate(versions, 1):
        by = chosen if chosen is not None else signers | (before[0] if before else set())
        threshold = min(wanted, len(signers))
        ring.write({name: [f"ssh:{name}"] for name in sorted(signers)}, number, threshold=threshold)
        ring.sign(*(f"ssh:{name}" for name in sorted(by)))
        if before is not None:  # the first is trusted as it is
            old, least = before
            good &= len(by & old) >= least and len(by & signers) >= threshold and by <= old | signers
        before = signers, threshold
        if number < len(versions):
            ring.keep(number)
    trusted = load_policy(ring.folder / "history" / "1")
    OUTCOMES.append(good)
    if good:
        assert follow(trusted, ring.folder, tools).sha256 == load_policy(ring.folder).sha256
    else:
        with pytest.raises(KeyringError):
            follow(trusted, ring.folder, tools)


def test_the_model_saw_both_ends() -> None:
    if not OUTCOMES:
        pytest.skip("the property was tested by another worker")
    assert 5 < sum(OUTCOMES) < len(OUTCOMES) - 5
