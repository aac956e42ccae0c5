"""Long work beside the console, in a process of its own: keys are answered meanwhile, and stopping is killing it.

- It is our own program, started by an argument list; what it says comes back through its pipe and nowhere else.
- What it is asked is one of a few known kinds of work; how far it is, is told as a share between 0 and 1.
- A process that ends without a result has failed, and the result is never made up.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from sealwright_stages.compare.both import Compared
    from sealwright_stages.findings import Finding
    from sealwright_stages.reviewer import Reviewer

_AGAIN = 0.1  # seconds between two words about how far it is
Tell = Callable[[float], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Audited:
    """What an audit came to, and of which index: its SHA-256 (hex), empty if the log is not whole."""

    findings: tuple[Finding, ...]
    provided: str
    index_sha256: str


def audit_work(tell: Tell, evidence: Path, reviewer: Reviewer) -> Audited:
    """Audit an evidence folder."""
    from sealwright_stages.audit import audit  # noqa: PLC0415 - the console that asks needs none of it

    try:
        size = max(1, (evidence / "log" / "index.jsonl").stat().st_size)
    except OSError:
        size = 1
    read = 0

    def watch(fields: object, line: bytes) -> None:
        nonlocal read
        read += len(line) + 1
        tell(min(0.99, read / size))

    result = audit(evidence, reviewer, watch)
    return Audited(result.findings, result.provided, result.report.index_sha256 if result.report else "")


def diff_work(tell: Tell, one: Path, other: Path, reviewer: Reviewer) -> Compared:
    """Audit and compare two evidence folders, the one that was sealed first as the earlier."""
    from sealwright_stages.compare.both import compare_by_age  # noqa: PLC0415 - as above

    return compare_by_age(one, other, reviewer)


_WORKS: dict[str, Callable[..., Any]] = {"audit": audit_work, "diff": diff_work}


class Aside(Generic[T]):
    """One piece of work in a process of its own; `result` is there when it has ended well, `failed` says why not."""

    def __init__(self, work: str, *args: object) -> None:
        """Start `work`, one of audit and diff.

        Raises:
            OSError: no process can be started.
        """
        self.progress = 0.0
        self.result: T | None = None
        self.failed = ""
        self._child = subprocess.Popen(
            [sys.executable, "-I", "-m", "sealwright_console.aside"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._stopped = False
        self._reader = threading.Thread(target=self._read, args=(pickle.dumps((work, args)),), daemon=True)
        self._reader.start()

    @property
    def ended(self) -> bool:
        """Whether there is a result, or there will be none."""
        return self.result is not None or bool(self.failed)

    def _read(self, asked: bytes) -> None:
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:  # never: both were asked for
            return
        try:
            with stdin:
                stdin.write(asked)
            while True:
                kind, said = pickle.load(stdout)  # noqa: S301 - our own program wrote it, into our own pipe
                if kind == "at":
                    self.progress = said
                elif kind == "failed":
                    self.failed = said
                    return
                else:
                    self.progress, self.result = 1.0, said
                    return
        except Exception as error:  # noqa: BLE001 - whatever it is, there is no result
            code = self._child.wait()
            self.failed = "stopped" if self._stopped else f"its process ended with {code}: {type(error).__name__}"

    def wait(self) -> None:
        """Wait until it has ended."""
        self._reader.join()

    def stop(self) -> None:
        """End the process, whatever it does; it leaves nothing behind."""
        self._stopped = True
        self._child.kill()
        self._child.wait()
        self._reader.join()
        if self._child.stdout is not None:
            self._child.stdout.close()


def main() -> None:
    """Do what stdin asks, and say on stdout what came of it."""
    out, asked = sys.stdout.buffer, sys.stdin.buffer
    last = 0.0

    def say(kind: str, said: object) -> None:
        pickle.dump((kind, said), out)
        out.flush()

    def tell(share: float) -> None:
        nonlocal last
        now = monotonic()
        if now - last >= _AGAIN:
            last = now
            say("at", share)

    work, args = pickle.load(asked)  # noqa: S301 - the console that started us wrote it
    try:
        done = _WORKS[work](tell, *args)
    except Exception as error:  # noqa: BLE001 - the console says it
        say("failed", f"{type(error).__name__}: {error}")
    else:
        say("done", done)


if __name__ == "__main__":
    # what is pickled must be named as the console names it, and not by __main__
    from sealwright_console.aside import main as run

    run()
