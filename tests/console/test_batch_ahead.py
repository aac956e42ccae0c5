"""What `--batch` says of running builds now and then."""

from __future__ import annotations

import threading
from pathlib import Path

from console import made_up
from sealwright_console.batch_ahead import line, said_often
from sealwright_stages import events as ev
from sealwright_stages.durations import Durations
from sealwright_stages.estimate import Earlier, Kind
from sealwright_stages.fold import fold
from sealwright_stages.live import Live
from sealwright_stages.manifest import load
from sealwright_stages.outlook import Outlook
from sealwright_stages.ports import Sampled
from support.release_folder import HEAD, component, write_release

RUNNING = fold(made_up.building().entries)
FETCHING = fold(made_up.troubled().entries)


def outlook(folder: Path) -> Outlook:
    manifest = load(write_release(folder, HEAD + component("xen")))
    build = manifest.components[0].build
    assert build is not None
    known = {Kind("xen", "commands", build.environment): (Earlier(245),)}
    return Outlook(manifest.components, 2, Live(), Durations(folder / "durations"), known)


def test_one_line_says_how_each_build_is_and_the_stage(tmp_path: Path) -> None:
    looking = outlook(tmp_path)
    assert line(RUNNING, looking) == "", "it was not looked at yet"
    looking.live.show("xen", Sampled(240, 1_200_000_000, 9, 0, 0, disk=300_000_000, elapsed_ms=65_000))
    assert line(RUNNING, looking) == (
        "progress  builds xen: 1:05, 240% of a core, 1.2 GB, 9 processes, 300 MB of disk, about 3 min left; "
        "stage build: about 3 min left"
    )


def test_one_line_says_how_far_each_fetch_is(tmp_path: Path) -> None:
    said = line(fold(made_up.troubled().entries), outlook(tmp_path))
    assert said == "progress  lvm2/source has arrived: 61% via tor"


def test_of_many_three_are_named_and_the_others_counted(tmp_path: Path) -> None:
    story = made_up.started()
    for name in made_up.NAMES[:5]:
        story.tell(ev.ItemStarted(f"{name}/source has arrived"))
    said = line(fold(story.entries), outlook(tmp_path))
    assert said.count("source has arrived: runs") == 3 and said.endswith("; and 2 more")


def test_while_nothing_is_at_work_nothing_is_said(tmp_path: Path) -> None:
    for story in (made_up.green(), made_up.sealed()):
        assert line(fold(story.entries), outlook(tmp_path)) == ""


def test_it_is_said_by_another_thread_until_the_end(tmp_path: Path) -> None:
    said: list[str] = []
    by: set[str] = set()
    heard = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        by.add(threading.current_thread().name)
        heard.set()

    with said_often(say, lambda: FETCHING, outlook(tmp_path), every=0.01):
        assert heard.wait(10)
    assert by == {"ahead"} and set(said) == {"progress  lvm2/source has arrived: 61% via tor"}


def test_a_reader_that_is_gone_ends_it_quietly(tmp_path: Path) -> None:
    asked = threading.Event()

    def say(_line: str) -> None:
        asked.set()
        raise BrokenPipeError

    with said_often(say, lambda: FETCHING, outlook(tmp_path), every=0.01):
        assert asked.wait(10)
