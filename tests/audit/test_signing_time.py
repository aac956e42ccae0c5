"""When the signers of a release signed, beside the time at which its log was sealed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sealwright_keyring.policy import Policy
from sealwright_stages import audit_signatures

SEALED = "2026-03-02T12:39:07.583323Z"
AT = datetime(2026, 3, 2, 12, 39, 7, tzinfo=UTC)


def told(monkeypatch: pytest.MonkeyPatch, *times: datetime) -> list[str]:
    each = iter(times)
    monkeypatch.setattr(audit_signatures, "signed_pairs", lambda _: [(b"", b"")] * len(times))
    monkeypatch.setattr(audit_signatures, "signed_at", lambda *_: {"one": next(each)})
    wants = audit_signatures.Required(Policy(Path(), "", {}, (), {}), ("one",), 1, "")
    return [finding.ok for finding in audit_signatures.signatures(Path(), wants, SEALED)]


def test_a_signature_in_the_second_of_the_seal_is_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(monkeypatch, AT, AT + timedelta(seconds=1)) == ["good"]
    assert told(monkeypatch, AT, AT - timedelta(seconds=1)) == ["good", "advice"]


def test_a_signature_of_long_before_is_red_whatever_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    soon, long_ago = AT - timedelta(hours=1), AT - timedelta(days=2)
    assert told(monkeypatch, long_ago, soon) == told(monkeypatch, soon, long_ago) == ["bad"]
