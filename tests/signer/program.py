"""The signer as a program, and speaking with it as a console does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from support.proposals import Shown
from support.signing import line, typed

PROGRAM = [sys.executable, "-m", "sealwright_keyring.signer.cli"]


def program(
    *words: object, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end."""
    argv = [*PROGRAM, *map(str, words)]
    return subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=60, env=env)


def signed(argv: Sequence[object], shown: Shown, env: dict[str, str] | None = None) -> dict[str, Any]:
    """Have a release signed by whoever answers at the other end of `argv`; gives the last answer."""
    with subprocess.Popen(
        [str(word) for word in argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    ) as child:
        assert child.stdin and child.stdout and child.stderr
        child.stdin.write(line(shown.proposal()))
        child.stdin.flush()
        answer: dict[str, Any] = json.loads(child.stdout.readline() or child.stderr.read().decode())
        if "proposal" in answer:
            child.stdin.write(line(typed(answer, shown.release)))
            child.stdin.flush()
            answer = json.loads(child.stdout.readline())
        child.stdin.close()
        child.wait(20)
    return answer
