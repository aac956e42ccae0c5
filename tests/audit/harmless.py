"""The lies that an audit lets pass, each with the reason why that does no harm.

A reason is one of these: it is a figure or a word for people; nothing in the folder could tell otherwise, and the audit
says that it did not look there; the order is one of several that lawful releases have; or it makes things redder.
"""

from __future__ import annotations

from audit.forge import Eof
from audit.mutations import Mutation
from sealwright_stages import events as ev

FIGURE = "a figure for people: how far, how fast, how long"
WORDS = "words for people about what stands in other fields"
RED = "it is red, or undone: nothing is built on it, whatever it says"
GONE = "what was deleted is not there to be compared; nothing of it was promoted"
NOWHERE = "nothing in the folder could tell otherwise, and the audit says that it did not look"
SIDE = "things are done side by side: lawful releases have either order"
OUTPUT = "what a build printed is its own word, sealed as it came"
ORPHAN = "evidence that nobody named, of a run that was cut short: told, and counts for nothing"
TOOL = "what program it was is its own word; what it wrote is compared if it is this one"
ARRIVED = "what arrived is judged by the items of verify, which name the bytes"

_FIGURES = ("memory", "processes", "disk", "files", "read", "written")
_FIELDS: dict[str, dict[str, str]] = {
    "build.ended": dict.fromkeys(("wall_ms", "cpu_by", "cpu_ms", "charged", "said", *_FIGURES), FIGURE),
    "build.sample": dict.fromkeys(("cpu", *_FIGURES), FIGURE),
    "item.progress": dict.fromkeys(("done", "total", "note"), FIGURE),
    "eof build": {"data": OUTPUT},
    "file.deleted": dict.fromkeys(("because", "item", "name", "sha256", "size"), GONE),
    "item.reset": {"because": WORDS},
    "item.verdict": {"reason": WORDS},
    "memory.read": dict.fromkeys(("facts", "records", "release", "root", "sealed"), NOWHERE),
    "run.ended": dict.fromkeys(("exit", "because", "next"), WORDS),
    "run.started": {"tool": TOOL},
    "sandbox.held": dict.fromkeys(("at", "inputs", "tried"), NOWHERE),
    "sources.promoted": {"files": NOWHERE, "bytes": NOWHERE},
}
_EVIDENCE = {  # facts of bytes that are not in the folder
    "evidence: archive inrelease_sha256 other",
    "evidence: archive valid_until other",
    "evidence: keyring other",
    "evidence: root tree other",
    *(f"evidence: root tools {name} other" for name in ("apt", "dpkg", "mmdebstrap", "tar")),
    "evidence: tagged other",
    "evidence: tree other",
    "evidence: without tree",
    "evidence: without object_base64",
    "evidence: without tagged",
    "evidence: version other",
    "evidence: signature without threshold",
    "evidence: without threshold",
    "evidence: compared c_1_all.deb why other",
    "facts: build_depends other",
    "facts: without build_depends",
    "evidence: report text other",
    "evidence: report tool other",
    "evidence: twice xen-doc.tar second_sha256 other",  # of a second build that differs, and is thrown away
    "evidence: twice xen.tar second_sha256 other",
    "evidence: twice xen.tar second_size other",
}
_DROPPED = {"eof evidence": ORPHAN, "sandbox.held": NOWHERE}  # the latter of a run that builds nothing
_KINDS = {
    "build.sample": FIGURE,
    "item.progress": FIGURE,
    "a run that never was": WORDS,  # where a run that died said last how it ended
}
_BESIDE = {  # events of one component, or of the whole run, of which either may come first
    "item.declared / item.declared",
    "item.reset / item.reset",
    "item.reset / file.deleted",
    "item.reset / item.started",
    "item.started / item.started",
    "item.started / item.verdict",
    "item.started / file.deleted",
    "item.verdict / item.started",
    "item.verdict / item.verdict",
    "file.deleted / item.verdict",
    "product.collected / product.collected",
    "product.compared / product.collected",
    "sources.promoted / item.started",
}


def harmless(mutation: Mutation) -> str:
    """Why a lie that was not found does no harm; empty: it does."""
    way, kind, field = mutation.key
    if way == "field":
        return _FIELDS.get(kind, {}).get(field, "") or _field(mutation)
    if field == "" and kind == "a run that never was" and isinstance(mutation.steps[mutation.at + 2], Eof):
        return WORDS  # of a run that ends there
    if way == "refitted":
        return NOWHERE if field in _EVIDENCE else _unjudged(mutation.changed)
    if kind in _KINDS:
        return _KINDS[kind]
    if "file.deleted" in kind:
        return GONE
    if kind.startswith("build.stopped") and way in ("dropped", "doubled", "hastened"):
        return RED
    if way == "swapped":
        return SIDE if kind in _BESIDE or "eof evidence" in kind else ""
    if way == "dropped" and kind in _DROPPED:
        return _DROPPED[kind]
    if way == "hastened":
        return SIDE if kind.startswith(("eof evidence", "item.started before item", "item.verdict before item")) else (
            RED if kind.startswith("item.reset") else "")  # fmt: skip
    return ""


def _unjudged(step: object) -> str:
    """Of a verdict that opens nothing."""
    if not isinstance(step, ev.ItemVerdict):
        return ""
    return RED if step.verdict == "failed" else ARRIVED if "/fetch" in step.item else ""


def _field(mutation: Mutation) -> str:
    """Of a field whose weight hangs on the rest of its event."""
    step, field = mutation.changed, mutation.field
    if isinstance(step, ev.ItemVerdict):
        if field == "next" and step.verdict == "warned":
            return WORDS
        return _unjudged(step) if field in ("code", "next", "subject_sha256") else ""
    if isinstance(step, ev.BuildEnded) and step.exit != 0:
        return RED if field == "because" else ""
    if isinstance(step, ev.ItemWaived) and step.item in ("catdoc/uploader/catdoc", "xen/reproduce"):
        return NOWHERE if field in ("person", "reason") else ""  # it was typed, and that is told
    if isinstance(step, ev.SourcesPromoted) and step.component == "notes":
        return NOWHERE if field == "manifest_sha256" else ""  # nothing is built from it
    return ORPHAN if isinstance(step, Eof) and step.data.startswith(b"never named") else ""
