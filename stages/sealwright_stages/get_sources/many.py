"""Fetch many small files of one server at once: one curl in one sandbox, instead of one for each.

- What did not come so, for whatever reason, is fetched on its own, which says why it doesn't come.
- Nothing is judged here: a file may be anything up to its limit of size, for its digest to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sealwright_stages.get_sources.addresses import address
from sealwright_stages.get_sources.http_file import SCHEMES
from sealwright_stages.ports import Workshop

_AT_ONCE = "6"
_SECONDS = 1800
_LEAST = 1 << 20


@dataclass(frozen=True)
class Wanted:
    """An address, the plain name that the file gets in the quarantine, and how many bytes it may have."""

    url: str
    name: str
    max_bytes: int


def fetch_many(workshop: Workshop, wanted: Sequence[Wanted]) -> None:
    """Fetch what comes at once into the quarantine; errors are left to be found by who looks for the files.

    Raises:
        FetchError: an address is refused.
    """
    sources = [address(each.url, SCHEMES) for each in wanted]
    largest = max(each.max_bytes for each in wanted)
    limits = ["timeout", "-k", "5", str(_SECONDS), "prlimit", f"--fsize={max(largest, _LEAST)}"]
    quiet = ["--disable", "--fail", "--silent", "--globoff", "--parallel", "--parallel-max", _AT_ONCE]
    speed = ["--connect-timeout", "30", "--speed-limit", "1024", "--speed-time", "30"]
    kinds = ["--proto", f"={sources[0].scheme}", "--max-filesize", str(largest)]
    goals = [
        word
        for each, source in zip(wanted, sources, strict=True)
        for word in ("--output", f"/quarantine/{each.name}", "--url", source.url)
    ]
    workshop.sandbox.run(
        [*limits, "curl", *quiet, *speed, *kinds, *goals],
        writable=workshop.quarantine,
        readable=sorted({path for source in sources for path in source.readable}),
        timeout=_SECONDS + 60,
        cancel=workshop.cancel,
    )
