"""Reads a trace of the authority: how much of the index was synced at each acknowledgement that it sent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sealwright_appendlog.frames import AUTHORITY_TYPES, Decoder

_CALL = re.compile(r"^(\d+) +(?:(\w+)\((.*)|<\.\.\. (\w+) resumed>(.*))$")
_RESULT = re.compile(r"\) += (-?\d+)")
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')


def finished_calls(trace: str) -> Iterator[tuple[str, str, int]]:
    """Name, arguments and result of each call, in the order of their ends; a `sendto` comes where it begins."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        found = _CALL.match(line)
        if found is None:
            continue
        thread, call, words, resumed, rest = found.groups()
        if call == "sendto":
            yield call, words, 0
        elif call and "<unfinished" in words:
            begun[thread] = words
        else:
            words = words if call else begun.pop(thread, "") + rest
            if results := _RESULT.findall(words):
                yield call or resumed, words, int(results[-1])


def acknowledged(trace: str, base: int) -> Iterator[tuple[int, int]]:
    """For each acknowledgement: the record that it says is durable, and how many bytes of the index were synced.

    `base` is how long the index was when the trace began. What a failed sync leaves unsynced stays so.
    """
    written = synced = base
    lost = False
    for call, words, result in finished_calls(trace):
        if call == "sendto" and (text := _TEXT.search(words)):
            sent = text[1].encode("ascii").decode("unicode_escape").encode("latin-1")
            for kind, payload in Decoder(AUTHORITY_TYPES).feed(sent):
                if kind == "A":
                    yield int(payload.split(b" ")[0]), synced
        elif "/index.jsonl>" in words.split(",")[0].split(")")[0]:
            if call == "write":
                written += max(result, 0)
            elif call == "fdatasync":
                lost = lost or result < 0
                synced = synced if lost else written
