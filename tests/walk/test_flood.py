"""A build that says two gigabytes in one line: console and authority stay small, and every view can be had."""

from __future__ import annotations

import threading
import time

import psutil
import pytest

from sealwright_console.log_text import CAP, LogText
from walk.walking import Walk, until

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox"), pytest.mark.slow]
MIB = 1 << 20
SAID = 2_000_000_000


@pytest.mark.timeout(600)
def test_two_gigabytes_without_a_newline_cost_no_memory_and_no_view(walk: Walk) -> None:
    walk.change('commands = ["', f'commands = ["head -c {SAID} /dev/zero", "')
    walk.change('disk = "1G"', 'disk = "4G"')
    running = walk.start()
    running.seen("build.started")
    console, authority = psutil.Process(running.child.pid), running.helper("sealwright_appendlog")
    held: dict[str, list[int]] = {"console": [], "authority": []}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            try:
                held["console"].append(console.memory_info().rss)
                held["authority"].append(authority.memory_info().rss)
            except psutil.Error:
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        data = walk.work / "log" / "data" / "build" / "greeting"
        until(lambda: sum(each.stat().st_size for each in data.rglob("*.log")) > 200 * MIB, "it says much")
        begun = time.monotonic()
        status = walk.say("status", "--work", walk.work)
        assert "greeting" in status.out and len(status.out) < 20_000
        print(f"\nstatus took {time.monotonic() - begun:.2f} s in the midst of it")
        running.seen("build.ended")
    finally:
        over.set()
        watcher.join()
    running.end(300).well()
    for name, sizes in held.items():
        print(f"{name}: {min(sizes) / MIB:.0f} to {max(sizes) / MIB:.0f} MiB over {len(sizes)} samples")
        assert max(sizes) - min(sizes) <= 48 * MIB, name
    with LogText(sorted(data.rglob("*.log"))) as text:
        begun = time.monotonic()
        while text.extend():
            pass
        assert text.size >= SAID and text.lines <= 4, "besides the commands there is one line"
        assert (bytes(CAP), True) in [text.line(number) for number in range(text.lines)]
        assert text.find("nowhere", -1) is None
        print(f"indexed and searched in {time.monotonic() - begun:.1f} s")
    walk.is_done()
