"""A record in plain text, for `sealwright-signer record`: what was asked, what was answered, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sealwright_keyring.signer.record import check, whole_lines
from sealwright_keyring.text import printable


def tell(path: Path) -> Iterator[str]:
    """The record's lines for a person, and at the end that it is whole.

    Raises:
        BrokenError: it is not; what came before is told already.
        OSError: it can't be read.
    """
    signed = 0
    for _, entry in whole_lines(path):
        signed += "signed" in entry
        for number, line in enumerate(_told(entry)):
            yield printable(line if number == 0 else f"    {line}", 4000)
    yield f"whole: {check(path)} lines, each bound to the one before; {signed} signings"


def _told(entry: Mapping[str, Any]) -> Iterator[str]:
    answer = entry.get("answer", {})
    who = f" ({entry['peer']})" if "peer" in entry else ""
    said = "done" if answer.get("ok") is True else "refused"
    what = "SIGNED" if "signed" in entry else f"{entry.get('op', 'no request')}, {said}"
    yield f"{entry['n']} {entry['t']} {what}{who}"
    if "release" in entry:
        yield f"release {entry['release']}, digest {entry['digest']}"
    if "signed" in entry:
        yield f"by key {answer.get('fingerprint')}"
    if "checkpoint" in entry:
        yield from ("saw the checkpoint", *_indented(entry["checkpoint"]["note"]))
    if "contradicts" in entry:
        for word, title in (("seen", "the note that was seen before"), ("shown", "the note that contradicts it")):
            yield from (title, *_indented(entry["contradicts"][word]))
    if entry.get("op") == "propose":
        yield from entry.get("shown", ())
    if answer.get("ok") is not True:
        yield f"because: {answer.get('because')}"
        yield f"next: {answer.get('next')}"


def _indented(note: str) -> Iterator[str]:
    return (f"| {line}" for line in note.splitlines())
