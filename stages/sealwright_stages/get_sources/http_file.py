"""Fetch one file into the quarantine: with curl, in the fetch sandbox, under limits.

- Only http, https and local files are fetched; no config file of curl is read.
- A server may send us on five times, but only to itself, and never from https back to http.
- More bytes than the limit, less than 1 KiB/s for half a minute, or more than four hours: given up.
- A connection that breaks while bytes come is taken up where it broke, five times at most; a server that can't do
  that is asked for all of it again. What the parts make together is for the digest or the signature to judge.
- An error status is an error: its page is never kept as the file.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sealwright_stages.errors import FetchError
from sealwright_stages.get_sources.addresses import Address, address
from sealwright_stages.get_sources.meter import Meter, figure, size_of
from sealwright_stages.get_sources.quarantine import refuse_odd_files
from sealwright_stages.ports import FetchRun, Workshop
from sealwright_stages.verify.codes import RefusedError, not_fetched, shown

SCHEMES = frozenset({"http", "https"})
MAX_BYTES = 8 << 30
_HOPS = 5
_HEADERS = ".headers"
_LEAST = 1 << 20  # the limit of a file's size holds for the headers' file too, also where the file itself is tiny
_REDIRECTS = frozenset({"301", "302", "303", "307", "308"})
_SLOW, _LARGE = "fetch-too-slow", "fetch-too-large"
_BROKEN = frozenset({18, 56, 92})  # curl: fewer bytes than announced, nothing more to receive, a broken stream
_NO_RANGES = 33
# Exit codes of curl, of `timeout` (124, 137), and of a death by SIGXFSZ at the limit of a file's size.
_CODES = {28: _SLOW, 124: _SLOW, 137: _SLOW, 23: _LARGE, 63: _LARGE, 153: _LARGE, -25: _LARGE}
_NEXT = {_SLOW: "look at the network, then retry", _LARGE: "look at what the server sends"}


@dataclass(frozen=True)
class Patience:
    """When a server is given up: after so many seconds in all, under so many bytes a second for so long.

    `again` is how often a broken connection is taken up, `pause` the seconds before that.
    """

    seconds: int = 4 * 3600
    slow: int = 1024
    slow_seconds: int = 30
    again: int = 5
    pause: float = 1.0


@dataclass(frozen=True)
class Arrived:
    """A fetched file: where it lies, where it came from, its bytes, and how often its connection broke on the way."""

    path: Path
    url: str
    size: int
    broken: int = 0


def fetch_file(
    workshop: Workshop, url: str, name: str, max_bytes: int = MAX_BYTES, patience: Patience = Patience()
) -> Arrived:
    """Fetch `url` as `name` (a plain name) into the quarantine.

    Raises:
        FetchError: it did not arrive, with a code that says why.
    """
    source = address(url, SCHEMES)
    download = _Download(workshop, name, max_bytes, patience)
    for _ in range(_HOPS + 1):
        onward = download.once(source)
        if not onward:
            return _arrived(download, source)
        source = _followed(source, onward)
    what = f"{shown(url)} did not arrive"
    raise not_fetched("fetch-failed", what, "it sends us on without end", "look at the address")


class _Download:
    """One file on its way, over as many requests as it takes."""

    def __init__(self, workshop: Workshop, name: str, max_bytes: int, patience: Patience) -> None:
        self.workshop, self.name, self.max_bytes, self.patience = workshop, name, max_bytes, patience
        self.path, self.headers = workshop.quarantine / name, workshop.quarantine / (name + _HEADERS)
        self.deadline = time.monotonic() + patience.seconds
        self.broken = 0

    def once(self, source: Address) -> str:
        """Fetch from one address; returns where it sends us on to, or nothing when the file is there."""
        self.path.unlink(missing_ok=True)
        meter = Meter(self.workshop, self.path, self.headers, source.local)
        run = self._request(source, meter)
        while run.returncode != 0:
            if not self._may_go_on(run, source):
                self.path.unlink(missing_ok=True)
                raise _why(run, source)
            self.broken += 1
            self.workshop.cancel.wait(self.patience.pause)
            run = self._request(source, meter)
        status, _, onward = run.stdout.decode("utf-8", "replace").partition(" ")
        if status in _REDIRECTS:
            self.path.unlink(missing_ok=True)
            return onward.strip() or "nowhere"
        return ""

    def _request(self, source: Address, meter: Meter) -> FetchRun:
        seconds = max(1, round(self.deadline - time.monotonic()))
        meter.begin()
        try:
            return self.workshop.sandbox.run(
                self._argv(source, seconds, resume=size_of(self.path) > 0),
                writable=self.workshop.quarantine,
                readable=source.readable,
                timeout=seconds + 60,
                cancel=self.workshop.cancel,
                on_stderr=meter.look,
            )
        finally:
            self.headers.unlink(missing_ok=True)

    def _may_go_on(self, run: FetchRun, source: Address) -> bool:
        """Whether the file may be taken up again; one whose server can't do that begins anew."""
        if source.scheme == "file" or self.broken >= self.patience.again or time.monotonic() > self.deadline:
            return False
        if run.returncode == _NO_RANGES:
            self.path.unlink(missing_ok=True)
            return True
        return run.returncode in _BROKEN and size_of(self.path) > 0

    def _argv(self, source: Address, seconds: int, *, resume: bool) -> list[str]:
        slow = [str(self.patience.slow), "--speed-time", str(self.patience.slow_seconds)]
        limits = ["timeout", "-k", "5", str(seconds), "prlimit", f"--fsize={max(self.max_bytes, _LEAST)}"]
        speed = ["--connect-timeout", "30", "--speed-limit", *slow]
        quiet = ["--disable", "--fail", "--show-error", "--progress-bar", "--globoff"]
        kinds = ["--proto", f"={source.scheme}", "--max-filesize", str(self.max_bytes)]
        told = ["--write-out", "%{http_code} %{redirect_url}", "--dump-header", f"/quarantine/{self.headers.name}"]
        goal = [*(("--continue-at", "-") if resume else ()), "--output", f"/quarantine/{self.name}"]
        return [*limits, "curl", *quiet, *speed, *kinds, *told, *goal, "--url", source.url]


