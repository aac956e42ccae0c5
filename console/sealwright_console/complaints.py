"""Errors as every error is said: what was refused, because of what, what to do next; and a run's last JSON line.

- Each reason is followed by what to do about it.
- Words for people go to stderr, whatever else is printed where.
- With `--json` the last line of stdout is the result, also when nothing was begun.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

from sealwright_console.sanitise import clean
from sealwright_stages.errors import SealwrightError


def complain(error: SealwrightError) -> None:
    """Say an error."""
    say(error.what, [(error.because, error.next_step)])


def say(what: str, reasons: Iterable[tuple[str, str]]) -> None:
    """Say an error that may have several reasons, each with what to do about it."""
    lines = [("error", what)]
    for because, next_step in reasons:
        lines += [("because", because), ("next", next_step)]
    for word, text in lines:
        print(f"{word}: {clean(text)}", file=sys.stderr, flush=True)


def print_json(value: dict[str, object]) -> None:
    """Print one JSON object as a line of stdout."""
    sys.stdout.write(json.dumps(value, sort_keys=True) + "\n")
    sys.stdout.flush()


def print_result(exit_code: int, what: str, because: str, next_step: str) -> None:
    """Print the last line of `run --json`."""
    print_json({"event": "result", "exit": exit_code, "what": what, "because": because, "next": next_step})
