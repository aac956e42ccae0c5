"""All keys and shapes, on one page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from sealwright_console.lines import Line, Part, Row, Tone, blank, heading, mark, tone_of
from sealwright_console.screens.base import ConsoleScreen
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.verdict import Status

_KEYS = (
    (
        "everywhere",
        (
            ("1 … 5", "get-sources, verify, build, seal, sign"),
            ("g, G", "the gate: each reason why it is closed"),
            ("l, L", "the log of a build"),
            ("esc", "back; it never ends, refuses or deletes anything"),
            ("y", "copy the selected row in full"),
            (":, ctrl+p", "command palette"),
            ("t", "light or dark"),
            ("?", "this page"),
            ("q", "leave; asks whether the release is to run on"),
        ),
    ),
    (
        "lists",
        (
            ("up, down, j, k", "select"),
            ("page up/down, home, end", "go further"),
            ("enter", "evidence"),
            ("/", "filter (overview)"),
            ("0", "all stages (overview)"),
            ("r, R", "fetch and check a failed item again; all of them (gate)"),
            ("a", "waive a warning, by name and with a reason (gate). Red is never waived."),
        ),
    ),
    (
        "log of a build",
        (
            ("/, n, N", "search, next hit, hit before"),
            ("[, ]", "another build"),
            ("f, end", "follow the newest line"),
        ),
    ),
)
_REVIEW = (
    "review",
    (
        ("left, right", "a record back, a record further"),
        ("shift+left, shift+right", "the weighty record before, the next: gates, red, stages, products; [, ] too"),
        ("home, end", "the first record, the last"),
        ("@", "go to a record's number or a time"),
        ("e", "the records: up, down; c component, s stage, v severity; /, n, N search"),
        ("<, >", "look left or right in long lines of a log"),
    ),
)
_WORDS = {
    Status.PASSED: "checked, and all as demanded",
    Status.WARNED: "genuine but imperfect: blocks until a person waives it",
    Status.FAILED: "refused; what failed was deleted. Nothing overrides it",
    Status.RUNNING: "at work",
    Status.PENDING: "not checked yet, which is not green",
}


def help_rows(*, review: bool = False) -> list[Row]:
    """The page; with the keys of a review first, if it is one."""
    rows: list[Row] = []
    for title, keys in (_REVIEW, *_KEYS) if review else _KEYS:
        lines: tuple[Line, ...] = tuple((Part(f"  {key:<24}", Tone.KEY), Part(meaning)) for key, meaning in keys)
        rows += [heading(title), Row("", lines), blank()]
    shapes: tuple[Line, ...] = tuple(
        (Part("  "), mark(status), Part(f" {status.value:<22}", tone_of(status)), Part(meaning))
        for status, meaning in _WORDS.items()
    )
    return [*rows, heading("shapes"), Row("", shapes)]


class HelpScreen(ConsoleScreen):
    """The page of keys."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark", "back", show=False)]

    def body(self) -> Iterable[Widget]:
        """The title, and the keys."""
        yield Texts((Part("HELP", Tone.HEAD), Part("   esc goes back", Tone.DIM)), id="title")
        yield Ledger(wrapped=True, id="help")

    def on_mount(self) -> None:
        """Begin with the keys on the page."""
        super().on_mount()
        self.query_one(Ledger).focus()

    def show_state(self) -> None:
        """The heading lives on here too."""
        super().show_state()
        self.query_one(Ledger).show(help_rows(review=self.feed.cursor is not None))
