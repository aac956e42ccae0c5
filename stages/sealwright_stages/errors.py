"""The engine's errors: what was refused, because of what, and what to do next.

- Each error has a sentence, a cause and a next step, and the exit code of its family.
- The families are closed: anything else that escapes is a defect of ours and exits as such.
"""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import NamedTuple


class Exit(IntEnum):
    """Exit codes of the command line (documented in docs/reference/exit-codes.md)."""

    DONE = 0
    CLOSED = 1
    USAGE = 2
    ENVIRONMENT = 3
    LOG = 4
    SIGNING = 5
    NOT_FINAL = 6
    INTERRUPTED = 130


class Exhibit(NamedTuple):
    """A piece of evidence that was kept: what it is, the file, and its bytes, which may be hostile."""

    what: str
    file: Path
    data: bytes


class SealwrightError(Exception):
    """A refusal that a person can act on."""

    exit_code = Exit.ENVIRONMENT
    exhibits: tuple[Exhibit, ...] = ()

    def __init__(self, what: str, because: str, next_step: str) -> None:
        super().__init__(f"{what}: {because}")
        self.what = what
        self.because = because
        self.next_step = next_step


class ManifestError(SealwrightError):
    """The manifest, the policy or the command line is wrong: nothing was begun."""

    exit_code = Exit.USAGE


class MachineError(SealwrightError):
    """A tool, a permission, a service or space is missing on this machine."""

    exit_code = Exit.ENVIRONMENT


class FloodError(MachineError):
    """A program said more than it may."""


class FetchError(SealwrightError):
    """A source did not arrive; its item turns red with this reason."""

    exit_code = Exit.CLOSED

    def __init__(self, what: str, because: str, next_step: str, code: str = "fetch-failed") -> None:
        super().__init__(what, because, next_step)
        self.code = code


class BuildError(SealwrightError):
    """A build could not be run or its products were refused; its item turns red."""

    exit_code = Exit.CLOSED

    def __init__(self, what: str, because: str, next_step: str, code: str = "build-failed") -> None:
        super().__init__(what, because, next_step)
        self.code = code


class LogError(SealwrightError):
    """The log authority is lost, refuses, or does not agree with what it said before (`exhibits`: both words)."""

    exit_code = Exit.LOG

    def __init__(self, what: str, because: str, next_step: str, exhibits: tuple[Exhibit, ...] = ()) -> None:
        super().__init__(what, because, next_step)
        self.exhibits = exhibits


class EventError(SealwrightError):
    """An event can't be said in the log: a defect of ours, while the log itself lives."""

    exit_code = Exit.ENVIRONMENT


class SigningError(SealwrightError):
    """The signer refused, or what it made did not verify."""

    exit_code = Exit.SIGNING


class NotFinalError(SealwrightError):
    """Nothing went wrong: it is signed, and other builders must agree before it is final."""

    exit_code = Exit.NOT_FINAL


class RebuildError(SealwrightError):
    """Evidence is not rebuilt as it is: nothing of it was fetched or run."""

    exit_code = Exit.CLOSED


class PublishError(SealwrightError):
    """Evidence is not published as it is, or other bytes stand in its place; what was published stays as it was."""

    exit_code = Exit.CLOSED


class JoinError(SealwrightError):
    """Builders' evidence is not joined as it is, or something else stands where it would be written."""

    exit_code = Exit.CLOSED


class InterruptedRunError(SealwrightError):
    """The release manager, or a signal, asked to stop."""

    exit_code = Exit.INTERRUPTED
