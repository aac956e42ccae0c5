"""Every field of real evidence is one that a comparison tells, or one that it ignores for a reason that is written down."""

from __future__ import annotations

import json
from pathlib import Path

from sealwright_stages.compare.told import IGNORED, TOLD
from sealwright_stages.log.entries import read_entries, read_stream

_KNOWN = {*TOLD, *IGNORED}


def unknown_fields(work: Path) -> set[str]:
    """The fields of the evidence in a work folder's log that no list of a comparison has, with an item each."""
    unknown: set[str] = set()
    for entry in read_entries(work / "log"):
        body = entry.body
        if entry.kind != "ev" or body["e"] != "item.verdict" or body["verdict"] == "failed":
            continue
        text = body["evidence"] or read_stream(work / "log", body["evidence_stream"]).decode()
        if text:
            unknown |= {f"{field} of {body['item']}" for field in json.loads(text) if field not in _KNOWN}
    return unknown
