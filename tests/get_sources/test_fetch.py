"""Fetching: which addresses, which limits, and what a refusal is called."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages.errors import FetchError, InterruptedRunError
from sealwright_stages.get_sources.addresses import address, is_plain_name, plain_name
from sealwright_stages.get_sources.git import Wire, _progress, check_ref_name, fetch_ref
from sealwright_stages.get_sources.http_file import fetch_file
from verify.workbench import DirectSandbox, Repository, workshop

GIT = frozenset({"https", "http", "ssh"})
HTTP = frozenset({"https", "http"})
BODY = b"0123456789" * 1000


class Upstream(http.server.BaseHTTPRequestHandler):
    """A small server with good and bad manners."""

    def do_GET(self) -> None:
        port = self.server.server_address[1]
        onward = {
            "/same": "/file",
            "/loop": "/loop",
            "/other": f"http://localhost:{port}/file",
            "/local": "file:///etc/passwd",
            "/down": "ftp://127.0.0.1/x",
        }.get(self.path)
        if onward:
            self.send_response(302)
            self.send_header("Location", onward)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/file":
            self.send_response(200)
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            for _ in range(1000):
                try:
                    self.wfile.write(BODY)
                except OSError:
                    return
        else:
            self.send_response(404)
            self.end_headers()
            self.wfile.write(b"<html>not found</html>")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as upstream:
        thread = threading.Thread(target=upstream.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{upstream.server_address[1]}"
        upstream.shutdown()
        thread.join()


def refused(url: str, folder: Path, limit: int = 1 << 20) -> str:
    place = workshop(folder)
    with pytest.raises(FetchError) as error:
        fetch_file(place, url, "x", limit)
    assert not (place.quarantine / "x").exists()
    return error.value.code


@pytest.mark.parametrize("path", ["/file", "/same"])
def test_a_file_arrives_also_when_its_server_sends_us_on_to_itself(server: str, tmp_path: Path, path: str) -> None:
    place = workshop(tmp_path)
    arrived = fetch_file(place, server + path, "x")
    assert (arrived.path.read_bytes(), arrived.size) == (BODY, len(BODY))


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/nothing", "fetch-failed"),
        ("/other", "redirect-other-host"),
        ("/local", "redirect-other-host"),
        ("/down", "fetch-refused"),
        ("/loop", "fetch-failed"),
    ],
)
def test_error_pages_and_other_hosts_are_not_kept(server: str, tmp_path: Path, path: str, code: str) -> None:
    assert refused(server + path, tmp_path) == code


@pytest.mark.parametrize("path", ["/file", "/endless"])
def test_more_bytes_than_the_limit_are_given_up(server: str, tmp_path: Path, path: str) -> None:
    assert refused(server + path, tmp_path, limit=5000) == "fetch-too-large"


def test_a_local_file_and_a_file_url_arrive(tmp_path: Path) -> None:
    (tmp_path / "a file").write_bytes(b"local")
    for url in (str(tmp_path / "a file"), (tmp_path / "a file").as_uri()):
        assert fetch_file(workshop(tmp_path), url, "x").path.read_bytes() == b"local"
    assert refused(str(tmp_path / "nowhere"), tmp_path) == "fetch-failed"


def test_an_interrupted_fetch_stops(server: str, tmp_path: Path) -> None:
    place = workshop(tmp_path)
    place.cancel.set()
    with pytest.raises(InterruptedRunError):
        fetch_file(place, server + "/file", "x")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/x",
        "ext::sh -c id",
        "git://example.org/x",
        "-u./x",
        "--upload-pack=id",
        "https://user:secret@example.org/x",
        "https://user@example.org/x",
        "ssh://git:secret@example.org/x",
        "https://example.org/a b",
        "https://example.org/a\nb",
        "file://host/x",
        "file:relative",
        "relative/path",
        "https:///x",
        "ssh://-oProxyCommand=id/x",
        "",
    ],
)
def test_only_plain_addresses_of_known_kinds_are_fetched(url: str) -> None:
    with pytest.raises(FetchError) as error:
        address(url, GIT)
    assert error.value.code == "fetch-refused"


@pytest.mark.parametrize(
    "url", ["https://example.org/x.git", "ssh://git@example.org/x", "git@example.org:x/y.git", "/srv/x.git"]
)
def test_honest_addresses_are_taken(url: str) -> None:
    assert address(url, GIT).url.endswith(("x.git", "x", "y.git"))


def test_a_file_source_is_not_fetched_through_ssh() -> None:
    with pytest.raises(FetchError):
        address("ssh://git@example.org/x", HTTP)


@pytest.mark.parametrize("url", ["https://example.org/", "https://example.org/..", "https://e.org/%2e%2e"])
def test_the_name_of_a_file_is_plain(url: str) -> None:
    with pytest.raises(FetchError):
        plain_name(url)


@given(st.text(max_size=12))
@settings(deadline=None)
def test_a_plain_name_is_one_visible_path_component(name: str) -> None:
    if is_plain_name(name):
        assert name.isascii() and name.isprintable() and "/" not in name and name[0].isalnum()


@pytest.mark.parametrize(
    "name", ["-x", "a..b", "a.lock", "a/.b", "/a", "a/", "a b", "a:b", "a^{}", "x@{1}", "a.", "*"]
)
def test_a_ref_is_a_plain_path_below_refs(name: str) -> None:
    with pytest.raises(FetchError):
        check_ref_name(name)


def test_a_ref_that_is_not_there_is_called_so(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "up.git")
    repository.point("refs/heads/main", repository.commit(repository.files({"a": b""})))
    with pytest.raises(FetchError) as error:
        source = Wire(address(str(repository.folder), GIT))
        fetch_ref(workshop(tmp_path), source, "refs/tags/none", "refs/tags/none")
    assert error.value.code == "ref-missing"


def test_a_repository_that_is_not_there_is_red(tmp_path: Path) -> None:
    with pytest.raises(FetchError) as error:
        source = Wire(address(str(tmp_path / "nowhere"), GIT))
        fetch_ref(workshop(tmp_path), source, "refs/tags/x", "refs/tags/x")
    assert error.value.code == "fetch-failed"


def odd_tree(repository: Repository) -> str:
    return repository.tree([("100644", b".git", repository.put("blob", b""))])


def test_a_history_that_git_itself_refuses_does_not_arrive(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "up.git")
    repository.point("refs/heads/main", repository.commit(odd_tree(repository)))
    with pytest.raises(FetchError) as error:
        source = Wire(address(str(repository.folder), GIT))
        fetch_ref(workshop(tmp_path), source, "refs/heads/main", "refs/heads/main")
    assert error.value.code == "object-malformed"


def test_git_runs_with_one_refspec_and_no_config_but_ours(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "up.git")
    repository.point("refs/tags/x", repository.commit(repository.files({"a": b""})))
    place = workshop(tmp_path)
    fetch_ref(place, Wire(address(str(repository.folder), GIT)), "refs/tags/x", "refs/tags/x")
    sandbox = place.sandbox
    assert isinstance(sandbox, DirectSandbox)
    argv = sandbox.runs[-1].argv
    assert [word for word in argv if word.startswith("refs/")] == ["refs/tags/x:refs/tags/x"]
    for setting in ("transfer.fsckObjects=true", "protocol.allow=never", "core.hooksPath=/dev/null"):
        assert argv[argv.index(setting) - 1] == "-c"
    assert "--no-tags" in argv and "--no-recurse-submodules" in argv


def test_every_phase_of_a_fetch_is_told(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "up.git")
    text = b"".join(b"line %d\n" % number for number in range(500))
    tree = repository.files({f"file{number}": text + b"%d" % number for number in range(5)})
    repository.point("refs/heads/main", repository.commit(tree))
    told: list[tuple[int, int, str]] = []
    place = replace(workshop(tmp_path), progress=lambda *each: told.append(each))
    wire = Wire(address(str(repository.folder), GIT), note="third_party/lib: ")
    fetch_ref(place, wire, "refs/heads/main", "refs/heads/main")
    notes = {note for _, _, note in told}
    assert "third_party/lib: deltas resolved and objects checked" in notes
    assert all(note.startswith("third_party/lib: ") and 0 <= done <= total for done, total, note in told)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"Receiving objects:  45% (450/1000), 1.2 MiB | 2 MiB/s\r", (450, 1000, "objects")),
        (b"remote: Counting objects: 7% (1/14)\r", (1, 14, "objects counted over there")),
        (b"remote: Compressing objects: 7% (1/14)\r", (1, 14, "objects packed over there")),
        (
            b"Resolving deltas:   0% (0/3)\rResolving deltas: 33% (1/3)\r",
            (1, 3, "deltas resolved and objects checked"),
        ),
        (b"Receiving objects: 1% (1/10000000000000)\r", None),
        (b"remote: Stealing objects: 7% (1/14)\r", None),
    ],
)
def test_progress_is_read_of_known_phases_only(
    tmp_path: Path, said: bytes, told: tuple[int, int, str] | None
) -> None:
    heard: list[tuple[int, int, str]] = []
    _progress(replace(workshop(tmp_path), progress=lambda *each: heard.append(each)), "")(said)
    assert heard == ([told] if told else [])
