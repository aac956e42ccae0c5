"""A running engine as the faces see it: one thread walks the release, the others look and ask.

- What is seen is a fold of its own over the acknowledged entries, taken in by the looking thread alone.
- However the thread ends, the run has ended, and says how.
- An answer to the signer's question goes through a queue; stopping answers it with a no.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from pathlib import Path

from sealwright_console.feed import Mirror, SigningRequest, segments
from sealwright_console.repeat import Places, places_of
from sealwright_stages.engine import Ended, Retry, Waive, failed_itself
from sealwright_stages.errors import Exit
from sealwright_stages.events import Stage
from sealwright_stages.live import Now
from sealwright_stages.release import Opened
from sealwright_stages.sign.signing import SigningRequest as Request
from sealwright_stages.sign.signing import Typed
from sealwright_stages.state import State


class Answers:
    """Carries the signing question from the engine's thread to a person, and the answer back."""

    def __init__(self) -> None:
        self.request: Request | None = None
        self.stopped = threading.Event()
        self._answers: queue.SimpleQueue[Typed | None] = queue.SimpleQueue()

    def ask(self, request: Request) -> Typed | None:
        """Wait for the person; None is a no. Called by the engine's thread."""
        self.request = request
        try:
            while not self.stopped.is_set():
                try:
                    return self._answers.get(timeout=0.2)
                except queue.Empty:
                    continue
            return None
        finally:
            self.request = None

    def give(self, typed: Typed | None) -> None:
        """Answer."""
        self._answers.put(typed)


class LiveFeed:
    """Implements `feed.Feed` over an opened release."""

    def __init__(self, opened: Opened, answers: Answers, until: Stage, mirror: Mirror) -> None:
        self._opened, self._answers, self._until = opened, answers, until
        self._mirror = mirror
        self._looks = 0
        self.ended: Ended | None = None
        self._thread = threading.Thread(target=self._run, name="engine")

    def start(self) -> None:
        """Let the engine walk."""
        self._thread.start()

    def join(self) -> Ended:
        """Stop what still runs and wait for the engine's end."""
        if self._thread.is_alive():
            self.stop()
        self._thread.join()
        return self.ended or Ended(Exit.INTERRUPTED, "it was stopped", "you quit", "run again to resume")

    def _run(self) -> None:
        try:
            self.ended = self._opened.engine.run(self._until)
        except BaseException as error:
            self.ended = failed_itself(error)
            raise

    @property
    def title(self) -> str:
        """The release."""
        return self._opened.manifest.release

    @property
    def read_only(self) -> bool:
        """A running release can be asked for things."""
        return False

    @property
    def state(self) -> State:
        """The fold over what was acknowledged."""
        return self._mirror.state

    @property
    def cursor(self) -> None:
        """There is none: it shows what is now."""
        return None

    @property
    def finished(self) -> int | None:
        """The exit code once the run has ended."""
        return None if self.ended is None else int(self.ended.exit)

    def poll(self) -> bool:
        """Take in what came since the last look; a new look at a build is something new, too."""
        before, self._looks = self._looks, self._opened.outlook.live.changes
        return self._mirror.poll() or before != self._looks

    def now(self, component: str) -> Now | None:
        """The newest look at a build that runs."""
        return self._opened.outlook.now(component)

    def left(self, component: str = "") -> str:
        """How long a build, or the whole stage, may still take."""
        outlook = self._opened.outlook
        return outlook.left(self.state, component) if component else outlook.whole(self.state)

    def log_files(self, stream: str) -> list[Path]:
        """The segments of a stream's output."""
        return segments(self._opened.work.log / "data", stream)

    @property
    def places(self) -> Places:
        """The work folder's, and the manifest's keyring."""
        return places_of(self._opened.work.root, self._opened.manifest.keyring / "keys")

    def notices(self) -> Sequence[str]:
        """How the log stands, and how the run ended."""
        lost = self._opened.log.lost.is_set()
        line = f"✗ the log is lost: {self._opened.log.why_lost}" if lost else "✓ log authority connected"
        told = [f"{line} · {self.state.last_n + 1} records acknowledged"]
        if self.ended is not None:
            mark = "✓" if self.ended.exit == Exit.DONE else "✗"
            told.insert(0, f"{mark} {self.ended.sentence} · next: {self.ended.next_step}")
        return told

    def signing(self) -> SigningRequest | None:
        """What waits for the person's yes or no."""
        request = self._answers.request
        if request is None:
            return None
        return SigningRequest(
            request.release,
            request.proposal.digest,
            request.proposal.summary,
            request.proposal.keys,
            (("products", request.products),),
            request.warnings,
        )

    def retry(self, item: str) -> None:
        """Fetch or check an item again."""
        self._opened.engine.post(Retry(item))

    def waive(self, item: str, person: str, reason: str) -> None:
        """Accept a warning, by name."""
        self._opened.engine.post(Waive(item, person, reason))

    def stop(self) -> None:
        """Stop the run; the next one resumes."""
        self._answers.stopped.set()
        self._opened.cancel.set()

    def confirm_signing(self, typed_digest: str, typed_release: str) -> None:
        """Say yes, with what the person typed."""
        self._answers.give(Typed(typed_digest, typed_release))

    def refuse_signing(self) -> None:
        """Say no."""
        self._answers.give(None)
