"""What `--batch` says off a terminal while the run goes on, in one line each half a minute.

- It is said by a thread of its own: a reader that is slow holds up neither a build nor the watch over it.
- One line, however much is at work: of builds and of fetches and checks the first three are named, the others counted.
- While nothing is at work nothing is said; where nobody reads any more this thread ends, and the run's own next line
  finds that out.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from sealwright_console.figures import duration, progress, size
from sealwright_stages.live import build_name
from sealwright_stages.state import Item, State
from sealwright_stages.verdict import Status

if TYPE_CHECKING:
    from sealwright_stages.outlook import Outlook

EVERY = 30.0
_NAMED = 3
_BUILDS = ("build", "reproduce")


def line(state: State, outlook: Outlook) -> str:
    """What is at work, in one line that is not yet clean; empty if nothing is."""
    parts = [*_few([*_builds(state, outlook)]), *_few([*_others(state)])]
    if not parts:
        return ""
    if whole := outlook.whole(state):
        parts.append(f"stage build: {whole}")
    return f"progress  {'; '.join(parts)}"


def _few(parts: Sequence[str]) -> list[str]:
    more = [f"and {len(parts) - _NAMED} more"] if len(parts) > _NAMED else []
    return [*parts[:_NAMED], *more]


def _builds(state: State, outlook: Outlook) -> Iterator[str]:
    """How long each build runs that was looked at, what it takes, how long it may still take."""
    running = [name for name, known in list(state.components.items()) if known.building]
    running += [build_name(name, second=True) for name, known in list(state.seconds.items()) if known.building]
    for name in running:
        now = outlook.now(name)
        if now is None:
            continue
        look, left = now.look, outlook.left(state, name)
        used = f"{look.cpu}% of a core, {size(look.memory)}, {look.processes} processes, {size(look.disk)} of disk"
        yield f"builds {name}: {duration(look.elapsed_ms / 1000)}, {used}{f', {left}' if left else ''}"


def _others(state: State) -> Iterator[str]:
    """How far each fetch and check is."""
    for item in list(state.items.values()):
        if item.status is Status.RUNNING and item.kind not in _BUILDS:
            yield f"{item.id}: {_far(item)}"


def _far(item: Item) -> str:
    return " ".join(each for each in (progress(item.done, item.total), item.note) if each) or "runs"


@contextlib.contextmanager
def said_often(
    say: Callable[[str], None], state: Callable[[], State], outlook: Outlook, every: float = EVERY
) -> Iterator[None]:
    """Say it until the block ends."""
    over = threading.Event()

    def tell() -> None:
        with contextlib.suppress(OSError):
            while not over.wait(every):
                if said := line(state(), outlook):
                    say(said)

    thread = threading.Thread(target=tell, name="ahead", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(1)
