"""Earlier evidence is read whole, signed and of this release, or nothing begins."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audit.forge import SUBJECT, TAG, Change, Forger, Step
from sealwright_stages import events as ev
from sealwright_stages.audit import Reviewer, audit
from sealwright_stages.errors import Exit, LogError, ManifestError
from sealwright_stages.manifest import load
from sealwright_stages.memory.facts import Origin
from sealwright_stages.memory.reading import recall
from sealwright_stages.memory.recall import Recall
from sealwright_stages.state import State
from sealwright_stages.verdict import Failed, Passed, Verdict
from support.release_folder import HEAD, component
from support.small_release import Key, stop_agent

URL = "https://example.org/xen.git"


def git(tag: str, value: str = "a" * 64, date: int = 1_700_000_000) -> dict[str, object]:
    return {"object_sha256": value, "url": URL, "tag": tag, "tagged": date, "committed": date, "commit": "c" * 40,
            "persons": ["release-key-a"]}  # fmt: skip


def telling(evidence: dict[str, object]) -> Change:
    """The lawful release, in which the tag's item has this evidence."""
    text = json.dumps(evidence, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()

    def change(steps: list[Step]) -> list[Step]:
        return [
            replace(step, evidence=text, evidence_sha256=digest, subject_sha256=str(evidence["object_sha256"]))
            if isinstance(step, ev.ItemVerdict) and step.item == "xen/git/v1"
            else step
            for step in steps
        ]

    return change


def remember(forger: Forger, *evidence: Path, more: str = "", head: str = HEAD) -> Recall:
    """What a next release would remember of these folders."""
    named = ", ".join(f'"{path}"' for path in evidence)
    forger.manifest.write_text(f"{head}[memory]\nevidence = [{named}]\n{more}" + component("xen"))
    return recall(load(forger.manifest))


def asked(memory: Recall, evidence: dict[str, object]) -> Verdict:
    return memory.verdict(Passed("good", SUBJECT, evidence), "xen", State(), None)


def test_what_a_sealed_and_signed_release_accepted_is_remembered_with_its_origin(forger: Forger) -> None:
    earlier = forger.evidence(telling(git("v1")))
    memory = remember(forger, earlier)
    report = audit(earlier, Reviewer(forger.folder / "keyring", ("manager-a",))).report
    assert report is not None
    (told,) = memory.read
    assert (told.release, told.root, told.records) == ("example-1.0", report.checkpoint.root.hex(), report.records)
    assert told.facts == 1 and told.sealed
    moved = asked(memory, git("v1", "b" * 64))
    assert isinstance(moved, Failed) and moved.code == "tag-moved"
    assert f"release example-1.0 (sealed {told.sealed[:10]}) accepted" in moved.reason
    assert isinstance(asked(memory, git("v1")), Passed)
    assert asked(memory, git("v0.9", "b" * 64)).code == "version-went-back"


def spoiled(folder: Path, name: str, old: bytes, new: bytes) -> None:
    data = (folder / name).read_bytes()
    assert old in data
    (folder / name).write_bytes(data.replace(old, new, 1))


SPOILED: dict[str, Callable[[Path], None]] = {
    "a changed record": lambda folder: spoiled(folder, "log/index.jsonl", b'v1\\"', b'v2\\"'),
    "a missing record": lambda folder: spoiled(folder, "log/index.jsonl", b"\n", b""),
    "no seal": lambda folder: (folder / "log" / "checkpoint.sealed").unlink(),
    "no signature of the log": lambda folder: (folder / "log" / "SHA256SUMS.asc").unlink(),
    "no signature of the products": lambda folder: (folder / "SHA256SUMS.asc").unlink(),
    "another product": lambda folder: (folder / "products" / "xen" / "xen.tar").write_bytes(b"other"),
    "a stranger in it": lambda folder: (folder / "note").write_text("hello"),
}


@pytest.mark.parametrize("how", SPOILED)
def test_evidence_that_does_not_stand_up_to_the_audit_ends_the_run(forger: Forger, how: str) -> None:
    earlier = forger.evidence(telling(git("v1")))
    SPOILED[how](earlier)
    with pytest.raises(LogError, match="is not believed") as refused:
        remember(forger, earlier)
    assert refused.value.exit_code is Exit.LOG
    assert str(earlier) in refused.value.what and "audit" in refused.value.next_step


def test_evidence_that_someone_else_signed_ends_the_run(forger: Forger, keys: tuple[Key, Key]) -> None:
    stop_agent(keys[1].home)
    earlier = replace(forger, signers=keys[1:]).evidence(telling(git("v1")))
    with pytest.raises(LogError, match="signed by nobody; 1 needed"):
        remember(forger, earlier)


def test_the_manifest_may_name_other_signers_of_earlier_releases(forger: Forger, keys: tuple[Key, Key]) -> None:
    earlier = replace(forger, signers=keys[1:]).evidence(telling(git("v1")))
    assert remember(forger, earlier, more='signers = ["release-key-a"]\n').read
    with pytest.raises(LogError, match="2 needed"):
        more = 'signers = ["release-key-a", "manager-a"]\nthreshold = 2\n'
        remember(forger, earlier, more=more)


def test_evidence_of_another_release_ends_the_run(forger: Forger) -> None:
    earlier = forger.evidence(telling(git("v1")))
    with pytest.raises(ManifestError, match="it is of the release example, not other") as refused:
        remember(forger, earlier, head=HEAD.replace('"example"', '"other"'))
    assert refused.value.exit_code is Exit.USAGE


def test_a_folder_of_evidence_folders_is_read_whole_and_each_log_counts_once(forger: Forger) -> None:
    first, second = forger.evidence(telling(git("v1"))), forger.evidence(telling(git("v1")))
    shelf = forger.folder / "shelf"
    shelf.mkdir()
    for number, each in enumerate((first, second, first)):
        shutil.copytree(each, shelf / str(number))
    (shelf / "README").write_text("earlier releases")
    memory = remember(forger, shelf, first)
    assert len(memory.read) == 2
    (shelf / "1" / "log").rename(forger.folder / "gone")
    with pytest.raises(ManifestError, match="1 in it is no evidence folder"):
        remember(forger, shelf)


@pytest.mark.parametrize("kind", ["missing", "empty", "file"])
def test_what_is_no_evidence_ends_the_run(forger: Forger, kind: str) -> None:
    path = forger.folder / "earlier"
    if kind == "empty":
        path.mkdir()
    elif kind == "file":
        path.write_text("x")
    with pytest.raises(ManifestError, match=r"No such file|no evidence folder|Not a directory"):
        remember(forger, path)


def test_evidence_that_nests_without_end_ends_the_run(forger: Forger) -> None:
    told = json.dumps({**TAG, "nest": 0})
    text = told.replace(": 0", ": " + "[" * 990 + "]" * 990)
    placed = {"evidence": text, "evidence_sha256": hashlib.sha256(text.encode()).hexdigest()}
    earlier = forger.evidence(
        lambda steps: [
            replace(step, **placed) if isinstance(step, ev.ItemVerdict) and step.item == "xen/git/v1" else step
            for step in steps
        ]
    )
    with pytest.raises(LogError, match="is not believed"):
        remember(forger, earlier)


def test_evidence_whose_facts_are_crooked_ends_the_run(forger: Forger) -> None:
    with pytest.raises(LogError, match="what it accepted can't be read"):
        remember(forger, forger.evidence(telling({**TAG, "tagged": "yesterday"})))


def test_what_was_accepted_on_the_way_and_fetched_again_counts(forger: Forger) -> None:
    def twice(steps: list[Step]) -> list[Step]:
        first = telling(git("v1"))(steps)
        at = next(n for n, step in enumerate(first) if isinstance(step, ev.SourcesPromoted)) + 1
        again = [
            s for s in telling(git("v1", "b" * 64))(steps[:at]) if isinstance(s, (ev.ItemStarted, ev.ItemVerdict))
        ]
        resets: list[Step] = [ev.ItemReset(s.item, "again") for s in again if isinstance(s, ev.ItemVerdict)]
        return [*first[:at], *resets, *again, first[at - 1], *first[at:]]

    memory = remember(forger, forger.evidence(twice))
    assert [asked(memory, git("v1", value * 64)).code for value in "ab"] == ["tag-moved", "tag-moved"]
    assert memory.read[0].facts == 2


def test_an_audit_without_the_earlier_evidence_says_what_was_remembered(forger: Forger) -> None:
    told = ev.MemoryRead("example-0.9", "2025-03-02T00:00:00.000000Z", "f" * 64, 345, 12)
    begun = replace(forger, head=f'{HEAD}[memory]\nevidence = ["../gone"]\n')
    evidence = begun.evidence(lambda steps: [steps[0], told, *steps[1:]])
    result = audit(evidence, Reviewer(forger.folder / "keyring", ("manager-a",)))
    assert result.passed
    (said,) = [found.detail for found in result.findings if found.what == "memory" and found.ok == "good"]
    assert "12 facts of example-0.9 (sealed 2025-03-02, 345 records, log root ffffffffffffffff…)" in said


@pytest.mark.parametrize("when", ["never", "late", "twice"])
def test_a_log_that_does_not_say_in_time_what_was_remembered_is_refused(forger: Forger, when: str) -> None:
    told = ev.MemoryRead("example-0.9", "2025-03-02T00:00:00.000000Z", "f" * 64, 345, 12)
    begun = replace(forger, head=f'{HEAD}[memory]\nevidence = ["../gone"]\n')

    def change(steps: list[Step]) -> list[Step]:
        return {
            "never": steps,
            "late": [*steps[:2], told, *steps[2:]],
            "twice": [steps[0], told, told, *steps[1:]],
        }[when]

    if when == "never":
        bad = [f.detail for f in audit(begun.evidence(change)).findings if f.ok == "bad"]
        assert (
            all("names earlier evidence, and the log does not say that it was read" in line for line in bad)
            and bad
        )
    else:
        with pytest.raises(ValueError, match="too late, or twice"):  # even a forger's own fold refuses it
            begun.evidence(change)


def test_own_facts_that_can_not_be_read_stay_red_until_they_can(forger: Forger, tmp_path: Path) -> None:
    forger.manifest.write_text(HEAD + component("xen"))
    memory = Recall(load(forger.manifest))
    state = State()
    result = audit(forger.evidence(telling(git("v1"))))
    item = next(item for item in result.state.accepted if item.evidence)
    state.accepted.append(replace(item, evidence='{"object_sha256": "forged"}'))
    for _ in range(2):
        with pytest.raises(LogError, match="does not hash as its verdict says"):
            memory.verdict(Passed("good", SUBJECT, git("v1")), "xen", state, tmp_path)
    state.accepted[0] = item
    verdict = memory.verdict(Passed("good", SUBJECT, git("v1", "b" * 64)), "xen", state, tmp_path)
    assert verdict.code == "tag-moved" and f"record {item.n} of this log accepted" in verdict.reason
    assert Origin(n=item.n).told in verdict.reason
