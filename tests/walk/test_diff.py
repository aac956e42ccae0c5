"""Two real releases beside each other, each from its manifest to signed evidence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from sealwright_stages.files import sha256_file
from walk.walking import Done, Walk

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]


def differing(walk: Walk, a: Path, b: Path, *words: str) -> Done:
    return walk.say("diff", a, b, "--keyring", walk.folder / "keyring", "--signers", "manager", *words)


def told(walk: Walk, a: Path, b: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(differing(walk, a, b, "--json").well().out)
    return found


def change(told: dict[str, Any], field: str) -> dict[str, Any]:
    (found,) = [each for each in told["changes"] if each["field"] == field]
    return found


def test_a_second_version_whose_file_is_other_and_not_signed_any_more(finished: Walk, walk: Walk) -> None:
    policy = walk.folder / "signer-policy" / "policy.toml"
    policy.write_text(policy.read_text().replace('version = "1.0"', 'version = "1.1"'))
    words = walk.folder / "upstream" / "words-1.0.txt"
    words.write_text("other\n" * 100)
    head, file = walk.text.split("[[component.file]]")
    lines = [line for line in file.splitlines() if not line.startswith(("sha256", "signature", "signers"))]
    lines.insert(2, f'sha256 = "{sha256_file(words)}"')
    walk.text = f"{head}[[component.file]]" + "\n".join(lines) + "\n"
    walk.text = walk.text.replace('version = "1.0"', 'version = "1.1"', 1)
    walk.manifest.write_text(walk.text)
    walk.run().well()

    found = told(walk, finished.evidence, walk.evidence)
    assert (found["whole"], found["same_release"], found["differs"]) == (True, False, True)
    assert (change(found, "version")["a"], change(found, "version")["b"]) == ("1.0", "1.1")
    gone = [each["a_name"] or each["field"] for each in found["alarms"] if each["danger"] == "demand-gone"]
    assert "greeting/file-signature/words-1.0.txt" in gone
    (files,) = found["files"]
    assert [each["a_name"] for each in files["changes"]] == ["files/words-1.0.txt"]
    assert found["same"]["products"] == {"same": 0, "of": 1}
    assert not [each for each in found["alarms"] if each["danger"] == "product-differs"]
    back = told(walk, walk.evidence, finished.evidence)
    assert [each["danger"] for each in back["alarms"] if each["field"] == "version"] == ["version-went-back"]

    said = differing(walk, finished.evidence, walk.evidence).well().out
    assert said.startswith("small-1.0 -> small-1.1\n")
    assert "DEMAND GONE" in said and "~ files/words-1.0.txt" in said
    assert "verdict: both are whole;" in said
    assert differing(walk, finished.evidence, walk.evidence, "--exit-code").exit == 1


def test_two_builders_of_one_release(finished: Walk, walk: Walk) -> None:
    walk.run().well()
    found = told(walk, finished.evidence, walk.evidence)
    assert found["same_release"]
    assert found["same"]["products"] == {"same": 1, "of": 1}
    machine = {"environment_sha256"}  # of the machine itself, on which others may install something meanwhile
    assert {each["field"] for each in found["changes"] if each["section"] != "durations"} <= machine
    assert found["alarms"] == []
    assert "1 of 1 products are identical" in differing(walk, finished.evidence, walk.evidence).well().out
    assert differing(walk, walk.evidence, walk.evidence, "--exit-code").well().out.endswith("nothing differs\n")


def test_a_build_that_is_not_reproducible_is_loud(finished: Walk, walk: Walk) -> None:
    walk.change("cat $FILES/words-1.0.txt greeting.txt > $OUT/greeting.out", "date +%N > $OUT/greeting.out")
    walk.run().well()
    first = shutil.copytree(walk.evidence, walk.folder / "first")
    shutil.rmtree(walk.work)
    walk.run().well()
    found = told(walk, first, walk.evidence)
    moved = [each for each in found["changes"] if each["field"] == "environment_sha256"]
    alarms = [(each["danger"], each["b_name"]) for each in found["alarms"]]
    assert moved or ("product-differs", "greeting.out") in alarms
    assert not moved or found["alarms"] == []


@pytest.mark.parametrize("side", [0, 1])
def test_evidence_that_was_tampered_with_is_compared_under_a_no(finished: Walk, walk: Walk, side: int) -> None:
    copy = shutil.copytree(finished.evidence, walk.folder / "tampered")
    index = copy / "log" / "index.jsonl"
    index.write_bytes(index.read_bytes().replace(b"words-1.0.txt", b"words-6.6.txt", 1))
    sides = [finished.evidence, copy] if side else [copy, finished.evidence]
    done = differing(walk, *sides)
    assert (done.exit, done.err) == (1, "")
    name = "AB"[side]
    assert f"{name} IS NOT WHOLE" in done.out
    assert done.out.endswith(f"verdict: NO, {name} is not whole\n")
    assert json.loads(differing(walk, *sides, "--json").out)["whole"] is False


def test_a_wrong_command_line_is_refused(finished: Walk, walk: Walk) -> None:
    walk.say("diff", finished.evidence).refused(2, "EVIDENCE_B")
    walk.say("diff", finished.evidence, finished.evidence, "--signers", "manager").refused(2, "--keyring")
