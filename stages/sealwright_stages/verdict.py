"""What a check may say: passed, warned, failed; and what makes a warned item green.

- A check returns `Passed`, `Warned` or `Failed`; never a bool, never None.
- Whatever a check raises becomes `Failed` at `guarded`, the one boundary where that happens.
- `Green` can only be made from a `Passed`, or from a `Warned` and a waiver that names its very bytes.
- Red has no way to become `Green`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Evidence = Mapping[str, object]
"""JSON-able facts of a check: argument lists, status lines, fingerprints, hashes, times."""


class Status(StrEnum):
    """Where an item stands; only these five exist."""

    PENDING = "pending"
    RUNNING = "running"
    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"


@dataclass(frozen=True)
class Passed:
    """The check ran and found all as demanded; `subject_sha256` names the bytes that it judged."""

    reason: str
    subject_sha256: str
    evidence: Evidence = field(default_factory=dict)
    code: str = "ok"
    status: Status = field(default=Status.PASSED, init=False)
    next_step: str = field(default="", init=False)


@dataclass(frozen=True)
class Warned:
    """Genuine but imperfect: blocks the gate until a person waives it by name."""

    code: str
    reason: str
    next_step: str
    subject_sha256: str
    evidence: Evidence = field(default_factory=dict)
    status: Status = field(default=Status.WARNED, init=False)


@dataclass(frozen=True)
class Failed:
    """Refused. There is no override; only other bytes or another policy can change it."""

    code: str
    reason: str
    next_step: str
    subject_sha256: str = ""
    evidence: Evidence = field(default_factory=dict)
    status: Status = field(default=Status.FAILED, init=False)


Verdict = Passed | Warned | Failed


@dataclass(frozen=True)
class Waiver:
    """A person's named acceptance of one warning about one item's very bytes under one policy."""

    item: str
    code: str
    person: str
    reason: str
    item_sha256: str
    policy_sha256: str


@dataclass(frozen=True)
class Green:
    """Proof that an item may pass the gate; the only key that moves bytes out of the quarantine."""

    item: str
    verdict: Passed | Warned
    waiver: Waiver | None = None

    def __post_init__(self) -> None:
        """Refuse a green that nothing stands for.

        Raises:
            TypeError: the verdict is neither `Passed` nor `Warned`.
            ValueError: a warned verdict without a waiver that covers it.
        """
        if isinstance(self.verdict, Passed):
            return
        if not isinstance(self.verdict, Warned):
            raise TypeError(f"{self.item}: only passed or waived items are green")
        if self.waiver is None or not covers(self.waiver, self.item, self.verdict):
            raise ValueError(f"{self.item}: warned, and no waiver covers it")


def covers(waiver: Waiver, item: str, verdict: Verdict) -> bool:
    """Tell whether `waiver` was given for this item, this warning and these bytes."""
    return (
        isinstance(verdict, Warned)
        and waiver.item == item
        and waiver.code == verdict.code
        and waiver.item_sha256 == verdict.subject_sha256
        and bool(waiver.reason.strip())
        and bool(waiver.person.strip())
    )


def guarded(check: Callable[[], object], what: str) -> Verdict:
    """Run `check`; whatever it raises, short of leaving the program, is a `Failed`."""
    try:
        verdict = check()
    except Exception as error:  # noqa: BLE001 - the one boundary: nothing that a verifier raises may pass
        return Failed(
            code="check-crashed",
            reason=f"{what}: the check itself failed: {type(error).__name__}: {error}",
            next_step="run `sealwright doctor`; if the machine is fit, report this with the log",
        )
    if not isinstance(verdict, (Passed, Warned, Failed)):
        return Failed("check-crashed", f"{what}: the check gave no verdict", "report this with the log")
    return verdict
