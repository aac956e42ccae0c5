"""What `--batch` says of running builds every half a minute: how long, what they take, how long they may still take.

- It is said by a thread of its own: a reader that is slow holds up neither a build nor the watch over it.
- While nothing is built nothing is said; where nobody reads any more this thread ends, and the run's own next line
  finds that out.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from sealwright_console.figures import duration, size
from sealwright_stages.live import build_name
from sealwright_stages.outlook import Outlook
from sealwright_stages.state import State

EVERY = 30.0


def lines(state: State, outlook: Outlook) -> Iterator[str]:
    """A line for each build that runs, and one for the stage; not yet clean."""
    running = [name for name, known in list(state.components.items()) if known.building]
    running += [build_name(name, second=True) for name, known in list(state.seconds.items()) if known.building]
    for name in running:
        now = outlook.now(name)
        if now is None:
            continue
        look, left = now.look, outlook.left(state, name)
        used = f"{look.cpu}% of a core, {size(look.memory)}, {look.processes} processes, {size(look.disk)} of disk"
        yield f"builds    {name}: {duration(look.elapsed_ms / 1000)}, {used}{f'; {left}' if left else ''}"
    if running and (whole := outlook.whole(state)):
        yield f"stage build: {whole}"


@contextlib.contextmanager
def said_often(
    say: Callable[[str], None], state: Callable[[], State], outlook: Outlook, every: float = EVERY
) -> Iterator[None]:
    """Say it until the block ends."""
    over = threading.Event()

    def tell() -> None:
        with contextlib.suppress(OSError):
            while not over.wait(every):
                for line in lines(state(), outlook):
                    say(line)

    thread = threading.Thread(target=tell, name="ahead", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(1)
