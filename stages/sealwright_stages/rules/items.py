"""The rules of items: how a check may begin, end and be waived, and what is promoted.

- An item begins from pending, once its stage is on; one of verify once what it judges has arrived.
- A verdict comes while the item runs. Red may come before, or again: it opens nothing.
- What is passed is `ok`; what is warned bears codes that may be waived. A red one is never waived.
- Nothing of verify is green without evidence, and without the SHA-256 of the bytes that were judged.
- A component is promoted once, when every item of it was declared and is green, of which one, at least, verified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sealwright_stages import events as ev
from sealwright_stages.events import Stage
from sealwright_stages.journal import clip
from sealwright_stages.log.entries import Entry
from sealwright_stages.rules.asked import as_asked
from sealwright_stages.rules.builds import judged_build
from sealwright_stages.rules.references import judged_reference
from sealwright_stages.rules.roots import judged_root
from sealwright_stages.rules.seconds import judged_second
from sealwright_stages.rules.story import Story, is_root, of_build, sha256_of
from sealwright_stages.state import Item
from sealwright_stages.verdict import Status, Waiver
from sealwright_stages.verify.codes import WAIVABLE


def item_started(story: Story, event: ev.ItemStarted, entry: Entry) -> None:
    """An item begins in its stage, from pending, when what it waits for is there."""
    item = story.state.items.get(event.item)
    if item is None:
        return  # the fold refuses it
    stages, what = story.run.stages, f"{item.id} began"
    begun = stages.get(item.stage) is False if item.stage is Stage.BUILD else item.stage in stages
    story.demand(begun, "item-order", entry, f"{what} while {item.stage} was not on")
    fresh = item.status is Status.PENDING or (is_root(item) and item.status is not Status.RUNNING)
    story.demand(fresh, "item-order", entry, f"{what} while it was {item.status}")
    source = story.state.items.get(story.declared.fetch_of.get(item.id, "") if story.declared else "")
    if source is not None and source.status is not Status.PASSED:
        story.breaks("item-order", entry, f"{what} before {source.id} had passed")
    story.reset.discard(item.id)


def item_progress(story: Story, event: ev.ItemProgress, entry: Entry) -> None:
    """Only what runs comes further."""
    item = story.state.items.get(event.item)
    if item is not None and (item.status is not Status.RUNNING or event.done < 0 or event.total < 0):
        story.breaks("item-order", entry, f"{item.id} came further while it was {item.status}")


def item_reset(story: Story, event: ev.ItemReset, entry: Entry) -> None:
    """What is pending already is not made pending."""
    item = story.state.items.get(event.item)
    if item is None:
        return
    story.demand(
        item.status is not Status.PENDING, "item-order", entry, f"{item.id} was reset, and was pending already"
    )
    left = item.status is Status.RUNNING and not story.run.stages  # by a run that did not end
    begun = (
        story.run.stages.get(item.stage) is False if item.stage is Stage.BUILD else item.stage in story.run.stages
    )
    story.demand(left or begun, "item-order", entry, f"{item.id} was reset while {item.stage} was not on")
    story.reset.add(item.id)


def item_verdict(story: Story, event: ev.ItemVerdict, entry: Entry) -> None:
    """A verdict in its place and form, with its evidence."""
    found = story.placed(event.evidence, event.evidence_stream, event.evidence_sha256, entry)
    item = story.state.items.get(event.item)
    if item is None:
        return
    red = event.verdict == Status.FAILED
    early = red and item.status is Status.PENDING and (event.code == "not-fetched" or item.id in story.reset)
    in_place = item.status is Status.RUNNING or early or (red and is_root(item))
    story.demand(in_place, "verdict-order", entry, f"{item.id} was judged while it was {item.status}")
    _form(story, event, entry)
    if item.stage is Stage.BUILD and _built_by(item) in story.run.building:
        story.breaks("verdict-order", entry, f"{item.id} was judged while it was being built")
    if red:
        return
    if item.stage is not Stage.GET_SOURCES or event.subject_sha256:
        named = sha256_of(event.subject_sha256)
        story.demand(named, "verdict-form", entry, f"{item.id} does not name the bytes that it is about")
    if item.stage is Stage.BUILD:
        judge = {"reproduce": judged_second, "reference": judged_reference}.get(item.kind, judged_build)
        judge(story, item, event, found, entry)
    elif item.stage is Stage.VERIFY:
        _verified(story, item, event.subject_sha256, found, entry)


def _built_by(item: Item) -> str:
    return of_build(item.component, second=item.kind == "reproduce")


def _verified(story: Story, item: Item, subject: str, found: Mapping[str, Any], entry: Entry) -> None:
    """Something of verify that is green: with evidence, for what the manifest asks for."""
    story.demand(bool(found), "verdict-evidence", entry, f"{item.id} is green, and has no evidence")
    if is_root(item):
        judged_root(story, item, subject, found, entry)
    if "committed" in found and item.id.startswith(f"{item.component}/git/"):
        story.committed[item.component] = found["committed"]
    if story.declared is not None and (wrong := as_asked(story.declared, item, subject, found)):
        story.breaks("verdict-declared", entry, f"{item.id}: {wrong}")


def _form(story: Story, event: ev.ItemVerdict, entry: Entry) -> None:
    codes = event.code.split("+")
    right = {
        Status.PASSED: event.code == "ok" and not event.next,
        Status.WARNED: WAIVABLE.issuperset(codes),
        Status.FAILED: bool(event.code) and not WAIVABLE.union({"ok"}).issuperset(codes),
    }.get(event.verdict, True)  # type: ignore[call-overload]
    story.demand(
        right, "verdict-form", entry, f"{event.item}: {event.verdict} does not go with the code {event.code}"
    )


def item_waived(story: Story, event: ev.ItemWaived, entry: Entry) -> None:
    """A waiver is given once, and is the manifest's where the manifest has one. What it covers, the fold judges."""
    item = story.state.items.get(event.item)
    if item is None:
        return
    said = Waiver(event.item, event.code, event.person, event.reason, event.item_sha256, event.policy_sha256)
    manifest = story.declared.manifest.waivers if story.declared else ()
    same = [w for w in manifest if (w.item, w.code, w.item_sha256) == (said.item, said.code, said.item_sha256)]
    named = [(clip(w.person), clip(w.reason)) for w in same if w.policy_sha256 == story.state.policy_sha256]
    if named and (said.person, said.reason) not in named:
        story.breaks("waiver-named", entry, f"{item.id} was waived otherwise than the manifest says")
    if item.waiver is not None and (item.waiver == said or not named):
        story.breaks("waiver-named", entry, f"{item.id} was waived already")


