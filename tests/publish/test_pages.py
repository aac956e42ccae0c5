"""The pages of a site: what comes from outside is text and nothing else, and nothing comes from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from audit.forge import Forger
from publish.made_up import HOSTILE, facts, files
from publish.test_publish import mine
from sealwright_stages.html_text import safe
from sealwright_stages.publish.list_pages import list_pages
from sealwright_stages.publish.place import Place
from sealwright_stages.publish.publish import publish
from sealwright_stages.publish.release_page import release_page
from sealwright_stages.publish.site import locked
from sealwright_stages.verdict import Status

CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
ALLOWED: Mapping[str, set[str]] = {
    "html": {"lang"},
    "meta": {"charset", "http-equiv", "content", "name"},
    "a": {"href", "class"},
    "p": {"class"},
    "span": {"class", "title"},
    "main": {"id"},
    "pre": {"tabindex"},
    "h2": {"id"},
    "h3": {"id"},
    "table": {"role"},
    "thead": {"role"},
    "tbody": {"role"},
    "tr": {"role"},
    "th": {"scope", "role"},
    "td": {"role", "data-head"},
    **{
        name: set()
        for name in [
            "head",
            "title",
            "style",
            "body",
            "header",
            "footer",
            "h1",
            "code",
            "bdi",
            "dl",
            "dt",
            "dd",
            "div",
            "caption",
            "ul",
            "li",
        ]
    },
}
VOID = {"meta"}


class Read(HTMLParser):
    """Reads a page strictly: elements and attributes, nesting, texts, links."""

    def __init__(self, page: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(page.decode("utf-8"))
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ALLOWED and {name for name, _ in attrs} <= ALLOWED[tag], (tag, attrs)
        self.seen.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.stack:
            self.texts.append(data)

    @property
    def links(self) -> list[str]:
        return [values["href"] for tag, values in self.seen if tag == "a"]


def check_safe(page: bytes) -> Read:
    """What holds for every page."""
    told = page.decode("utf-8")
    odd = {
        c
        for c in told
        if c != "\n" and (unicodedata.category(c)[0] == "C" or unicodedata.bidirectional(c) in BIDI)
    }
    assert not odd, [hex(ord(c)) for c in odd]
    read = Read(page)
    for target in read.links:
        assert re.fullmatch(r"(#[a-z]+|(\.\./)*[A-Za-z0-9][A-Za-z0-9._~%/@-]*)", target), target
        assert ".." not in target.lstrip("./")
    style = told.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [v["content"] for tag, v in read.seen if v.get("http-equiv") == "Content-Security-Policy"]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return read


BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
PLACE = Place("example", "1.0", "manager-a")


def test_the_page_of_a_release_says_what_a_downloader_wants_to_know(tmp_path: Path) -> None:
    told = facts(tmp_path)
    page = release_page(told, PLACE, files(told))
    read = check_safe(page)
    shown = " ".join("".join(read.texts).split())
    for product in told.state.products.values():
        assert product.sha256 in shown and f"{product.component}/{product.name}" in shown
        assert f"evidence/log/proofs/{product.component}.{product.name}.tlog-proof" in read.links
    for wanted in ("2026-11-27 17:24:05 UTC", "3 passed", "1 warned and waived", "12.3 MB", "proves nothing"):
        assert wanted in shown
    grouped = re.compile(r"([0-9A-F]{4} ){9}[0-9A-F]{4}")
    assert grouped.search(shown) and told.report.checkpoint.root.hex() in shown
    assert "The key expired a week after it signed." in shown and "sealwright audit evidence" in shown


def test_the_page_says_of_each_product_whether_a_second_build_gave_the_same(tmp_path: Path) -> None:
    told = facts(tmp_path)
    assert "Built twice" not in release_page(told, PLACE, files(told)).decode()
    for name, status in (("xen", Status.WARNED), ("grub", Status.PASSED)):
        item = f"{name}/reproduce"
        told.state.items[item] = replace(told.state.items["grub/0"], id=item, component=name, status=status)
    page = release_page(told, PLACE, files(told)).decode()
    assert "Built twice" in page
    assert (page.count("the same bytes"), page.count("not all the same")) == (1, 2)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_whatever_a_text_from_outside_holds_it_stays_text(tmp_path: Path, number: int) -> None:
    told = facts(tmp_path, HOSTILE[number])
    plain = facts(tmp_path)
    page = release_page(told, PLACE, files(told))
    read, other = check_safe(page), check_safe(release_page(plain, PLACE, files(plain)))
    assert [tag for tag, _ in read.seen if tag != "bdi"] == [tag for tag, _ in other.seen if tag != "bdi"]
    assert read.links == other.links


def test_piled_marks_and_endless_texts_are_cut() -> None:
    assert safe("e" + "\u0301" * 4) == "e\u0301\u0301&lt;U+0301&gt;&lt;U+0301&gt;"
    assert safe("x" * 5000, 10) == "x" * 10 + "… (+4990 characters)"


def test_the_pages_of_a_published_site_are_safe_and_their_links_lead_to_files(
    forger: Forger, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    publish(forger.evidence(), site, mine(forger))
    pages = [site / "index.html", *site.glob("example/index.html"), *site.glob("example/1.0/**/index.html")]
    pages = [page for page in pages if page.parent.name != "evidence"]
    assert len(pages) == 4
    for page in pages:
        for target in check_safe(page.read_bytes()).links:
            assert target.startswith("#") or (page.parent / target).resolve().is_file(), target


def test_what_lies_in_a_site_and_is_no_publication_is_not_listed(forger: Forger, tmp_path: Path) -> None:
    site = tmp_path / "site"
    publish(forger.evidence(), site, mine(forger))
    with locked(site) as held:
        before = list_pages(held.fd)
    for name in ("<b>x", "\u202egnp", ".git", "index.html2", "a b"):
        (site / name / "1.0/manager-a/evidence").mkdir(parents=True)
        if name != "index.html2":
            (site / name / "1.0/manager-a/evidence/SHA256SUMS").touch()
    (site / "linked").symlink_to(site / "example")
    (site / "example/1.0/linked").symlink_to(site / "example/1.0/manager-a")
    (site / "example/1.0/half").mkdir()
    with locked(site) as held:
        assert list_pages(held.fd) == before
    evidence = site / "example/1.0/other/evidence"
    (evidence / "log").mkdir(parents=True)
    (evidence / "SHA256SUMS").write_bytes(b"\xff<script>\n")
    (evidence / "log/index.jsonl").write_bytes(b'{"t":"<script>alert(1)</script>"}\n')
    with locked(site) as held:
        for page in list_pages(held.fd).values():
            assert "unknown" in "".join(check_safe(page).texts)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")
@pytest.mark.parametrize("width", [360, 1200])
def test_a_browser_runs_nothing_and_has_no_need_to_scroll_sideways(tmp_path: Path, width: int) -> None:
    """A page cannot tell by itself, since it may run nothing: a frame around it, from the same folder, asks."""
    told = facts(tmp_path, " ".join(HOSTILE))
    (tmp_path / "page.html").write_bytes(release_page(told, PLACE, files(told)))
    asks = (
        "const page = frames[0].document, root = page.documentElement;"
        "const found = [root.scrollWidth <= root.clientWidth, page.scripts.length, page.images.length,"
        "  getComputedStyle(page.querySelector('.skip')).position, page.querySelectorAll('h1').length];"
        "document.title = JSON.stringify(found);"
    )
    frame = f'<iframe src="page.html" width="{width}" height="800" onload="ask()"></iframe>'
    (tmp_path / "frame.html").write_text(f"<title>no</title><script>function ask() {{{asks}}}</script>{frame}")
    words = ["--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--virtual-time-budget=3000"]
    home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    url = (tmp_path / "frame.html").as_uri()
    done = subprocess.run(
        [str(CHROMIUM), *words, "--dump-dom", url],
        capture_output=True,
        text=True,
        check=True,
        env=home,
        timeout=60,
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout)
    assert title and title[1] == '[true,0,0,"absolute",1]', done.stdout[:500]
