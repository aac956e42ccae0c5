"""The rules of builds and products: what was built, from what, in what, and what came of it.

- The same holds for a second build; what more holds for it stands in `seconds`. A first one begins while the item of the
  second is pending.
- A build has an item that runs, the recipe and environment of the manifest, and a stream named after run and try.
- It began while the gate before build was open, from sources that were promoted, under their manifest and epoch, in
  the build root that was judged, and after all that it needs.
- It saw the products of what the manifest says it needs, as they were in the log then, and they stand so at the seal.
- A build is said to be stopped while it waits, by what it needs and is not green.
- Its stream ended before it said its end, with the same exit; what it took is no less than what was seen on the way.
- A product is of a build that ended with exit 0 and was not killed; it has a plain name that a pattern of the manifest
  asks for.
- A build is green for exactly the products that were collected.
- A product is compared with what the verified index names, and with nothing else.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from sealwright_stages import events as ev
from sealwright_stages.build_attempt import SECOND
from sealwright_stages.events import Stage
from sealwright_stages.log.entries import Entry
from sealwright_stages.needed import digest_now
from sealwright_stages.rules.roots import root_of
from sealwright_stages.rules.runs import gate_open
from sealwright_stages.rules.seconds import second_started
from sealwright_stages.rules.story import Story, of_build, sha256_of
from sealwright_stages.state import Component, Item, Product
from sealwright_stages.verdict import Status

_PEAKS = ("memory", "processes", "disk", "files", "read", "written")


def build_started(story: Story, event: ev.BuildStarted, entry: Entry) -> None:
    """A build begins, a component's first or its second."""
    name = event.component
    gate_open(story, Stage.BUILD, entry)
    if story.state.held is not None and not story.run.held:
        story.breaks("sandbox-held", entry, f"{name} was built in a run that does not say that the sandbox holds")
    _begun(story, event, entry)
    story.placed(event.needs, event.needs_stream, event.needs_sha256, entry)
    varied = story.placed(event.varied, event.varied_stream, event.varied_sha256, entry)
    _inputs(story, event, story.state.components.get(name), entry)
    _as_declared(story, event, entry)
    again = story.state.items.get(f"{name}/reproduce")
    if event.second:
        second_started(story, event, varied, entry)
    else:
        story.made[name] = []
        fresh = again is None or again.status is Status.PENDING
        story.demand(fresh, "second-build", entry, f"{name} was built while its second build stood")


def _begun(story: Story, event: ev.BuildStarted, entry: Entry) -> None:
    """The item of a build that begins, and its stream."""
    state, name, which = story.state, event.component, of_build(event.component, second=event.second)
    item = state.items.get(event.item)
    wanted = which if event.second else f"{name}/build"
    stream = f"build/{name}/{state.runs}-{item.tries if item else 0}{SECOND if event.second else ''}"
    if item is None or item.stage is not Stage.BUILD or item.component != name or item.id != wanted:
        story.breaks("build-declared", entry, f"{event.item} is no build of {name} that was declared")
    elif item.status is not Status.RUNNING or story.run.stages.get(Stage.BUILD) is not False:
        story.breaks("build-declared", entry, f"{name} was built while {item.id} was {item.status}")
    elif event.stream != stream:
        story.breaks("build-declared", entry, f"{event.stream} is not the stream of this try of {name}")
    if event.stream in story.streams.seen:
        story.breaks("stream-named", entry, f"{name} was built on stream {event.stream}, which was there before")
    story.name(event.stream, entry)
    if story.run.building.keys() & {name, which}:
        story.breaks("build-declared", entry, f"{name} was built while it was being built")
    story.run.building[which] = event.stream


def _inputs(story: Story, event: ev.BuildStarted, component: Component | None, entry: Entry) -> None:
    name = event.component
    if component is None or not component.manifest_sha256:
        story.breaks("build-inputs", entry, f"{name} was built from sources that were never promoted")
    elif component.manifest_sha256 != event.manifest_sha256:
        story.breaks("build-inputs", entry, f"{name} was built from other sources than the promoted ones")
    epoch = story.facts.get(name, {}).get("epoch")
    if event.epoch != (epoch if isinstance(epoch, int) else 0):
        story.breaks("build-inputs", entry, f"{name} was built with another epoch than its sources tell")
    root = root_of(story.state, name, event.environment)
    judged = root is None or (root.green and root.subject_sha256 == event.environment_sha256)
    if not sha256_of(event.environment_sha256) or not judged:
        story.breaks("build-inputs", entry, f"{name} was built in another root than the one that was judged")


