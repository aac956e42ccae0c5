"""A component's page: its items as trees of evidence, then its sources and products.

- Fingerprints and hashes are shown whole, in fours; nothing here is abbreviated.
- An item is one line until it is opened.
"""

from __future__ import annotations

from rich.cells import cell_len

from sealwright_console.figures import duration, grouped, size
from sealwright_console.lines import Line, Part, Row, Tone, blank, heading, labelled, word
from sealwright_console.sanitise import clean
from sealwright_console.views.evidence import Tree, item_rows
from sealwright_console.views.header import SEVERITY, shown_status, worst
from sealwright_console.views.overview import items_of
from sealwright_console.words import took_words
from sealwright_stages.events import STAGES
from sealwright_stages.state import Item, Product, State
from sealwright_stages.verdict import Status

COMPARED = {"identical": Status.PASSED, "differs": Status.WARNED}


def detail_rows(state: State, name: str, tree: Tree, width: int) -> list[Row]:
    """The whole page of a component: items by stage, its sources, its products, for lines of `width` cells."""
    rows: list[Row] = []
    longest = max((cell_len(clean(item.title)) for item in items_of(state, name)), default=0)
    titles = min(longest, max(16, width * 2 // 5))
    for stage in STAGES:
        items = items_of(state, name, stage)
        if items:
            below = [row for item in items for row in item_rows(item, tree, width, titles)]
            rows += [heading(stage.value), *below, blank()]
    return rows + _source_rows(state, name) + _product_rows(state, name)


def worst_item(state: State, name: str) -> str:
    """The id of the item that a person should look at first; empty if there is none."""
    items = items_of(state, name)
    return min(items, key=lambda item: SEVERITY.index(shown_status(item))).id if items else ""


def title_line(state: State, name: str, left: str = "") -> Line:
    """`COMPONENT xen  ✗ failed  3 of 5 green`, and how long its build may still take."""
    items = items_of(state, name)
    green = sum(item.green for item in items)
    status = worst(items)
    return (
        Part("COMPONENT ", Tone.DIM),
        Part(name, Tone.HEAD),
        Part("   "),
        word(status),
        Part(f"   {green} of {len(items)} green", Tone.DIM),
        Part(f"   build: {left}" if left else "", Tone.RUNNING),
    )


def deleted_lines(item: Item) -> list[Line]:
    """The files of an item that are gone: those that are named, and how many more."""
    lines = [labelled("deleted", name, Tone.FAILED) for name in item.deleted]
    more = item.gone - len(item.deleted)
    return [*lines, labelled("deleted", f"and {more} more", Tone.FAILED)] if more > 0 else lines


def waiver_lines(item: Item) -> list[Line]:
    """Who accepted the warning, and why."""
    if item.waiver is None:
        return []
    waiver = item.waiver
    tone = tone_of_waiver(item)
    return [labelled("waived", f"by {waiver.person}: {waiver.reason}", tone)]


def tone_of_waiver(item: Item) -> Tone:
    """A waiver that makes the item green, or one that no longer counts."""
    return Tone.PASSED if shown_status(item) is Status.PASSED else Tone.DIM


def _source_rows(state: State, name: str) -> list[Row]:
    component = state.components.get(name)
    if component is None or not component.manifest_sha256:
        return []
    line = labelled("folder", f"{component.files} verified files, {size(component.bytes)}", indent=2)
    digest = labelled("manifest", grouped(component.manifest_sha256), indent=2)
    rows = [heading("sources"), Row("", (line, digest)), blank()]
    if component.build_exit is not None:
        ended = f"exit {component.build_exit} after {duration(component.wall_ms / 1000)}"
        tone = Tone.PASSED if component.build_exit == 0 else Tone.FAILED
        lines = [labelled("result", ended, tone, indent=2)]
        if component.end is not None and component.end.cpu_by:
            lines.append(labelled("took", took_words(component.end).removeprefix("took "), indent=2))
        rows += [heading("build ended"), Row("", tuple(lines)), blank()]
    return rows


def _product_rows(state: State, name: str) -> list[Row]:
    products = [product for product in state.products.values() if product.component == name]
    return [heading("products"), *(product_row(product) for product in products)] if products else []


def product_row(product: Product) -> Row:
    """A product, its hash, and how it compares with what the archive published."""
    status = COMPARED.get(product.compared)
    beside = product.beside or "compared with nothing"
    tone = Tone(status.value) if status is not None else Tone.DIM
    lines = (
        (Part("  "), Part(product.name, Tone.HEAD), Part(f"  {size(product.size)}", Tone.DIM)),
        labelled("sha256", grouped(product.sha256)),
        labelled("archive", beside, tone),
    )
    return Row(f"{product.component}/{product.name}", lines)
