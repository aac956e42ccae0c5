"""How the seal and sign screens look in each state, at both sizes that they have to work at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from console import finishes, made_up
from console.test_screens import looks
from sealwright_console.app import ConsoleApp
from sealwright_stages.finish import Finish

BOTH = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
Compare = Callable[..., bool]
DIGITS = made_up.DIGEST[:8]

pytestmark = pytest.mark.xdist_group("snapshots")


def sealed(finish: Finish, *, asks: bool = False, finished: int | None = None) -> ConsoleApp:
    feed = made_up.MadeUpFeed(
        made_up.sealed(), waiting=made_up.request() if asks else None, finished=finished, finish=finish
    )
    return ConsoleApp(feed, clock=lambda: 0.0)


def asked() -> ConsoleApp:
    return sealed(finishes.asking(), asks=True)


@BOTH
@pytest.mark.parametrize("key", ["4", "5"], ids=["seal", "sign"])
def test_before_the_seal_what_is_missing_stands_there(
    snap_compare: Compare, size: tuple[int, int], key: str
) -> None:
    assert looks(snap_compare, ConsoleApp(made_up.MadeUpFeed(made_up.troubled())), size, key)


@BOTH
def test_the_seal_as_it_happens(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, sealed(finishes.finish(*finishes.SEALING[:4], running=True)), size, "4")


@BOTH
def test_the_sealed_log_and_a_product_in_full(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, sealed(finishes.finish(*finishes.SEALING)), size, "4", "down")


@BOTH
def test_the_request(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, asked(), size, "5")


@BOTH
def test_half_typed_it_stays_asleep(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, asked(), size, "5", *DIGITS, "tab", *"example-1.")


@BOTH
def test_wrong_digits_say_so(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, asked(), size, "5", *"00000000", "tab", *"example-1.0")


@BOTH
def test_armed_it_says_what_signs(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, asked(), size, "5", "g", *DIGITS, "tab", *"example-1.0", "tab")


@BOTH
def test_the_signer_at_work(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, sealed(finishes.finish(*finishes.AT_WORK, running=True)), size, "5")


@BOTH
def test_a_signer_that_refused(snap_compare: Compare, size: tuple[int, int]) -> None:
    refused = finishes.finish(
        *finishes.AT_WORK, failed="the signer refused: the typed digits are not the digest's"
    )
    assert looks(snap_compare, sealed(refused, finished=5), size, "5")


@BOTH
def test_a_signer_that_was_lost(snap_compare: Compare, size: tuple[int, int]) -> None:
    lost = finishes.finish(*finishes.AT_WORK, failed="the signer is gone: it was killed by signal 9")
    assert looks(snap_compare, sealed(lost, finished=5), size, "5")


@BOTH
def test_signed(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert looks(snap_compare, sealed(finishes.finish(*finishes.SIGNED), finished=0), size, "5")


@BOTH
def test_signed_by_too_few(snap_compare: Compare, size: tuple[int, int]) -> None:
    few = finishes.finish(
        *finishes.SIGNED, failed="the release is not final yet: signed by manager-1: 1 of 2 needed", threshold=2
    )
    assert looks(snap_compare, sealed(few, finished=5), size, "5")
