"""Errors as every error is said: what was refused, because of what, what to do next; and a run's last JSON line.

- Each reason is followed by what to do about it.
- Evidence that goes with an error comes before it, each line of it cleaned and set off by a bar.
- Words for people go to stderr, whatever else is printed where.
- With `--json` the last line of stdout is the result, also when nothing was begun.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence

from sealwright_console.sanitise import clean, inert
from sealwright_stages.errors import Exhibit, SealwrightError

_MOST_LINES = 70


def complain(error: SealwrightError) -> None:
    """Say an error."""
    say(error.what, [(error.because, error.next_step)], error.exhibits)


def to_stderr(line: str) -> None:
    """Print a clean line on stderr."""
    print(inert(line), file=sys.stderr, flush=True)


def say(
    what: str,
    reasons: Iterable[tuple[str, str]],
    exhibits: Sequence[Exhibit] = (),
    put: Callable[[str], None] = to_stderr,
) -> None:
    """Say an error that may have several reasons, each with what to do about it; first its evidence. `put` takes each
    line, which is clean."""
    for exhibit in exhibits:
        put(f"evidence: {clean(exhibit.what)}, kept as {clean(str(exhibit.file))}")
        lines = exhibit.data.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
        for line in lines[:_MOST_LINES]:
            put(f"  | {clean(line)}".rstrip())
        if len(lines) > _MOST_LINES:
            put(f"  ({len(lines) - _MOST_LINES} more lines are in the file)")
    said = [("error", what)]
    for because, next_step in reasons:
        said += [("because", because), ("next", next_step)]
    for word, text in said:
        put(f"{word}: {clean(text)}")


def print_json(value: dict[str, object]) -> None:
    """Print one JSON object as a line of stdout. No build service finds a command of its own in it."""
    sys.stdout.write(json.dumps(value, sort_keys=True).replace("##", "#\\u0023") + "\n")
    sys.stdout.flush()


def print_refused(error: SealwrightError, command: str) -> None:
    """Print the last line of `--json` where a command was refused; `publish` says that it published nothing."""
    if command == "publish":
        print_json({"published": "no", "what": error.what, "because": error.because, "next": error.next_step})
    else:
        print_result(int(error.exit_code), error.what, error.because, error.next_step, error.exhibits)


def print_result(
    exit_code: int, what: str, because: str, next_step: str, exhibits: Sequence[Exhibit] = ()
) -> None:
    """Print the last line of `run --json`; `evidence` names the files of an error's evidence, if it has any."""
    said = {"event": "result", "exit": exit_code, "what": what, "because": because, "next": next_step}
    evidence = [{"what": exhibit.what, "file": str(exhibit.file)} for exhibit in exhibits]
    print_json({**said, "evidence": evidence} if evidence else said)
