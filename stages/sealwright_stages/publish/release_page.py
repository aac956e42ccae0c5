"""The page of one publication: what a downloader wants to know, from facts that an audit said yes to.

- It is made from the evidence alone: published again by the same version it is the same page.
- It says of itself that it proves nothing.
- Commands on it can be pasted: names of files and signers are plain, and nothing else from outside is in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sealwright_appendlog.note import VerifierKey
from sealwright_stages.publish.facts import Facts
from sealwright_stages.publish.files import File
from sealwright_stages.publish.markup import (
    Html,
    code,
    commands,
    facts,
    heading,
    joined,
    link,
    page,
    table,
    tag,
    text,
)
from sealwright_stages.publish.place import EVIDENCE, FILES, INDEX, Place
from sealwright_stages.publish.tables import ITEM_HEADS, built, grouped, item_row, size, warnings, when
from sealwright_stages.seal.evidence import published_path
from sealwright_stages.seal.proofs import proof_name
from sealwright_stages.sign.sbom import SBOM
from sealwright_stages.state import Component, Product, State, reproduced
from sealwright_stages.verdict import Status

_FOOTER = Html(
    "This page proves nothing: whoever can change these files can change it too. The signatures and the log do, "
    "once you have checked them with keys that you got another way."
)


def release_page(told: Facts, place: Place, files: Sequence[File]) -> bytes:
    """The page, as bytes; `files` are those of the evidence."""
    up = Html(f'<a href="../../../{INDEX}">all releases</a>')
    same = Html(f'<a href="../{INDEX}">others who published {text(place.version)}</a>')
    title = f"{place.name} {place.version}"
    header = [
        tag("p", joined([up, same], " · "), "crumbs"),
        tag("h1", text(title)),
        tag("p", Html(f"Sealed {when(told.state.last_t)}, published by {text(place.signer)}."), "soft"),
        facts(_summary(told)),
    ]
    main = [
        *_products(told, files),
        *_verify(told, whole=_whole(told, files)),
        *_signatures(told),
        *warnings(told.state),
        *_sources(told.state, files),
        *_log(told),
        *_files(told, files),
    ]
    return page(f"{title}, by {place.signer}", header, main, _FOOTER)


def _summary(told: Facts) -> Iterator[tuple[str, Html]]:
    state = told.state
    total = sum(product.size for product in state.products.values())
    yield "Products", text(f"{len(state.products)}, {size(total)}")
    items = list(state.items.values())
    passed = sum(item.status is Status.PASSED for item in items)
    verdicts = [tag("span", text(f"{passed} passed"), "good")]
    if warned := len(items) - passed:
        verdicts.append(tag("span", text(f"{warned} warned and waived"), "warn"))
    yield "Checks", joined(verdicts, ", ")
    persons = sorted({signature.person for signature in told.signatures})
    yield "Signed by", text(f"{', '.join(persons)} ({told.manifest.threshold} needed)")
    yield "Log", text(f"{told.report.records} records, sealed")


def _products(told: Facts, files: Sequence[File]) -> Iterator[Html]:
    yield heading(2, "products", "Products")
    if not _whole(told, files):
        yield tag(
            "p", Html(f"They lie elsewhere. To check one by hand, put it below {code(f'{EVIDENCE}/products/')}.")
        )
    products = sorted(told.state.products.values(), key=published_path)
    compared = any(product.beside for product in products)
    heads = ["File", "Size", "SHA-256", "In the log", *(["Beside what was published"] if compared else [])]
    held = {file.path for file in files}
    rows = [_product(product, compared, here=published_path(product) in held) for product in products]
    twice = [reproduced(told.state, product.component) for product in products]
    if any(twice):
        heads.append("Built twice")
        rows = [[*row, text(said)] for row, said in zip(rows, twice, strict=True)]
    yield table(f"{len(products)} files", heads, rows)


def _product(product: Product, compared: bool, *, here: bool) -> list[Html]:
    name = text(f"{product.component}/{product.name}")
    proof = f"{EVIDENCE}/log/proofs/{proof_name(product)}"
    return [
        link(f"{EVIDENCE}/{published_path(product)}", name) if here else Html(f"{name} (not here)"),
        Html(f'<span class="keep" title="{product.size} bytes">{text(size(product.size))}</span>'),
        code(product.sha256),
        link(proof, text(f"proof of record {product.n}")),
        *([text(product.beside)] if compared else []),
    ]


def _whole(told: Facts, files: Sequence[File]) -> bool:
    """Whether the products lie here."""
    return {published_path(product) for product in told.state.products.values()} <= {file.path for file in files}


def _verify(told: Facts, *, whole: bool) -> Iterator[Html]:
    who = ",".join(told.names)
    lack = "" if whole else " --without-products"
    mine = f"--keyring YOUR_KEYRING --signers {who} --threshold {told.manifest.threshold}{lack}"
    yield heading(2, "verify", "How to verify")
    yield tag("p", Html("Get all of it: clone the git repository that it lies in, or fetch it from this address:"))
    yield commands(
        "BASE=...   # the address of this page, up to its last slash",
        f'curl -fsS "$BASE/{FILES}" -o {FILES}',
        f"grep -Ex '[0-9a-f]{{64}}  {EVIDENCE}/[A-Za-z0-9._+~#@/-]+' {FILES} | grep -v '/[./]' | cut -c67- |",
        "  while IFS= read -r f; do",
        '    curl -fsS --create-dirs -o "$f" "$BASE/$(printf %s "$f" | sed s/#/%23/g)" </dev/null',
        "  done",
        f"sha256sum --quiet -c {FILES}",
    )
    yield tag("p", Html("Then, with Sealwright, and with keys whose fingerprints you know from elsewhere:"))
    yield commands(
        f"sealwright audit {EVIDENCE} {mine}",
        f"sealwright check FILE --evidence {EVIDENCE} {mine}",
    )
    yield tag("p", Html("Or without it:"))
    yield commands(
        f"cd {EVIDENCE}",
        'export GNUPGHOME="$(mktemp -d)"',
        "gpg --import policy/keys/*.asc",
        "gpg --fingerprint   # compare them with ones that you know",
        "gpg --verify SHA256SUMS.asc SHA256SUMS",
        "gpg --verify log/SHA256SUMS.asc log/SHA256SUMS",
        f"sha256sum -c{'' if whole else ' --ignore-missing'} SHA256SUMS",
        "(cd log && sha256sum -c SHA256SUMS)",
        "python3 -I verify.py log",
    )
    how = link(f"{EVIDENCE}/HOW-TO-VERIFY.txt", text("HOW-TO-VERIFY.txt"))
    yield tag("p", Html(f"What each of these says, and doesn't: {how}."))


def _signatures(told: Facts) -> Iterator[Html]:
    yield heading(2, "signatures", "Who signed")
    rows = [
        [text(each.person), code(grouped(each.fingerprint)), code(each.over), _moment(each.created)]
        for each in sorted(told.signatures, key=lambda each: (each.person, each.over))
    ]
    needed = f"{told.manifest.threshold} of {', '.join(told.names)} must have signed"
    if told.manifest.builders > 1:
        needed += f", over {told.manifest.builders} builders who agree; this is one of them, and not final alone"
    yield table(needed, ["Person", "Key, by full fingerprint", "Over", "When"], rows)
    yield tag(
        "p", Html("The keys lie in the evidence for convenience. Compare the fingerprints elsewhere."), "note"
    )


def _sources(state: State, files: Sequence[File]) -> Iterator[Html]:
    yield heading(2, "sources", "What was built from what")
    for number, component in enumerate(state.components.values()):
        yield heading(3, f"component-{number}", component.name)
        rows = [item_row(state.items[name]) for name in component.items]
        yield table(built(component), ITEM_HEADS, rows)
        if output := _output(component, files):
            yield tag("p", Html(f"Output of its build: {output}"))


def _output(component: Component, files: Sequence[File]) -> Html:
    below = f"log/data/{component.build_stream}/"
    found = [file for file in files if component.build_stream and file.path.startswith(below)]
    links = [link(f"{EVIDENCE}/{file.path}", text(f"{file.path[4:]} ({size(file.size)})")) for file in found]
    return joined(links, ", ")


def _log(told: Facts) -> Iterator[Html]:
    checkpoint = told.report.checkpoint
    key = VerifierKey.parse(told.report.vkey)
    yield heading(2, "log", "The log")
    names = ("checkpoint", "checkpoint.sealed", "log.vkey", "index.jsonl", "SHA256SUMS", "SHA256SUMS.asc")
    links = joined((link(f"{EVIDENCE}/log/{name}", text(name)) for name in names), ", ")
    yield facts(
        [
            ("Origin", text(key.name)),
            ("Records", text(str(told.report.records))),
            ("Sealed", when(told.state.last_t)),
        ]
    )
    yield tag("p", Html(f"Root {code(checkpoint.root.hex())}"))
    yield tag("p", Html(f"Its key {code(told.report.vkey)}"))
    yield tag("p", Html(f"It is a transparency log in C2SP's formats. Its prefix is {code(f'{EVIDENCE}/log')}, with "
                        f"{code('checkpoint')} and {code('tile/')} below. {links}"))  # fmt: skip


def _files(told: Facts, files: Sequence[File]) -> Iterator[Html]:
    yield heading(2, "files", "All files")
    total = sum(file.size for file in files)
    listed = link(FILES, text(FILES))
    yield tag("p", Html(f"{len(files)} files, {text(size(total))}; each with its SHA-256 in {listed}."))
    names = ["SHA256SUMS", "SHA256SUMS.asc", *(f"provenance.{name}.dsse.json" for name in told.signers)]
    names += [SBOM, "policy/release.toml", "policy/signers.toml", "verify.py", INDEX]
    items = "\n".join(f"<li>{link(f'{EVIDENCE}/{name}', text(name))}</li>" for name in names)
    yield Html(f"<ul>\n{items}\n</ul>")


def _moment(moment: datetime) -> Html:
    return text(f"{moment:%Y-%m-%d %H:%M:%S} UTC")
