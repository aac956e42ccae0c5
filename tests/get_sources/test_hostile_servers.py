"""Servers with bad manners: what never ends, crawls, breaks off, lies about its length, or sends a page instead."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealwright_stages.errors import FetchError
from sealwright_stages.get_sources.http_file import Arrived, Patience, fetch_file
from sealwright_stages.get_sources.meter import Meter, figure
from sealwright_stages.ports import Workshop
from sealwright_stages.verdict import Passed
from sealwright_stages.verify.file_source import file_source
from verify.workbench import DirectSandbox, Keys, sha256, workshop

BODY = bytes(range(256)) * 4000  # about 1 MB
IMPATIENT = Patience(seconds=20, slow=1024, slow_seconds=1, again=5, pause=0.01)


class Upstream(http.server.BaseHTTPRequestHandler):
    """Serves BODY in the ways that its paths name."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        upstream = self.server
        assert isinstance(upstream, Server)
        upstream.asked.append(self.headers.get("Range", ""))
        self.close_connection = True
        with contextlib.suppress(OSError):
            getattr(self, "do" + self.path.split(".")[0].replace("/", "_").replace("-", "_"))(upstream)

    def head(self, status: int, length: int | None, *more: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*more, *(() if length is None else (("Content-Length", str(length)),))):
            self.send_header(name, value)
        self.end_headers()

    def do_whole(self, _upstream: Server) -> None:
        self.head(200, len(BODY))
        self.wfile.write(BODY)

    def do_endless(self, _upstream: Server) -> None:
        self.head(200, None)
        while True:
            self.wfile.write(BODY)

    def do_without_length(self, _upstream: Server) -> None:
        self.head(200, None)
        self.wfile.write(b"x" * 6000)

    def do_crawling(self, upstream: Server) -> None:
        self.head(200, len(BODY))
        while not upstream.over.wait(0.2):
            self.wfile.write(b"x")

    def do_silent(self, upstream: Server) -> None:
        upstream.over.wait()

    def do_silent_after_the_head(self, upstream: Server) -> None:
        self.head(200, len(BODY))
        upstream.over.wait()

    def do_head_without_end(self, upstream: Server) -> None:
        self.send_response(200)
        while not upstream.over.is_set():
            self.send_header("X-More", "x" * 1000)
            self.flush_headers()

    def do_breaks(self, _upstream: Server) -> None:
        """Breaks off after each 400 kB, and can be taken up."""
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if start:
            self.head(206, len(BODY) - start, ("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"))
        else:
            self.head(200, len(BODY))
        self.wfile.write(BODY[start : start + 400_000])

    def do_breaks_once(self, upstream: Server) -> None:
        """Breaks off the first time, and starts from the beginning whatever it is asked."""
        self.head(200, len(BODY))
        self.wfile.write(BODY[:1000] if len(upstream.asked) == 1 else BODY)

    def do_always_short(self, _upstream: Server) -> None:
        self.head(200, len(BODY))
        self.wfile.write(BODY[:1000])

    def do_other_bytes_later(self, upstream: Server) -> None:
        """Continues with other bytes than those that it began with."""
        if len(upstream.asked) == 1:
            self.do_breaks(upstream)
        else:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            rest = bytes(len(BODY) - start)
            self.head(206, len(rest), ("Content-Range", f"bytes {start}-{len(BODY) - 1}/{len(BODY)}"))
            self.wfile.write(rest)

    def do_more_than_it_said(self, _upstream: Server) -> None:
        self.head(200, 1000)
        self.wfile.write(BODY)

    def do_missing(self, _upstream: Server) -> None:
        page = b"<html>404, and here is a page</html>"
        self.head(404, len(page))
        self.wfile.write(page)

    def do_page(self, _upstream: Server) -> None:
        page = b"<html>please log in</html>"
        self.head(200, len(page))
        self.wfile.write(page)

    def do_elsewhere(self, upstream: Server) -> None:
        self.head(302, 0, ("Location", f"http://localhost:{upstream.server_address[1]}/whole"))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(http.server.ThreadingHTTPServer):
    """Remembers which ranges it was asked for; `over` lets those go that wait."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Upstream)
        self.asked: list[str] = []
        self.over = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as upstream:
        thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield upstream
        upstream.over.set()
        upstream.shutdown()
        thread.join()


def fetched(server: Server, path: str, place: Workshop, limit: int = 8 << 20) -> Arrived:
    return fetch_file(place, server.url + path, "x", limit, IMPATIENT)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/endless", "fetch-too-large"),
        ("/crawling", "fetch-too-slow"),
        ("/silent", "fetch-too-slow"),
        ("/silent-after-the-head", "fetch-too-slow"),
        ("/head-without-end", "fetch-failed"),
        ("/always-short", "fetch-failed"),
        ("/missing.asc", "fetch-failed"),
        ("/elsewhere", "redirect-other-host"),
    ],
)
def test_a_server_with_bad_manners_is_given_up_and_nothing_of_it_is_kept(
    server: Server, tmp_path: Path, path: str, code: str
) -> None:
    place = workshop(tmp_path)
    with pytest.raises(FetchError) as error:
        fetched(server, path, place)
    assert error.value.code == code
    assert error.value.next_step and error.value.because.isprintable()
    assert list(place.quarantine.iterdir()) == []


def test_a_file_takes_no_longer_than_its_time_in_all(server: Server, tmp_path: Path) -> None:
    place = workshop(tmp_path)
    with pytest.raises(FetchError) as error:
        fetch_file(place, server.url + "/crawling", "x", 8 << 20, Patience(seconds=1, slow=1, slow_seconds=60))
    assert error.value.code == "fetch-too-slow"


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    place = workshop(tmp_path)
    arrived = fetched(server, "/breaks", place)
    assert arrived.path.read_bytes() == BODY
    assert server.asked == ["", "bytes=400000-", "bytes=800000-"]
    assert arrived.broken == 2
    assert [path.name for path in place.quarantine.iterdir()] == ["x"]


def test_a_server_that_can_not_do_that_is_asked_for_all_of_it_again(server: Server, tmp_path: Path) -> None:
    place = workshop(tmp_path)
    assert fetched(server, "/breaks-once", place).path.read_bytes() == BODY
    assert server.asked == ["", "bytes=1000-", ""]


def test_a_connection_that_always_breaks_is_taken_up_five_times_at_most(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError):
        fetched(server, "/always-short", workshop(tmp_path))
    assert len(server.asked) == 6


def test_what_was_taken_up_is_no_larger_than_the_limit(server: Server, tmp_path: Path) -> None:
    place = workshop(tmp_path)
    with pytest.raises(FetchError) as error:
        fetched(server, "/breaks", place, limit=len(BODY) - 1)
    assert error.value.code == "fetch-too-large"
    server.asked.clear()
    with pytest.raises(FetchError) as error:
        fetched(server, "/other-bytes-later", place, limit=600_000)
    assert error.value.code == "fetch-too-large"


def test_a_tiny_limit_holds_where_no_length_was_told(server: Server, tmp_path: Path) -> None:
    place = workshop(tmp_path / "a")
    with pytest.raises(FetchError) as error:
        fetched(server, "/without-length", place, limit=5999)
    assert error.value.code == "fetch-too-large"
    assert list(place.quarantine.iterdir()) == []
    assert fetched(server, "/without-length", workshop(tmp_path / "b"), limit=6000).size == 6000


@pytest.mark.parametrize("path", ["/other-bytes-later", "/more-than-it-said"])
def test_parts_that_make_other_bytes_are_red_by_their_digest(server: Server, tmp_path: Path, path: str) -> None:
    source, place = file_source("thing", server.url + path, sha256=sha256(BODY)), workshop(tmp_path)
    assert isinstance(source.fetch(place), Passed)
    found = source.verify(place)
    assert [verdict.code for verdict in found.verdicts.values()] == ["digest-mismatch"]
    assert list(place.quarantine.iterdir()) == []


@pytest.mark.parametrize("page", ["/missing.asc", "/page.asc"])
def test_a_page_is_no_signature(server: Server, keys: Keys, tmp_path: Path, page: str) -> None:
    source = file_source("thing", server.url + "/whole", signature=server.url + page, trust=keys.trust("s1"))
    place = workshop(tmp_path)
    if page == "/missing.asc":
        with pytest.raises(FetchError) as error:
            source.fetch(place)
        assert error.value.code == "fetch-failed"
        return
    source.fetch(place)
    assert [verdict.code for verdict in source.verify(place).verdicts.values()] == ["signature-malformed"]
    assert list(place.quarantine.iterdir()) == []


def test_progress_tells_bytes_all_of_them_and_how_fast(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    plain = workshop(tmp_path)
    place = Workshop(
        plain.quarantine, plain.cache, plain.cancel, lambda *words: told.append(words), DirectSandbox()
    )
    fetched(server, "/breaks", place)
    assert told[-1] == (len(BODY), len(BODY), "of 1.0 MB")
    on_the_way = [words for words in told if 0 < words[0] < len(BODY)]
    assert on_the_way
    assert all(total == len(BODY) and note.startswith("of 1.0 MB, ") for _, total, note in on_the_way), told
    assert all(note.endswith("B/s") for _, _, note in on_the_way)


def test_a_rate_is_that_of_this_connection(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    plain, now = workshop(tmp_path), [100.0]
    place = Workshop(
        plain.quarantine, plain.cache, plain.cancel, lambda *words: told.append(words), DirectSandbox()
    )
    path, headers = place.quarantine / "x", place.quarantine / "x.headers"
    path.write_bytes(bytes(5_000_000))
    meter = Meter(place, path, headers, None, lambda: now[0])
    meter.begin()
    path.write_bytes(bytes(9_000_000))
    headers.write_bytes(
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 5000000-9999999/10000000\r\nContent-Length: 5000000\r\n"
    )
    now[0] += 2
    meter.look(b"#")
    headers.unlink()
    headers.symlink_to("/etc/passwd")
    meter.look(b"#")
    assert told == [(9_000_000, 10_000_000, "of 10.0 MB, 2.0 MB/s")] * 2
    Meter(place, path, headers, None, lambda: now[0]).look(b"#")
    assert told[-1][1] == 0, "a link is not followed"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0 B"), (999, "999 B"), (2_100_000_000, "2.1 GB"), (10**17, "100000.0 TB")]
)
def test_figures_are_as_people_read_them(count: int, shown: str) -> None:
    assert figure(count) == shown
