"""What the records of a log say, in a line each, for `--batch`, for lists and for searching.

- A line is not clean yet: whoever shows it cleans it where it leaves.
- A record that can't be read as an event says so; nothing of it is guessed.
"""

from __future__ import annotations

from sealwright_console.figures import duration, progress, size
from sealwright_stages import events as ev
from sealwright_stages.events import BadEventError
from sealwright_stages.log.entries import Entry
from sealwright_stages.state import compared, remembered_release

_MARKS = {"passed": "✓ passed ", "warned": "! warned ", "failed": "✗ FAILED "}
_SHORT = 60


def record_line(entry: Entry) -> str:
    """What a record of any kind says, in one line that is not yet clean."""
    if entry.kind == "ev":
        try:
            return event_line(ev.from_body(entry.body)).rstrip()
        except BadEventError as error:
            return f"no event of ours: {error}"
    said = entry.body
    if entry.kind == "data":
        channel = "error output" if said["ch"] == "E" else "output"
        return f"{said['len']} bytes of {channel} on {entry.stream}"
    if entry.kind == "eof":
        ended = f"exit {said['exit']}" if "exit" in said else "no exit status"
        return f"stream {entry.stream} ended: {ended}" if said["clean"] else f"stream {entry.stream} ended UNCLEAN"
    if entry.kind == "clock":
        return f"the wall clock left its course by {said['step'] / 1e6:.1f} s"
    if entry.kind == "torn":
        return f"a recovery cut {said['len']} bytes off {said['file']}"
    if entry.kind == "seal":
        return f"the log is sealed: {said['records']} records, {said['bytes']} bytes of output"
    return f"a frame was refused: {said['why']}" if entry.kind == "rej" else f"the log of {said['origin']} begins"


def event_line(event: ev.Event) -> str:  # noqa: C901, PLR0912 - one line for each kind of event
    """What an event says, in one line that is not yet clean."""
    if isinstance(event, ev.ItemVerdict):
        code = "" if event.verdict == "passed" else f" [{event.code}]"
        return f"{_MARKS.get(event.verdict, event.verdict)} {event.item}{code}: {event.reason}"
    if isinstance(event, ev.StageStarted):
        return f"stage {event.stage}: begins"
    if isinstance(event, ev.StageEnded):
        return f"stage {event.stage}: {'all green' if event.ok else 'NOT all green'}"
    if isinstance(event, ev.GateDecided):
        counts = f"{event.green} green, {event.failed} red, {event.warned} warned, {event.pending} pending"
        return f"gate before {event.stage}: {'OPEN' if event.open else 'CLOSED'} ({counts})"
    if isinstance(event, ev.FileDeleted):
        return f"deleted   {event.name} of {event.item}: {_short(event.because)}"
    if isinstance(event, ev.ItemWaived):
        return f"! waived  {event.item} by {event.person}: {event.reason}"
    if isinstance(event, ev.BuildStarted):
        return (
            f"building  {event.component}{_again(event)} in {event.environment}, its log is stream {event.stream}"
        )
    if isinstance(event, ev.BuildStopped):
        return f"waits     {event.component}, for {event.by}"
    if isinstance(event, ev.BuildEnded):
        took = f"; {took_words(event)}" if event.cpu_by else ""
        ended = f"exit {event.exit}, {event.wall_ms / 1000:.1f} s {event.because}"
        return f"built     {event.component}{_again(event)}: {ended}{took}"
    if isinstance(event, ev.ProductCollected):
        return f"product   {event.component}/{event.name}  sha256 {event.sha256}"
    if isinstance(event, ev.ProductCompared):
        return f"compared  {event.name}: {compared(event.result, event.reference)}"
    if isinstance(event, ev.RunStarted):
        return f"release {event.release}-{event.version}{', resumed' if event.resumed else ''}"
    if isinstance(event, ev.SandboxHeld):
        return f"sandbox   {event.tried} ways out tried and held, at {event.at}"
    if isinstance(event, ev.PolicyRotated):
        return f"policy    {event.policy_sha256}, {policy_version(event)}"
    if isinstance(event, ev.PolicySigned):
        return f"policy    {event.policy_sha256}, {policy_signers(event)}"
    if isinstance(event, ev.MemoryRead):
        return f"remembers {remembered_release(event)}"
    if isinstance(event, ev.SourcesPromoted):
        return f"promoted  {event.component}: {event.files} files, {event.bytes} bytes"
    if isinstance(event, ev.ItemReset):
        return f"again     {event.item}: {event.because}"
    return _quiet(event)


def _quiet(event: ev.Event) -> str:
    """What `run --batch` leaves out."""
    if isinstance(event, ev.ItemDeclared):
        return f"declared  {event.item}: {event.title}"
    if isinstance(event, ev.ItemStarted):
        return f"begins    {event.item}"
    if isinstance(event, ev.ItemProgress):
        return f"progress  {event.item}: {progress(event.done, event.total)} {event.note}".rstrip()
    if isinstance(event, ev.BuildSample):
        used = f"{event.cpu}% of a core, {size(event.memory)}, {event.processes} processes, {size(event.disk)} of disk"
        return f"sample    {event.component}{_again(event)}: {used}"
    if isinstance(event, ev.RunEnded):
        return f"run ended with exit {event.exit} {event.because}".rstrip()
    return type(event).__name__


def _again(event: ev.BuildStarted | ev.BuildSample | ev.BuildEnded) -> str:
    return " a second time" if event.second else ""


def _short(text: str) -> str:
    """The beginning of a text that an item's own line tells whole."""
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def took_words(end: ev.BuildEnded) -> str:
    """What a build took, all in all."""
    exact = "" if end.cpu_by == "cgroup" else "at least "
    moved = f"read {size(end.read)}, wrote {size(end.written)}"
    peaks = f"at most {size(end.memory)} of memory, {end.processes} processes, {size(end.disk)} of disk"
    return f"took {exact}{duration(end.cpu_ms / 1000)} of processor time, {moved}; {peaks}"


def policy_signers(signed: ev.PolicySigned) -> str:
    """Who signed a policy, in words."""
    return f"signed itself by {', '.join(signed.persons.split())} ({signed.threshold} needed)"


def policy_version(rotated: ev.PolicyRotated) -> str:
    """Which version of its keyring a policy is, in words."""
    return f"version {rotated.version}, each since the first signed by the one before it"
