"""How a product that differs differs: diffoscope's report on it, beside the one in the evidence.

- It is compared only with bytes that are those of the release's log: what else lies in the evidence is not looked into.
- diffoscope runs in a sandbox; what it says is a stranger's text, and is kept without what a terminal would obey.
- No report changes what was found: a product that differs does so with a report or without, and it is said why there is
  none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_stages.context import Context
from sealwright_stages.files import remove_tree, sha256_file, write_whole
from sealwright_stages.ports import Report, Side
from sealwright_stages.rebuild.results import Found, Result

FOLDER = "reports"
_MOST = 20


@dataclass(frozen=True)
class Detail:
    """A report: the file that it is in, from the work folder (empty: there is none), and what diffoscope came to."""

    file: str
    report: Report


def details(context: Context, evidence: Path, results: tuple[Result, ...]) -> dict[tuple[str, str], Detail]:
    """A report on each product that differs, by component and name; of the first twenty.

    Raises:
        SealwrightError: the run is stopped, or the disk is full.
    """
    folder = context.work.root / FOLDER
    remove_tree(folder)
    found: dict[tuple[str, str], Detail] = {}
    for number, each in enumerate(result for result in results if result.found is Found.DIFFERS):
        report = (
            _report(context, evidence, each) if number < _MOST else _none(f"it is not among the first {_MOST}")
        )
        context.check_cancel()
        file = ""
        if report.text:
            file = f"{FOLDER}/{each.component}/{each.name}.txt"
            (folder / each.component).mkdir(parents=True, exist_ok=True)
            write_whole(context.work.root / file, harmless(report.text).encode())
        found[each.component, each.name] = Detail(file, replace(report, text=""))
    return found


def _report(context: Context, evidence: Path, result: Result) -> Report:
    theirs = evidence / "products" / result.component
    if why := _not_theirs(theirs / result.name, result):
        return _none(why)
    sides = Side("theirs", theirs), Side("here", context.work.products / result.component)
    scratch = context.work.build / f"compare-{result.component}"
    return context.plan.builder.report(sides, [result.name], scratch, context.stop_reason)


def _not_theirs(path: Path, result: Result) -> str:
    """Why a file of the evidence is not what the log says; empty if it is."""
    known = result.theirs
    try:
        if known is None or path.lstat().st_size != known.size or sha256_file(path) != known.sha256:
            return "the evidence holds other bytes of it than its log names"
    except (OSError, ValueError):
        return "the evidence does not hold it"
    return ""


def _none(why: str) -> Report:
    return Report(why_none=why, cure="compare the files by hand")


def harmless(text: str) -> str:
    """A stranger's text, with a `?` for each character that does something rather than being seen."""
    return "".join(_seen(text))


def _seen(text: str) -> Iterator[str]:
    for character in text:
        yield character if character.isprintable() or character in "\n\t" else "?"
