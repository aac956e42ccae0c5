"""What waits for the next batch, and when that begins."""

from __future__ import annotations

from sealwright_appendlog.pending import BATCH_BYTES, BATCH_SECONDS, CHUNK, MOST, MOST_OUTPUT, RECORD, Pending
from sealwright_stages.log.connection import WINDOW


def test_nothing_is_due_while_nothing_waits() -> None:
    assert not Pending().due(1e9)


def test_an_event_is_committed_at_once() -> None:
    pending = Pending()
    pending.add(5.0, 10, urgent=True)
    assert pending.due(5.0)
    pending.clear()
    assert not pending.due(5.0)


def test_output_is_committed_within_100_ms() -> None:
    pending = Pending()
    pending.add(5.0, 10)
    pending.add(5.09, 10)
    assert not pending.due(5.0 + BATCH_SECONDS - 0.01)
    assert pending.due(5.0 + BATCH_SECONDS + 0.01)


def test_no_client_waits_for_the_clock_with_its_window_full() -> None:
    """However large its frames are, it has sent so much when the next one has no room."""
    assert WINDOW - CHUNK >= BATCH_BYTES
    pending = Pending()
    pending.add(5.0, WINDOW - CHUNK)
    assert pending.due(5.0)


def test_output_stays_with_its_sender_while_a_megabyte_waits() -> None:
    pending = Pending()
    pending.add(5.0, MOST_OUTPUT - 1)
    assert not pending.full
    pending.add(5.0, 1)
    assert pending.full and not pending.too_much


def test_a_record_has_its_own_weight() -> None:
    """Chunks of no bytes to speak of are too many at some time, too."""
    pending = Pending()
    for _ in range(MOST // RECORD):
        pending.add(5.0, RECORD)
    assert pending.too_much
