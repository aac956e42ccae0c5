"""The parser of raw tags and commits: real ones, and what no git writes."""

from __future__ import annotations

import base64
import collections
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_keyring.certificates import certificates
from sealwright_keyring.policy import Person
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Failed, Passed, Warned
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.git_objects import LIMIT, object_id, parse_commit, parse_tag, plain_signature
from sealwright_stages.verify.signatures import judge_signature
from verify.workbench import TAGGER, tag_payload

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
COMMIT = "a" * 40
SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n"
WHO = b"A Person <person@example.org> 1700000000 +0000"
HEAD = b"tree %s\nauthor %s\ncommitter %s\n" % (b"b" * 40, WHO, WHO)


def refusal(raw: bytes, name: str = "v1") -> str:
    with pytest.raises(RefusedError) as refused:
        parse_tag(raw, name)
    return refused.value.code


def test_payload_and_signature_are_the_whole_tag() -> None:
    payload = tag_payload(COMMIT, "v1")
    tag = parse_tag(payload + SIGNATURE, "v1")
    assert (tag.target, tag.payload, tag.signature) == (COMMIT, payload, SIGNATURE)


@pytest.mark.parametrize(
    "raw",
    [
        tag_payload(COMMIT, "v1").replace(b"type", b"object " + b"c" * 40 + b"\ntype") + SIGNATURE,
        tag_payload(COMMIT, "v1").replace(TAGGER, TAGGER + b"\ngpgsig x") + SIGNATURE,
        tag_payload(COMMIT, "v1").replace(TAGGER + b"\n", b"") + SIGNATURE,
        tag_payload(COMMIT, "v1").replace(b"tag v1\n" + TAGGER, TAGGER + b"\ntag v1") + SIGNATURE,
        tag_payload(COMMIT.upper(), "v1") + SIGNATURE,
        tag_payload("a" * 39, "v1") + SIGNATURE,
        tag_payload(COMMIT, "v1", b"a\0b\n") + SIGNATURE,
        tag_payload(COMMIT, "v1").replace(b"+0000", b"+0000 ") + SIGNATURE,
        b"",
    ],
)
def test_headers_stand_once_and_in_order(raw: bytes) -> None:
    assert refusal(raw) == "object-malformed"


_ODD_TIMES = (1 << 33, 10**17, 10**18 - 1)


@pytest.mark.parametrize("time", _ODD_TIMES)
def test_a_time_lies_between_1970_and_2242(time: int) -> None:
    odd, latest = b" %d +0000" % time, b" %d +0000" % ((1 << 33) - 1)
    when = b" 1700000000 +0000"
    assert when in TAGGER
    assert refusal(tag_payload(COMMIT, "v1").replace(when, odd) + SIGNATURE) == "object-malformed"
    assert parse_tag(tag_payload(COMMIT, "v1").replace(when, latest) + SIGNATURE, "v1").name == "v1"
    for header in (b"author ", b"committer "):
        with pytest.raises(RefusedError, match="no clock has shown"):
            parse_commit(HEAD.replace(header + WHO, header + WHO.replace(when, odd)) + b"\nx\n")
    assert parse_commit(HEAD.replace(when, latest) + b"\nx\n").epoch == (1 << 33) - 1


def test_a_commits_time_is_read_from_its_bytes_and_not_from_what_is_shown() -> None:
    who = b"A " * 300 + b"<a@example.org> 1600000000 -0330"
    assert parse_commit(HEAD.replace(b"committer " + WHO, b"committer " + who) + b"\nx\n").epoch == 1_600_000_000


def test_an_object_is_at_most_1_mib() -> None:
    assert refusal(tag_payload(COMMIT, "v1", b"x" * LIMIT) + SIGNATURE) == "object-too-large"


@pytest.mark.parametrize("rest", [b"trailing\n", b"\n", b" ", SIGNATURE])
def test_the_signature_is_the_very_end_of_a_tag(rest: bytes) -> None:
    assert refusal(tag_payload(COMMIT, "v1") + SIGNATURE + rest) == "signature-ambiguous"


def test_a_signature_in_the_middle_of_the_text_is_refused() -> None:
    assert refusal(tag_payload(COMMIT, "v1", b"x\n" + SIGNATURE + b"y\n") + SIGNATURE) == "signature-ambiguous"


