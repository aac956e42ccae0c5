"""The rules of second builds: that one followed the first, was made from the same, and is judged by what came of it.

- It began while the first build was green, and by no other recipe, in no other build root, from no other sources, under
  no other date and with no other needs than that.
- It says of each thing that can be varied how it was, first and then, or why it was not; what the manifest leaves out
  was not varied.
- It is judged once it ended with exit 0 and was not killed, for the products that stand, by what it told of itself.
- It is green if all its products are theirs, byte for byte, and none is missing or more; and a warning if not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sealwright_stages import events as ev
from sealwright_stages.log.entries import Entry
from sealwright_stages.manifest_build import VARIATIONS
from sealwright_stages.ports import Collected
from sealwright_stages.rules.story import Story, of_build
from sealwright_stages.state import Item
from sealwright_stages.twice import is_told
from sealwright_stages.verdict import Status


def second_started(story: Story, event: ev.BuildStarted, told: Mapping[str, Any], entry: Entry) -> None:
    """A second build begins; that its item runs and its stream is its own is judged as of any build."""
    name, state = event.component, story.state
    first, build = state.components.get(name), state.items.get(f"{name}/build")
    if first is None or build is None or build.status is not Status.PASSED:
        story.breaks("second-build", entry, f"{name} was built a second time before its first build was green")
    elif (event.recipe, event.environment, event.environment_sha256, event.manifest_sha256, event.epoch) != (
        first.recipe,
        first.environment,
        first.environment_sha256,
        first.built_from,
        first.epoch,
    ) or event.needs_sha256 != first.built_with:
        story.breaks("second-build", entry, f"{name} was built a second time from something else than the first")
    story.varied[name] = told
    asked = _asked(story, name)
    if set(told) != {"varied", "kept"} or not _all_told(told["varied"], told["kept"], asked):
        story.breaks("second-build", entry, f"{name} does not tell truly what its second build varied")


def _asked(story: Story, name: str) -> frozenset[str]:
    """What the manifest lets a second build vary."""
    component = story.declared.component(name) if story.declared else None
    vary = component.build.vary if component and component.build else None
    return frozenset(VARIATIONS if vary is None else vary)


def _all_told(varied: Any, kept: Any, asked: frozenset[str]) -> bool:
    """Whether each variation is told once: with two values, or with a reason why it was none."""
    if not isinstance(varied, dict) or not isinstance(kept, dict) or varied.keys() & kept.keys():
        return False
    both = all(
        isinstance(each, list) and [type(value) for value in each] == [str, str] and each[0] != each[1]
        for each in varied.values()
    )
    why = all(isinstance(each, str) and each for each in kept.values())
    return both and why and varied.keys() <= asked and varied.keys() | kept.keys() == set(VARIATIONS)


def judged_second(story: Story, item: Item, event: ev.ItemVerdict, found: Mapping[str, Any], entry: Entry) -> None:
    """A second build that is green or a warning: for just what the two builds made."""
    name, state, which = item.component, story.state, of_build(item.component, second=True)
    second, build = state.seconds.get(name), state.items.get(f"{name}/build")
    ended = second is not None and second.build_exit == 0 and story.streams.ended.get(second.build_stream) == 0
    if which in story.run.building or not ended or story.killed.get(which):
        story.breaks("build-ended", entry, f"{item.id} was judged, and no second build ended well before")
    if build is None or build.status is not Status.PASSED or build.subject_sha256 != event.subject_sha256:
        story.breaks("second-judged", entry, f"{item.id} is about other products than those that stand")
    products = tuple(
        Collected(each.name, each.sha256, each.size) for each in state.products.values() if each.component == name
    )
    same = event.verdict == Status.PASSED
    if not is_told(found.get("twice"), products, same=same) or (not same and event.code != "not-reproduced"):
        story.breaks("second-judged", entry, f"{item.id} is {event.verdict}, and its products say otherwise")
    if ("report" in found) is same or (not same and not _is_report(found["report"])):
        story.breaks(
            "second-judged", entry, f"{item.id} has a report where nothing differs, or none where it does"
        )
    told = {key: found.get(key) for key in ("varied", "kept")}
    if told != story.varied.get(name):
        story.breaks("second-judged", entry, f"{item.id} tells otherwise how it was built than its build did")


def _is_report(report: Any) -> bool:
    """Whether it says how products differ, or why that can't be said."""
    return (
        isinstance(report, dict)
        and bool(report.get("tool"))
        and bool(report.get("text") or report.get("why_none"))
    )
