"""`sealwright keyring rotate` and `history`: which version of a keyring counts, who signed it, and who must still.

- Each version takes one line, and one more for each half: what the version before it wants, and what it wants itself.
- What is still to do is said last, with the commands.
- The exit code is 1 where a version does not count, or none was begun.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sealwright_console.sanitise import clean
from sealwright_keyring.rotate import rotate
from sealwright_keyring.rotation import Count, Step, judge
from sealwright_keyring.versions import read_versions
from sealwright_stages.errors import Exit
from sealwright_stages.verify.verifier import tools


def run_history(folder: Path) -> int:
    """Tell how each version stands.

    Raises:
        KeyringError: the folder or its history is refused.
    """
    steps = judge(read_versions(folder), tools())
    if not steps:
        print(f"{clean(str(folder))}/signers.toml says no version: it has no history")
        return int(Exit.DONE)
    _say(_lines(steps))
    if _counts(steps):
        return int(Exit.DONE)
    _say(_to_do(folder, steps))
    return int(Exit.CLOSED)


def run_rotate(folder: Path) -> int:
    """Begin the next version, or say what the current one waits for.

    Raises:
        KeyringError: the folder or its history is refused.
    """
    done = rotate(folder, datetime.now(UTC).date(), tools())
    last = done.steps[-1].version
    if done.begun:
        name = clean(str(folder))
        print(
            f"version {last} is begun, and does not count yet; version {last - 1} lies in {name}/history/{last - 1}"
        )
        print(f"now write into {name}/signers.toml and keys/ whom version {last} is to trust; then")
    else:
        _say(_lines(done.steps))
        print("no version was begun: the one above that does not count comes first")
    _say(_to_do(folder, done.steps))
    return int(Exit.DONE if done.begun else Exit.CLOSED)


def _counts(steps: Sequence[Step]) -> bool:
    return all(step.counts for step in steps)


def _lines(steps: Sequence[Step]) -> Iterator[str]:
    for step in steps:
        yield f"version {step.version}  {step.policy_sha256[:16]}…  {'counts' if step.counts else 'DOES NOT COUNT'}"
        yield from (f"    {_half(half)}" for half in (step.old, step.new) if half)
        if not step.counts:
            yield f"    because {step.trouble}"


def _half(half: Count) -> str:
    state = "" if half.enough else f"; missing: {', '.join(half.missing)}"
    who = ", ".join(half.persons) or "nobody"
    return f"{half.threshold} of {', '.join(half.signers)}, as version {half.version} says: signed by {who}{state}"


def _to_do(folder: Path, steps: Sequence[Step]) -> Iterator[str]:
    """Who must sign what, of the first version that does not count."""
    step = next((step for step in steps if not step.counts), None)
    if step is None:
        return
    last = step.version == steps[-1].version
    place = shlex.quote(str(folder if last else folder / "history" / str(step.version)))
    yield f"  sealwright keyring digest --keyring {place} > {place}/SHA256SUMS"
    yield f"and have {place}/SHA256SUMS signed (beside it: SHA256SUMS.asc, SHA256SUMS.NAME.sig or .minisig), by"
    yield from (f"  {half.threshold} of {', '.join(half.signers)}, with the keys of version {half.version}"
                for half in (step.old, step.new) if half)  # fmt: skip
    yield f"then see whether it counts: sealwright keyring history --keyring {shlex.quote(str(folder))}"


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        print(clean(line))
