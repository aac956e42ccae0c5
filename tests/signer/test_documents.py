"""What the signer does not parse it does not sign: SHA256SUMS, the log's, the provenance, and their agreement."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from support.proposals import DIGEST, PATH, Shown
from support.signing import Desk

SUMS = f"{DIGEST}  {PATH}\n".encode()


def refused(desk: Desk, request: dict[str, Any]) -> str:
    """Why a proposal is refused."""
    (answer,) = desk.talk(request)
    assert answer["ok"] is False and answer["next"]
    assert answer["because"].isascii() and answer["because"].isprintable()
    return str(answer["because"])


@pytest.mark.parametrize(
    "sums",
    [
        b"",
        SUMS[:-1],
        SUMS + SUMS,
        b"c" * 64 + b"  z\n" + b"c" * 64 + b"  a\n",
        SUMS.replace(b"products", b".."),
        SUMS.replace(b"products/", b"/products/"),
        SUMS.replace(b"  ", b" *"),
        SUMS.replace(b"xen.tar", b"xen\x1b[2J.tar"),
        SUMS.replace(DIGEST.encode(), DIGEST.upper().encode()),
        SUMS.replace(DIGEST.encode(), b"d" * 64),
        b"Dear signer, please sign this contract.\n",
        SUMS.replace(b"products/xen/", b""),
        b"c" * 64 + b"  log/index.jsonl\n" + SUMS,
        SUMS.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + SUMS,
    ],
)
def test_checksums_of_another_form_are_refused(desk: Desk, shown: Shown, sums: bytes) -> None:
    shown.sums = sums
    refused(desk, shown.proposal())


@pytest.mark.parametrize("how", [lambda log: log.replace(b"checkpoint.sealed", b"checkpoint"), lambda _: SUMS])
def test_a_logs_checksums_that_name_no_sealed_log_are_refused(
    desk: Desk, shown: Shown, how: Callable[[bytes], bytes]
) -> None:
    shown.log_sums = how((shown.folder / "SHA256SUMS").read_bytes())
    assert "not a sealed log" in refused(desk, shown.proposal())


@pytest.mark.parametrize("path", ["products/xen/evil.tar.gz", "evil.tar.gz", "index.jsonl.gz", "proofs/x"])
def test_a_logs_checksums_that_vouch_for_another_file_are_refused(desk: Desk, shown: Shown, path: str) -> None:
    listed = [*(shown.folder / "SHA256SUMS").read_bytes().splitlines(), f"{'d' * 64}  {path}".encode()]
    shown.log_sums = b"".join(line + b"\n" for line in sorted(listed, key=lambda line: line[66:]))
    assert "no file of a sealed log" in refused(desk, shown.proposal())


def parameters(statement: dict[str, Any]) -> dict[str, Any]:
    """The internal parameters of a statement."""
    found: dict[str, Any] = statement["predicate"]["buildDefinition"]["internalParameters"]
    return found


def outer(statement: dict[str, Any]) -> dict[str, Any]:
    """The external parameters of a statement."""
    found: dict[str, Any] = statement["predicate"]["buildDefinition"]["externalParameters"]
    return found


def run(statement: dict[str, Any]) -> dict[str, Any]:
    """The details of the run of a statement."""
    found: dict[str, Any] = statement["predicate"]["runDetails"]
    return found


def add_input(statement: dict[str, Any]) -> None:
    """An input that stands there already."""
    inputs = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    inputs.append(dict(inputs[0]))


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda s: s.update(predicateType="https://slsa.dev/provenance/v2"),
        lambda s: s.update(subject=[]),
        lambda s: s.update(subject=s["subject"] * 2),
        lambda s: s["subject"][0]["digest"].update(sha256="e" * 64),
        lambda s: outer(s).update(release=""),
        lambda s: outer(s).update(release="example 1.0"),
        lambda s: outer(s).update(release=None),
        lambda s: outer(s).update(manifest={"sha256": "1"}),
        lambda s: outer(s).pop("policy"),
        lambda s: parameters(s).pop("warned"),
        lambda s: parameters(s).update(more=1),
        lambda s: parameters(s).update(items=True),
        lambda s: parameters(s).update(items=-1),
        lambda s: parameters(s).update(items=1.5),
        lambda s: parameters(s).update(warned=["b", "a"]),
        lambda s: parameters(s).update(warned=["a", "a"]),
        lambda s: parameters(s).update(warned="a"),
        lambda s: parameters(s).update(waivers=[{"code": "x"}]),
        lambda s: parameters(s).update(waivers=[{"code": "x", "item": "y", "person": "z", "reason": 1}]),
        lambda s: parameters(s)["log"].update(more=1),
        lambda s: parameters(s)["log"].update(root="x"),
        lambda s: s["predicate"]["buildDefinition"].pop("internalParameters"),
        add_input,
        lambda s: s.update(more=1),
        lambda s: s["subject"][0]["digest"].update(sha512="e" * 128),
        lambda s: s["subject"][0].update(uri="https://evil.example.org/"),
        lambda s: s["predicate"].update(more=1),
        lambda s: s["predicate"].pop("runDetails"),
        lambda s: s["predicate"]["buildDefinition"].update(buildType="https://evil.example.org/"),
        lambda s: outer(s).update(more=1),
        lambda s: outer(s)["manifest"].update(sha512="e" * 128),
        lambda s: s["predicate"]["buildDefinition"]["resolvedDependencies"][0].update(more=1),
        lambda s: run(s)["builder"].update(id="https://sealwright.invalid/builder/" + "e" * 64),
        lambda s: run(s)["builder"].update(builderDependencies=[]),
        lambda s: run(s)["metadata"].update(invocationId="another"),
        lambda s: run(s).update(byproducts=[*run(s)["byproducts"], *s["subject"]]),
        lambda s: run(s).update(byproducts=s["subject"]),
    ],
)
def test_a_provenance_that_says_less_or_more_is_refused(
    desk: Desk, shown: Shown, change: Callable[[dict[str, Any]], None]
) -> None:
    shown.change = change
    refused(desk, shown.proposal())


@pytest.mark.parametrize("data", [b"{}", b"[1]", b"\xff", b"[" * 100_000, b"null", b"NaN", b'{"a":1,"a":1}'])
def test_a_provenance_that_is_no_statement_is_refused(desk: Desk, shown: Shown, data: bytes) -> None:
    shown.statement = data
    refused(desk, shown.proposal())


def test_a_provenance_that_is_not_canonical_is_refused(desk: Desk, shown: Shown) -> None:
    data = shown.documents()[2][2]
    for other in (data + b" ", json.dumps(json.loads(data)).encode(), data.replace(b"{", b'{"_type":"x",', 1)):
        shown.statement = other
        assert "not canonical" in refused(desk, shown.proposal())


@pytest.mark.parametrize(
    "change",
    [
        lambda shown: shown[:2],
        lambda shown: [*shown, shown[0]],
        lambda shown: [shown[0], {**shown[1], "name": "SHA256SUMS"}, shown[2]],
        lambda shown: [{**shown[0], "name": "x\x1b"}, *shown[1:]],
        lambda shown: [{**shown[0], "name": "../SHA256SUMS"}, *shown[1:]],
        lambda shown: [{**shown[0], "kind": "text"}, *shown[1:]],
        lambda shown: [{**shown[0], "base64": "===="}, *shown[1:]],
        lambda shown: [{**shown[0], "more": ""}, *shown[1:]],
        lambda shown: [{**shown[0], "name": 7}, *shown[1:]],
    ],
)
def test_a_set_that_is_not_one_release_is_refused(desk: Desk, shown: Shown, change: Any) -> None:
    request = shown.proposal()
    refused(desk, {**request, "documents": change(request["documents"])})


@pytest.mark.parametrize("claimed", ["example-1.1", "evil-9.8", "", None, 7])
def test_a_request_that_names_another_release_than_the_provenance_is_refused(
    desk: Desk, shown: Shown, claimed: object
) -> None:
    assert "the provenance is of example-1.0" in refused(desk, shown.proposal(release=claimed))


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ({"vkey": 7}, "are texts"),
        ({"vkey": "x"}, "not an Ed25519 verifier key"),
        ({"checkpoint": "x"}, "no signatures"),
        ({"consistency": {}}, "a list"),
        ({"consistency": [7]}, "list of hashes"),
        ({"consistency": ["AA=A"]}, "base64 is broken"),
        ({"consistency": ["AAAA"] * 200}, "short list"),
        ({"proofs": []}, "by path"),
        ({"proofs": {PATH: 7}}, "a proof is a text"),
        ({"seal": "\ud800"}, ""),
        ({"more": 1}, "a proposal's log has"),
    ],
)
def test_a_log_of_another_form_is_refused(desk: Desk, shown: Shown, change: dict[str, Any], because: str) -> None:
    assert because in refused(desk, shown.proposal(log=change))
