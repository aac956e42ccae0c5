"""Clients that load a real authority and keep their own record of what it acknowledged, until it is gone."""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
from dataclasses import dataclass, field
from pathlib import Path

from appendlog.log_making import RawClient
from appendlog.real_program import connect
from sealwright_appendlog import layout
from sealwright_appendlog.audit import read_records

WINDOW = 1 << 20


@dataclass
class Load:
    """One client of one stream: what it sent, and what it was told is durable."""

    client: RawClient
    stream: str
    seed: int
    sent: int = 0
    total: int = 0
    durable: int = -1
    lines: list[bytes] = field(default_factory=list)

    def run(self) -> None:
        """Send until the authority is gone, within the window that every client keeps."""
        chooser = random.Random(self.seed)  # noqa: S311 - chooses sizes
        try:
            self.client.hello(self.stream)
            self._take(self.client.wait("A"))
            for number in itertools.count():
                if self.stream == "engine":
                    self.client.say("J", b'{"number":%d}' % number)
                    told = len(self.lines)
                    while len(self.lines) == told:
                        self._take(self.client.wait("A"))
                else:
                    length = chooser.choice([1, 80, 5000, 65_536])
                    self.client.say(chooser.choice("DE"), bytes([number % 256]) * length)
                    self.sent += length
                    while self.sent - self.total > WINDOW - 65_536:
                        self._take(self.client.wait("A"))
        except (EOFError, OSError):
            self._take_rest()

    def _take_rest(self) -> None:
        """What had come before the end, and was not looked at yet."""
        with contextlib.suppress(OSError):
            while data := self.client.sock.recv(1 << 16):
                self.client.got += self.client.decoder.feed(data)
        for kind, payload in self.client.got:
            if kind == "A":
                self._take(payload)

    def _take(self, payload: bytes) -> None:
        head, _, line = payload.partition(b"\n")
        durable, total = map(int, head.split(b" "))
        self.durable, self.total = max(self.durable, durable), max(self.total, total)
        if line:
            self.lines.append(line)


@dataclass
class Loads:
    """An engine and some builds, each in a thread of its own."""

    root: Path
    seed: int
    builds: int = 8
    loads: list[Load] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to load the authority that is served at `root`."""
        for number, stream in enumerate(["engine", *(f"build/{n}" for n in range(self.builds))]):
            self.loads.append(Load(connect(self.root), stream, self.seed + number))
            self.threads.append(threading.Thread(target=self.loads[-1].run))
        for thread in self.threads:
            thread.start()

    def join(self) -> None:
        """Wait until everybody has noticed that the authority is gone."""
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive()
        for load in self.loads:
            load.client.close()

    def check(self) -> dict[str, int]:
        """All that was acknowledged is in the log at `root`, and little was lost that was not; gives the counts."""
        log = self.root / "log"
        kept = list(layout.lines(log / layout.INDEX))
        totals: dict[str, int] = {}
        torn = 0
        for entry, _ in read_records(log):
            if entry["k"] == "data":
                totals[entry["s"]] = totals.get(entry["s"], 0) + entry["len"]
            torn += entry["k"] == "torn"
        held = set(kept)
        for load in self.loads:
            assert load.durable < len(kept), load.stream
            assert set(load.lines) <= held, load.stream
            assert totals.get(load.stream, 0) >= load.total, load.stream
            assert load.sent - totals.get(load.stream, 0) <= WINDOW, load.stream
        return {
            "events acknowledged": sum(len(load.lines) for load in self.loads),
            "bytes acknowledged": sum(load.total for load in self.loads),
            "bytes lost, never acknowledged": sum(load.sent - totals.get(load.stream, 0) for load in self.loads),
            "torn pieces": torn,
        }
