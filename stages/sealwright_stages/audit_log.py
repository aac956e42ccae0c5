"""One reading of the sealed log for an audit: the log's own checks, the replay of the rules, and what else is needed.

- Evidence is read from the streams that the records before it named, up to a limit.
- What a log that stands says of itself is told in few words: how long, how often resumed, what its authority noticed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sealwright_appendlog import layout
from sealwright_appendlog.audit import LogBroken, LogReport, OnRecord
from sealwright_appendlog.record import stream_name
from sealwright_stages.declared import Declaration
from sealwright_stages.findings import Finding, advice, bad, good
from sealwright_stages.log.entries import MAX_EVIDENCE, entry_from
from sealwright_stages.replay import Replay
from sealwright_stages.rules.story import is_raw

_MOST = 20
_RULE = {"whole": "log-whole", "cosignatures": "cosignatures", "saved": "saved-checkpoint"}


class Reading:
    """One reading of a log: its records replayed, and what else of it is needed."""

    def __init__(self, log: Path, declared: Declaration | None, watch: OnRecord | None = None) -> None:
        """`watch` is given each record too: nothing of it is proved before the reading has ended."""
        self.log = log
        self._watch = watch
        self.replay = Replay(self._stream, declared)
        self.product_lines: dict[int, bytes] = {}
        self.segments: dict[str, list[str]] = {}

    def take(self, fields: Mapping[str, Any], line: bytes) -> None:
        """Take a record that was checked by itself."""
        if fields["k"] == "ev" and fields["body"].get("e") == "product.collected":
            self.product_lines[fields["n"]] = line
        elif fields["k"] == "data" and fields["off"] == 0:
            self.segments.setdefault(fields["s"], []).append(fields["seg"])
        self.replay.take(entry_from(fields, line))
        if self._watch is not None:
            self._watch(fields, line)

    def _stream(self, stream: str) -> bytes:
        """All that a stream said so far.

        Raises:
            OSError: it can't be read, or is too long for evidence.
            ValueError: no stream is called so.
        """
        parts, left = [], MAX_EVIDENCE
        for segment in self.segments.get(stream_name(stream), []):
            parts.append(layout.whole(self.log / segment, left))
            left -= len(parts[-1])
        return b"".join(parts)


def broken(error: Exception) -> Finding:
    """What is wrong with a log that does not stand."""
    if not isinstance(error, LogBroken):
        return bad("log", str(error), "log-whole")
    notes = tuple(note.decode("utf-8", "backslashreplace") for note in error.notes)
    n = -1 if error.record is None else error.record
    return Finding("bad", "log", str(error), _RULE[error.why], n, notes=notes)


def told(report: LogReport) -> Iterator[Finding]:
    """What a log that stands says of itself."""
    size, data = report.records, report.data_bytes
    yield good(
        "log", f"{size} records, {data} bytes of output, sealed, root {report.checkpoint.root.hex()}", "log-whole"
    )
    for word in report.cosigned:
        yield good("log", f"cosigned by {word.witness.name} at {word.when()}", "cosignatures")
    for each in report.continued:
        who = f", cosigned by {', '.join(w.witness.name for w in each.cosigned)}" if each.cosigned else ""
        yield good(
            "log", f"it continues the checkpoint of {each.size} records in {each.name}{who}", "saved-checkpoint"
        )
    notices = [line for line in report.notices if not line.endswith("can be made from the index")]
    notices += [f"stream {name} ended unclean" for name in report.unclean if name != "engine"]
    yield from (advice("log", line, "log-ends") for line in notices[:_MOST])
    if len(notices) > _MOST:
        yield advice("log", f"{len(notices) - _MOST} more such notices are in it", "log-ends")


def rules(replay: Replay) -> list[Finding]:
    """Whether the rules were kept, what was waived, and what a run that was cut short left."""
    state = replay.state
    kept = f"kept in {state.runs} runs: {len(state.items)} items, {len(state.products)} products"
    found = replay.findings or [good("rules", f"{kept}; nothing red or pending came before a gate")]
    for waiver in state.waivers:
        found = [
            *found,
            advice("waiver", f"{waiver.item} [{waiver.code}] by {waiver.person}: {waiver.reason}", "waiver-named"),
        ]
    unnamed = [stream for stream, lawful in replay.story.unnamed() if lawful]
    for streams, what in (
        ([s for s in unnamed if is_raw(s)], "raw streams, of others than the console, belong to no event"),
        (
            [s for s in unnamed if not is_raw(s)],
            "streams of evidence of runs that were cut short are named by no event",
        ),
    ):
        if streams:
            told = f"{len(streams)} {what}: {', '.join(streams[:5])}"
            found = [*found, advice("log", told, "stream-named")]
    return list(found)