def _followed(source: Address, onward: str) -> Address:
    """The next address, if a server may send us there."""
    scheme, host = urlsplit(onward).scheme, urlsplit(onward).hostname
    downgraded = source.scheme == "https" and scheme != "https"
    if source.scheme == "file" or host != source.host or downgraded:
        raise not_fetched(
            "redirect-other-host",
            f"{shown(source.url)} did not arrive",
            f"it sends us on to {shown(onward)}",
            "if that is right, name that address in the manifest",
        )
    return address(onward, SCHEMES)


def _arrived(download: _Download, source: Address) -> Arrived:
    workshop, path, max_bytes = download.workshop, download.path, download.max_bytes
    what = f"{shown(source.url)} did not arrive"
    try:
        refuse_odd_files(workshop.quarantine)
        size = path.lstat().st_size
    except RefusedError as error:
        raise not_fetched(error.code, what, error.reason, error.next_step) from error
    except OSError as error:  # curl makes no file for an empty answer
        raise not_fetched("fetch-failed", what, "nothing came", "look at the address") from error
    if size > max_bytes:
        path.unlink()
        raise not_fetched(_LARGE, what, f"it is larger than {max_bytes} bytes", _NEXT[_LARGE])
    workshop.progress(size, size, f"of {figure(size)}")
    return Arrived(path, source.url, size, download.broken)


def _why(run: FetchRun, source: Address) -> FetchError:
    """What curl's end means; what it said is only shown."""
    said = run.stderr.decode("utf-8", "replace")
    lines = [line[line.index("curl: (") :] for line in re.split(r"[\r\n]", said) if "curl: (" in line]
    complaint = shown(lines[-1] if lines else f"curl ended with {run.returncode}")
    code = _CODES.get(run.returncode, "fetch-failed")
    next_step = _NEXT.get(code, "look at the address and the network, then retry")
    return not_fetched(code, f"{shown(source.url)} did not arrive", complaint, next_step)
