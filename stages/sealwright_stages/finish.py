"""How a release is finished: what seal and sign do, step by step, for the faces alone.

- The log takes nothing after its seal, so this can't stand in it: it is in no state, and nothing is decided by it.
- A step tells what was done, never what will be. What ends it early is its reason, with the next step.
- Who has signed is what the verifying code found in the files as they lie on the disk, and nothing else.
- Writers never wait for readers.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from sealwright_stages.errors import SealwrightError
from sealwright_stages.verdict import Status

_TEXT = 600  # characters of a reason


class Act(StrEnum):
    """What is done, in its order."""

    POLICY = "policy"
    PRODUCTS = "products"
    SEAL = "seal"
    ROOT = "log root"
    ATTESTATION = "TPM quote"
    EVIDENCE = "evidence"
    SIGNER = "signer"
    ANSWER = "answer"
    KEY = "key"
    VERIFY = "verify"
    COUNT = "count"


@dataclass(frozen=True)
class Step:
    """An act: how it stands, what came of it in words, what to do next if it failed; times in UTC, `ended` empty while it
    is under way."""

    act: Act
    status: Status
    said: str = ""
    next_step: str = ""
    began: str = ""
    ended: str = ""


@dataclass(frozen=True)
class Thing:
    """One of the documents that are signed: its name, kind, SHA-256 in hex, bytes."""

    name: str
    kind: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Signer:
    """A person who may sign the release, and the fingerprints of the person's keys."""

    person: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A good signature, as it was verified: over which file, by whom and which key (fingerprint); when it says that it
    was made (UTC), by which program it was checked, and what our own second check said."""

    file: str
    person: str
    fingerprint: str
    made: str
    tool: str
    second: str


@dataclass(frozen=True)
class Finish:
    """How far it is.

    `root` in hex and `records` are those of the sealed log, once it was fetched and its root computed anew; `folder`
    holds the evidence; `where` the signer is, `asked` the fingerprints of its keys, `things` what it is to sign;
    `seconds` is how long the step that is under way has taken.
    """

    steps: tuple[Step, ...] = ()
    signers: tuple[Signer, ...] = ()
    threshold: int = 0
    signed_files: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    root: str = ""
    records: int = 0
    folder: str = ""
    where: str = ""
    asked: tuple[str, ...] = ()
    things: tuple[Thing, ...] = ()
    seconds: int = 0

    def step(self, act: Act) -> Step | None:
        """The newest step of this kind."""
        return next((each for each in reversed(self.steps) if each.act is act), None)

    def stopped(self, reason: str, next_step: str) -> Finish:
        """The same where the run has ended badly: its last step did not come to its end, or what it came to is void."""
        if not self.steps or self.steps[-1].status is Status.FAILED:
            return self
        last = replace(self.steps[-1], status=Status.FAILED, said=reason, next_step=next_step)
        return replace(self, steps=(*self.steps[:-1], last), seconds=0)

    @property
    def persons(self) -> frozenset[str]:
        """Those by whom there is a good signature over each of the signed files."""
        per_file = [{check.person for check in self.checks if check.file == name} for name in self.signed_files]
        known = {signer.person for signer in self.signers}
        return frozenset(known.intersection(*per_file)) if per_file else frozenset()

    @property
    def final(self) -> bool:
        """Whether as many persons have signed as must, and all that was to be done was done."""
        counted = self.step(Act.COUNT)
        enough = 0 < self.threshold <= len(self.persons)
        return enough and counted is not None and counted.status is Status.PASSED


def digest_over(things: tuple[Thing, ...]) -> str:
    """One SHA-256 over all, as the signer makes it: of the lines `<sha256>  <name>`, sorted by name; empty of none."""
    lines = "".join(f"{each.sha256}  {each.name}\n" for each in sorted(things, key=lambda each: each.name))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest() if things else ""


Say = Callable[[str], None]


class Finishing:
    """Keeps how far the finish is. Any thread; one at a time writes."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`clock` gives seconds, `now` the time of day."""
        self._finish = Finish()
        self._clock, self._wall = clock, now
        self._since = 0.0
        self._lock = threading.Lock()

    @property
    def now(self) -> Finish:
        """How it stands, with the seconds that what is under way has taken."""
        with self._lock:
            finish = self._finish
            under_way = bool(finish.steps) and not finish.steps[-1].ended
            return replace(finish, seconds=int(self._clock() - self._since) if under_way else 0)

    def know(self, **facts: object) -> None:
        """Set fields of the finish."""
        with self._lock:
            self._finish = replace(self._finish, **facts)  # type: ignore[arg-type]

    @contextmanager
    def step(self, act: Act, said: str = "") -> Iterator[Say]:
        """A step is under way inside the block, which is given what tells what came of it; what it raises is the reason."""
        step = Step(act, Status.RUNNING, said, began=self._stamp())
        with self._lock:
            self._since = self._clock()
            self._finish = replace(self._finish, steps=(*self._finish.steps, step))
        told = [said]
        try:
            yield lambda words: told.__setitem__(0, words)
        except BaseException as error:
            reason = f"{error.what}: {error.because}" if isinstance(error, SealwrightError) else str(error)
            next_step = error.next_step if isinstance(error, SealwrightError) else ""
            self._end(Status.FAILED, reason[:_TEXT] or type(error).__name__, next_step[:_TEXT])
            raise
        self._end(Status.PASSED, told[0])

    def _end(self, status: Status, said: str, next_step: str = "") -> None:
        with self._lock:
            *before, last = self._finish.steps
            ended = replace(last, status=status, said=said, next_step=next_step, ended=self._stamp())
            self._finish = replace(self._finish, steps=(*before, ended))

    def _stamp(self) -> str:
        return self._wall().isoformat(timespec="seconds").replace("+00:00", "Z")