def _as_declared(story: Story, event: ev.BuildStarted, entry: Entry) -> None:
    declared = story.declared
    if declared is None:
        return
    component = declared.component(event.component)
    build = component.build if component else None
    if build is None or (event.recipe, event.environment) != (build.recipe, build.environment):
        what = f"{event.component} was built by another recipe, or in another environment, than the manifest says"
        story.breaks("build-declared", entry, what)
    told = event.most_seconds, event.most_memory, event.most_disk, event.most_processes
    if build is not None and any(told) and told != build.limits.figures:
        story.breaks(
            "build-declared", entry, f"{event.component} was built with other limits than the manifest says"
        )
    for need in sorted(declared.needs(event.component)):
        needed = story.state.items.get(f"{need}/build")
        if needed is not None and not needed.green:
            story.breaks("build-needs", entry, f"{event.component} was built before {need}, which it needs")
    if event.needs_sha256 != digest_now(story.state, declared.sees(event.component)):
        what = f"{event.component} was built with other products than those of what it needs"
        story.breaks("build-needs", entry, what)


def build_stopped(story: Story, event: ev.BuildStopped, entry: Entry) -> None:
    """A build that waits, and for whom."""
    item, by = story.state.items.get(event.item), event.by.split(" ")
    builds = f"{event.component}/build", f"{event.component}/reproduce"
    if item is None or item.stage is not Stage.BUILD or item.id not in builds:
        story.breaks("build-declared", entry, f"{event.item} is no build of {event.component} that was declared")
    elif item.status is not Status.PENDING or story.run.stages.get(Stage.BUILD) is not False:
        story.breaks("item-order", entry, f"{item.id} was stopped while it was {item.status}")
    needs = story.declared.needs(event.component) if story.declared else frozenset(by)
    if event.item == f"{event.component}/reproduce":
        needs = frozenset([event.component])
    for name in by:
        needed = story.state.items.get(f"{name}/build")
        if name not in needs or needed is None or needed.green:
            story.breaks("build-needs", entry, f"{event.component} was stopped by what does not keep it waiting")


def build_sample(story: Story, event: ev.BuildSample, entry: Entry) -> None:
    """Only what is being built is looked at."""
    stream = story.run.building.get(of_build(event.component, second=event.second))
    if stream is None or stream in story.streams.ended:
        story.breaks("build-ended", entry, f"{event.component} is not being built")
    if min(event.cpu, event.memory, event.processes, event.read, event.written, event.disk, event.files) < 0:
        story.breaks("build-figures", entry, f"{event.component} takes less than nothing")


def build_ended(story: Story, event: ev.BuildEnded, entry: Entry) -> None:
    """A build ends after its stream, with the same exit."""
    which = of_build(event.component, second=event.second)
    stream = story.run.building.pop(which, None)
    if stream is None:
        story.breaks("build-ended", entry, f"{event.component} ended, and was not being built")
    elif story.streams.ended.get(stream) != event.exit:
        story.breaks(
            "build-ended", entry, f"{event.component}: its stream {stream} had not ended with {event.exit}"
        )
    story.killed[which] = event.because
    if event.wall_ms < 0:
        story.breaks("build-ended", entry, f"{event.component} was built in less than no time")
    _figures(story, event, entry)


def _figures(story: Story, event: ev.BuildEnded, entry: Entry) -> None:
    """What an end tells, it tells of all looks: of those in the log, too. Older logs tell nothing."""
    told = {what: getattr(event, what) for what in (*_PEAKS, "cpu_ms", "charged", "said")}
    if min(told.values()) < 0:
        story.breaks("build-figures", entry, f"{event.component} took less than nothing")
    component = (story.state.seconds if event.second else story.state.components).get(event.component)
    for sample in component.samples if component and event.cpu_by else ():
        if any(getattr(sample, what) > told[what] for what in _PEAKS):
            story.breaks("build-figures", entry, f"{event.component} took more than its end says")
            return


