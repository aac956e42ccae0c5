"""The live block of `--batch` on a terminal: stages, counts, what runs; below the lines of what has ended.

- It folds the log once more, in a thread of its own, which draws four times a second.
- Each line fits into the terminal as it is now, or ends in `…`; nothing is parsed as markup, a link or an emoji. A
  terminal that is made narrower wraps what it shows by itself: a line of the block may stay behind then.
- It takes half the terminal's height at most; what doesn't fit is counted.
- Where the run ends, however it ends, the block is gone and the cursor is back: what stays are the lines.
- NO_COLOR takes the colours; each status has its shape and its word anyway.
"""

from __future__ import annotations

import contextlib
import copy
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from sealwright_console.ascii_text import as_ascii
from sealwright_console.figures import duration, progress, size
from sealwright_console.lines import MARKS, Line, Part, Tone, fit, plain, tone_of
from sealwright_console.mirror import Mirror
from sealwright_console.sanitise import clean, inert
from sealwright_console.views.header import gate_word, next_word, stepper
from sealwright_stages.live import build_name
from sealwright_stages.outlook import Outlook
from sealwright_stages.state import Item, Record, State
from sealwright_stages.verdict import Status

_EVERY = 0.25
_WAY = {Tone.PASSED: "green", Tone.WARNED: "yellow", Tone.FAILED: "bold red", Tone.RUNNING: "cyan"}
_WAY |= {Tone.PENDING: "dim", Tone.DIM: "dim", Tone.HEAD: "bold", Tone.KEY: "dim"}
_SHAPES = {"✓": "green", "!": "yellow", "✗": "bold red"}
_WORDS = {"passed": "green", "warned": "yellow", "failed": "bold red", "error": "bold red", "done": "green"}
_VERDICTS = {"RED": "bold red", "WARNED": "yellow", "green": "bold green"}
_LABEL = re.compile(r"\s*(?:[✓!✗] )?[\w-]+(?:\s{2,}|:\s)")
_MOST_HANG = 13  # 80 cells take a digest of 64 digits then
_LEAST = 20  # cells of text beside a label
_NAME = 30  # cells of a name


