"""The DSSE envelope: one form, which securesystemslib reads; its raw signature; and what an audit says of both."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import GPGSigner, Key, SSlibKey

from audit.forge import Forger
from sealwright_keyring.ed25519_keys import Ed25519Key
from sealwright_keyring.packets import detached_signatures
from sealwright_stages.audit import Reviewer, audit
from sealwright_stages.sign.dsse import Raw, envelope, opened, pae, raw_by, read
from support.small_release import Key as Throwaway
from verify.workbench import Keys

PAYLOAD = b'{"a":1}'
NAME = "provenance.manager-a.dsse.json"
RAW = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
KEY = Ed25519Key(RAW.public_key().public_bytes_raw())


@dataclass(frozen=True)
class Signed:
    """A key of some algorithm, and how it signs."""

    home: Path
    fingerprint: str
    sign: Callable[..., bytes]


@pytest.fixture(scope="module", params=["ed25519", "rsa2048"])
def signed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    keys = Keys(tmp_path_factory.mktemp("k") / "home")
    found = Signed(keys.home, keys.fingerprint("ada", algorithm=request.param), lambda *a: keys.sign("ada", *a))
    yield found
    subprocess.run(["gpgconf", "--homedir", str(keys.home), "--kill", "all"], check=False)


def theirs(data: bytes, keys: list[Key], threshold: int) -> None:
    """What securesystemslib says: nothing, or an error."""
    Envelope.from_dict(json.loads(data)).verify(keys, threshold)


def public(signed: Signed) -> Key:
    return GPGSigner.import_(signed.fingerprint.lower(), str(signed.home))[1]


def test_securesystemslib_verifies_both_signatures_and_the_packet_comes_back(signed: Signed) -> None:
    packet = signed.sign(pae(PAYLOAD), "--digest-algo", "SHA256")
    data = envelope(PAYLOAD, packet, raw_by([KEY], RAW.sign(pae(PAYLOAD)), PAYLOAD))
    raw = SSlibKey.from_crypto(RAW.public_key(), keyid=KEY.keyid)
    theirs(data, [public(signed), raw], 2)
    other = envelope(PAYLOAD + b" ", packet, Raw(KEY.keyid, RAW.sign(pae(PAYLOAD))))
    for key in (public(signed), raw):
        with pytest.raises(VerificationError):
            theirs(other, [key], 1)
    payload, signature, found = read(data)
    assert (payload, found) == (PAYLOAD, Raw(KEY.keyid, RAW.sign(pae(PAYLOAD))))
    (ours,), (again,) = detached_signatures(packet), detached_signatures(signature)
    assert ours.raw[-60:] == again.raw[-60:] and again.issuers == (signed.fingerprint,)


def test_a_signature_that_securesystemslib_does_not_know_stands_whole(signed: Signed) -> None:
    packet = signed.sign(pae(PAYLOAD), "--digest-algo", "SHA512")
    data = envelope(PAYLOAD, packet)
    (entry,) = json.loads(data)["signatures"]
    assert set(entry) == {"keyid", "sig"} and entry["keyid"] == signed.fingerprint.lower()
    assert opened(data) == (PAYLOAD, detached_signatures(packet)[0].raw)


def test_numbers_that_begin_with_zeros_come_back(signed: Signed) -> None:
    """OpenPGP leaves zeros out, and securesystemslib wants them back."""
    hashed = bytes([5, 2]) + bytes(4) + bytes([22, 33, 4]) + bytes(20)
    body = bytes([4, 0, 22, 8]) + len(hashed).to_bytes(2, "big") + hashed + bytes(4)
    body += (9).to_bytes(2, "big") + b"\x01\x02" + (248).to_bytes(2, "big") + b"\xff" * 31
    data = envelope(PAYLOAD, b"\xc2" + bytes([len(body)]) + body)
    (entry,) = json.loads(data)["signatures"]
    assert base64.b64decode(entry["sig"]) == bytes(30) + b"\x01\x02" + b"\0" + b"\xff" * 31
    assert opened(data)[1].endswith(body[-37:])


def changed(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    body = json.loads(data)
    change(body)
    return json.dumps(body, sort_keys=True, indent=1).encode() + b"\n"


FORMS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another type": lambda b: b.update(payloadType="text/plain"),
    "one more field": lambda b: b.update(more=1),
    "a field in a signature": lambda b: b["signatures"][1].update(cert="x"),
    "no signature": lambda b: b.update(signatures=[]),
    "the raw one alone": lambda b: b["signatures"].pop(),
    "the other order": lambda b: b["signatures"].reverse(),
    "one twice": lambda b: b["signatures"].append(b["signatures"][1]),
    "the raw one twice": lambda b: b["signatures"].insert(0, b["signatures"][0]),
    "upper case": lambda b: b["signatures"][1].update(keyid=b["signatures"][1]["keyid"].upper()),
    "upper case raw": lambda b: b["signatures"][0].update(keyid=b["signatures"][0]["keyid"].upper()),
    "another key": lambda b: b["signatures"][1].update(keyid="0" * 40),
    "upper case headers": lambda b: b["signatures"][1].update(other_headers=b["signatures"][1]["other_headers"].upper()),
    "other headers": lambda b: b["signatures"][1].update(other_headers="04"),
    "a short signature": lambda b: b["signatures"][0].update(sig="AAAA"),
    "url base64": lambda b: b["signatures"][1].update(sig=b["signatures"][1]["sig"].replace("+", "-").replace("/", "_") + " "),
    "a number": lambda b: b["signatures"][1].update(sig=7),
    "a list": lambda b: b.update(signatures=[["keyid", "sig"]]),
    "no list": lambda b: b.update(signatures="x"),
    "no payload": lambda b: b.pop("payload"),
}  # fmt: skip


@pytest.mark.parametrize("change", FORMS.values(), ids=FORMS)
def test_an_envelope_has_one_form(signed: Signed, change: Callable[[dict[str, Any]], object]) -> None:
    packet = signed.sign(pae(PAYLOAD), "--digest-algo", "SHA256")
    data = envelope(PAYLOAD, packet, Raw(KEY.keyid, RAW.sign(pae(PAYLOAD))))
    assert changed(data, lambda body: None) == data and read(data)
    with pytest.raises(ValueError, match="envelope"):
        read(changed(data, change))


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_no_envelope_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match="envelope"):
        read(data)


@given(at=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bit_of_an_envelope_can_change_without_notice(signed: Signed, at: int, bit: int) -> None:
    data = bytearray(_made(signed))
    data[at % len(data)] ^= 1 << bit
    try:
        payload, signature, raw = read(bytes(data))
    except ValueError:
        return
    assert (payload, signature, raw) != read(_made(signed))


_MADE: dict[str, bytes] = {}


def _made(signed: Signed) -> bytes:
    if signed.fingerprint not in _MADE:
        packet = signed.sign(pae(PAYLOAD), "--digest-algo", "SHA256")
        _MADE[signed.fingerprint] = envelope(PAYLOAD, packet, Raw(KEY.keyid, RAW.sign(pae(PAYLOAD))))
    return _MADE[signed.fingerprint]


def test_a_raw_signature_by_another_key_is_refused_before_it_is_written() -> None:
    with pytest.raises(ValueError, match=r"no key that signers\.toml names"):
        raw_by([KEY], Ed25519PrivateKey.generate().sign(pae(PAYLOAD)), PAYLOAD)
    with pytest.raises(ValueError, match="no key"):
        raw_by([], RAW.sign(pae(PAYLOAD)), PAYLOAD)


# What an audit says


@pytest.fixture
def twice(forger: Forger) -> Path:
    """Evidence whose provenance has a raw signature too."""
    ring = forger.folder / "keyring"
    (ring / "keys" / "raw.pem").write_bytes(KEY.pem)
    text = (ring / "signers.toml").read_text()
    (ring / "signers.toml").write_text(
        text.replace("[person.manager-a]\n", '[person.manager-a]\ned25519 = ["raw.pem"]\n')
    )
    evidence = forger.evidence()
    payload, signature = opened((evidence / NAME).read_bytes())
    (evidence / NAME).write_bytes(envelope(payload, signature, Raw(KEY.keyid, RAW.sign(pae(payload)))))
    return evidence


def bad(forger: Forger, evidence: Path) -> list[str]:
    reviewer = Reviewer(forger.folder / "keyring", ("manager-a",))
    return [f"{f.rule}: {f.detail}" for f in audit(evidence, reviewer).findings if f.ok == "bad"]


def test_both_signatures_are_verified_and_told(forger: Forger, twice: Path) -> None:
    assert bad(forger, twice) == []
    found = [f.detail for f in audit(twice).findings if f.rule == "provenance-raw"]
    assert found == [f"{NAME}: Ed25519 signature by manager-a, too"]


@pytest.mark.parametrize("reviewed", [True, False], ids=["own-keyring", "folders-keys"])
@pytest.mark.parametrize("how", ["over something else", "by a stranger", "in another's name"])
def test_a_bad_raw_signature_beside_a_good_one_is_a_no(
    forger: Forger, twice: Path, how: str, reviewed: bool
) -> None:
    payload, signature = opened((twice / NAME).read_bytes())
    other = Ed25519PrivateKey.generate()
    raw = {
        "over something else": Raw(KEY.keyid, RAW.sign(payload)),
        "by a stranger": Raw(Ed25519Key(other.public_key().public_bytes_raw()).keyid, other.sign(pae(payload))),
        "in another's name": Raw(KEY.keyid, other.sign(pae(payload))),
    }[how]
    (twice / NAME).write_bytes(envelope(payload, signature, raw))
    reviewer = Reviewer(forger.folder / "keyring", ("manager-a",)) if reviewed else Reviewer()
    (told,) = (f for f in audit(twice, reviewer).findings if f.ok == "bad")
    assert told.rule == "provenance-raw"


def test_a_reviewer_without_the_raw_key_goes_by_the_folders(forger: Forger, twice: Path) -> None:
    signers = forger.folder / "keyring" / "signers.toml"
    signers.write_text(signers.read_text().replace('ed25519 = ["raw.pem"]\n', ""))
    assert bad(forger, twice) == []


def test_a_reviewers_own_raw_key_is_the_one_that_counts(forger: Forger, twice: Path) -> None:
    other = Ed25519Key(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    (forger.folder / "keyring" / "keys" / "raw.pem").write_bytes(other.pem)
    (told,) = bad(forger, twice)
    assert "is of nobody who signed it" in told


def test_a_raw_signature_counts_for_nobody(forger: Forger, twice: Path, keys: tuple[Throwaway, Throwaway]) -> None:
    payload, _ = opened((twice / NAME).read_bytes())
    forger.signers = keys[1:]
    raw = Raw(KEY.keyid, RAW.sign(pae(payload)))
    (twice / NAME).write_bytes(envelope(payload, forger.signed(pae(payload)), raw))
    assert bad(forger, twice) == ["provenance: none is signed by a person who counts"]
    (entry, _) = json.loads((twice / NAME).read_bytes())["signatures"]
    assert base64.b64decode(entry["sig"]) == raw.signature
