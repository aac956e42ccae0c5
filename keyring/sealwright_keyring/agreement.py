"""Two checks of one signature: a program's and our own. Both must say yes, in the way in which they always say it.

- A program that crashed, is missing, or says neither its yes nor its no has given no answer: refused.
- Yes and no together are refused as well, whoever said which: one of the two is wrong, and nobody knows which.
- What a run leaves in the evidence is printable, and bounded.
"""

from __future__ import annotations

from sealwright_keyring.errors import KeyringError, RefusedError
from sealwright_keyring.text import printable
from sealwright_keyring.tool import Run

_MISSING = (126, 127)  # what prlimit and its like leave with when they can't start a program
_LINES = 8


def both_accept(run: Run, *, yes: bool, no: bool, ours: bool) -> None:
    """Come back if the program and our own check accept; `yes` and `no` tell whether it said the one or the other.

    Raises:
        RefusedError: with the code of the verdict.
    """
    program = run.argv[0]
    if run.returncode < 0:
        raise RefusedError("verifier-killed", f"{program}: signal {-run.returncode}")
    if run.returncode in _MISSING:
        raise RefusedError("verifier-missing", printable(run.stderr.strip(), 200))
    if yes == no:
        said = printable(b" / ".join((run.stdout + run.stderr).splitlines())[-300:])
        raise RefusedError("verifier-confused", f"{program}, exit status {run.returncode}: {said or 'not a word'}")
    if yes != ours:
        raise RefusedError("verifiers-disagree", f"{program} says {'yes' if yes else 'no'}")
    if no:
        raise RefusedError("signature-bad")


def trouble(error: KeyringError) -> str:
    """The code for a program that could not be run to its end."""
    return "verifier-missing" if "started" in error.what else "verifier-killed"


def run_evidence(run: Run) -> dict[str, object]:
    """What a run leaves behind."""
    return {
        "argv": [printable(word) for word in run.argv],
        "exit": run.returncode,
        "stdout": [printable(line, 300) for line in run.stdout.splitlines()[-_LINES:]],
        "stderr": [printable(line, 300) for line in run.stderr.splitlines()[-_LINES:]],
        "data_sha256": run.input_sha256,
        "duration_ms": round(run.seconds * 1000),
    }
