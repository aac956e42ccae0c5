"""The evidence page as bytes: what its policy allows, what can't end its data, and that it follows from the folder."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import sealwright_stages.seal.vendor as vendored
from audit.forge import Forger
from publish.made_up import HOSTILE
from sealwright_appendlog.tree import CompactRange, leaf_hash
from sealwright_keyring.policy import load_policy
from sealwright_stages import events as ev
from sealwright_stages.audit import audit
from sealwright_stages.fold import fold
from sealwright_stages.log.entries import read_entries
from sealwright_stages.manifest import load
from sealwright_stages.publish.markup import data_block, page
from sealwright_stages.seal import page_data
from sealwright_stages.seal.pages import but_for_signatures, evidence_page, write_page
from sealwright_stages.seal.vendor import openpgp_js

VENDOR = Path(vendored.__file__).parent


def block(data: bytes, name: str) -> object:
    """A data block of a page."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>'.encode(), data, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_the_vendored_files_are_those_whose_hashes_are_written_down() -> None:
    rows = re.findall(
        r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$", (VENDOR / "README.md").read_text(), re.MULTILINE
    )
    assert {name for name, _ in rows} == {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".txt")}
    for name, digest in rows:
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_a_page_runs_the_scripts_of_its_policy_and_loads_nothing(evidence: Path) -> None:
    told = (evidence / "index.html").read_text("utf-8")
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in re.findall(r"<script>(.*?)</script>", told, re.DOTALL)
    ]
    style = told.partition("<style>")[2].partition("</style>")[0]
    styled = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', told)
    scripts = " ".join(f"'sha256-{each}'" for each in hashes)
    assert len(hashes) == 4 and policy == (
        f"default-src 'none'; script-src {scripts}; "
        "require-trusted-types-for 'script'; trusted-types 'none'; "
        f"style-src 'sha256-{styled}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in style and "@import" not in style
    assert not re.search(
        r'\b(src|srcset|action|on[a-z]+|style)="', re.sub(r"<script.*?</script>", "", told, flags=re.DOTALL)
    )
    assert f"<script>{openpgp_js()}</script>" in told, "the library is not unchanged"
    assert openpgp_js().startswith("/*! OpenPGP.js v6.3.2 ") and "LGPL" in openpgp_js()[:200]
    for name in ("LGPL-3.txt", "GPL-3.txt"):
        assert html.escape((VENDOR / name).read_text().splitlines()[-2]) in told


def test_a_page_follows_from_the_folder_alone_and_is_written_whole(evidence: Path, tmp_path: Path) -> None:
    made = (evidence / "index.html").read_bytes()
    copied = tmp_path / "elsewhere"
    shutil.copytree(evidence, copied)
    (copied / "index.html").unlink()
    write_page(copied)
    assert (copied / "index.html").read_bytes() == made
    assert sorted(path.name for path in copied.iterdir()) == sorted(path.name for path in evidence.iterdir())


def test_pages_of_one_log_differ_in_nothing_but_signatures(evidence: Path) -> None:
    signed = (evidence / "index.html").read_bytes()
    assert block(signed, "signatures") == {
        name: base64.b64encode((evidence / f"{name}.asc").read_bytes()).decode()
        for name in ("SHA256SUMS", "log/SHA256SUMS")
    }
    (evidence / "log/SHA256SUMS.asc").unlink()
    (evidence / "SHA256SUMS.asc").unlink()
    write_page(evidence)
    unsigned = (evidence / "index.html").read_bytes()
    assert block(unsigned, "signatures") == {}
    assert signed != unsigned and but_for_signatures(signed) == but_for_signatures(unsigned) != unsigned


def test_a_page_of_before_the_signatures_is_told_and_any_other_is_a_no(evidence: Path) -> None:
    def told() -> list[tuple[str, str]]:
        return [(f.ok, f.detail) for f in audit(evidence).findings if f.what in ("index.html", "pages")]

    path = evidence / "index.html"
    signed = path.read_bytes()
    assert [ok for ok, _ in told()] == ["good"]
    path.write_bytes(
        page_data.SIGNATURES.sub(b'<script type="application/json" id="signatures">{}</script>', signed)
    )
    assert told() == [("advice", "it was written before the signatures that lie here now")]
    for other in (
        signed.replace(b'id="signatures">{', b'id="signatures">{"x":1,'),
        signed.replace(b'id="signatures">{', b'id="signatures"></script><b>{'),
        page_data.SIGNATURES.sub(lambda match: match[0] * 2, signed),
        signed + b" ",
        b"",
    ):
        path.write_bytes(other)
        assert [ok for ok, _ in told()] == ["bad"], other[-200:]


def test_no_text_can_end_a_block_of_data() -> None:
    text = "</script><!--\u2028\u2029\u202e\x00\x7f\x85&" + "".join(HOSTILE)
    told = data_block("x", {"a": [text]})
    inner = told.removeprefix('<script type="application/json" id="x">').removesuffix("</script>")
    assert json.loads(inner) == {"a": [text]}
    assert inner.isascii() and inner.isprintable() and not set(inner) & set("<>&")


@pytest.mark.parametrize("bad", ["</script>", "</SCRIPT ", "<!--", "\r", "\0"])
def test_a_script_that_could_end_its_element_makes_no_page(bad: str) -> None:
    with pytest.raises(ValueError, match="could end"):
        page("x", [], [], page_data.Html(""), scripts=[f"1;{bad}"])


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_whatever_the_log_says_is_text_in_the_page(forger: Forger, number: int) -> None:
    said = HOSTILE[number][:900]

    def hostile(steps: list[object]) -> list[object]:
        return [
            replace(step, reason=said, next=said) if isinstance(step, ev.ItemVerdict)
            else replace(step, title=said) if isinstance(step, ev.ItemDeclared)
            else replace(step, environment=said or "x") if isinstance(step, ev.BuildStarted)
            else step
            for step in steps
        ]  # fmt: skip

    folder = forger.evidence(hostile)  # type: ignore[arg-type]
    plain = forger.evidence()

    def tags(folder: Path) -> list[str]:
        told = (folder / "index.html").read_text("utf-8")
        assert not [c for c in told if c != "\n" and not c.isprintable()]
        return [
            tag
            for tag in re.findall("<[^>]*>", re.sub("<script.*?</script>", "", told, flags=re.DOTALL))
            if "bdi" not in tag
        ]

    assert tags(folder)[3:] == tags(plain)[3:]


def test_of_a_long_log_a_page_has_what_it_reads_and_hashes_from_which_the_root_follows(
    evidence: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (evidence / "log/index.jsonl").read_bytes().splitlines()
    chunks = [*page_data._chunks(evidence / "log/index.jsonl", whole=True)]
    assert [line for chunk in chunks for line in chunk] == [line.decode() for line in lines]
    long = evidence / "long.jsonl"
    filler = b'{"body":{"e":"item.progress"},"k":"ev"}'
    more = [*lines[:100], *[filler] * 1000, *lines[100:]]
    long.write_bytes(b"".join(line + b"\n" for line in more))
    chunks, tree, whole, kept = [*page_data._chunks(long, whole=False)], CompactRange(), CompactRange(), 0
    for line in more:
        whole.append(leaf_hash(line))
    assert [isinstance(chunk, str) for chunk in chunks] == [False, True, True, True, False]
    for place, chunk in enumerate(chunks):
        held = more[256 * place : 256 * place + 256]
        hashed = [base64.b64encode(leaf_hash(line)).decode() for line in held]
        if isinstance(chunk, str):
            piece = CompactRange()
            for line in held:
                piece.append(leaf_hash(line))
            assert base64.b64decode(chunk) == piece.root()
        for item in hashed if isinstance(chunk, str) else chunk:
            kept += item.startswith("{")
            tree.append(leaf_hash(item.encode()) if item.startswith("{") else base64.b64decode(item))
    assert tree.root() == whole.root() and 20 < kept < len(lines) + 230
    monkeypatch.setattr(page_data, "WHOLE_RECORDS", 10)
    manifest, policy = load(evidence / "policy/release.toml"), load_policy(evidence / "policy")
    state = fold(read_entries(evidence / "log"))
    short = evidence_page(evidence, manifest, policy, state)
    products = block(short, "evidence")
    assert isinstance(products, dict)
    there = [line for chunk in products["log"] if not isinstance(chunk, str) for line in chunk]
    for n in products["products"]:
        assert json.loads(there[n])["body"]["e"] == "product.collected"
