"""Fetch one file into the quarantine: with curl, in the fetch sandbox, under limits.

- Only http, https and local files are fetched; no config file of curl is read.
- A server may send us on five times, but only to itself, and never from https back to http.
- More bytes than the limit, less than 1 KiB/s for half a minute, or more than four hours: given up.
- An error status is an error: its page is never kept as the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sealwright_stages.errors import FetchError
from sealwright_stages.get_sources.addresses import Address, address
from sealwright_stages.get_sources.quarantine import refuse_odd_files
from sealwright_stages.ports import FetchRun, Workshop
from sealwright_stages.verify.codes import RefusedError, not_fetched, shown

SCHEMES = frozenset({"http", "https"})
MAX_BYTES = 8 << 30
_SECONDS = 4 * 3600
_HOPS = 5
_PERCENT = re.compile(rb"([0-9]{1,3})\.([0-9])%")
_REDIRECTS = frozenset({"301", "302", "303", "307", "308"})
_SLOW, _LARGE = "fetch-too-slow", "fetch-too-large"
# Exit codes of curl, of `timeout` (124, 137), and of a death by SIGXFSZ at the limit of a file's size.
_CODES = {28: _SLOW, 124: _SLOW, 137: _SLOW, 23: _LARGE, 63: _LARGE, 153: _LARGE, -25: _LARGE}
_NEXT = {_SLOW: "look at the network, then retry", _LARGE: "look at what the server sends"}


@dataclass(frozen=True)
class Arrived:
    """A fetched file: where it lies, where it came from, its bytes."""

    path: Path
    url: str
    size: int


def fetch_file(workshop: Workshop, url: str, name: str, max_bytes: int = MAX_BYTES) -> Arrived:
    """Fetch `url` as `name` (a plain name) into the quarantine.

    Raises:
        FetchError: it did not arrive, with a code that says why.
    """
    source = address(url, SCHEMES)
    for _ in range(_HOPS + 1):
        onward = _once(workshop, source, name, max_bytes)
        if not onward:
            return _arrived(workshop, source, name, max_bytes)
        source = _followed(source, onward)
    what = f"{shown(url)} did not arrive"
    raise not_fetched("fetch-failed", what, "it sends us on without end", "look at the address")


def _once(workshop: Workshop, source: Address, name: str, max_bytes: int) -> str:
    """One request; returns where it sends us on to, or nothing when the file is there."""
    path = workshop.quarantine / name
    path.unlink(missing_ok=True)
    run = workshop.sandbox.run(
        _argv(source, name, max_bytes),
        writable=workshop.quarantine,
        readable=source.readable,
        timeout=_SECONDS + 60,
        cancel=workshop.cancel,
        on_stderr=_progress(workshop),
    )
    if run.returncode != 0:
        path.unlink(missing_ok=True)
        raise _why(run, source)
    status, _, onward = run.stdout.decode("utf-8", "replace").partition(" ")
    if status in _REDIRECTS:
        path.unlink(missing_ok=True)
        return onward.strip() or "nowhere"
    return ""


def _argv(source: Address, name: str, max_bytes: int) -> list[str]:
    limits = ["timeout", "-k", "5", str(_SECONDS), "prlimit", f"--fsize={max_bytes}"]
    speed = ["--connect-timeout", "30", "--speed-limit", "1024", "--speed-time", "30"]
    quiet = ["--disable", "--fail", "--show-error", "--progress-bar", "--globoff"]
    kinds = ["--proto", f"={source.scheme}", "--max-filesize", str(max_bytes)]
    told = ["--write-out", "%{http_code} %{redirect_url}", "--output", f"/quarantine/{name}"]
    return [*limits, "curl", *quiet, *speed, *kinds, *told, "--url", source.url]


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


def _arrived(workshop: Workshop, source: Address, name: str, max_bytes: int) -> Arrived:
    path = workshop.quarantine / name
    what = f"{shown(source.url)} did not arrive"
    try:
        refuse_odd_files(workshop.quarantine)
        size = path.lstat().st_size
    except RefusedError as error:
        raise not_fetched(error.code, what, error.reason, error.next_step) from error
    except OSError as error:  # curl makes no file for an empty answer
        raise not_fetched("fetch-failed", what, "nothing came", "look at the address") from error
    if size > max_bytes:
        raise not_fetched(_LARGE, what, f"it is larger than {max_bytes} bytes", _NEXT[_LARGE])
    workshop.progress(size, size, "bytes")
    return Arrived(path, source.url, size)


def _progress(workshop: Workshop) -> Callable[[bytes], None]:
    def look(data: bytes) -> None:
        found = _PERCENT.findall(data)
        if found:
            whole, tenths = found[-1]
            workshop.progress(int(whole) * 10 + int(tenths), 1000, "per mille")

    return look


def _why(run: FetchRun, source: Address) -> FetchError:
    """What curl's end means; what it said is only shown."""
    said = run.stderr.decode("utf-8", "replace")
    lines = [line[line.index("curl: (") :] for line in re.split(r"[\r\n]", said) if "curl: (" in line]
    complaint = shown(lines[-1] if lines else f"curl ended with {run.returncode}")
    code = _CODES.get(run.returncode, "fetch-failed")
    next_step = _NEXT.get(code, "look at the address and the network, then retry")
    return not_fetched(code, f"{shown(source.url)} did not arrive", complaint, next_step)
