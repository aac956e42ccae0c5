"""The evidence page as people meet it: files dropped on it, no scripts, keyboard, dark, narrow, hostile texts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.forge import Forger
from page.harms import (
    harmed,
)
from page.shown import FINE, word
from publish.made_up import HOSTILE
from sealwright_stages import events as ev
from sealwright_stages.seal.pages import write_page
from support.browser import CHROMIUM, Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")]


def test_a_file_is_looked_for_by_its_bytes(seen: Page, evidence: Path, tmp_path: Path) -> None:
    seen.look()
    word(seen, evidence / "index.html")
    product = next((evidence / "products").rglob("*.tar"))
    (tmp_path / "named otherwise").write_bytes(product.read_bytes())
    (tmp_path / product.name).write_bytes(b"other")
    (tmp_path / "stranger").write_bytes(b"x" * (9 << 20))
    (tmp_path / "\u202egnp.<b>").write_bytes(b"")
    for way in (lambda files: seen.choose("#pick", files), seen.drop):
        word(seen, evidence / "index.html")
        for name, told, kind in (
            ("named otherwise", "In the release: named otherwise: products/", "is-good"),
            (product.name, "Not in the release: ", "is-bad"),
            ("stranger", "no product has these bytes", "is-bad"),
            ("\u202egnp.<b>", "<U+202E>gnp.<b>: no product", "is-bad"),
        ):
            way([tmp_path / name])
            row = "document.querySelector('#files li:first-child code')?.parentElement"
            wanted = json.dumps(name.replace("\u202e", "<U+202E>"))
            seen.wait(f"{row}?.textContent.includes({wanted})")
            assert told in seen.ask(f"{row}.textContent") and seen.ask(f"{row}.className") == kind
    assert seen.requests == [(evidence / "index.html").as_uri()]


def test_a_large_file_is_hashed_in_slices(seen: Page, evidence: Path, tmp_path: Path) -> None:
    seen.look()
    word(seen, evidence / "index.html")
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate((256 << 20) + 77)
    seen.choose("#pick", [large])
    shown = seen.wait("document.querySelector('#files code')?.textContent", seconds=110)
    with large.open("rb") as stream:
        assert shown == hashlib.file_digest(stream, "sha256").hexdigest()


def test_no_file_is_green_where_the_page_is_not(seen: Page, evidence: Path) -> None:
    seen.look()
    (evidence / "SHA256SUMS.asc").unlink()
    write_page(evidence)
    word(seen, evidence / "index.html")
    seen.choose("#pick", [next((evidence / "products").rglob("*.tar"))])
    assert "Listed, but this page says: Not final yet" in seen.wait(
        "document.querySelector('#files code')?.parentElement.textContent"
    )
    assert seen.ask("document.querySelectorAll('#files .is-good').length") == 0


def test_with_scripts_off_it_says_that_nothing_is_checked_and_shows_the_facts(seen: Page, evidence: Path) -> None:
    seen.look(scripts=False)
    seen.open(evidence / "index.html")
    told = seen.ask("document.body.innerText")
    assert (
        "Not checked" in told
        and "scripts, and they are off" in told
        and "Yes" not in told.split("What this page checked")[0]
    )
    assert "xen/xen.tar" in told and "manager-a" in told and "Drop it anywhere" not in told
    assert seen.ask("document.querySelectorAll('.is-yes, #files li').length") == 0


def test_by_keyboard_alone_the_picker_is_reached_and_opens(seen: Page, evidence: Path) -> None:
    seen.look()
    word(seen, evidence / "index.html")
    seen.keys("Tab")
    assert seen.ask("document.activeElement.className") == "skip"
    seen.keys("Tab")
    assert seen.ask("document.activeElement.id") == "pick"
    outline = seen.ask(
        "(({outlineStyle, outlineWidth}) => [outlineStyle, outlineWidth])(getComputedStyle(document.activeElement))"
    )
    assert outline == ["solid", "2px"]
    seen.ask(
        "document.getElementById('pick').addEventListener('click', (e) => { opened = (globalThis.opened || 0) + 1; e.preventDefault(); })"
    )
    seen.keys(" ")
    seen.keys("Enter")
    assert seen.ask("globalThis.opened") == 2
    order = []
    for _ in range(60):
        seen.keys("Tab")
        place = seen.ask(
            "document.activeElement === document.body ? null : document.activeElement.getBoundingClientRect().top + scrollY"
        )
        if place is None:
            break
        order.append(place)
        assert seen.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert len(order) > 5 and order == sorted(order)


CONTRAST = """
(() => {
  const channel = (c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const ground = (node) => { for (; node; node = node.parentElement) {
    const c = parse(getComputedStyle(node).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
    return parse(getComputedStyle(document.documentElement).colorScheme.includes("dark") ? "rgb(0,0,0)" : "rgb(255,255,255)"); };
  let worst = [99, ""];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walk.nextNode()); ) {
    const parent = node.parentElement;
    if (!node.textContent.trim() || !parent.checkVisibility() || parent.closest("script")) continue;
    const [a, b] = [light(parse(getComputedStyle(parent).color)), light(ground(parent))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < worst[0]) worst = [ratio, parent.outerHTML.slice(0, 200)];
  }
  return worst;
})()
"""


@pytest.mark.parametrize("dark", [False, True])
def test_everything_can_be_read_dark_and_light_whatever_was_found(seen: Page, evidence: Path, dark: bool) -> None:
    seen.look(dark=dark)
    page = evidence / "index.html"
    pages = {FINE: page, "No": harmed(page, lambda data, _: data["products"].pop())}
    for wanted, path in pages.items():
        assert word(seen, path) == wanted
        seen.choose("#pick", [page, next((evidence / "products").rglob("*.tar"))])
        seen.wait("document.querySelectorAll('#files code').length === 2")
        ratio, where = seen.ask(CONTRAST)
        assert ratio >= 4.5, where
    (evidence / "SHA256SUMS.asc").unlink()
    write_page(evidence)
    assert word(seen, page) == "Not final yet"
    ratio, where = seen.ask(CONTRAST)
    assert ratio >= 4.5, where


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_texts_stay_texts_and_a_narrow_screen_needs_no_scrolling_sideways(
    seen: Page, forger: Forger, number: int
) -> None:
    said = HOSTILE[number][:900]

    def hostile(steps: list[Any]) -> list[Any]:
        kinds = (ev.ItemVerdict, "reason"), (ev.ItemDeclared, "title"), (ev.BuildStarted, "environment")
        for kind, field in kinds:
            steps = [replace(step, **{field: said}) if isinstance(step, kind) else step for step in steps]
        return steps

    seen.look(width=320, height=600)
    path = forger.evidence(hostile) / "index.html"
    assert word(seen, path) == FINE and seen.complaints == []
    assert seen.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert seen.ask(
        "[document.images.length, document.scripts.length, document.querySelectorAll('h1').length, document.forms.length]"
    ) == [0, 6, 1, 0]
    harm = harmed(
        path,
        lambda data, _: data["signers"].append(
            {"name": said, "openpgp": [said], "not_before": "", "not_after": ""}
        ),
    )
    assert word(seen, harm) == "No" and seen.complaints == []
    assert seen.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    shown = seen.ask("document.getElementById('reasons').textContent")
    assert not [c for c in shown if not c.isprintable()]
