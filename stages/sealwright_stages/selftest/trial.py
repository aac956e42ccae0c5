"""Tries the ways out, in the very profile that builds get, with the builder's watch and the collector behind it.

- Attempts that only the sandbox must hold share one, one after the other, each in a process of its own.
- Those that the builder must hold have one each; products lie in folders of their own and are collected one by one.
- What an attempt says of itself counts only against it; what can be seen from outside is looked at from outside.
- An attempt of which nothing is heard is broken, and so is one that was ended for something else.
- Nothing of an attempt is left, got out or not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from sealwright_stages import process
from sealwright_stages.build import runner
from sealwright_stages.build.collector import collect
from sealwright_stages.errors import BuildError, InterruptedRunError
from sealwright_stages.files import remove_tree, sha256_file
from sealwright_stages.ports import BuildResult, Collected, Limits
from sealwright_stages.sandbox.bwrap import Bind, Prepare, Sandbox, prepared
from sealwright_stages.sandbox.fetch import BwrapFetchSandbox
from sealwright_stages.sandbox.identity import Identities
from sealwright_stages.sandbox.ownership import hand_over, lent, take_back
from sealwright_stages.selftest.attempts import FETCHER, INSIDE, PRODUCTS, WATCHED, Attempt, Result, Tried
from sealwright_stages.selftest.canary import Canary
from sealwright_stages.selftest.probes.common import Bait
from sealwright_stages.state import Record

_PROBES = Path(__file__).with_name("probes")
_PACKAGE = "sealwright_stages.selftest.probes"
_ORDER = ("common", "network", "host", "kernel", "limits", "products", "main")
_SECONDS = 60.0
_DEATH = 10.0  # seconds that what was killed may take to end
_LIMITS = Limits(wall=20, memory=96 << 20, disk=16 << 20, processes=64)
_WIDE = {
    "shared_memory": {"disk": 1 << 30},
    "product": {"disk": 1 << 30, "memory": 1 << 30},
    "endless_time": {"wall": 1},
}
_ENDED_FOR = {
    "shared_memory": "it (used|wanted) .*memory",
    "many_files": "it took .* of disk, more",
    "many_names": "it made .* files, more",
    "endless_time": "it took longer",
    **dict.fromkeys(("endless_lines", "endless_line", "endless_noise"), "it took .* and said "),
}
"""What the builder must say: one that was ended for something else has shown nothing."""
_AT_ONCE = 4
_RESULTS = {"out": Result.GOT_OUT, "held": Result.HELD}
Collect = Callable[[Path, tuple[str, ...], int, Path], tuple[Collected, ...]]


def program_text() -> str:
    """The probes as one text for `python3 -c`."""
    texts = [(name, (_PROBES / f"{name}.py").read_text(encoding="utf-8")) for name in _ORDER]
    return (
        "import sys, types\n"
        f"sys.modules[{_PACKAGE!r}] = types.ModuleType({_PACKAGE!r})\n"
        f"for name, text in {texts!r}:\n"
        f"    sys.modules[{_PACKAGE!r} + '.' + name] = module = types.ModuleType({_PACKAGE!r} + '.' + name)\n"
        "    exec(compile(text, name, 'exec'), module.__dict__)\n"
        f"sys.modules[{_PACKAGE!r} + '.main'].main()\n"
    )


@dataclass
class _Sink:
    """Takes a build's output: how much it was, and its end."""

    said: int = 0
    end: bytes = b""

    def write(self, channel: Literal["D", "E"], data: bytes) -> None:
        self.said += len(data)
        self.end = (self.end + data)[-4096:]

    def finish(self, exit_status: int) -> Record:
        raise AssertionError("the trial has no log")

    def abort(self) -> None:
        raise AssertionError("the trial has no log")


