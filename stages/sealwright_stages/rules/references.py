"""The rules of comparisons: products beside what the archive published.

- It is made of the products that the green build has, all of them and no others.
- Each result is what the two digests say; what the facts of the sources name too is the same there.
- It is a warning for what differs and for what the archive does not have, and green for nothing else.
- Debug symbols, and what is no package, may stay unseen; something must have been seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealwright_stages import events as ev
from sealwright_stages.log.entries import Entry
from sealwright_stages.rules.asked import as_asked
from sealwright_stages.rules.story import Story, sha256_of
from sealwright_stages.state import Item
from sealwright_stages.verdict import Status

_CODE_OF = {"differs": "differs-from-archive", "absent": "not-in-archive"}
_SEEN = frozenset({"identical", *_CODE_OF})


def judged_reference(
    story: Story, item: Item, event: ev.ItemVerdict, found: Mapping[str, Any], entry: Entry
) -> None:
    """A comparison that may open the gate."""
    name, rule = item.component, "reference-judged"
    build = story.state.items.get(f"{name}/build")
    products = {each.name: each.sha256 for each in story.state.products.values() if each.component == name}
    if build is None or build.status is not Status.PASSED or event.subject_sha256 != build.subject_sha256:
        story.breaks(rule, entry, f"{item.id} is about other products than those of a green build")
    rows = found.get("compared")
    if not isinstance(rows, dict) or rows.keys() != products.keys() or not products:
        story.breaks(rule, entry, f"{item.id} was made of other products than the build has")
        return
    for product, row in rows.items():
        if wrong := _untrue(product, products[product], row, rows):
            story.breaks(rule, entry, f"{item.id}: {product!r} {wrong}")
            return
        known = story.facts.get(name, {}).get("references")
        told = known.get(product) if isinstance(known, dict) and _one_suite(story, name) else None
        if told is not None and row["published"] not in ("", told):
            story.breaks(rule, entry, f"{item.id}: {product!r} is set beside another file than its sources named")
    results = {row["result"] for row in rows.values()}
    codes = {code for result, code in _CODE_OF.items() if result in results}
    if not results & _SEEN or codes != set(event.code.split("+")) & set(_CODE_OF.values()):
        story.breaks(rule, entry, f"{item.id} is {event.verdict} with {event.code}, and its digests say otherwise")
    if story.declared is not None and (wrong := as_asked(story.declared, item, event.subject_sha256, found)):
        story.breaks("verdict-declared", entry, f"{item.id}: {wrong}")


def _untrue(name: str, sha256: str, row: Any, rows: Mapping[str, Any]) -> str:
    """What of a row is not so; empty if all is."""
    if not isinstance(row, dict) or row.get("built") != sha256:
        return "is not told by its SHA-256"
    result, published = row.get("result"), row.get("published")
    if result in ("identical", "differs"):
        same = published == sha256
        right = isinstance(published, str) and sha256_of(published) and same is (result == "identical")
    elif result == "debug":
        stripped = rows.get(name.replace("-dbgsym_", "_", 1)) if "-dbgsym_" in name else None
        right = (
            published == "" and isinstance(stripped, dict) and stripped.get("result") in ("identical", "differs")
        )
    elif result == "no-package":
        right = published == "" and not name.endswith(".deb")
    else:
        right = result == "absent" and published == "" and bool(row.get("why"))
    return "" if right else "was not compared as is said"


def _one_suite(story: Story, name: str) -> bool:
    """Whether its sources are of the suite that it is compared with."""
    component = story.declared.component(name) if story.declared else None
    if component is None or component.dsc is None or component.build is None:
        return False
    return component.dsc.suite == component.build.suite
