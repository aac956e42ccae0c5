"""What the console calls a person for, and how often."""

from __future__ import annotations

from console import made_up
from sealwright_console.app import ConsoleApp
from sealwright_console.looks import Looks
from sealwright_console.news import APART, News
from sealwright_stages import events as ev


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def watched(story: made_up.Story) -> tuple[made_up.MadeUpFeed, News, Clock]:
    clock = Clock()
    return made_up.MadeUpFeed(story), News(clock), clock


def heard(feed: made_up.MadeUpFeed, news: News) -> str:
    feed.poll()
    return news.hear(feed.state, asks=feed.waiting is not None, over=feed.finished)


def test_what_stood_before_is_no_news() -> None:
    feed, news, clock = watched(made_up.troubled())
    feed.waiting = made_up.request()
    assert heard(feed, news) == ""
    clock.now += 60
    assert heard(feed, news) == ""


def test_red_is_told_once_with_its_name() -> None:
    feed, news, clock = watched(made_up.troubled())
    heard(feed, news)
    feed.story.verdict("artwork/build", "failed", "exit 2")
    assert heard(feed, news) == "red: artwork: build (2 red)"
    clock.now += 60
    assert heard(feed, news) == ""


def test_one_call_in_ten_seconds_and_the_gravest_first() -> None:
    feed, news, clock = watched(made_up.troubled())
    heard(feed, news)
    feed.story.verdict("artwork/build", "failed", "exit 2")
    assert heard(feed, news)
    feed.waiting, feed.finished = made_up.request(), 1
    assert heard(feed, news) == ""
    feed.story.verdict("doc-site/build", "failed", "exit 2")
    clock.now += APART - 1
    assert heard(feed, news) == ""
    clock.now += 1
    assert heard(feed, news) == "red: doc-site: build (3 red); and 2 more"


def test_a_question_and_the_end_are_told() -> None:
    feed, news, clock = watched(made_up.sealed())
    heard(feed, news)
    feed.waiting = made_up.request()
    assert heard(feed, news) == "the signer waits for you"
    clock.now += APART
    feed.waiting, feed.finished = None, 0
    assert heard(feed, news) == "the run has ended with exit 0"


def test_a_long_stages_end_is_told_and_a_short_ones_is_not() -> None:
    for steps, told in ((40, "verify has ended, not all green"), (2, "")):
        story = made_up.Story()
        story.declare("xen", ("verify", "digest", "x"))
        story.tell(ev.StageStarted("verify"))
        feed, news, _ = watched(story)
        heard(feed, news)
        for _ in range(steps):  # each two seconds
            story.tell(ev.ItemProgress("xen/x", 1, 2, ""))
        story.tell(ev.StageEnded("verify", False))
        assert heard(feed, news) == told


async def test_a_review_and_a_console_that_is_told_to_be_silent_call_nobody() -> None:
    told: list[tuple[str, str]] = []

    class Told(ConsoleApp):
        def call_person(self, title: str, text: str) -> None:  # type: ignore[override]
            told.append((title, text))

    for how, count in (("off", 0), ("auto", 1)):
        feed = made_up.MadeUpFeed(made_up.troubled())
        app = Told(feed, clock=lambda: 0.0, looks=Looks(notify=how))
        async with app.run_test(size=(80, 24)):
            app.look()
            feed.story.verdict("artwork/build", "failed", "exit 2")
            app.look()
        assert len(told) == count