@dataclass(frozen=True)
class Trial:
    """A set of attempts against a profile; `prepare` and `collect` are those of builds, but in tests.

    `tell` hears of attempts as they end, from several threads; once `stop` is set nothing more begins.
    """

    canary: Canary
    identities: Identities
    prepare: Prepare = prepared
    collect: Collect = collect
    tell: Callable[[Sequence[Tried]], None] = lambda tried: None
    stop: threading.Event = field(default_factory=threading.Event)

    def whole(self) -> list[Tried]:
        """Try everything, in the order of the table.

        Raises:
            MachineError: a sandbox can't be made or ended.
            InterruptedRunError: it was stopped.
        """
        groups = [[a for a in INSIDE if a.group == group] for group in dict.fromkeys(a.group for a in INSIDE)]
        # Where all share a uid, those that use up its processes must not meet others.
        with ThreadPoolExecutor(_AT_ONCE if self.identities.builders else 1) as pool:
            fetched = pool.submit(self._told, self.fetcher, FETCHER)
            done = [*pool.map(partial(self._told, self.inside), groups), fetched.result()]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            last = pool.submit(self._told, self.products, PRODUCTS)
            done += pool.map(
                partial(self._told, lambda some: [self.watched(some[0])]), [[each] for each in WATCHED]
            )
            done.append(last.result())
        return [each for some in done for each in some]

    def _told(self, run: Callable[[Sequence[Attempt]], list[Tried]], attempts: Sequence[Attempt]) -> list[Tried]:
        if self.stop.is_set():
            raise InterruptedRunError("the selftest was stopped", "somebody asked to", "run it again, whole")
        tried = run(attempts)
        self.tell(tried)
        return tried

    def inside(self, attempts: Sequence[Attempt]) -> list[Tried]:
        """Try these in one sandbox of builds, one after the other."""
        with self.identities.builder() as uid:
            return self._inside(self.box(uid), attempts)

    def fetcher(self, attempts: Sequence[Attempt]) -> list[Tried]:
        """Try these in one sandbox of fetchers, with a network, one after the other."""
        uid = self.identities.fetcher
        sandbox = BwrapFetchSandbox(uid, machine={})
        with self._room("fetcher") as room, lent(room, uid):
            return self._inside(sandbox.box(room, (self.canary.sources,), {}, {}, network=True), attempts)

    def _inside(self, box: Sandbox, attempts: Sequence[Attempt]) -> list[Tried]:
        with (
            self.canary.beside(box.uid) as bait,
            self.prepare(box, self.words(attempts, bait)) as start,
        ):
            done = process.run(
                start.argv,
                timeout=_SECONDS,
                cwd=Path("/"),
                env={"SEALWRIGHT_CANARY": "sings"},
                pass_fds=start.descriptors,
                spawn=start.spawn,
            )
        return judged(attempts, done.stdout, done.complaint())

    def watched(self, attempt: Attempt, limits: Limits | None = None) -> Tried:
        """Try one under the builder's watch, with these limits or the small ones that are meant to end it."""
        limits = limits or dataclasses.replace(_LIMITS, **_WIDE.get(attempt.name, {}))
        with self._room(attempt.name) as room, self.identities.builder() as uid:
            result, sink = self._build(uid, room, [attempt], limits)
            (tried,) = judged([attempt], sink.end, f"exit {result.exit}")
        if attempt.name == "daemon" and tried.result is Result.GOT_OUT:
            if left := self._left("daemon"):
                return Tried(attempt, Result.GOT_OUT, f"{left} of its processes went on")
            return Tried(attempt, Result.HELD, "nothing of it goes on")
        if result.killed_because and sink.said <= limits.disk:
            right = re.match(_ENDED_FOR.get(attempt.name, "nothing ends it"), result.killed_because)
            return Tried(attempt, Result.HELD if right else Result.BROKEN, result.killed_because)
        return tried

    def products(self, attempts: Sequence[Attempt]) -> list[Tried]:
        """Have all these products made in one sandbox, then collect each."""
        limits = dataclasses.replace(_LIMITS, **_WIDE["product"])
        with self._room("products") as room, self.identities.builder() as uid:
            _, sink = self._build(uid, room, attempts, limits)
            said = judged(attempts, sink.end, "")
            try:
                return [self._collected(each, room) for each in said]
            finally:
                self._left("racer")

    def _collected(self, made: Tried, room: Path) -> Tried:
        """Collect one product that was made; held is what is refused, or is as it was hashed and stays so."""
        if made.result is not Result.GOT_OUT:
            return made
        attempt = made.attempt
        kept = room / f"kept-{attempt.name}"
        try:
            products = self.collect(room / "out" / attempt.name, ("*",), 100 << 20, kept)
        except BuildError as error:
            if attempt.name != "product_raced":
                return Tried(attempt, Result.HELD, error.because)
        else:
            if attempt.name != "product_raced":
                return Tried(attempt, Result.GOT_OUT, "it was taken for a product")
            if any(sha256_file(kept / each.name) != each.sha256 for each in products):
                return Tried(attempt, Result.GOT_OUT, "it is not what was hashed")
        if self.canary.living("racer"):
            return Tried(attempt, Result.GOT_OUT, "it still changes")
        return Tried(attempt, Result.HELD, "nothing changes it any more")

    def box(self, uid: int | None) -> Sandbox:
        """A sandbox as builds get it, with small limits."""
        return Sandbox(
            uid=uid,
            binds=(Bind(self.canary.sources, "/sources"),),
            environment=process.BASE_ENVIRONMENT,
            processes=64,
            memory=256 << 20,
            file_size=1 << 30,
            scratch=16 << 20,
            grouped=True,
        )

    def words(self, attempts: Iterable[Attempt], bait: Bait) -> tuple[str, ...]:
        """The probes' argument list."""
        names = [attempt.name for attempt in attempts]
        return ("/usr/bin/python3", "-B", "-c", program_text(), json.dumps(dataclasses.asdict(bait)), *names)

    @contextlib.contextmanager
    def _room(self, name: str) -> Iterator[Path]:
        room = self.canary.folder / f"room-{name}"
        room.mkdir(mode=0o700)
        try:
            yield room
        finally:
            remove_tree(room)

    def _build(
        self, uid: int | None, room: Path, attempts: Sequence[Attempt], limits: Limits
    ) -> tuple[BuildResult, _Sink]:
        places = (room / "build", room / "out")
        for place in places:
            place.mkdir(mode=0o755)
            hand_over(place, uid)
        binds = tuple(Bind(place, f"/{place.name}", writable=True) for place in places)
        box = dataclasses.replace(self.box(uid), binds=(*self.box(uid).binds, *binds), memory=1 << 30)
        sink = _Sink()
        watched = runner.Watched(sink, lambda sample: None, lambda: "")
        try:
            words = self.words(attempts, self.canary.bait)
            return runner.run(box, words, limits, room, watched, prepare=self.prepare), sink
        finally:
            for place in places:
                take_back(place, uid)

    def _left(self, kind: str) -> int:
        """End what an attempt left behind, and wait until it has ended; how many there were."""
        left = self.canary.living(kind)
        for each in left:
            with contextlib.suppress(Exception):
                each.kill()
        deadline = time.monotonic() + _DEATH
        while self.canary.living(kind) and time.monotonic() < deadline:
            time.sleep(0.02)
        return len(left)


def judged(attempts: Sequence[Attempt], said: bytes, otherwise: str) -> list[Tried]:
    """What the probes said of each attempt; broken is what nothing was said of."""
    heard: dict[str, tuple[str, str]] = {}
    for line in said.decode("utf-8", "replace").splitlines():
        name, _, rest = line.partition(" ")
        result, _, why = rest.partition(" ")
        heard[name] = (result, why)
    found = [(attempt, *heard.get(attempt.name, ("", otherwise))) for attempt in attempts]
    return [Tried(attempt, _RESULTS.get(result, Result.BROKEN), why[:200]) for attempt, result, why in found]


def selftest(
    tell: Callable[[Sequence[Tried]], None] = lambda tried: None, stop: threading.Event | None = None
) -> list[Tried]:
    """Try to break out in every known way, as builds are run here; `tell` and `stop` as in `Trial`.

    Raises:
        MachineError: the sandbox can't be made.
        InterruptedRunError: it was stopped.
    """
    identities = Identities.choose()
    try:
        with Canary() as canary:
            return Trial(canary, identities, tell=tell, stop=stop or threading.Event()).whole()
    finally:
        identities.release()
