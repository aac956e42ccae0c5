"""A release as a table and totals in plain lines: for the end of `--batch`, for `status`, for `review --batch`.

- Each line is safe to show, and says in words what a colour would.
- A component is as bad as its worst item; every item that is not passed has a line below it.
- The verdict is that of the items and the gate's own rule for them (green: passed, or warned and waived); it is no
  second gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sealwright_console.figures import duration
from sealwright_console.sanitise import clean, inert
from sealwright_console.words import policy_signers, policy_version
from sealwright_stages.state import Component, Item, State, remembered_release, reproduced
from sealwright_stages.verdict import Status

_WORST = (Status.FAILED, Status.WARNED, Status.RUNNING, Status.PENDING)
_HEAD = ("STATUS", "COMPONENT", "CHECKS", "BUILD", "PRODUCTS", "REPRODUCED")
_LEFT = (0, 1, 5)  # columns of words; the others are figures


def summary(state: State) -> Iterator[str]:
    """The release in plain lines, each safe to show, for pipes and screen readers."""
    return (inert(clean(line)) for line in _summary(state))


def _summary(state: State) -> Iterator[str]:
    yield f"release {state.release}-{state.version}: {len(state.items)} items"
    if state.policy_sha256:
        version = f", {policy_version(state.policy_rotated)}" if state.policy_rotated else ""
        signed = f", {policy_signers(state.policy_signed)}" if state.policy_signed else ""
        yield f"  policy   {state.policy_sha256}{version}{signed}"
    for told in state.memory.values():
        yield f"  remembers {remembered_release(told)}"
    yield from _table(state)
    for product in state.products.values():
        beside = f"  ({product.beside})" if product.beside else ""
        yield f"  product  {product.component}/{product.name}{beside}"
    if state.items:
        yield from _totals(state)


def _table(state: State) -> Iterator[str]:
    made: dict[str, int] = {}
    for product in state.products.values():
        made[product.component] = made.get(product.component, 0) + 1
    rows = [_row(state, component, made.get(name, 0)) for name, component in state.components.items()]
    widths = [max(len(clean(row[place])) for row in (_HEAD, *rows)) for place in range(len(_HEAD))]
    widths[0] = max(widths[0], 8)
    if rows:
        yield _line(_HEAD, widths)
    for row, component in zip(rows, state.components.values(), strict=True):
        yield _line(row, widths)
        for item in (state.items[each] for each in component.items):
            if item.status is not Status.PASSED:
                yield _item(item)


def _row(state: State, component: Component, products: int) -> tuple[str, ...]:
    items = [state.items[item] for item in component.items]
    worst = next((each for each in _WORST if any(item.status is each for item in items)), Status.PASSED)
    built = duration(component.wall_ms / 1000) if component.build_exit is not None else "-"
    checks = f"{sum(item.green for item in items)}/{len(items)}"
    same = reproduced(state, component.name) if f"{component.name}/reproduce" in state.items else "-"
    return worst.value, component.name, checks, built, str(products or "-"), _unless_open(state, component, same)


def _unless_open(state: State, component: Component, said: str) -> str:
    """A second build that was not judged yet has no result."""
    item = state.items.get(f"{component.name}/reproduce")
    return "not yet" if item is not None and item.status in (Status.PENDING, Status.RUNNING) else said


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        clean(cell).ljust(width) if place in _LEFT else clean(cell).rjust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    first, *rest = padded
    return f"  {first} {'  '.join(rest)}".rstrip()


def _item(item: Item) -> str:
    waived = f" [waived by {item.waiver.person}]" if item.waiver else ""
    code = f" [{item.code}]" if item.code else ""
    return f"             {item.status}: {item.title}{code}: {item.reason}{waived}".removesuffix(": ")


def _totals(state: State) -> Iterator[str]:
    items = list(state.items.values())
    count = {status: sum(item.status is status for item in items) for status in Status}
    waived = sum(item.status is Status.WARNED and item.green for item in items)
    green, warned, failed = count[Status.PASSED] + waived, count[Status.WARNED] - waived, count[Status.FAILED]
    waiting = count[Status.PENDING] + count[Status.RUNNING]
    built = sum(component.wall_ms for component in state.components.values()) / 1000
    accepted = f" ({waived} by a waiver)" if waived else ""
    counts = f"{green} green{accepted}, {warned} warned, {failed} red, {waiting} not checked yet"
    parts, products = _many(len(state.components), "component"), _many(len(state.products), "product")
    made = f"{parts}, {products}, {duration(built)} of building"
    yield f"  totals   {counts}; {made}"
    if failed:
        said = f"RED: {failed} failed, and red can't be waived"
    elif warned:
        said = f"WARNED: {warned} neither mended nor waived"
    elif waiting:
        said = f"not complete: {waiting} of {len(items)} not checked yet"
    else:
        said = f"green: all {len(items)} items"
    yield f"  verdict  {said}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
