"""What all pages of a release say alike: warnings, verdicts, times, sizes, fingerprints."""

from __future__ import annotations

from collections.abc import Iterator

from sealwright_stages.publish.markup import Html, code, heading, table, tag, text
from sealwright_stages.state import Component, Item, State
from sealwright_stages.verdict import Status

ITEM_HEADS = ("Item", "Verdict", "SHA-256 of what was judged", "Reason")
_UNITS = ("B", "KB", "MB", "GB", "TB")


def warnings(state: State) -> Iterator[Html]:
    """What was warned of and stands, and who accepted it."""
    yield heading(2, "warnings", "Warnings and waivers")
    warned = [item for item in state.items.values() if item.status is not Status.PASSED]
    if not warned:
        yield tag("p", Html("None. Every check passed."))
        return
    rows = [
        [text(item.title), code(item.code), text(item.reason), text(person), text(reason)]
        for item in warned
        for person, reason in [(item.waiver.person, item.waiver.reason) if item.waiver else ("nobody", "")]
    ]
    heads = ["Item", "Code", "What was warned of", "Waived by", "Because"]
    yield table("What was not as it should be, and who accepted it by name", heads, rows)


def item_row(item: Item) -> list[Html]:
    """A row under `ITEM_HEADS`."""
    good = item.status is Status.PASSED
    verdict = tag("span", text(item.status if good else f"{item.status}, waived"), "good" if good else "warn")
    return [
        text(item.title),
        verdict,
        code(item.subject_sha256) if item.subject_sha256 else Html(""),
        text(item.reason),
    ]


def built(component: Component) -> str:
    """In what a component was built, and in how many seconds."""
    if not component.build_stream:
        return "not built"
    return f"built in {component.environment or 'its environment'}, in {component.wall_ms / 1000:.1f} s"


def when(stamp: str) -> Html:
    """A time stamp of the log, to the second."""
    return text(f"{stamp[:10]} {stamp[11:19]} UTC")


def grouped(fingerprint: str) -> str:
    """A fingerprint in groups of four."""
    return " ".join(fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4))


def size(count: int) -> str:
    """A number of bytes, as people say it."""
    value = float(count)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
