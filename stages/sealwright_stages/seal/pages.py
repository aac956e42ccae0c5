"""The two pages of an evidence folder that are for people: how to verify it by hand, and one that checks it in a browser.

- `index.html` is a function of the evidence folder: the same folder gives the same bytes.
- It is one file, asks nothing of anybody, and runs no script but the ones whose hashes its policy names.
"""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path

from sealwright_keyring.policy import Policy, load_policy
from sealwright_stages.files import read_small, write_whole
from sealwright_stages.fold import fold
from sealwright_stages.log.entries import read_entries
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.publish.markup import page
from sealwright_stages.publish.style import CSS
from sealwright_stages.seal import page_facts
from sealwright_stages.seal.page_data import SIGNATURES, evidence_block, signatures_block
from sealwright_stages.seal.vendor import openpgp_js
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

With Sealwright:  {ours}
"""

_POLICY = """5. Who agreed to this choice of keys. The signature is of one or more kinds; check those that are there:
     (cd policy && sha256sum -c SHA256SUMS)
     gpg --verify policy/SHA256SUMS.asc policy/SHA256SUMS
     ssh-keygen -Y verify -f YOUR_ALLOWED_SIGNERS -I NAME -n file -s policy/SHA256SUMS.sig < policy/SHA256SUMS
     minisign -V -P YOUR_COPY_OF_THE_KEY -m policy/SHA256SUMS
   {threshold} of these persons must have signed: {signers}.

"""


def how_to_verify(manifest: Manifest) -> str:
    """The text of HOW-TO-VERIFY.txt."""
    policy = ""
    if manifest.policy_signers:
        policy = _POLICY.format(threshold=manifest.policy_threshold, signers=", ".join(manifest.policy_signers))
    signers = ", ".join(manifest.signers)
    ours = "sealwright audit .     and     sealwright check FILE --evidence ."
    if manifest.builders > 1:
        ours = "sealwright join . OTHERS_EVIDENCE...     since this is the evidence of one builder"
        signers += f",\n   over all of {manifest.builders} builders who got the same SHA256SUMS: sealwright join"
    return _HOW.format(
        release=manifest.release, threshold=manifest.threshold, signers=signers, policy=policy, ours=ours
    )


def write_page(evidence: Path) -> None:
    """Write the evidence folder's `index.html` anew, whole or not at all: after the seal, and whenever signatures came.

    It is made of what lies in the folder, and of nothing else. One that is right already is left as it is.

    Raises:
        MachineError: the disk is full, or the folder refuses.
        OSError, KeyringError, ManifestError, LogBroken: what it is made of can't be read.
    """
    manifest, policy = load(evidence / "policy/release.toml"), load_policy(evidence / "policy")
    rewrite_page(evidence, manifest, policy, fold(read_entries(evidence / "log")))


def rewrite_page(evidence: Path, manifest: Manifest, policy: Policy, state: State) -> None:
    """The same, for who has read manifest, policy and log of the evidence already.

    Raises:
        MachineError, OSError: as of `write_page`.
    """
    path, made = evidence / "index.html", evidence_page(evidence, manifest, policy, state)
    with contextlib.suppress(OSError):
        if read_small(path, len(made)) == made:
            return
    write_whole(path, made)


def evidence_page(evidence: Path, manifest: Manifest, policy: Policy, state: State) -> bytes:
    """The bytes of that page; `manifest`, `policy` and `state` are those of the evidence.

    Raises:
        OSError: a file is missing, or no plain one.
    """
    products = sorted(state.products.values(), key=lambda each: f"products/{each.component}/{each.name}")
    return page(
        f"{manifest.name} {manifest.version}",
        page_facts.header(state, manifest),
        page_facts.main(state, manifest, policy, products),
        page_facts.FOOTER,
        css=CSS + _own("page.css"),
        data=[evidence_block(evidence, manifest, policy, products, state.last_n + 1), signatures_block(evidence)],
        scripts=[openpgp_js(), *map(_own, ("tree.js", "check.js", "face.js"))],
    )


def but_for_signatures(data: bytes) -> bytes:
    """A page of ours without its signatures: two of one sealed log are the same then.

    The signatures that a page holds are data that does nothing until it was checked.
    """
    return SIGNATURES.sub(b"", data, count=1)


@cache
def _own(name: str) -> str:
    return (Path(__file__).parent / "page" / name).read_text("utf-8")
