"""A whole release of components that need each other, of which one is built in a root from a tar."""

from __future__ import annotations

import hashlib
import json
import signal

import pytest

from build.packaging import small_root
from walk.walking import Walk, events, until

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
SECOND = """
[[component]]
name = "second"
needs = ["greeting"]
[[component.file]]
url = "upstream/words-1.0.txt"
sha256 = "{words}"
[component.build]
recipe = "commands"
environment = "tar:{tar}"
commands = [{first}"cat $NEEDS/greeting/greeting.out /etc/mark > $OUT/second.out"]
products = ["*.out"]
limits = {{ wall = "5m", memory = "1G", disk = "1G", processes = 64 }}
[[component]]
name = "third"
needs = ["second"]
[[component.file]]
url = "upstream/words-1.0.txt"
sha256 = "{words}"
[component.build]
recipe = "commands"
commands = ["cat $NEEDS/second/second.out > $OUT/third.out"]
products = ["*.out"]

[[environment.tar]]
sha256 = "{tar}"
url = "root.tar"
"""


def declared(walk: Walk, first: str = "") -> None:
    """Add the components to the manifest."""
    tar = small_root(walk.folder, "built in a tar\n")
    words = (walk.folder / "upstream" / "words-1.0.txt").read_bytes()
    digests = {"words": hashlib.sha256(words).hexdigest(), "tar": hashlib.sha256(tar.read_bytes()).hexdigest()}
    walk.text += SECOND.format(first=first, **digests)
    walk.manifest.write_text(walk.text)


def test_products_go_where_they_are_needed_and_the_audit_follows_them(walk: Walk) -> None:
    declared(walk)
    walk.run().well()
    walk.is_done()
    third = (walk.evidence / "products" / "third" / "third.out").read_text()
    assert third.endswith("A greeting, signed.\nbuilt in a tar\n")
    begun = {event["component"]: event for event in events(walk.work) if event["e"] == "build.started"}
    assert "needs" not in begun["greeting"]
    (named,) = json.loads(begun["third"]["needs"]).items()
    assert named == ("second/second.out", hashlib.sha256(third.encode()).hexdigest())


def test_a_failed_build_stops_those_that_need_it_and_says_so(walk: Walk) -> None:
    declared(walk, first='"echo no such luck >&2; exit 3", ')
    done = walk.run().refused(1, "second: it ended with exit 3, last saying: no such luck")
    assert "third: build (commands) (stopped by second, which it needs and which is not built)" in done.err
    assert [e["component"] for e in events(walk.work) if e["e"] == "build.started"] == ["greeting", "second"]


def test_a_run_that_was_killed_while_a_build_saw_its_needs_is_taken_up_there(walk: Walk) -> None:
    declared(walk, first='"until [ -e /build/go ]; do sleep 0.05; done", ')
    running = walk.start()
    running.seen("build.started", component="second")
    running.stop(signal.SIGKILL, group=True)
    running.end()
    walk.nothing_runs()
    again = walk.start()
    again.seen("build.started", component="second")
    place = walk.work / "build" / "second" / "build"
    until(place.is_dir, "a folder to build in")
    (place / "go").touch()
    again.end().well()
    walk.is_done()
    begun = [e["component"] for e in events(walk.work) if e["e"] == "build.started"]
    assert begun == ["greeting", "second", "second", "third"]
