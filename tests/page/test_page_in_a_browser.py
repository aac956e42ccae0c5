"""The evidence page in headless Chromium: what it says of good evidence, and of evidence that is not."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.forge import SUMS, Forger
from page.harms import (
    Data,
    Harm,
    armored,
    block,
    changed_file,
    changed_key,
    changed_product,
    changed_record,
    changed_signature,
    dearmored,
    doubled_record,
    exchanged,
    flipped,
    harmed,
    keyless,
    lost_record,
    mistaken,
    moved_record,
    one_product_less,
    one_product_more,
    other_fingerprint,
    other_index_sum,
    other_keyring,
    other_log_key,
    other_manifest,
    other_product,
    other_record,
    unlisted,
)
from publish.made_up import HOSTILE
from sealwright_stages import events as ev
from sealwright_stages.seal import page_data
from sealwright_stages.seal.pages import write_page
from support.browser import CHROMIUM, Page
from support.release_folder import HEAD
from support.small_release import Key

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")]
BOTH = HEAD.replace('signers = ["manager-a"]', 'signers = ["manager-a", "release-key-a"]\nthreshold = 2')
FINE = "Yes"


def word(seen: Page, path: Path) -> str:
    """The big word of a page, and that it asked nobody for anything."""
    seen.open(path)
    seen.wait("document.documentElement.dataset.word")
    assert seen.requests == [path.as_uri()], "the page made a request"
    return str(seen.ask("document.getElementById('word').textContent"))


def reasons(seen: Page) -> str:
    return str(seen.ask("document.getElementById('reasons').innerText"))


def test_good_evidence_is_a_yes_and_nothing_is_asked_of_anybody(seen: Page, evidence: Path) -> None:
    seen.look()
    assert word(seen, evidence / "index.html") == FINE
    assert seen.complaints == []
    assert seen.ask("document.querySelectorAll('#checks .is-good').length") == 7
    told = seen.ask("document.body.innerText")
    assert (
        "1 of 1 needed: manager-a" in told
        and "This page is signed by nobody" in told
        and "sealwright audit ." in told
    )
    assert seen.ask("document.title") == "Yes: example 1.0"


def test_one_byte_changed_anywhere_is_a_no(seen: Page, evidence: Path) -> None:
    """Each piece of the data, at places by chance: a bit is another, a record is gone, is there twice or has moved."""
    seen.look()
    chance, path = random.Random(7), evidence / "index.html"  # noqa: S311 - places to try
    names = [*block(path.read_bytes(), "evidence")["files"]]

    harms = [harm for name in names for harm in [changed_file(name, chance)] * 8]
    harms += [*[changed_record(chance)] * 25, *[changed_product(chance)] * 5, *[changed_key(chance)] * 5]
    harms += [
        *[lost_record(chance)] * 2,
        *[doubled_record(chance)] * 2,
        *[moved_record(chance)] * 2,
        unlisted,
        mistaken,
    ]
    harms += [
        keyless,
        other_fingerprint,
        exchanged,
        *[changed_signature(n, chance) for n in SUMS for _ in range(25)],
    ]
    for number, harm in enumerate(harms):
        told = word(seen, harmed(path, harm))
        assert told == "No", (number, harm.__qualname__, told)
        assert reasons(seen) and "No:" in seen.ask("document.title")
        assert seen.ask("document.querySelectorAll('.is-yes').length") == 0
    table = path.read_text().replace(
        "<code>", "<code>0", 1 + path.read_text()[: path.read_text().index('id="product-table"')].count("<code>")
    )
    (evidence / "table.html").write_text(table)
    assert word(seen, evidence / "table.html") == "No" and "table of products" in reasons(seen)
    print(f"{len(harms)} changes, {len(harms)} times no")


@pytest.mark.parametrize(
    ("forged", "found"),
    [
        (other_log_key, "checkpoint: the signature"),
        (other_record, "Merkle root: computed from"),
        (other_index_sum, "log/SHA256SUMS: it names another index.jsonl"),
        (other_product, "products: the log has another SHA-256"),
        (one_product_less, "is in the log, and not in SHA256SUMS"),
        (one_product_more, "no record of the log collected it"),
        (other_manifest, "policy: the manifest is not the one in the log"),
        (other_keyring, "policy: signers.toml or a key is not the one in the log"),
    ],
)
def test_who_holds_all_but_one_thing_is_found_out_by_that(
    seen: Page, evidence: Path, forged: Harm, found: str
) -> None:
    """Nobody has signed it, and what names the changed thing was changed with it: one check alone can tell."""
    seen.look()

    def unsigned(data: Data, held: Data) -> None:
        held.clear()
        forged(data, held)

    assert word(seen, harmed(evidence / "index.html", unsigned)) == "No"
    (told,) = [line for line in reasons(seen).splitlines() if not line.startswith(("signatures", "this page"))]
    assert found in told


def test_what_is_not_signed_or_not_by_enough_is_no_yes(seen: Page, forger: Forger, keys: tuple[Key, Key]) -> None:
    seen.look()
    forger.head = BOTH
    evidence = forger.evidence()
    page = evidence / "index.html"
    assert word(seen, page) == "Not final yet" and "1 of 2 needed: manager-a" in reasons(seen)
    both = {}
    for name in SUMS:
        ours = (evidence / f"{name}.asc").read_bytes()
        theirs = Forger(forger.folder, keys[1:]).signed((evidence / name).read_bytes())
        both[name] = armored(bytes(dearmored(ours) + dearmored(theirs)))
        (evidence / f"{name}.asc").write_bytes(both[name])
    write_page(evidence)
    assert word(seen, page) == FINE
    two = armored(bytes(dearmored((evidence / "SHA256SUMS.asc").read_bytes())))
    assert two == both["SHA256SUMS"]
    (evidence / "log/SHA256SUMS.asc").unlink()
    write_page(evidence)
    assert word(seen, page) == "Not final yet" and "no signature over log/SHA256SUMS" in reasons(seen)
    (evidence / "SHA256SUMS.asc").unlink()
    write_page(evidence)
    assert word(seen, page) == "Not signed yet" and "nobody has signed it yet" in reasons(seen)


@pytest.mark.parametrize("beside", [False, True])
def test_a_strangers_signature_counts_nothing(
    seen: Page, forger: Forger, keys: tuple[Key, Key], beside: bool
) -> None:
    seen.look()
    evidence = forger.evidence()
    for name in SUMS:
        theirs = dearmored(Forger(forger.folder, keys[1:]).signed((evidence / name).read_bytes()))
        ours = dearmored((evidence / f"{name}.asc").read_bytes()) if beside else bytearray()
        (evidence / f"{name}.asc").write_bytes(armored(bytes(theirs + ours)))
    write_page(evidence)
    assert word(seen, evidence / "index.html") == (FINE if beside else "No")
    assert (
        "by keys of nobody who may sign: not counted" in seen.ask("document.getElementById('notes').innerText")
        or not beside
    )


@pytest.mark.parametrize("how", ["two blocks", "clear-signed", "cut", "text after", "empty"])
def test_anything_but_one_block_of_signatures_is_a_no(seen: Page, evidence: Path, how: str) -> None:
    seen.look()
    path = evidence / "SHA256SUMS.asc"
    held = path.read_bytes()
    other = {
        "two blocks": held + held,
        "clear-signed": b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nx\n" + held,
        "cut": held[: len(held) // 2],
        "text after": held + b"trust me\n",
        "empty": b"",
    }
    path.write_bytes(other[how])
    write_page(evidence)
    assert word(seen, evidence / "index.html") == "No"


def test_a_revoked_key_counts_nothing(seen: Page, forger: Forger, keys: tuple[Key, Key]) -> None:
    """The revocation that gpg makes with each key lies in the keyring, applied."""
    seen.look()
    home, fingerprint = keys[0].home, keys[0].fingerprint
    revocation = (
        (home / "openpgp-revocs.d" / f"{fingerprint}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    )
    other = forger.folder / "revoked"
    other.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(other), "--batch", "--quiet"]
    for file in (forger.folder / "keyring/keys").glob("*.asc"):
        subprocess.run([*gpg, "--import", file], check=True, capture_output=True)
    subprocess.run([*gpg, "--import"], input=revocation.encode(), check=True, capture_output=True)
    revoked = subprocess.run([*gpg, "--armor", "--export", fingerprint], check=True, capture_output=True).stdout
    for file in (forger.folder / "keyring/keys").glob("*.asc"):
        if (
            keys[0].fingerprint[-16:]
            in subprocess.run(
                ["gpg", "--show-keys", "--with-colons", file], check=True, capture_output=True, text=True
            ).stdout
        ):
            file.write_bytes(revoked)
    evidence = forger.evidence()
    assert word(seen, evidence / "index.html") == "No"
    assert "is revoked" in seen.ask("document.getElementById('notes').innerText")


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


def test_a_page_whose_scripts_were_changed_or_are_missing_is_no_yes(seen: Page, evidence: Path) -> None:
    seen.look()
    page = (evidence / "index.html").read_text()
    other = evidence / "other.html"
    other.write_text(page.replace('"use strict";\n/* The page itself', '"use strict"; \n/* The page itself'))
    seen.open(other)
    assert seen.ask("document.getElementById('word').textContent") == "Not checked" and seen.complaints
    other.write_text(page.replace("/*! OpenPGP.js", "/*? OpenPGP.js"))
    assert word(seen, other) == "Not checked" and "openpgp.js did not run" in reasons(seen)
    other.write_text(page.replace('id="evidence">{', 'id="evidence">{{'))
    assert word(seen, other) == "No" and "check itself failed" in seen.ask("document.body.innerText")
    other.write_text(page.replace("</main>", "<script>document.title='x'</script><img src='x.png'></main>"))
    seen.open(other)
    assert seen.ask("document.title") != "x"
    assert sum("Content Security Policy" in each for each in seen.complaints) == 2, (
        "a stranger's script, and a picture"
    )


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


def test_a_long_log_is_checked_by_hashes(seen: Page, evidence: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen.look()
    monkeypatch.setattr(page_data, "WHOLE_RECORDS", 10)
    write_page(evidence)
    assert word(seen, evidence / "index.html") == FINE
    count = len((evidence / "log" / "index.jsonl").read_bytes().splitlines())
    assert f"and the hashes of the others, {count} in all" in seen.ask(
        "document.getElementById('checks').innerText"
    )
    for n in range(0, count, 20):

        def harm(data: Data, _: Data, n: int = n) -> None:
            item = data["log"][0][n]
            data["log"][0][n] = item[:-3] + "x" + item[-2:] if item.startswith("{") else flipped(item, n)

        assert word(seen, harmed(evidence / "index.html", harm)) == "No"


def test_one_builders_evidence_is_no_yes_where_several_must_agree(seen: Page, forger: Forger) -> None:
    seen.look()
    forger.head = BOTH.replace("threshold = 2", "threshold = 1\nbuilders = 2")
    page = forger.evidence() / "index.html"
    assert word(seen, page) == "Not final yet" and "2 must agree: sealwright join" in reasons(seen)
