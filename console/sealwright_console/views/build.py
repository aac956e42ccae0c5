"""What stands above the log of a build: where it runs, how long, what it uses."""

from __future__ import annotations

from dataclasses import replace

from sealwright_console.figures import duration, head, seconds_between, size, sparkline
from sealwright_console.lines import Line, Part, Tone, word
from sealwright_console.words import took_words
from sealwright_stages.live import Now
from sealwright_stages.state import Component, State
from sealwright_stages.verdict import Status

_SECOND = "/reproduce"


def builds(state: State) -> list[str]:
    """The builds that have begun, in the order of the manifest: of a component, under its name, and after that its second
    one, under the id of its item."""
    names: list[str] = []
    for name, component in state.components.items():
        names += [name] if component.build_stream else []
        names += [f"{name}{_SECOND}"] if name in state.seconds else []
    return names


def build_of(state: State, name: str) -> Component | None:
    """What is known of a build that has begun: of a second one, with the sources that both are made from."""
    first = state.components.get(component_of(name))
    second = state.seconds.get(component_of(name))
    if not name.endswith(_SECOND) or first is None or second is None:
        return first if first is not None and first.build_stream else None
    return replace(second, files=first.files, bytes=first.bytes, manifest_sha256=first.manifest_sha256)


def component_of(name: str) -> str:
    """Whose build it is."""
    return name.removesuffix(_SECOND)


def busiest(state: State) -> str:
    """The component to look at first: one that builds now, else one that failed, else the last."""
    names = builds(state)
    known = {name: build for name in names if (build := build_of(state, name)) is not None}
    running = [name for name, build in known.items() if build.building]
    failed = [name for name, build in known.items() if build_status(build) is Status.FAILED]
    return (running or failed or names[-1:] or [""])[0]


def build_status(component: Component) -> Status:
    """How a component's build stands."""
    if component.building:
        return Status.RUNNING
    if component.build_exit is None:
        return Status.PENDING
    return Status.PASSED if component.build_exit == 0 else Status.FAILED


def build_lines(state: State, name: str, width: int, now: Now | None = None, left: str = "") -> tuple[Line, ...]:
    """Lines about a build: which and how it stands, its sandbox, its curves, what it takes.

    `now` is a look that is newer than the log, `left` how long it may still take.
    """
    component = build_of(state, name)
    if component is None:
        return ((Part("no build has begun yet", Tone.DIM),), (), ())
    names = builds(state)
    where = f"({names.index(name) + 1} of {len(names)})"
    first = (
        Part("SECOND BUILD " if name != component_of(name) else "BUILD ", Tone.DIM),
        Part(f"{component_of(name)} ", Tone.HEAD),
        Part(f"{where}  ", Tone.DIM),
        word(build_status(component)),
        Part(f"  wall {_wall(state, component, now)}{_exit(component)}"),
        Part(f"  {left}" if left else "", Tone.RUNNING),
    )
    second = (
        Part("sandbox ", Tone.DIM),
        Part(component.environment or "host"),
        Part("  network: none", Tone.DIM),
        Part(f"  in: {component.files} verified files, {size(component.bytes)}, manifest ", Tone.DIM),
        Part(head(component.manifest_sha256), Tone.DIM),
    )
    curves = _curves(component, max(8, min(30, (width - 44) // 2)), now)
    return (first, second, curves, took_line(component, now))


def _wall(state: State, component: Component, now: Now | None) -> str:
    if now is not None:
        return duration(now.look.elapsed_ms / 1000)
    if component.building:
        return duration(seconds_between(component.build_started, state.last_t))
    return duration(component.wall_ms / 1000)


def _exit(component: Component) -> str:
    return f"  exit {component.build_exit}" if component.build_exit is not None else ""


def took_line(component: Component, now: Now | None = None) -> Line:
    """What a build moves and takes of its disk now; what it took, once it has ended."""
    end = component.end
    if end is not None:
        return (Part(took_words(end) if end.cpu_by else "", Tone.DIM),)
    last = now.look if now is not None else component.samples[-1] if component.samples else None
    if last is None:
        return ()
    reading, writing = (now.reading, now.writing) if now is not None else _rates(component)
    moved = f"reads {size(reading)}/s  writes {size(writing)}/s"
    return (Part("DISK ", Tone.DIM), Part(f"{size(last.disk)} in {last.files:,} files  "), Part(moved, Tone.DIM))


def _rates(component: Component) -> tuple[int, int]:
    """Bytes a second read and written between the last two looks that the log has."""
    before, last = component.samples[-2:] if len(component.samples) > 1 else (None, None)
    seconds = seconds_between(before.at, last.at) if before and last else 0.0
    if before is None or last is None or not seconds:
        return 0, 0
    reading, writing = last.read - before.read, last.written - before.written
    return max(0, int(reading / seconds)), max(0, int(writing / seconds))


def _curves(component: Component, width: int, now: Now | None = None) -> Line:
    if not component.samples:
        return (Part("no figures yet", Tone.DIM),)
    last = now.look if now is not None else component.samples[-1]
    cpu = sparkline([sample.cpu for sample in component.samples], width, top=100)
    memory = sparkline([sample.memory for sample in component.samples], width)
    return (
        Part("CPU ", Tone.DIM),
        Part(cpu, Tone.RUNNING),
        Part(f" {last.cpu}%  "),
        Part("MEM ", Tone.DIM),
        Part(memory, Tone.RUNNING),
        Part(f" {size(last.memory)}  "),
        Part(f"{last.processes} processes", Tone.DIM),
    )
