"""The two pages of an evidence folder that are for people: how to verify it by hand, and an overview."""

from __future__ import annotations

from sealwright_stages.html_text import safe
from sealwright_stages.manifest import Manifest
from sealwright_stages.state import State

_HOW = """HOW TO VERIFY {release} WITHOUT SEALWRIGHT

You need: gpg, sha256sum, python3. Get the signers' fingerprints from somewhere other than this folder.

1. Who signed. Import the keys into a home of their own and compare the full fingerprints:
     export GNUPGHOME="$(mktemp -d)"
     gpg --import policy/keys/*.asc
     gpg --fingerprint
     gpg --verify SHA256SUMS.asc SHA256SUMS
     gpg --verify log/SHA256SUMS.asc log/SHA256SUMS
   {threshold} of these persons must have signed: {signers}.
   gpg must say "Good signature" for a fingerprint that you know; exit codes alone prove nothing.
   The same with gpgv, which looks neither at expiry nor at revocation:
     gpg --export > "$GNUPGHOME/release.gpg"
     gpgv --keyring "$GNUPGHOME/release.gpg" SHA256SUMS.asc SHA256SUMS
     gpgv --keyring "$GNUPGHOME/release.gpg" log/SHA256SUMS.asc log/SHA256SUMS

2. The files are the signed ones:
     sha256sum -c SHA256SUMS
     (cd log && sha256sum -c SHA256SUMS)

3. The log is whole, and is the one that was sealed:
     python3 -I verify.py log
   It says "whole", or "BAD" and where. Whatever else it says, or a long error, is a no too.
   It looks at log/index.jsonl, log/data, log/SHA256SUMS and the root in log/checkpoint.sealed. It does not look at
   signatures (step 1 does), at log/tile, log/proofs and log/checkpoint (made from the index, or added to it), at the
   products (step 2 does), at whether the records are well written, or at what they tell: that the rules were kept,
   and that nothing red was passed over. For that read step 4, or use Sealwright.

4. What happened: log/index.jsonl is one JSON object a line; data/ holds every build's output.
     grep '"e":"item.verdict"' log/index.jsonl
     grep '"e":"gate.decided"' log/index.jsonl

{policy}What it was made from stands in provenance.*.dsse.json, which is signed too, and in sbom.cdx.json, whose SHA-256 is
in the former. The commands for sqv, openssl, securesystemslib and @sigstore/verify are in Sealwright's documentation:
docs/how-to/verify-with-other-programs.md.

With Sealwright:  sealwright audit .     and     sealwright check FILE --evidence .
"""

_POLICY = """5. Who agreed to this choice of keys. The signature is of one or more kinds; check those that are there:
     (cd policy && sha256sum -c SHA256SUMS)
     gpg --verify policy/SHA256SUMS.asc policy/SHA256SUMS
     ssh-keygen -Y verify -f YOUR_ALLOWED_SIGNERS -I NAME -n file -s policy/SHA256SUMS.sig < policy/SHA256SUMS
     minisign -V -P YOUR_COPY_OF_THE_KEY -m policy/SHA256SUMS
   {threshold} of these persons must have signed: {signers}.

"""

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{release}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}
td,th{{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc}}
code{{font-size:.85em;word-break:break-all}}</style></head><body>
<h1>{release}</h1>
<p>Built by Sealwright. This page proves nothing by itself: follow <code>HOW-TO-VERIFY.txt</code>.</p>
<h2>Products</h2><table><tr><th>file</th><th>SHA-256</th><th>beside the archive's</th></tr>{products}</table>
<h2>What was checked</h2>
<table><tr><th>component</th><th>item</th><th>verdict</th><th>reason</th></tr>{items}</table>
</body></html>
"""


def how_to_verify(manifest: Manifest) -> str:
    """The text of HOW-TO-VERIFY.txt."""
    policy = ""
    if manifest.policy_signers:
        policy = _POLICY.format(threshold=manifest.policy_threshold, signers=", ".join(manifest.policy_signers))
    signers = ", ".join(manifest.signers)
    if manifest.builders > 1:
        signers += f",\n   over all of {manifest.builders} builders who got the same SHA256SUMS: sealwright join"
    return _HOW.format(release=manifest.release, threshold=manifest.threshold, signers=signers, policy=policy)


def index_page(state: State, manifest: Manifest) -> str:
    """The overview page: a static file without scripts, every text from outside escaped."""
    products = "".join(
        f"<tr><td>{safe(p.component)}/{safe(p.name)}</td><td><code>{p.sha256}</code></td>"
        f"<td>{safe(p.beside)}</td></tr>"
        for p in state.products.values()
    )
    items = "".join(
        f"<tr><td>{safe(i.component)}</td><td>{safe(i.title)}</td><td>{i.status}"
        f"{' (waived by ' + safe(i.waiver.person) + ')' if i.waiver else ''}</td><td>{safe(i.reason)}</td></tr>"
        for i in state.items.values()
    )
    return _PAGE.format(release=safe(manifest.release), products=products, items=items)
