"""The evidence page in headless Chromium: what it says of good evidence, and of evidence that is not."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

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
from page.shown import FINE, reasons, word
from sealwright_stages.seal import page_data
from sealwright_stages.seal.pages import write_page
from support.browser import CHROMIUM, Page
from support.release_folder import HEAD
from support.small_release import Key

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")]
BOTH = HEAD.replace('signers = ["manager-a"]', 'signers = ["manager-a", "release-key-a"]\nthreshold = 2')


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
