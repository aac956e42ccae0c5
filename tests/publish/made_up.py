"""A made-up release for the pages of a site, with whatever texts a test wants in it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sealwright_appendlog.audit import LogReport
from sealwright_appendlog.note import Checkpoint, VerifierKey
from sealwright_stages.events import Stage
from sealwright_stages.manifest import load
from sealwright_stages.publish.facts import Facts, Signature
from sealwright_stages.publish.files import File
from sealwright_stages.state import Component, Item, Product, State
from sealwright_stages.verdict import Status, Waiver
from support.release_folder import HEAD, component, write_release

VKEY = str(VerifierKey("example.org/log/made-up", bytes(range(32))))
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></table><h1>yes</h1>",
    "https://evil.example/x javascript:alert(1)",
    "\u202egnp.exe \u2066bidi\u2069 \u200bzero\ufeff",
    "\x1b[31mred\x07 \x00nul \x85 \r\n line",
    "e" + "\u0301" * 50,
    "&lt;b&gt; &amp; {braces} %s",
    "שלום العربية",
    "x" * 5000,
)


def digest(text: str) -> str:
    """SHA-256 of a made-up thing."""
    return hashlib.sha256(text.encode()).hexdigest()


def facts(folder: Path, said: str = "") -> Facts:
    """Facts of a release; `said` stands wherever a text can come from outside."""
    manifest = load(write_release(folder, HEAD + component("xen")))
    state = State(release="example", version="1.0", tool="0.1.0", sealed=True)
    state.first_t, state.last_t = "2026-11-27T15:01:02.000000Z", "2026-11-27T17:24:05.123456Z"
    for name, files in (
        ("xen", ("xen-4.17.3.tar.gz", "xen-tools_4.17.3_amd64.deb")),
        ("grub", ("grub-0.97.tar",)),
    ):
        items = (f"{name}/0", f"{name}/1")
        built = Component(name, items, build_stream=f"build/{name}/1-1", wall_ms=83_250)
        state.components[name] = replace(built, environment="debian:bookworm" + said)
        for n, (kind, title) in enumerate(
            (("git-tag", f"signed tag of {name}"), ("file", "a third-party tarball"))
        ):
            item = Item(f"{name}/{n}", name, Stage.VERIFY, kind, title + said, Status.PASSED, "ok" + said)
            item = replace(item, reason="a good signature by release-key-a" + said, subject_sha256=digest(title))
            state.items[item.id] = item
        for n, product in enumerate(files):
            held = Product(name, product, digest(product), 12_345_678 * (n + 1), 40 + n)
            state.products[name, product] = replace(held, compared="identical", reference="bookworm" + said)
    waiver = Waiver(
        "xen/1", "expired-since", "manager-a" + said, "The key expired a week after it signed." + said, "", ""
    )
    warned = replace(state.items["xen/1"], status=Status.WARNED, code="expired-since", waiver=waiver)
    state.items["xen/1"] = replace(warned, reason="the key has expired since it signed" + said)
    report = LogReport(Checkpoint("example.org/log/made-up", 812, hashlib.sha256(b"root").digest()), VKEY, 812)
    fingerprint, when = digest("key")[:40].upper(), datetime(2026, 11, 27, 17, 30, 1, tzinfo=UTC)
    signed = tuple(Signature("manager-a", fingerprint, name, when) for name in ("SHA256SUMS", "log/SHA256SUMS"))
    return Facts(manifest, state, report, ("manager-a",), signed, ("manager-a",))


def files(told: Facts) -> list[File]:
    """Files of such evidence."""
    builds = [f"log/{'data'}/{each.build_stream}/00000013.log" for each in told.state.components.values()]
    products = [f"products/{product.component}/{product.name}" for product in told.state.products.values()]
    return [
        File(path, 4321, digest(path)) for path in sorted([*builds, *products, "SHA256SUMS", "log/index.jsonl"])
    ]
