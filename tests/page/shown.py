"""What a browser shows of an evidence page."""

from __future__ import annotations

from pathlib import Path

from support.browser import Page

FINE = "Yes"
"""The big word of evidence that holds together."""


def word(seen: Page, path: Path) -> str:
    """The big word of a page, and that it asked nobody for anything."""
    seen.open(path)
    seen.wait("document.documentElement.dataset.word")
    assert seen.requests == [path.as_uri()], "the page made a request"
    return str(seen.ask("document.getElementById('word').textContent"))


def reasons(seen: Page) -> str:
    """What is wrong, as the page lists it."""
    return str(seen.ask("document.getElementById('reasons').innerText"))
