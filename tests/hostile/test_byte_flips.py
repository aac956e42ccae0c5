"""No byte of what was signed, and none of a signature that decides, can be flipped without a red verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from hostile.doors import ALL, payload
from hostile.flips import Artefact, artefacts, place
from hostile.pen import Evil, an_evil_world
from sealwright_keyring.openpgp import Keyring

NAMES = (
    "detached, ed25519, with a comment",
    "detached, ed25519, packets",
    "detached, rsa3072, packets",
    "detached, binary",
    "two signers, packets",
    "text mode, packets",
    "git tag",
    "git commit",
    ".dsc",
    "InRelease",
    "clearsigned by two",
)
# What stands here is no part of what was signed and decides nothing: the text of an armor's header line, whether an
# issuer in the unhashed area is called critical, and by how many zero bits a number is said to begin.
MALLEABLE = frozenset({"armor header", "unhashed area", "count of a number's bits"})


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Artefact]]:
    with an_evil_world(tmp_path_factory.mktemp("evil")) as evil, _keyring(evil) as keyring:
        found = artefacts(evil.world, keyring, {door: payload(evil, door, "") for door in ALL})
        yield {each.name: each for each in found}


def _keyring(evil: Evil) -> Keyring:
    return Keyring.of([evil.world.cert("s1", "s2")], [evil.world.fpr["s1"], evil.world.fpr["s2"]])


def _try(artefact: Artefact, flips: list[tuple[str, int, int]]) -> Counter[str]:
    """Count flips that are not red by place; none may change what is accepted."""
    original = artefact.check(artefact.parts)
    assert original is not None, "it is accepted as it was made"
    passed: Counter[str] = Counter()
    for part, position, mask in flips:
        accepted = artefact.after((part, position, mask))
        where = place(part, artefact.parts[part], position)
        if accepted is not None:
            assert accepted == original, f"a false green: {part} {position} {mask:#x} in the {where}"
            passed[where] += 1
    print(f"{artefact.name}: {len(flips)} flips, {len(flips) - passed.total()} red, not red: {dict(passed)}")
    return passed


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_of_flips_gives_no_false_green(ten: dict[str, Artefact], name: str) -> None:
    every = list(ten[name].flips())
    step = len(every) // 60 | 1  # odd, so that every mask has its turn
    assert set(_try(ten[name], every[::step])) <= MALLEABLE


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", NAMES)
def test_no_flip_of_any_byte_gives_a_false_green(ten: dict[str, Artefact], name: str) -> None:
    assert set(_try(ten[name], list(ten[name].flips()))) <= MALLEABLE


@pytest.mark.parametrize(
    "change",
    [
        lambda armor: armor.replace(b"\n", b"\r\n"),
        lambda armor: armor.replace(b"\n", b" \t\n"),
        lambda armor: armor.replace(b"made by a test", b"made by somebody else"),
        lambda armor: armor.replace(b"Comment: made by a test\n", b""),
        lambda armor: armor[: armor.rindex(b"\n=")] + armor[armor.rindex(b"\n=") + 6 :],
        lambda armor: b"\n\n" + armor + b"\n \n",
    ],
)
def test_an_armor_may_be_written_otherwise_and_says_the_same(
    ten: dict[str, Artefact], change: Callable[[bytes], bytes]
) -> None:
    one = ten[NAMES[0]]
    changed = {**one.parts, "signature": change(one.parts["signature"])}
    assert changed != one.parts
    assert one.check(changed) == one.check(one.parts) is not None
