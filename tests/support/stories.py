"""Histories of made-up releases: events as entries of the log, and hypothesis strategies over them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from sealwright_stages import events as ev
from sealwright_stages.events import Stage

POLICY = hashlib.sha256(b"policy").hexdigest()
MANIFEST = hashlib.sha256(b"manifest").hexdigest()


def sha(text: str) -> str:
    """SHA-256 of a made-up thing."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A record as the reducer wants it."""

    n: int
    t: str
    kind: str
    body: Mapping[str, object]


def entries_of(events: Sequence[ev.Event], *, sealed: bool = False) -> list[Entry]:
    """Events as entries that went through JSON, as in a real log."""
    told = [Entry(n, f"t{n:06d}", "ev", json.loads(json.dumps(ev.to_body(e)))) for n, e in enumerate(events)]
    return [*told, Entry(len(told), f"t{len(told):06d}", "seal", {})] if sealed else told


def begun(policy: str = POLICY) -> ev.RunStarted:
    """A run began."""
    return ev.RunStarted("example", "1.0", "sealwright 0.1.0", MANIFEST, policy, False, True)


def declared(item: str, stage: Stage = Stage.VERIFY) -> ev.ItemDeclared:
    """`component/what` is declared."""
    return ev.ItemDeclared(item, item.split("/", maxsplit=1)[0], stage, "made-up", f"title of {item}")


def judged(item: str, verdict: str, code: str = "", subject: str = "") -> ev.ItemVerdict:
    """`item` ended with `verdict`."""
    code = code or {"passed": "ok", "warned": "expired-since"}.get(verdict, "refused")
    return ev.ItemVerdict(item, verdict, code, f"because of {item}", "do this", subject or sha(item), "", "", "")


def waived(item: str, code: str = "expired-since", subject: str = "", policy: str = POLICY) -> ev.ItemWaived:
    """`item`'s warning is accepted by name."""
    return ev.ItemWaived(item, code, "release-manager-a", "read and known", subject or sha(item), policy)


def promoted(component: str) -> ev.SourcesPromoted:
    """`component` left the quarantine."""
    return ev.SourcesPromoted(component, sha(f"{component} manifest"), 3, 300, "", "", "")


def build_started(component: str, manifest: str = "") -> ev.BuildStarted:
    """`component`'s build began, from its promoted sources."""
    manifest = manifest or sha(f"{component} manifest")
    name = f"build/{component}/1-1"
    return ev.BuildStarted(component, f"{component}/build", name, "commands", "host", sha("host"), manifest, 1)


def built(component: str, status: int = 0) -> list[ev.Event]:
    """`component` was built from start to end with one product."""
    product = ev.ProductCollected(component, f"{component}.tar", sha(f"{component}.tar"), 10)
    end = ev.BuildEnded(component, status, 1200, "")
    verdict = judged(f"{component}/build", "passed" if status == 0 else "failed")
    return [
        ev.ItemStarted(f"{component}/build"),
        build_started(component),
        end,
        *[product][: status == 0],
        verdict,
    ]


def whole_release(*components: str) -> list[ev.Event]:
    """A release in which everything went well, up to the seal."""
    events: list[ev.Event] = [begun()]
    for name in components:
        stages = (("fetch", Stage.GET_SOURCES), ("tag", Stage.VERIFY), ("build", Stage.BUILD))
        events += [declared(f"{name}/{what}", stage) for what, stage in stages]
    for name in components:
        for what in ("fetch", "tag"):
            events += [ev.ItemStarted(f"{name}/{what}"), judged(f"{name}/{what}", "passed")]
        events.append(promoted(name))
    events.append(ev.StageStarted(Stage.BUILD))
    for name in components:
        events += built(name)
    return events


HOSTILE_TEXT = st.text(st.characters(exclude_categories=()), max_size=60) | st.sampled_from(
    [
        "\x1b[2J\x1b[31m",
        "\u202egnp.exe",
        "\x00",
        "\x9b1m",
        "\ud800",
        "\udcff\udc80",
        '"}\\n{"k":"seal"}',
        "\u2028",
        "\U0001f50f" * 30,
    ]
)
PLAIN_TEXT = st.text(max_size=60)


def _values(kind: type[typing.Any], texts: st.SearchStrategy[str]) -> st.SearchStrategy[ev.Event]:
    by_type = {str: texts, int: st.integers(-(1 << 52), 1 << 52), bool: st.booleans()}
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: by_type[hints[field.name]] for field in dataclasses.fields(kind)})


def any_event(texts: st.SearchStrategy[str]) -> st.SearchStrategy[ev.Event]:
    """An event of any kind with any values."""
    return st.one_of(*(_values(kind, texts) for kind in ev.NAMES.values()))


ITEMS = ("xen/fetch", "xen/tag", "xen/build", "lvm2/fetch", "lvm2/tag", "lvm2/build")
_STAGE_OF = {"fetch": Stage.GET_SOURCES, "tag": Stage.VERIFY, "build": Stage.BUILD}


def a_step() -> st.SearchStrategy[ev.Event]:
    """Something that may be said of the declared items in any order."""
    item = st.sampled_from(ITEMS)
    verdict = st.sampled_from(["passed", "warned", "failed"])
    component = st.sampled_from(["xen", "lvm2"])
    return st.one_of(
        st.builds(ev.ItemStarted, item),
        st.builds(judged, item, verdict),
        st.builds(ev.ItemReset, item, st.just("again")),
        st.builds(ev.ItemProgress, item, st.integers(0, 9), st.just(9), st.just("")),
        st.builds(ev.FileDeleted, item, st.just("x.tar"), st.just(sha("x")), st.just(1), st.just("bad")),
        st.builds(promoted, component),
        st.builds(build_started, component),
        st.builds(ev.BuildEnded, component, st.sampled_from([0, 0, 2, -9]), st.just(5), st.just("")),
        st.builds(ev.BuildSample, component, *[st.integers(0, 99)] * 5),
        st.builds(ev.ProductCollected, component, st.sampled_from(["a", "b"]), st.just(sha("p")), st.just(1)),
        st.builds(ev.StageStarted, st.sampled_from([*Stage])),
        st.builds(ev.StageEnded, st.sampled_from([*Stage]), st.booleans()),
    )


def histories() -> st.SearchStrategy[list[ev.Event]]:
    """A release with all its items declared, then any steps; warnings are waived at random."""

    def with_waivers(steps: list[tuple[ev.Event, bool]]) -> list[ev.Event]:
        told: list[ev.Event] = []
        for step, waive in steps:
            told.append(step)
            if waive and isinstance(step, ev.ItemVerdict) and step.verdict == "warned":
                told.append(waived(step.item))
        return told

    head: list[ev.Event] = [begun(), *(declared(item, _STAGE_OF[item.split("/")[1]]) for item in ITEMS)]
    steps = st.lists(st.tuples(a_step(), st.booleans()), max_size=40)
    return steps.map(lambda chosen: head + with_waivers(chosen))
