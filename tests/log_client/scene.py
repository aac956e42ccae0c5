"""Where an attack on a log takes place: a folder with a log, its authority in a real process, a console's memory."""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from appendlog.log_making import RawClient
from appendlog.real_program import PROGRAM, connect, served
from log_client import two_faced
from sealwright_appendlog import layout
from sealwright_appendlog.note import VerifierKey
from sealwright_stages.log import LogSession, open_embedded, open_transport
from sealwright_stages.log.connection import Connection
from sealwright_stages.log.memory import pin

SEEN, SHOWN = "seen", "shown"
RELEASE = "example 1.0"


class Scene:
    """A folder with a log, its authority and a console's memory of it."""

    def __init__(self, root: Path, rng: random.Random) -> None:
        self.root, self.rng = root, rng
        self.log, self.key, self.saved = root / "log", root / "key", root / "seen"
        self.copy = root / "copy"
        root.mkdir(parents=True, exist_ok=True)
        self.sessions: list[LogSession] = []
        self.clients: list[RawClient] = []

    def client(self, where: Path | None = None) -> RawClient:
        """Somebody who speaks frames to the authority that is served at `where`."""
        self.clients.append(connect(where or self.root))
        return self.clients[-1]

    def embedded(self, saved: str = "seen") -> LogSession:
        self.log.mkdir(exist_ok=True)
        session = open_embedded(self.log, self.key, RELEASE, None, None, self.root / saved)
        self.sessions.append(session)
        return session

    def remote(self, *relay: str, where: Path | None = None) -> LogSession:
        """A session with an authority that is served at `where`, perhaps through the transport that lies."""
        place = where or self.root
        argv = [*PROGRAM, "connect", "--socket", str(place / "s")]
        if relay:
            argv = [sys.executable, two_faced.__file__, str(place / "s"), *relay]
        return self.carried(argv, (place / "log" / layout.VKEY).read_text().strip())

    def carried(self, argv: Sequence[str], vkey: str) -> LogSession:
        """A session with the log of key `vkey`, carried by a program."""
        pin(self.saved, vkey)
        host = VerifierKey("example.org", VerifierKey.parse(vkey).public)
        session = open_transport(argv, host, RELEASE, self.copy, self.saved)
        self.sessions.append(session)
        return session

    def older(self, what: str = "log") -> Path:
        """The log's folder as it is now, put aside."""
        return shutil.copytree(self.root / what, self.root / f"older-{what}", dirs_exist_ok=True)

    def put_back(self, older: Path) -> None:
        shutil.rmtree(self.log)
        shutil.copytree(older, self.log)

    def kept(self) -> set[str]:
        """The pieces of evidence that the console kept."""
        return {path.name.rpartition(".")[2] for path in self.root.glob("seen.refused-*")}

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for session in self.sessions:
            session.close()


def work(session: LogSession, label: str, events: int = 6) -> None:
    """Events, and two streams of output side by side."""
    one, two = session.open_stream(f"build/{label}/one"), session.open_stream(f"build/{label}/two")
    for number in range(events):
        session.append({"e": f"honest.{label}", "number": number})
        one.write("D", b"honest output %d\n" % number)
        two.write("E", b"honest warning %d\n" % number)
    one.finish(0)
    two.finish(0)
    for number in range(3):
        session.append({"e": f"honest.{label}.done", "number": number})


def some_run(scene: Scene) -> None:
    """A run of the console that ended well."""
    session = scene.embedded()
    work(session, "first")
    session.close()


@contextlib.contextmanager
def another_authority(root: Path, origin: str = "example.org/log") -> Iterator[None]:
    root.mkdir(exist_ok=True)
    with served(root, "--origin", origin) as child:
        yield
        child.terminate()
        child.wait()


def through(*words: object) -> Callable[[Callable[[str, bytes], None], Callable[[str], None]], Connection]:
    """Connects through the transport that lies, where the log's files are at hand all the same."""

    def connect(on_frame: Callable[[str, bytes], None], on_lost: Callable[[str], None]) -> Connection:
        argv = [sys.executable, two_faced.__file__, *map(str, words)]
        child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdin and child.stdout

        def close() -> None:
            child.kill()
            child.communicate()

        return Connection(child.stdout.fileno(), child.stdin.fileno(), on_frame, on_lost, close)

    return connect
