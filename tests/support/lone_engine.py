"""An engine's door without a release behind it: a desk over a log that lies in a work folder, in this process or alone.

`python -m support.lone_engine WORK` folds the log in WORK, prints how many seconds that took, and serves it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sealwright_stages.attended.place import Place
from sealwright_stages.attended.protocol import PROTOCOL, Asked, Asks, Hello, Over, Said
from sealwright_stages.attended.server import Server
from sealwright_stages.fold import fold
from sealwright_stages.log.entries import read_entries
from sealwright_stages.review.snapshots import freeze, thaw
from sealwright_stages.state import State
from sealwright_stages.work import WorkFolder


@dataclass
class LoneDesk:
    """A state that stands still, and a list of what was asked."""

    state: State
    n: int = -1
    asks: Asks = field(default_factory=Asks)
    asked: list[Asked] = field(default_factory=list)
    more: Sequence[Said] = ()

    def __post_init__(self) -> None:
        self.n = max(self.n, self.state.last_n)

    def picture(self) -> State:
        return thaw(freeze(self.state))

    def position(self) -> tuple[int, bool, str]:
        return self.n, False, ""

    def news(self) -> Sequence[Said]:
        return (self.asks, *self.more)

    def do(self, wish: Asked) -> None:
        self.asked.append(wish)


def hello(**changes: object) -> Hello:
    told = {
        "protocol": PROTOCOL,
        "tool": "0.1.0",
        "release": "example-1.0",
        "manifest_sha256": "0" * 64,
        "until": "sign",
        "jobs": 2,
        "pid": os.getpid(),
        "since": "2026-03-02T12:39:00Z",
        "keys": "/srv/release/keyring/keys",
    }
    return Hello(**{**told, **changes})  # type: ignore[arg-type]


@contextlib.contextmanager
def serving(work: Path, desk: LoneDesk, who: Hello | None = None) -> Iterator[Server]:
    """Serve `desk` as the engine of a work folder, which is held; the test or the end of the block closes it."""
    folder = WorkFolder(work)
    with folder.locked():
        folder.private.mkdir(mode=0o711, exist_ok=True)
        place = Place(folder)
        place.take()
        server = Server(place.listen(who or hello()), who or hello(), desk)
        server.start()
        try:
            yield server
        finally:
            server.close(Over(0, "the test is over", "", "nothing"))


def main(work: Path) -> None:
    begun = time.perf_counter()
    desk = LoneDesk(fold(read_entries(work / "log")))
    took = time.perf_counter() - begun
    with serving(work, desk):
        print(took, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
