"""What differs from the last release of the same name is shown, thing by thing, and nothing is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_keyring.signer.history import split_release
from support.proposals import DIGEST, PATH, Shown
from support.signing import Desk, typed


def summary(desk: Desk, shown: Shown) -> list[str]:
    """What is told of a proposal, which is then signed."""
    offered, answer = desk.talk(shown.proposal(), then=lambda a: typed(a, shown.release))
    assert answer["ok"] is True
    return list(offered["summary"])


@pytest.fixture
def again(desk: Desk, shown: Shown, tmp_path: Path) -> Any:
    """Sign a first release, then a second one with these changes; gives what was told of the second."""

    def make(**changes: Any) -> list[str]:
        assert "first release: this signer's record knows none of the name example" in summary(desk, shown)
        return summary(desk, Shown(tmp_path / "second", origin="log.example.org/example-1.1/2", **changes))

    return make


def test_another_name_is_a_first_release(desk: Desk, shown: Shown, tmp_path: Path) -> None:
    summary(desk, shown)
    other = Shown(tmp_path / "other", release="sample-1.0", origin="log.example.org/sample/1")
    assert any(each.startswith("first release") for each in summary(desk, other))


def test_the_version_products_and_inputs_that_differ_are_told(again: Any) -> None:
    told = again(
        release="example-1.1",
        products={PATH: "f" * 64, "products/grub/new": "b" * 64},
        inputs={"verify:grub": "c" * 64},
    )
    assert "last signed: example-1.0 at 2030-01-01T12:00:00.000000Z" in told and "version 1.0 -> 1.1" in told
    at = told.index("products: 1 added, 0 gone, 1 changed, 2 in all")
    assert told[at + 1 : at + 3] == ["  + product products/grub/new", f"  ~ product {PATH}"]
    at = told.index("inputs: 1 added, 1 gone, 0 changed, 1 in all")
    assert told[at + 1 : at + 3] == ["  + input verify:grub", "  - input verify:xen"]
    assert not any(each.startswith("another") for each in told)


def test_a_version_that_goes_back_is_told(again: Any) -> None:
    assert "the version GOES BACK, from 1.0 to 1.0~rc1" in again(release="example-1.0~rc1")


def test_the_same_version_with_other_documents_is_told(again: Any) -> None:
    assert "version 1.0 was signed before: with OTHER documents" in again()


def test_the_same_documents_are_told_as_such(desk: Desk, shown: Shown) -> None:
    summary(desk, shown)
    assert "version 1.0 was signed before: the very same documents" in summary(desk, shown)


def test_another_manifest_policy_or_log_key_is_told(again: Any) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(3, 35)))
    told = again(release="example-1.1", manifest="8" * 64, policy="9" * 64, key=key, warned=["verify:xen"])
    for what in ("manifest", "policy (whom to trust)", "log's key"):
        assert any(each.startswith(f"another {what}: ") for each in told)
    assert any(each.endswith("now: " + "8" * 64) for each in told)
    assert "  + warning verify:xen" in told


def test_what_was_refused_is_no_last_release(desk: Desk, shown: Shown) -> None:
    desk.talk(shown.proposal(), then=lambda a: typed(a, typed_digest="00000000"))
    assert any(each.startswith("first release") for each in summary(desk, shown))


@pytest.mark.parametrize(
    ("release", "name", "version"),
    [
        ("example-1.0", "example", "1.0"),
        ("my-tool-4.17.3-1", "my-tool", "4.17.3-1"),
        ("tool-next", "tool", "next"),
        ("tool", "tool", ""),
    ],
)
def test_name_and_version_are_parted_at_the_first_digit_behind_a_dash(
    release: str, name: str, version: str
) -> None:
    assert split_release(release) == (name, version)


@pytest.mark.parametrize(
    ("old", "new"),
    [("1.9", "1.10"), ("1.0~rc1", "1.0"), ("1.0", "1.0a"), ("1.0a", "1.0+1"), ("1.0", "1.0-1"), ("9", "10")],
)
def test_versions_go_as_debians_do(desk: Desk, shown: Shown, tmp_path: Path, old: str, new: str) -> None:
    for number, (first, second, back) in enumerate(((old, new, False), (new, old, True))):
        other = Desk(desk.key, tmp_path / str(number))
        other.folder.mkdir()
        summary(other, Shown(other.folder / "a", release=f"x-{first}", products={PATH: DIGEST}))
        told = summary(other, Shown(other.folder / "b", release=f"x-{second}", origin="log.example.org/b"))
        assert any("GOES BACK" in each for each in told) is back


def test_what_is_left_out_of_an_answer_is_no_waiver_and_no_other_keyring(again: Any) -> None:
    waiver = {"code": "no-signature", "item": "verify:xen", "person": "manager-a", "reason": "it is known"}
    inputs = {f"verify:{number}": "e" * 64 for number in range(400)}
    told = again(inputs=inputs, release="example-0.9", policy="9" * 64, warned=["verify:xen"], waivers=[waiver])
    assert told[-1].endswith("lines more: on the signer's own terminal, and in its record")
    for words in ("waived: verify:xen, no-signature", "another policy", "GOES BACK", "warning: verify:xen"):
        assert any(words in line for line in told), words
