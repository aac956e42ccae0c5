"""A release of its whole way whose manifest asks for a TPM's quote: the run, the audit and the check call it emulated."""

from __future__ import annotations

import shutil

import pytest

from support.software_tpm import needs_tpm, software_tpm
from walk.walking import Walk

pytestmark = [
    pytest.mark.slow,
    pytest.mark.sandbox,
    pytest.mark.usefixtures("sandbox"),
    needs_tpm,
]
EMULATED = "emulated: assures nothing"


def test_a_signed_release_has_its_quote_and_everything_says_what_it_is_worth(walk: Walk) -> None:
    with software_tpm(walk.folder / "state" / "tpm") as way:
        walk.change("[signer]", f'[attestation]\ntpm = "{way}"\n[signer]')
        assert EMULATED in walk.look("doctor", walk.manifest).out
        assert EMULATED in walk.run().well().err
    product = walk.evidence / "products" / "greeting" / "greeting.out"
    whose = ("--keyring", walk.folder / "keyring", "--signers", "manager")
    for words in (
        ("audit", walk.evidence),
        ("check", product, "--evidence", walk.evidence),
        ("review", walk.evidence, "--batch"),
    ):
        assert f"attestation: {EMULATED}" in walk.look(*words, *whose).well().told(), words
    walk.run().well()  # what is signed stays as it is, with its quote, and needs the TPM no more
    for path in sorted((walk.evidence / "attestation").iterdir()):
        data = path.read_bytes()
        path.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        done = walk.look("audit", walk.evidence, *whose)
        assert (done.exit, "BAD    attestation" in done.out) == (1, True), path
        path.write_bytes(data)
    shutil.rmtree(walk.evidence / "attestation")
    done = walk.look("audit", walk.evidence, *whose)
    assert (done.exit, "quote.msg is missing" in done.out) == (1, True)
