"""A release whose fetch, build and signer wait for a word of the test, so that it can be stopped at an exact place.

- The third-party file comes from a server of ours that answers when it is let go.
- The build waits for a file in its own folder.
- The signer is the real program behind a relay, which stops before or after the operation that it is told.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from walk.walking import Running, Walk, until

HELD = "until [ -e /build/go ]; do sleep 0.02; done"
RELAY = Path(__file__).with_name("relay.py")


@dataclass
class Held(Walk):
    """Holds everything until it is let go; what was let go once stays so."""

    text: str = ""
    url: str = ""
    asked: threading.Event = field(default_factory=threading.Event)
    answers: threading.Event = field(default_factory=threading.Event)

    @classmethod
    @contextlib.contextmanager
    def around(cls, folder: Path) -> Iterator[Held]:
        """Serve the inputs' files over http for as long as the block runs."""
        made = cls(folder)

        class Answer(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *words: object) -> None:
                super().__init__(*words, directory=str(folder / "upstream"))  # type: ignore[arg-type]

            def do_GET(self) -> None:
                made.asked.set()
                made.answers.wait()
                with contextlib.suppress(OSError):  # whoever asked may be dead
                    super().do_GET()

            def log_message(self, *words: object) -> None:
                """Say nothing."""

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
            thread.start()
            made.url = f"http://127.0.0.1:{server.server_address[1]}/words-1.0.txt"
            try:
                yield made
            finally:
                made.answers.set()
                server.shutdown()
                thread.join()

    @property
    def signer(self) -> str:
        """The `[signer]` table's lines."""
        home, policy = self.folder / "signer-home", self.folder / "signer-policy" / "policy.toml"
        argv = [sys.executable, str(RELAY), str(self.folder / "holds"), str(home), str(policy)]
        return f"transport = {json.dumps(argv)}"

    def begin(self, text: str) -> None:
        """Write the manifest."""
        (self.folder / "holds").mkdir()
        self.text = text
        self.manifest.write_text(text)

    def hold(self, place: str) -> None:
        """Let the signer stop at `before-<op>` or `after-<op>`."""
        os.mkfifo(self.folder / "holds" / place)

    def reached(self, place: str) -> None:
        """Wait until the signer has stopped there."""
        until((self.folder / "holds" / f"{place}.reached").exists, f"the signer reaches {place}")

    def ends_or_reaches(self, running: Running, place: str) -> bool:
        """Wait until the run has ended or the signer has stopped there; says whether it was the latter."""
        reached = self.folder / "holds" / f"{place}.reached"
        until(lambda: reached.exists() or running.child.poll() is not None, f"an end, or {place}")
        return reached.exists()

    def let_go(self, place: str) -> None:
        """Let the signer that has stopped there go on."""
        (self.folder / "holds" / place).write_bytes(b"x")

    def let_sign(self) -> None:
        """Hold the signer no more."""
        for place in (self.folder / "holds").iterdir():
            place.unlink()

    def let_build(self, killed: int = 0) -> None:
        """Let the running build go on; `killed` names the folder of one that was killed, which may still lie there."""
        inside = self.work / "build" / "greeting" / "build"
        until(lambda: _inode(inside) not in (0, killed) and (inside / "greeting").exists(), "the build runs")
        (inside / "go").touch()

    def to(self, running: Running, place: str) -> None:
        """Let a run get as far as `place`, and no further where that can be held."""
        if place == "fetch":
            until(self.asked.is_set, "the server is asked")
            return
        self.answers.set()
        if place == "verify":
            running.seen("item.started", item="greeting/git/v1.0")
            return
        running.seen("build.started")
        if place == "build":
            until((self.work / "build" / "greeting" / "build" / "greeting").exists, "the build runs")
            return
        if place == "sign":
            self.hold("before-sign")
        self.let_build()
        if place == "seal":
            running.seen("stage.started", stage="seal")
        if place == "sign":
            self.reached("before-sign")

    def go_on(self) -> Running:
        """Run again, with nothing held any more."""
        self.answers.set()
        self.let_sign()
        killed = _inode(self.work / "build" / "greeting" / "build")
        running = self.start()
        told = [e for e in running.events() if e["e"] == "item.verdict" and e["item"] == "greeting/build"]
        built = any(
            e["verdict"] == "passed" for e in told
        )  # products alone are thrown away with a build cut short
        if not built:
            running.seen("build.started")
            self.let_build(killed)
        return running

    def goes_on(self) -> None:
        """Run again to the end."""
        self.go_on().end().well()
        self.is_done()


def _inode(folder: Path) -> int:
    """The number of a folder; 0 where there is none."""
    try:
        return folder.stat().st_ino
    except FileNotFoundError:
        return 0
