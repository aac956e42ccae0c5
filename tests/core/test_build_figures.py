"""The rules of build_figures and live: every look is shown, few are logged, and the two never contradict each other."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealwright_stages import events as ev
from sealwright_stages.build_figures import BuildFigures, peaks_of, worth_logging
from sealwright_stages.live import Live
from sealwright_stages.ports import BuildResult, Sampled, Used

LOOK = Sampled(50, 64 << 20, 9, 100, 200, disk=32 << 20, files=2000)


class Told:
    """A log that keeps samples, and where the faces look at that moment."""

    def __init__(self) -> None:
        self.samples: list[ev.BuildSample] = []
        self.live = Live()
        self.shown: list[Sampled | None] = []

    def tell(self, sample: ev.BuildSample) -> None:
        now = self.live.of("xen")
        self.shown.append(now.look if now else None)
        self.samples.append(sample)


def told(looks: list[Sampled]) -> Told:
    log = Told()
    figures = BuildFigures("xen", log.live, log.tell)
    for look in looks:
        figures.take(look)
        now = log.live.of("xen")
        assert now is not None and now.look is look, "every look is shown"
    figures.end()
    figures.over()
    assert log.live.of("xen") is None
    return log


def steady(seconds: float, every: float = 0.25) -> list[Sampled]:
    return [replace(LOOK, elapsed_ms=round(n * every * 1000)) for n in range(int(seconds / every))]


@pytest.mark.parametrize(("seconds", "most"), [(1, 2), (60, 61), (3600, 460), (2 * 86400, 1600)])
def test_a_log_grows_by_few_looks_however_long_a_build_takes(seconds: int, most: int) -> None:
    looks = steady(seconds, 0.25 if seconds < 5000 else 5)
    assert 1 <= len(told(looks).samples) <= most


def test_a_look_is_logged_at_least_every_five_minutes() -> None:
    assert worth_logging(replace(LOOK, elapsed_ms=10_000_000), 9_700_000, peaks_of(LOOK))
    assert not worth_logging(replace(LOOK, elapsed_ms=10_000_000), 9_950_000, peaks_of(LOOK))


@pytest.mark.parametrize("what", ["memory", "processes", "disk", "files"])
def test_a_look_that_passes_a_peak_is_logged_at_once(what: str) -> None:
    looks = steady(300)
    peak = replace(looks[-2], **{what: getattr(LOOK, what) * 2})
    samples = told([*looks[:-2], peak, looks[-1]]).samples
    assert any(getattr(sample, what) == getattr(peak, what) for sample in samples[-2:])
    below = replace(peak, **{what: getattr(LOOK, what) * 5 // 4})
    assert all(
        getattr(sample, what) == getattr(LOOK, what) for sample in told([*looks[:-2], below, looks[-1]]).samples
    )


def test_a_slow_growth_is_no_row_of_peaks() -> None:
    looks = [replace(look, memory=LOOK.memory + n * 100_000) for n, look in enumerate(steady(600))]
    assert len(told(looks).samples) < len(told(steady(600)).samples) + 10


def test_the_last_look_is_logged_once() -> None:
    looks = steady(100.6)
    last = told(looks).samples[-1]
    assert told([*looks, replace(looks[-1], elapsed_ms=looks[-1].elapsed_ms + 1, cpu=77)]).samples[-1].cpu == 77
    assert last.cpu == 50
    assert len(told(looks[:1]).samples) == 1


def test_a_build_that_was_never_looked_at_says_nothing() -> None:
    assert told([]).samples == []


@given(
    st.lists(st.builds(Sampled, *[st.integers(0, 1 << 40)] * 5, elapsed_ms=st.integers(0, 1 << 30)), max_size=60)
)
def test_a_look_is_in_the_log_before_any_face_sees_it(looks: list[Sampled]) -> None:
    log = told(looks)
    for sample, shown in zip(log.samples, log.shown, strict=True):
        assert shown is None or shown in looks
        assert sample.memory in {look.memory for look in looks}
    if looks:
        assert log.samples[0].memory == looks[0].memory and log.shown[0] is None


def test_the_end_tells_all_that_was_used() -> None:
    used = Used(1, "cgroup", 2, 3, 4, 5, 6, 7, 8, 9)
    for second in (False, True):
        event = BuildFigures("xen", Live(), print, second=second).ended(BuildResult(3, 40, "killed", used=used))
        assert event == ev.BuildEnded("xen", 3, 40, "killed", second, 1, "cgroup", 2, 3, 4, 5, 6, 7, 8, 9)
        assert ev.from_body(ev.to_body(event)) == event


def test_a_second_build_is_told_apart_from_the_first() -> None:
    log = Told()
    figures = BuildFigures("xen", log.live, log.tell, second=True)
    figures.take(LOOK)
    assert log.live.of("xen") is None and log.live.of("xen/reproduce") is not None
    assert [sample.second for sample in log.samples] == [True]
    figures.over()
    assert log.live.of("xen/reproduce") is None


def test_an_older_log_tells_nothing_of_that() -> None:
    old = {"e": "build.ended", "component": "xen", "exit": 0, "wall_ms": 40, "because": ""}
    assert ev.from_body(old) == ev.BuildEnded("xen", 0, 40, "")
    assert ev.to_body(ev.BuildEnded("xen", 0, 40, "")) == old


def test_bytes_are_told_as_a_rate_over_a_second_or_more() -> None:
    live = Live()
    for ms, read, written in ((0, 0, 0), (250, 500, 0), (1000, 1000, 4000), (1250, 9000, 9000)):
        live.show("xen", replace(LOOK, elapsed_ms=ms, read=read, written=written))
    now = live.of("xen")
    assert now is not None and (now.reading, now.writing) == (1000, 4000)
    assert now.look.elapsed_ms == 1250
    live.show("xen", replace(LOOK, elapsed_ms=3000, read=1000, written=8000))
    now = live.of("xen")
    assert now is not None and (now.reading, now.writing) == (0, 2000)


def test_nothing_piles_up_while_nobody_looks() -> None:
    live = Live()
    writers = [
        threading.Thread(target=lambda name=name: [live.show(name, look) for look in steady(500)])
        for name in ("xen", "lvm2")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert live.changes == 4000
    assert len(live.__dict__["_now"]) == len(live.__dict__["_since"]) == 2
    live.over("xen")
    assert live.of("xen") is None and live.of("lvm2") is not None


def test_a_build_that_begins_again_has_rates_of_its_own() -> None:
    live = Live()
    for look in steady(20):
        live.show("xen", look)
    live.over("xen")
    live.show("xen", replace(LOOK, read=0, elapsed_ms=0))
    live.show("xen", replace(LOOK, read=3000, elapsed_ms=1000))
    now = live.of("xen")
    assert now is not None and now.reading == 3000