def file_deleted(story: Story, event: ev.FileDeleted, entry: Entry) -> None:
    """What is gone is told with its size."""
    told = event.size >= 0 and bool(event.name) and (not event.sha256 or sha256_of(event.sha256))
    story.demand(told, "deletion", entry, "what was deleted is not told by name, size and SHA-256")


def sources_promoted(story: Story, event: ev.SourcesPromoted, entry: Entry) -> None:
    """A component leaves the quarantine once, with all of it green."""
    name, declared = event.component, story.declared
    story.facts[name] = story.placed(event.facts, event.facts_stream, event.facts_sha256, entry)
    component = story.state.components.get(name)
    if component is None:
        return
    items = [story.state.items[each] for each in component.items]
    items = [item for item in items if item.stage is not Stage.BUILD]
    if late := (declared.sources.get(name, frozenset()) if declared else frozenset()) - {i.id for i in items}:
        story.breaks("promotion", entry, f"{name} was promoted before {min(late)} was even declared")
    if not all(item.green for item in items):
        story.breaks("promotion", entry, f"{name} was promoted although not all of it was green")
    if not any(item.stage is Stage.VERIFY for item in items):
        story.breaks("promotion", entry, f"{name} was promoted although nothing of it was verified")
    _one_subject(story, items, entry)
    if story.committed.get(name, story.facts[name].get("epoch")) != story.facts[name].get("epoch"):
        story.breaks("promotion", entry, f"{name} was promoted with another epoch than its commit's")
    if component.manifest_sha256:
        story.breaks("promotion", entry, f"{name} was promoted already, and not fetched again since")
    if declared is not None and declared.component(name) is None:
        story.breaks("promotion", entry, f"{name} is no component of the manifest")
    told = sha256_of(event.manifest_sha256) and event.files > 0 and event.bytes >= 0
    story.demand(told, "promotion", entry, f"{name} was promoted without a list of its files")


def _one_subject(story: Story, items: Sequence[Item], entry: Entry) -> None:
    """What is judged of one file by several items is the same bytes."""
    subjects: dict[str, str] = {}
    for item in items:
        source = story.declared.fetch_of.get(item.id) if story.declared else None
        if source is None or item.kind.startswith("git"):
            continue  # a submodule is judged by its own object
        if subjects.setdefault(source, item.subject_sha256) != item.subject_sha256:
            story.breaks("promotion", entry, f"{item.id} is about other bytes than what else was judged of them")


ITEMS: Mapping[type[Any], Callable[[Story, Any, Entry], None]] = {
    ev.ItemStarted: item_started,
    ev.ItemProgress: item_progress,
    ev.ItemReset: item_reset,
    ev.ItemVerdict: item_verdict,
    ev.ItemWaived: item_waived,
    ev.FileDeleted: file_deleted,
    ev.SourcesPromoted: sources_promoted,
}
