"""`sealwright doctor`: what the machine is fit for, and what became of the ways out of the sandbox."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from itertools import groupby

from sealwright_console.auditing import MARK
from sealwright_console.sanitise import clean
from sealwright_stages.doctor import examine, fit
from sealwright_stages.errors import Exit
from sealwright_stages.reading import read_release
from sealwright_stages.release import cache_folder
from sealwright_stages.selftest.attempts import Result, Tried
from sealwright_stages.selftest.trial import selftest
from sealwright_stages.selftest.vouch import refusal, remember
from sealwright_stages.work import work_folder

_RESULT = {Result.HELD: "✓ held   ", Result.GOT_OUT: "✗ GOT OUT", Result.BROKEN: "✗ BROKEN "}
_NEXT = {
    Result.GOT_OUT: "don't build on this machine; find out why this doesn't hold: {}",
    Result.BROKEN: "make it possible to try (python3 below /usr/bin?), then run this again; it said: {}",
}


def run_doctor(options: argparse.Namespace) -> int:
    """Look at the machine, with --selftest also from inside the sandbox."""
    folder = manifest = None
    if options.manifest is not None:
        manifest = read_release(options.manifest)[0]
        folder = work_folder(manifest.release, None).root
    findings = examine(folder, manifest)
    for finding in findings:
        print(f"{MARK[finding.ok]} {finding.name}: {clean(finding.found)}")
        if finding.ok != "good":
            print(f"         next: {clean(finding.next)}")
    held = not options.selftest or _tried_out()
    return int(Exit.DONE if fit(findings) and held else Exit.ENVIRONMENT)


def _tried_out() -> bool:
    begun = time.monotonic()
    print("\nways out of the sandbox, tried here and now", flush=True)
    tried = selftest()
    print("\n".join(told(tried)))
    count = sum(each.result is Result.HELD for each in tried)
    print(f"\n{count} of {len(tried)} held, in {time.monotonic() - begun:.1f} s")
    remember(cache_folder(), tried)
    return refusal(tried) is None


def told(tried: Sequence[Tried]) -> Iterator[str]:
    """A line for each attempt below its heading, and what to do where it was not held."""
    numbered = enumerate(tried, 1)
    for group, some in groupby(numbered, lambda one: one[1].attempt.group):
        yield f"\n{group}"
        for number, each in some:
            yield f"{_RESULT[each.result]} {number:3}  {each.attempt.tries} · {each.attempt.held_by}"
            if each.result is not Result.HELD:
                why = each.attempt.held_by if each.result is Result.GOT_OUT else each.why or "nothing"
                yield f"               next: {clean(_NEXT[each.result].format(why))}"
