"""A running engine as the faces see it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sealwright_console.live import Answers, LiveFeed
from sealwright_stages.errors import Exit
from sealwright_stages.events import Stage


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_however_the_thread_ends_the_run_has_ended_and_says_how() -> None:
    def leave(_until: Stage) -> None:
        raise SystemExit("left")

    opened: Any = SimpleNamespace(engine=SimpleNamespace(run=leave))
    mirror: Any = None
    feed = LiveFeed(opened, Answers(), Stage.SEAL, mirror)
    feed.start()
    feed._thread.join(10)
    assert feed.finished == int(Exit.ENVIRONMENT)
    assert feed.join().sentence == "Sealwright itself failed: SystemExit: left"
