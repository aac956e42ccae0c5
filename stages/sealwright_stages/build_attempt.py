"""One try to build, the first of a component or the second: its stream, its events, how it ended.

- It is told before its stream begins; the stream ends before its end is told.
- A build that lost its log, or was interrupted, leaves its stream unclean and its folder empty.
- A build that failed on a full disk is no verdict on its sources: it ends the run, and is built again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages import events as ev
from sealwright_stages.build_figures import BuildFigures
from sealwright_stages.context import Context
from sealwright_stages.errors import BuildError, MachineError
from sealwright_stages.estimate import Kind, earlier_of
from sealwright_stages.files import is_full, remove_tree
from sealwright_stages.journal import clip
from sealwright_stages.manifest import ComponentSpec
from sealwright_stages.ports import BuildJob, BuildResult, Need, OutputStream, Varied
from sealwright_stages.verdict import Failed
from sealwright_stages.verify.codes import shown

_NOT_RUN = 127  # the exit of a build that could not be begun, as shells say it
SECOND = "-second"
"""What ends the name of a second build's stream, which is that of a first one but for this."""


@dataclass(frozen=True)
class Attempt:
    """A try that has ended, with the folder that holds what it made until the block ends."""

    ended: BuildResult | Failed
    out: Path


def job_of(
    context: Context, component: ComponentSpec, sees: tuple[str, ...], facts: Mapping[str, object]
) -> BuildJob:
    """What goes into a build of a component, which sees the products of `sees`."""
    build, epoch = component.build, facts.get("epoch")
    assert build is not None  # noqa: S101 - only components with a build come here
    return BuildJob(
        component=component.name,
        recipe=build.recipe,
        commands=build.commands,
        environment=context.prepared[component.name],
        sources=context.work.sources / component.name,
        epoch=epoch if isinstance(epoch, int) else 0,
        limits=build.limits,
        products=build.products,
        needs=tuple(Need(name, context.work.products / name) for name in sees),
        spec=build.spec,
    )


def out_of(context: Context, component: str, *, second: bool = False) -> Path:
    """The folder that a build of a component writes below."""
    return context.work.build / (
        f".{component}{SECOND}" if second else component
    )  # no component begins with a dot


@contextlib.contextmanager
def attempted(
    context: Context, job: BuildJob, item: str, seen: Mapping[str, str], varied: Varied | None = None
) -> Iterator[Attempt]:
    """Build once, all of it told; `varied` makes it the component's second build.

    Raises:
        BuildError: it could not be begun.
        MachineError: the machine, and not the build, is at fault.
        LogLost: as of the log.
    """
    journal = context.journal
    known = journal.state.components[job.component]
    stream = f"build/{job.component}/{journal.state.runs}-{journal.state.items[item].tries}"
    out = out_of(context, job.component, second=varied is not None)
    remove_tree(out)
    out.mkdir()
    told = ("", "", "") if varied is None else journal.spill(varied.told())
    environment = job.environment.name, job.environment.sha256
    facts = *environment, known.manifest_sha256, job.epoch, *journal.spill(seen), *told, *job.limits.figures
    name = stream if varied is None else f"{stream}{SECOND}"
    try:
        journal.tell(ev.BuildStarted(job.component, item, name, job.recipe, *facts))
        output = journal.log.open_stream(name)
        try:
            ended = _watched(context, job, out, output, second=varied is not None)
            yield Attempt(ended, out)
        except BuildError:
            raise
        except BaseException:
            output.abort()
            raise
    finally:
        remove_tree(out)


def _watched(
    context: Context, job: BuildJob, out: Path, output: OutputStream, *, second: bool
) -> BuildResult | Failed:
    journal = context.journal
    figures = BuildFigures(job.component, context.live, journal.tell, second=second)
    try:
        result = context.plan.builder.run(job, out, output, figures.take, context.stop_reason)
    except BuildError as error:
        output.finish(_NOT_RUN)
        journal.tell(ev.BuildEnded(job.component, _NOT_RUN, 0, clip(error.because), second))
        raise
    finally:
        figures.over()
    context.check_cancel()
    figures.end()
    output.finish(result.exit)
    told = figures.ended(result)
    journal.tell(told)
    if result.exit == 0 and not result.killed_because and not second:
        kind = Kind(job.component, job.recipe, job.environment.name)
        context.durations.keep(kind, earlier_of(told, figures.marks(told.wall_ms / 1000)))
    if result.exit != 0 and not result.killed_because and is_full(out):
        raise MachineError(f"{job.component} can't be built", f"the disk of {out} is full", "make room, run again")
    return result if result.exit == 0 and not result.killed_because else _failed(job, result)


def _failed(job: BuildJob, result: BuildResult) -> Failed:
    said = f", last saying: {shown(result.last_line)}" if result.last_line else ""
    because = result.killed_because or f"it ended with exit {result.exit}{said}"
    return Failed(
        "build-failed",
        f"{job.component}: {because}",
        "read its log, mend the source or the limits, run again",
    )