def product_collected(story: Story, event: ev.ProductCollected, entry: Entry) -> None:
    """A product of a build that ended well."""
    state, name = story.state, event.component
    if "/" in event.name or event.name in (".", "..") or not event.name.isprintable():
        story.breaks("product-of-build", entry, f"{event.name!r} is no plain file name")
    component = state.components.get(name)
    if component is None or name in story.run.building or not _ended_well(story, component):
        story.breaks("product-of-build", entry, f"{event.name} is no product of a build that ended well")
    item = state.items.get(f"{name}/build")
    if item is None or item.status is not Status.RUNNING or (name, event.name) in state.products:
        story.breaks("product-of-build", entry, f"{event.name} was collected twice, or outside of its build")
    story.made.setdefault(name, []).append(event.name)
    if not sha256_of(event.sha256) or event.size < 0:
        story.breaks("product-of-build", entry, f"{event.name} is not named by its size and SHA-256")
    declared = story.declared.component(name) if story.declared else None
    if declared is not None and declared.build is not None:
        asked = any(fnmatch.fnmatchcase(event.name, pattern) for pattern in declared.build.products)
        story.demand(asked, "product-of-build", entry, f"the manifest asks for no product like {event.name}")


def _ended_well(story: Story, component: Component) -> bool:
    """Whether the last build of a component said its exit 0 and was not killed, and its stream ended so, cleanly."""
    killed = story.killed.get(component.name)
    return component.build_exit == 0 and not killed and story.streams.ended.get(component.build_stream) == 0


def product_compared(story: Story, event: ev.ProductCompared, entry: Entry) -> None:
    """What is said of a product beside the archive's is true, by the facts of its sources."""
    product = story.state.products.get((event.component, event.name))
    if product is None:
        return
    references = story.facts.get(event.component, {}).get("references")
    published = references.get(event.name) if isinstance(references, dict) else None
    result = "absent" if published is None else "identical" if published == product.sha256 else "differs"
    said = event.result, event.reference_sha256, event.reference
    if not isinstance(references, dict) or said != (result, str(published or ""), "the archive"):
        story.breaks("product-compared", entry, f"{event.name} was compared with what no verified index names")
    if product.compared:
        story.breaks("product-compared", entry, f"{event.name} was compared already")


def judged_build(story: Story, item: Item, event: ev.ItemVerdict, found: Mapping[str, Any], entry: Entry) -> None:
    """A build that is green: it ended well, and the verdict is about just its products."""
    component = story.state.components[item.component]
    made = dict.fromkeys(story.made.get(item.component, ()))
    known = (story.state.products.get((item.component, name)) for name in made)
    products = [each for each in known if each is not None]
    if item.component in story.run.building or not _ended_well(story, component):
        story.breaks("build-ended", entry, f"{item.id} is green, and its build did not end well")
    named = found.get("products")
    if not products or named != {each.name: each.sha256 for each in products}:
        story.breaks("products-judged", entry, f"{item.id} is green for other products than were collected")
    if event.subject_sha256 != _products_sha256(products):
        story.breaks("products-judged", entry, f"the SHA-256 of {item.id} is not that of its products")
    if isinstance(story.facts.get(item.component, {}).get("references"), dict):
        for each in products:
            story.demand(bool(each.compared), "product-compared", entry, f"{each.name} was not compared")


def _products_sha256(products: list[Product]) -> str:
    lines = "".join(f"{each.sha256}  {each.name}\n" for each in sorted(products, key=lambda each: each.name))
    return hashlib.sha256(lines.encode()).hexdigest()


def sealed_products(story: Story, entry: Entry) -> None:
    """At the seal, the last build of each product's component ended well."""
    for name in sorted({product.component for product in story.state.products.values()}):
        component = story.state.components.get(name)
        if component is None or not _ended_well(story, component):
            story.breaks("sealed", entry, f"the last build of {name}, which has products, did not end well")
        elif story.declared and component.built_with != digest_now(story.state, story.declared.sees(name)):
            story.breaks("build-needs", entry, f"{name} was built with products that are not those of the release")
        reference, build = (story.state.items.get(f"{name}/{what}") for what in ("reference", "build"))
        if reference and build and reference.subject_sha256 != build.subject_sha256:
            story.breaks(
                "reference-judged", entry, f"{reference.id} is about other products than those of the release"
            )


BUILDS: Mapping[type[Any], Callable[[Story, Any, Entry], None]] = {
    ev.BuildStarted: build_started,
    ev.BuildStopped: build_stopped,
    ev.BuildSample: build_sample,
    ev.BuildEnded: build_ended,
    ev.ProductCollected: product_collected,
    ev.ProductCompared: product_compared,
}
