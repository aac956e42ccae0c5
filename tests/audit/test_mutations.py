"""A log that lies well: sealed and signed as it should be, and its story breaks the rules. An audit finds every lie.

- Each mutation of a true story is a no, or is in the list of harmless ones, each with its reason.
- The rules are tried on all of them without a store; what they let pass, and a sample of the rest, is made into whole
  evidence and audited. `pytest -s` prints the table.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from audit.forge import Eof, Forger, Step
from audit.harmless import harmless
from audit.mutations import Mutation, mutations
from audit.rich import rich
from sealwright_stages import events as ev
from sealwright_stages.audit import Reviewer, audit
from sealwright_stages.declared import Declaration
from sealwright_stages.findings import Finding
from sealwright_stages.log.entries import Entry
from sealwright_stages.replay import Replay

FEW = 150
UNSIGNED = frozenset(
    {"signers", "provenance"}
)  # no mutation is signed: that takes the most time, and finds no lie


def entries(steps: Sequence[Step], streams: dict[str, bytes]) -> Iterator[Entry]:
    """The records that a store would make of a story, as far as a replay looks at them."""
    n = 0

    def entry(kind: str, stream: str, body: dict[str, object]) -> Entry:
        nonlocal n
        n += 1
        return Entry(n, f"2023-11-14T00:00:00.{n:06d}Z", kind, stream, "uid:0", b"", body)

    for step in steps:
        if not isinstance(step, Eof):
            yield entry("ev", "engine", json.loads(json.dumps(ev.to_body(step))))
            continue
        if step.stream != "engine":
            streams[step.stream] = step.data
            yield entry("data", step.stream, {})
        ended = {"stream": step.stream, "clean": step.clean}
        yield entry("eof", step.stream, ended if step.exit is None else {**ended, "exit": step.exit})
    yield entry("eof", "engine", {"stream": "engine", "clean": True, "exit": 0})
    yield entry("seal", "engine", {})


def replayed(steps: Sequence[Step], declared: Declaration) -> list[Finding]:
    """What the rules say of a story."""
    streams: dict[str, bytes] = {}
    replay = Replay(lambda stream: streams.get(stream, b""), declared)
    for entry in entries(steps, streams):
        replay.take(entry)
    return replay.findings


def audited(forger: Forger, steps: Sequence[Step]) -> list[Finding]:
    """What an audit finds bad in whole evidence of a story, but that nobody signed it."""
    result = audit(forger.unsigned(steps), Reviewer(forger.folder / "keyring", ("manager-a",)))
    return [finding for finding in result.findings if finding.ok == "bad" and finding.rule not in UNSIGNED]


@pytest.fixture
def story(forger: Forger) -> list[Step]:
    """The rich release, told truly."""
    return rich(forger)


def test_the_rich_release_is_lawful_and_has_every_event(forger: Forger, story: list[Step]) -> None:
    result = audit(forger.evidence(), Reviewer(forger.folder / "keyring", ("manager-a",)))
    assert [finding for finding in result.findings if finding.ok == "bad"] == [] and result.provided == ""
    assert {type(step) for step in story} == {Eof, *ev.NAMES.values()}
    assert replayed(story, forger.declared()[0]) == audited(forger, story) == []


def test_a_release_of_a_version_with_one_root_for_all_is_lawful_still(forger: Forger) -> None:
    story = rich(forger, older=True)
    assert replayed(story, forger.declared()[0]) == audited(forger, story) == []


def test_a_release_that_leaves_out_one_root_of_many_is_not(forger: Forger, story: list[Step]) -> None:
    told = [step for step in story if getattr(step, "item", "") != "xen/environment"]
    findings = replayed(told, forger.declared()[0])
    assert findings[0].rule == "declared" and "xen/environment" in findings[0].detail


def table(forger: Forger, tried: Sequence[Mutation], sample: int) -> None:
    """Try them, print how many were found, and fail for each that was neither found nor harmless."""
    declared = forger.declared()[0]
    found, let, missed = Counter[str](), Counter[str](), list[str]()
    rules, reasons = Counter[str](), Counter[str]()
    chance = random.Random(1)  # noqa: S311 - which ones to look at twice
    slips = []
    for mutation in tried:
        findings = replayed(mutation.steps, declared)
        if not findings:
            slips.append(mutation)
            continue
        found[mutation.way] += 1
        rules[findings[0].rule] += 1
        assert findings[0].n > 0 and findings[0].rule
    for mutation in slips:
        reason = harmless(mutation)
        if reason:
            let[mutation.way] += 1
            reasons[reason] += 1
        elif findings := audited(forger, mutation.steps):
            found[mutation.way] += 1
            rules[findings[0].rule] += 1
        else:
            missed.append(f"{mutation.way} {mutation.kind} {mutation.field} at {mutation.at}: {mutation.told}")
    for mutation in chance.sample([each for each in tried if each not in slips], sample):
        assert audited(forger, mutation.steps), mutation
    ways = Counter(mutation.way for mutation in tried)
    print("\n| way | tried | found | harmless | missed |\n|---|---|---|---|---|")
    for way, count in ways.items():
        print(f"| {way} | {count} | {found[way]} | {let[way]} | {count - found[way] - let[way]} |")
    print(f"| all | {len(tried)} | {found.total()} | {let.total()} | {len(missed)} |")
    print("\nfirst rule broken:", dict(rules.most_common()))
    print("\n".join(f"harmless {count}: {reason}" for reason, count in reasons.most_common()))
    assert not missed, f"{len(missed)} missed\n" + "\n".join(missed[:400])


SOURCES: list[tuple[str, dict[str, str], str]] = [
    ("ev", {"stream": "build/xen/1-1"}, "a record of kind ev stands on build/xen/1-1"),
    ("ev", {"src": "-"}, "it says that it is by -"),
    ("data", {"stream": "engine"}, "there is output on the stream of the events"),
    ("data", {"src": "-"}, "it says that it is by -"),
    ("seal", {"stream": "evidence/1-1"}, "a record of kind seal stands on evidence/1-1"),
]


@pytest.mark.parametrize(("kind", "fields", "says"), SOURCES)
def test_a_record_stands_where_its_kind_belongs(
    forger: Forger, story: list[Step], kind: str, fields: dict[str, str], says: str
) -> None:
    streams: dict[str, bytes] = {}
    replay = Replay(lambda stream: streams.get(stream, b""), forger.declared()[0])
    done = False
    for entry in entries(story, streams):
        lies = entry.kind == kind and not done
        replay.take(replace(entry, **fields) if lies else entry)  # type: ignore[arg-type]
        done = done or lies
    assert any(finding.rule == "event-source" and says in finding.detail for finding in replay.findings)


def test_a_build_whose_console_was_killed_may_be_heard_of_after_the_console(
    forger: Forger, story: list[Step]
) -> None:
    at = next(n for n, step in enumerate(story) if isinstance(step, ev.BuildStarted))
    died = Eof("engine", clean=False, exit=None)
    for stream, right in (("build/catdoc/2-1", True), ("build/xen/2-1", False)):
        told = replayed([*story[: at + 1], died, Eof(stream, clean=False, exit=None)], forger.declared()[0])
        assert any(finding.rule == "stream-named" and finding.stream == stream for finding in told) is not right


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [FEW, pytest.param(0, marks=pytest.mark.slow)], ids=["some", "all"])
def test_every_lie_in_a_well_sealed_log_is_found_or_known_to_be_harmless(
    forger: Forger, story: list[Step], count: int
) -> None:
    tried = list(mutations(story))
    chosen = random.Random(2).sample(tried, count) if count else tried  # noqa: S311 - a sample of them
    table(forger, chosen, 3 if count else 100)
