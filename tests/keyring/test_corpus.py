"""Real signed tags of public projects: what is genuine and modern is good, and nothing else is."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from sealwright_keyring.keyring_files import fingerprints_in
from sealwright_keyring.openpgp import Bad, Keyring, Weak

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
_MARK = b"-----BEGIN PGP SIGNATURE-----"


def wanted(tag: dict[str, str]) -> str:
    if tag["gpg"] == "ERRSIG,NO_PUBKEY":
        return "signature-unknown-key"
    if tag["digest"] == "sha1":
        return "digest-weak"
    return "key-expired-since" if tag["gpg"] == "EXPKEYSIG" else "good"


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real tags is not here")
def test_every_real_tag_gets_the_verdict_that_its_signature_deserves() -> None:
    keys = (CORPUS / "git-tags-keys.asc").read_bytes()
    tags = [json.loads(line) for line in (CORPUS / "git-tags.jsonl").read_text().splitlines()]
    wrong = []
    with Keyring.of([keys], fingerprints_in(keys)) as ring:
        for tag in tags:
            raw = base64.b64decode(tag["object"])
            at = raw.index(_MARK)
            verdict = ring.verify_detached(raw[at:], raw[:at])
            found = verdict.reason_code if isinstance(verdict, (Bad, Weak)) else "good"
            altered = ring.verify_detached(raw[at:], b"x" + raw[1:at]) if found == "good" and not wrong else None
            if found != wanted(tag) or (altered is not None and not isinstance(altered, Bad)):
                wrong.append((tag["project"], tag["ref"], found, wanted(tag)))
    assert len(tags) > 200
    assert wrong == []
