"""What the evidence page shows whether scripts run or not: the release as the sealed log and the manifest tell it.

- It says nothing of who has signed: that is found in the browser, or not at all.
- It says what a page can't prove.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from sealwright_keyring.person import Person
from sealwright_keyring.policy import Policy
from sealwright_stages.manifest import Manifest
from sealwright_stages.publish.markup import Html, code, commands, facts, heading, joined, link, table, tag, text
from sealwright_stages.publish.tables import ITEM_HEADS, built, grouped, item_row, size, warnings, when
from sealwright_stages.seal.vendor import LIBRARY, SOURCE, licences
from sealwright_stages.stage import Stage
from sealwright_stages.state import Product, State, reproduced
from sealwright_stages.verdict import Status

FOOTER = Html(
    "This page proves nothing about itself: whoever can change these files can change it too. The signatures and the "
    "log do prove, once you have checked them with keys that you got another way."
)
_FOUND = Html(
    '<section id="found" class="found is-unchecked" aria-live="polite" aria-labelledby="word">\n'
    '<p class="soft">Does this evidence hold together?</p>\n'
    '<p id="word">Not checked</p>\n'
    '<p id="sentence">This page checks itself by scripts, and they are off or did not run. What follows is what '
    "Sealwright wrote when the log was sealed; nothing of it is checked.</p>\n"
    '<ul id="reasons"></ul>\n'
    "</section>"
)
_TRY = Html(
    '<section id="try" class="try" hidden>\n'
    '<label for="pick">Is a file in this release? Drop it anywhere on this page, or choose it:</label>\n'
    '<input id="pick" type="file" multiple>\n'
    '<p class="soft">It is read here, whatever its size, and goes nowhere.</p>\n'
    '<ul id="files" class="marked" aria-live="polite"></ul>\n'
    "</section>"
)
_CHECKED = Html('<ul id="checks" class="marked"></ul>\n<ul id="notes"></ul>\n<p id="took" class="soft"></p>')
_CANNOT = (
    "This page is signed by nobody. Whoever can change the folder can change the page, so that it says yes to anything.",
    "The keys lie beside what they sign. Compare the full fingerprints below with ones that you got another way.",
    "Who may sign, and how many must, is the release's own word, as Sealwright read it in the manifest.",
    "Whether the rules were kept, and nothing red was passed over: that takes a replay of the whole log, which only an "
    "audit does.",
    "It does not look at the products in the folder, at the output of builds, at the provenance, at the signature over "
    "the choice of keys, or at whether anything lies in the folder that should not.",
)


def header(state: State, manifest: Manifest) -> Iterator[Html]:
    """Name, word, and the file to try."""
    yield tag("h1", text(f"{manifest.name} {manifest.version}"))
    yield tag(
        "p", Html(f"Evidence of a release, sealed {when(state.last_t)} by Sealwright {text(state.tool)}."), "soft"
    )
    yield _FOUND
    yield _TRY


def main(state: State, manifest: Manifest, policy: Policy, products: Sequence[Product]) -> Iterator[Html]:
    """All the rest."""
    yield heading(2, "checked", "What this page checked")
    yield _CHECKED
    yield facts(_summary(state, manifest))
    yield from _cannot(manifest)
    yield from _products(state, products)
    yield from _signers(manifest, policy)
    yield from warnings(state)
    yield heading(2, "timeline", "Timeline")
    rows = [[text(what), when(moment)] for what, moment in _timeline(state)]
    yield table("As the log has it", ["What", "When"], rows)
    yield from _sources(state)
    yield from _library()


def _summary(state: State, manifest: Manifest) -> Iterator[tuple[str, Html]]:
    total = sum(product.size for product in state.products.values())
    yield "Products", text(f"{len(state.products)}, {size(total)}")
    items = list(state.items.values())
    passed = sum(item.status is Status.PASSED for item in items)
    warned = f", {len(items) - passed} warned and waived" if passed < len(items) else ""
    yield "Checks", text(f"{passed} passed{warned}")
    yield "Must have signed", text(f"{manifest.threshold} of {', '.join(manifest.signers)}")
    if manifest.builders > 1:
        yield "Must agree", text(f"{manifest.builders} builders; this is the evidence of one")
    yield "Log", text(f"{state.last_n + 1} records, sealed")


def _cannot(manifest: Manifest) -> Iterator[Html]:
    yield heading(2, "cannot", "What a page can't prove")
    items = "\n".join(f"<li>{text(sentence)}</li>" for sentence in _CANNOT)
    yield Html(f"<ul>\n{items}\n</ul>")
    mine = f"--keyring YOUR_KEYRING --signers {','.join(manifest.signers)} --threshold {manifest.threshold}"
    if manifest.builders > 1:
        yield tag(
            "p", text("For that, with the evidence of the other builders, and keys that you know from elsewhere:")
        )
        yield commands(
            f"sealwright join . OTHERS_EVIDENCE... {mine} --to JOINED", f"sealwright audit JOINED {mine}"
        )
    else:
        yield tag("p", text("For that, in this folder, with keys whose fingerprints you know from elsewhere:"))
        yield commands(f"sealwright audit . {mine}", f"sealwright check FILE --evidence . {mine}")
    by_hand = link("HOW-TO-VERIFY.txt", text("HOW-TO-VERIFY.txt"))
    yield tag("p", Html(f"Or by hand, with gpg, sha256sum and python3: {by_hand}."))


def _products(state: State, products: Sequence[Product]) -> Iterator[Html]:
    yield heading(2, "products", "Products")
    compared = any(product.beside for product in products)
    twice = any(reproduced(state, product.component) for product in products)
    heads = ["File", "Size", "SHA-256", "Record"]
    heads += ["Beside what was published"] * compared + ["Built twice"] * twice
    rows = []
    for product in products:
        row = [text(f"{product.component}/{product.name}"), text(size(product.size)), code(product.sha256)]
        row += [text(str(product.n)), *[text(product.beside)] * compared]
        rows.append([*row, *[text(reproduced(state, product.component))] * twice])
    yield Html(f'<div id="product-table">\n{table(f"{len(products)} files", heads, rows)}\n</div>')
    names = ("SHA256SUMS", "SHA256SUMS.asc", "log/index.jsonl", "log/checkpoint.sealed", "policy/release.toml")
    yield tag("p", Html(f"In this folder: {joined((link(name, text(name)) for name in names), ', ')}"))


def _signers(manifest: Manifest, policy: Policy) -> Iterator[Html]:
    yield heading(2, "signers", "Who may sign")
    rows = []
    for name in manifest.signers:
        person = policy.persons.get(name)
        if person is None or not person.covers(None):
            rows.append([text(name), text("is no release signer in signers.toml"), Html("")])
            continue
        keys = Html("<br>".join(code(grouped(fingerprint)) for fingerprint in person.openpgp))
        rows.append([text(name), keys, text(_time(person))])
    needed = f"{manifest.threshold} of these must have signed both SHA256SUMS and log/SHA256SUMS"
    yield table(needed, ["Person", "Keys, by full fingerprint", "Time"], rows)


def _time(person: Person) -> str:
    def said(word: str, day: date | None) -> str:
        return f"{word} {day}" if day else ""

    return " ".join(filter(None, (said("from", person.not_before), said("to", person.not_after))))


def _timeline(state: State) -> Iterator[tuple[str, str]]:
    moments = [("begun", state.first_t), ("sealed", state.last_t)]
    moments += [(f"{stage} began", moment) for stage, moment in state.stages_started.items()]
    moments += [(f"{stage} ended", moment) for stage, moment in state.stages_ended_at.items()]
    resumed = f", taken up again {state.runs - 1} times" if state.runs > 1 else ""
    order = {stage.value: place for place, stage in enumerate(Stage)}

    def key(moment: tuple[str, str]) -> tuple[str, int]:
        return moment[1], order.get(moment[0].split(" ")[0], -1 if moment[0] == "begun" else 9)

    for what, moment in sorted(moments, key=key):
        if moment:
            yield what + (resumed if what == "begun" else ""), moment


def _sources(state: State) -> Iterator[Html]:
    yield heading(2, "sources", "What was built from what")
    for number, component in enumerate(state.components.values()):
        yield heading(3, f"component-{number}", component.name)
        items = [state.items[name] for name in component.items if name in state.items]
        yield table(built(component), ITEM_HEADS, [item_row(item) for item in items])


def _library() -> Iterator[Html]:
    yield heading(2, "library", "Whose code this is")
    told = (
        f"This page uses {LIBRARY}, which is covered by the GNU Lesser General Public License, version 3 or later. It "
        "is in a script element of its own, unchanged, so that you can exchange it; change its hash in the page's policy "
        f"(Content-Security-Policy) with it. Its source: {SOURCE}. The page's other scripts are Sealwright's, Apache-2.0."
    )
    yield tag("p", text(told))
    for name, said in licences().items():
        yield Html(f"<details><summary>{text(name)}</summary>\n{commands(*said.splitlines())}\n</details>")
