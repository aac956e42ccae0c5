"""All annotated tags of a public project's repository, judged by its real keys, as the git kind does.

- One keyring serves all tags of a repository; it holds those certificates that any of the tags names.
- The trees are not walked: this is about tags and signatures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from sealwright_keyring.certificates import Certificate, certificates
from sealwright_keyring.errors import MalformedError
from sealwright_keyring.openpgp import Keyring, signature_issuers
from sealwright_keyring.policy import Person
from sealwright_stages.ports import Trust
from sealwright_stages.process import run
from sealwright_stages.verdict import Failed
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.git_objects import LIMIT, Tag, parse_tag, plain_signature
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.settle import settle
from sealwright_stages.verify.signatures import Kind, kind_of
from sealwright_stages.verify.verifier import verifier
from survey.tally import NOT_JUDGED, Tally


def tags(repository: Path, key_files: Sequence[Path]) -> Tally:
    """Judge every annotated tag of a bare repository by the certificates in `key_files`."""
    tally = Tally(f"tags of {repository.parent.name}")
    found: list[tuple[str, Tag]] = []
    for name, raw in _annotated(repository):
        try:
            tag = parse_tag(raw, name)
            if kind_of(plain_signature(tag.signature, "tag")) is Kind.OPENPGP:
                found.append((name, tag))
            else:
                tally.note(NOT_JUDGED, name, "ssh", "signed by SSH; no key file of that kind is taken here")
        except RefusedError as error:
            tally.add(name, error.verdict())
    chosen = _named(found, [each for path in key_files for each in certificates(path.read_bytes())])
    trust = Trust((), (Person("upstream", tuple(chosen)),))
    if not chosen:
        for name, _ in found:
            tally.note(NOT_JUDGED, name, "no-key", "none of the key files holds a key that a tag names")
        return tally
    with Keyring.of([each.raw for each in chosen.values()], chosen, gpg=verifier()) as keyring:
        for name, tag in found:
            verdicts = keyring.verify_detached_many(tag.signature, tag.payload)
            verdict = settle(verdicts, trust, name, hashlib.sha256(tag.payload).hexdigest())
            if tag.proof and not isinstance(verdict, Failed):
                tally.note("waivable", name, "tag-timestamped", verdict.reason)
            else:
                tally.add(name, verdict)
    return tally


def _annotated(repository: Path) -> Iterator[tuple[str, bytes]]:
    store = ObjectStore(repository)
    argv = ["git", "--git-dir", str(repository), "for-each-ref", "--format=%(objecttype) %(objectname) %(refname)"]
    listing = run([*argv, "refs/tags"], timeout=120, env={"GIT_CONFIG_GLOBAL": "/dev/null"}).stdout
    for line in listing.decode().splitlines():
        kind, target, ref = line.split(" ", 2)
        if kind == "tag":
            yield ref.removeprefix("refs/tags/"), store.read(target, "tag", LIMIT)


def _named(found: Sequence[tuple[str, Tag]], pool: Sequence[Certificate]) -> dict[str, Certificate]:
    """The certificates of `pool` that the tags' signatures name, by primary fingerprint."""
    issuers: set[str] = set()
    for _, tag in found:
        try:
            issuers.update(signature_issuers(tag.signature))
        except MalformedError:
            continue
    return {
        each.fingerprint: each
        for each in pool
        if any(key in issuers or key[-16:] in issuers for key in (each.fingerprint, *each.subkeys))
    }
