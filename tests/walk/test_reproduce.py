"""A whole release with components that are built twice: one comes out the same, one writes its host's name down."""

from __future__ import annotations

import json
import shutil

import pytest

from sealwright_stages.log.entries import read_stream
from walk.walking import Walk, events

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
TWICE = 'recipe = "commands"\nreproduce = 2\n'


def test_a_component_that_comes_out_the_same_is_sealed_and_stands_up_to_an_audit(walk: Walk) -> None:
    walk.change('recipe = "commands"\n', TWICE)
    done = walk.run().well()
    assert "building  greeting a second time in host, its log is stream build/greeting/1-1-second" in done.err
    assert "built     greeting a second time: exit 0" in done.err
    assert (
        "greeting/reproduce: 1 products, the same bytes; varied: hostname, locale, timezone, uid, path" in done.err
    )
    walk.is_done()
    assert [path.name for path in (walk.evidence / "products" / "greeting").iterdir()] == ["greeting.out"]
    begun = [each for each in events(walk.work) if each["e"] == "build.started"]
    assert [each["item"] for each in begun] == ["greeting/build", "greeting/reproduce"]


def test_what_leaks_is_a_warning_with_a_report_that_shows_it(walk: Walk) -> None:
    walk.change('recipe = "commands"\n', TWICE)
    walk.change("> $OUT/greeting.out", "> $OUT/greeting.out; uname -n >> $OUT/greeting.out")
    walk.run().refused(1, "a second build gave other bytes for greeting.out", "[not-reproduced]")
    walk.nothing_is_half_done(products=True)
    assert (walk.work / "products" / "greeting" / "greeting.out").read_text().endswith("\nbuild\n")
    (verdict,) = [e for e in events(walk.work) if e["e"] == "item.verdict" and e["item"] == "greeting/reproduce"]
    text = verdict["evidence"] or read_stream(walk.work / "log", verdict["evidence_stream"]).decode()
    report = json.loads(text)["report"]
    if shutil.which("diffoscope"):
        assert "-build" in report["text"] and "+rebuild" in report["text"]
    else:
        assert report["cure"] == "apt install diffoscope-minimal"