def test_the_mere_begin_of_another_signature_is_refused() -> None:
    begin = SIGNATURE.split(b"\n")[0] + b"\n"
    assert refusal(tag_payload(COMMIT, "v1", begin) + SIGNATURE) == "signature-ambiguous"


def test_only_openpgp_and_ssh_signatures_are_judged() -> None:
    for kind in (b"PGP", b"SSH"):
        tag = parse_tag(tag_payload(COMMIT, "v1") + SIGNATURE.replace(b"PGP", kind), "v1")
        assert plain_signature(tag.signature, "tag") == tag.signature
    x509 = SIGNATURE.replace(b"PGP SIGNATURE", b"SIGNED MESSAGE")
    tag = parse_tag(tag_payload(COMMIT, "v1") + x509, "v1")
    with pytest.raises(RefusedError) as refused:
        plain_signature(tag.signature, "tag")
    assert refused.value.code == "signature-kind-unsupported"


def test_a_commits_signature_covers_all_but_its_header() -> None:
    folded = SIGNATURE.rstrip(b"\n").replace(b"\n", b"\n ")
    raw = HEAD + b"gpgsig " + folded + b"\n\nmessage\n"
    commit = parse_commit(raw)
    assert (commit.payload, commit.signature) == (HEAD + b"\nmessage\n", SIGNATURE)


@pytest.mark.parametrize(
    "raw",
    [
        HEAD + b"gpgsig a\ngpgsig b\n\nm\n",
        HEAD + b"gpgsig-sha256 a\n\nm\n",
        HEAD + b"extra a\n\nm\n",
        HEAD.replace(b"author", b"parent x\nauthor") + b"\nm\n",
        HEAD.replace(b"tree", b"tree " + b"c" * 40 + b"\ntree") + b"\nm\n",
        HEAD + b" goes on\n\nm\n",
        HEAD + b"encoding\n\nm\n",
        HEAD,
    ],
)
def test_a_commits_headers_are_those_of_git(raw: bytes) -> None:
    with pytest.raises(RefusedError):
        parse_commit(raw)


@given(st.binary(max_size=300), st.integers(0, 120))
@settings(deadline=None, max_examples=200)
def test_damage_is_refused_or_stays_in_payload_and_signature(junk: bytes, at: int) -> None:
    good = tag_payload(COMMIT, "v1") + SIGNATURE
    raw = good[:at] + junk + good[at:]
    try:
        tag = parse_tag(raw, "v1")
    except RefusedError as error:
        assert error.reason.isprintable()
        return
    assert tag.payload + tag.signature == raw


def corpus() -> list[dict[str, str]]:
    if not (CORPUS / "git-tags.jsonl").is_file():
        pytest.skip("the corpus of real tags is not beside this checkout")
    return [json.loads(line) for line in (CORPUS / "git-tags.jsonl").read_text().splitlines()]


def test_every_real_tag_is_parsed_and_hashes_to_its_name() -> None:
    for entry in corpus():
        raw = base64.b64decode(entry["object"])
        tag = parse_tag(raw, entry["ref"].removeprefix("refs/tags/"))
        assert tag.payload + tag.signature == raw, entry["ref"]
        assert len(object_id("tag", raw)) == 40


@pytest.mark.slow
def test_every_real_tag_is_judged_as_its_facts_say() -> None:
    known = certificates((CORPUS / "git-tags-keys.asc").read_bytes()) if corpus() else ()
    by_key = {c.fingerprint: c for c in known}
    found: collections.Counter[str] = collections.Counter()
    for entry in corpus():
        raw = base64.b64decode(entry["object"])
        tag = parse_tag(raw, entry["ref"].removeprefix("refs/tags/"))
        certificate = by_key.get(entry["fingerprint"])
        signer = certificate or known[0]
        trust = Trust((signer.raw,), (Person("upstream", (signer.fingerprint,)),))
        verdict = judge_signature(tag.signature, tag.payload, trust, entry["ref"])
        found[verdict.code] += 1
        if entry["gpg"] == "ERRSIG,NO_PUBKEY" or entry["digest"] == "sha1":
            assert isinstance(verdict, Failed), entry["ref"]
        elif entry["gpg"] == "EXPKEYSIG":
            assert isinstance(verdict, (Warned, Failed)), entry["ref"]
        else:
            assert isinstance(verdict, (Passed, Warned)), (entry["ref"], verdict)
    print(dict(found))
    assert found["ok"] > 50