class Block:
    """The block, and the lines above it. One `with` is one run; `say` and `take` come from any thread."""

    def __init__(self, *, ascii_only: bool) -> None:
        self._ascii = ascii_only
        self._console = Console(file=sys.stderr, force_terminal=True, markup=False, emoji=False, highlight=False)
        self._live: Live | None = None
        self._mirror: Mirror | None = None
        self._outlook: Outlook | None = None
        self._stopping: Callable[[], bool] = lambda: False
        self._lock = threading.Lock()  # rich's own doesn't hold from moving the cursor to what is written there
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw_often, name="block", daemon=True)
        self._begun = time.monotonic()

    def show(self, state: State, outlook: Outlook, stopping: Callable[[], bool]) -> Block:
        """Begin with what stood in the log; `stopping` says whether the run was asked to stop."""
        self._mirror, self._outlook, self._stopping = Mirror(_copied(state)), outlook, stopping
        return self

    def __enter__(self) -> Block:
        """Open the block."""
        self._live = Live(
            Text(""),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._live.start()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the block away, whatever happened."""
        self._over.set()
        self._thread.join(2)
        live, self._live = self._live, None
        if live is not None:
            with contextlib.suppress(OSError):  # the terminal is gone: then the exit code says all
                live.stop()

    def take(self, record: Record) -> None:
        """Take a record that was acknowledged."""
        if self._mirror is not None:
            self._mirror.take(record)

    def say(self, line: str) -> None:
        """Print a line above the block, or where the block was."""
        line = inert(clean(line))
        with self._lock:
            for text in _wrapped(as_ascii(line) if self._ascii else line, self._console):
                self._console.print(text, soft_wrap=True)

    def _draw_often(self) -> None:
        with contextlib.suppress(OSError):
            while not self._over.wait(_EVERY):
                self._draw()

    def _draw(self) -> None:
        live, mirror, outlook = self._live, self._mirror, self._outlook
        if live is None or mirror is None or outlook is None:
            return
        mirror.poll()
        width, height = self._console.size
        elapsed = time.monotonic() - self._begun
        shown = block(mirror.state, outlook, elapsed, (width - 1, max(3, height // 2)), stopping=self._stopping())
        with self._lock:
            live.update(Text("\n").join(self._text(line, width - 1) for line in shown), refresh=True)

    def _text(self, line: Line, width: int) -> Text:
        text = Text(no_wrap=True)
        left = width
        for part in line:
            told = as_ascii(part.text) if self._ascii else part.text
            cut = Text(told, style=_WAY.get(part.tone, ""))
            if cut.cell_len > left:
                cut.truncate(max(0, left), overflow="crop" if self._ascii else "ellipsis")
            left -= cut.cell_len
            text.append_text(cut)
        return text


def _wrapped(line: str, console: Console) -> Iterator[Text]:
    """The line in pieces as wide as the terminal; all but the first stand below its text, not below its label."""
    label, style = _LABEL.match(line), _style(line)
    hang = min(label.end(), _MOST_HANG) if label else 2
    text = Text(line[:hang], style=style)
    rest = Text(line[hang:], style=style).wrap(console, max(_LEAST, console.width - hang), overflow="fold")
    for number, piece in enumerate(rest or [Text()]):
        piece.rstrip()
        yield text + piece if number == 0 else Text(" " * hang) + piece


def _style(line: str) -> str:
    """A line's colour, by the shape or the word that it begins with; the verdict's is that of its second word."""
    first, _, rest = line.lstrip().partition(" ")
    if first == "verdict":
        return _VERDICTS.get(rest.split(maxsplit=1)[0].rstrip(":"), "")
    return _SHAPES.get(first, "") or _WORDS.get(first.rstrip(":"), "")


def block(
    state: State, outlook: Outlook, elapsed: float, room: tuple[int, int], *, stopping: bool = False
) -> list[Line]:
    """The block's lines for a terminal with `room`, in columns and lines."""
    width, height = room
    head = stepper(state)
    if len(plain(head)) > width:
        head = stepper(state, " ")
    told: Line = (
        (Part("stopping: builds are being ended", Tone.WARNED),) if stopping else gate_word(next_word(state))
    )
    lines: list[Line] = [head, (*totals(state), *told, Part(f"  {duration(elapsed)}", Tone.DIM))]
    if ahead := outlook.whole(state):
        lines.append(_running("stage build", "", ahead))
    running = [*_builds(state, outlook), *_checks(state)]
    kept = height - len(lines)
    if len(running) > kept:
        kept = max(0, kept - 1)
        running = [*running[:kept], (Part(f"  … and {len(running) - kept} more at work", Tone.DIM),)]
    return [*lines, *running]


def totals(state: State) -> Line:
    """`✓ 41  … 2  ! 1  ✗ 2  · 0`: items by status."""
    parts: list[Part] = []
    for status in (Status.PASSED, Status.RUNNING, Status.WARNED, Status.FAILED, Status.PENDING):
        count = sum(number for (_, which), number in state.counts.items() if which is status)
        parts.append(Part(f"{MARKS[status]} {count}  ", tone_of(status) if count else Tone.DIM))
    waived = sum(item.waiver is not None for item in state.items.values())
    if waived:
        parts.append(Part(f"({waived} waived)  ", Tone.DIM))
    return tuple(parts)


def _builds(state: State, outlook: Outlook) -> Iterator[Line]:
    """Each build that runs: how long, what it takes, how long it may still take."""
    running = [name for name, known in state.components.items() if known.building]
    running += [build_name(name, second=True) for name, known in state.seconds.items() if known.building]
    for name in running:
        now = outlook.now(name)
        if now is None:
            yield _running(f"build {name}", "", "")
            continue
        look = now.look
        used = f"{look.cpu}% of a core, {size(look.memory)}"
        yield _running(f"build {name}", duration(look.elapsed_ms / 1000), outlook.left(state, name), used)


def _checks(state: State) -> Iterator[Line]:
    """Each fetch and check that runs."""
    for item in list(state.items.values()):
        if item.status is Status.RUNNING and not _is_build(item, state):
            yield _running(item.id, progress(item.done, item.total), item.note)


def _is_build(item: Item, state: State) -> bool:
    """Whether a line of a build stands for it already."""
    first, second = state.components.get(item.component), state.seconds.get(item.component)
    return (item.kind == "build" and first is not None and first.building) or (
        item.kind == "reproduce" and second is not None and second.building
    )


def _running(name: str, done: str, *words: str) -> Line:
    told, name = inert("; ".join(each for each in words if each)), inert(name)
    return (Part("  … ", Tone.RUNNING), Part(fit(name, _NAME)), Part(f"  {done:>7}  ", Tone.RUNNING), Part(told))


def _copied(state: State) -> State:
    """The state as it is now: it holds dictionaries, lists and values that never change, and nothing deeper."""
    copied = copy.copy(state)
    for name, value in vars(state).items():
        if isinstance(value, dict | list):
            setattr(copied, name, value.copy())
    return copied
