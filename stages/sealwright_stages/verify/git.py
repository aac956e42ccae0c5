"""Judge a fetched git ref: signed tag, or signed commit, down to every byte of its tree.

- The signature is checked over the raw object that was fetched, by the chosen keys only.
- From the signed object on, each object is found by a name that is hashed again: tag, commit, tree, blobs.
- A lightweight tag is no signature; neither is an unsigned commit: both are red.
- A signed commit is never plain green: it says who wrote it, not that it was to be released. Nor is a tag below
  whose signature a proof by OpenTimestamps stands.
- An SSH signature must be made for git, and is judged by the time in the object that it covers: tagger, committer.
- Where a trust root is declared, the commit is it, or descends from it: a tag does not name its project, its
  history does.
- Verdicts name the SHA-256 of the signed object, and what is written later must hash to it again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sealwright_keyring.gpg import Gpg
from sealwright_stages.ports import Progress, Trust
from sealwright_stages.verdict import Failed, Green, Passed, Verdict, Warned
from sealwright_stages.verify.codes import RefusedError, warned
from sealwright_stages.verify.git_history import check_descent
from sealwright_stages.verify.git_objects import (
    LIMIT,
    Commit,
    Tag,
    object_id,
    parse_commit,
    parse_tag,
    plain_signature,
)
from sealwright_stages.verify.git_store import ObjectStore
from sealwright_stages.verify.git_tree import list_tree
from sealwright_stages.verify.settle import renamed
from sealwright_stages.verify.signatures import Purpose, judge_signature

_TELL_EVERY = 500  # files


@dataclass(frozen=True)
class Wanted:
    """The ref in the bare repository, and what it must be: a tag of this name, a commit, or a branch's tip.

    `root` is the trust root, 40 hex digits.
    """

    ref: str
    tag: str | None
    commit: str | None
    root: str | None = None


@dataclass(frozen=True)
class Signed:
    """The signed object as found: its bytes' SHA-256, payload, signature and time, and the commit below it."""

    sha256: str
    raw: bytes
    payload: bytes
    signature: bytes
    time: int
    commit_id: str
    commit: Commit
    tag: Tag | None = None


def find(store: ObjectStore, wanted: Wanted) -> Signed:
    """Follow the ref to the signed object and its commit.

    Raises:
        RefusedError: it is not what was asked for.
    """
    target = store.ref(wanted.ref)
    kind = store.kind(target)
    if wanted.tag is not None:
        if kind != "tag":
            raise RefusedError(
                "tag-lightweight",
                f"{wanted.tag} is a bare pointer to a {kind}, which nobody signed",
                "ask upstream for a signed tag, or pin the commit",
            )
        raw = store.read(target, "tag", LIMIT)
        tag = parse_tag(raw, wanted.tag)
        commit = parse_commit(store.read(tag.target, "commit", LIMIT))
        return Signed(_sha256(raw), raw, tag.payload, tag.signature, tag.epoch, tag.target, commit, tag)
    if wanted.commit is not None and target != wanted.commit:
        raise RefusedError("commit-mismatch", f"{target} arrived instead of {wanted.commit}", "look at the server")
    raw = store.read(target, "commit", LIMIT)
    commit = parse_commit(raw)
    return Signed(_sha256(raw), raw, commit.payload, commit.signature, commit.epoch, target, commit)


def _silent(done: int, total: int, note: str) -> None:
    """Tell nobody how far it is."""


def judge(
    store: ObjectStore,
    wanted: Wanted,
    trust: Trust,
    gpg: Gpg | None = None,
    submodules: Collection[str] = (),
    progress: Progress = _silent,
) -> Verdict:
    """Judge the ref: structure first, then the signature, the history, and every byte of the tree.

    `submodules` are the paths where the tree may have one; `progress` may raise, to stop.
    """
    what = "tag" if wanted.tag is not None else "commit"
    try:
        signed = find(store, wanted)
        signature = plain_signature(signed.signature, what)
    except RefusedError as error:
        return error.verdict()
    name = f"{what} {wanted.tag or signed.commit_id}"
    purpose = Purpose("git", datetime.fromtimestamp(signed.time, UTC))
    verdict = judge_signature(signature, signed.payload, trust, name, purpose=purpose, gpg=gpg)
    verdict = renamed(verdict, signed.sha256, _evidence(signed))
    if isinstance(verdict, Failed):
        return verdict
    try:
        lineage = check_descent(store, signed.commit_id, wanted.root, progress) if wanted.root else {}
        counts = read_whole_tree(store, signed.commit.tree, submodules, progress)
    except RefusedError as error:
        return error.verdict(signed.sha256, verdict.evidence)
    verdict = replace(verdict, evidence={**verdict.evidence, **lineage, **counts})
    if wanted.tag is None:
        why = f"{name}: {verdict.reason}; but no signed tag says that it is a release"
        ask = "ask upstream for a signed tag, or waive it with the reason why this commit"
        return _weaker(verdict, "commit-signed-only", why, ask)
    if signed.tag is not None and signed.tag.proof:
        why = f"{name}: {verdict.reason}; but a proof by OpenTimestamps follows, which it does not cover"
        return _weaker(verdict, "tag-timestamped", why, "waive this by name; to check the proof, use `ots`")
    return verdict


def _weaker(verdict: Passed | Warned, code: str, why: str, next_step: str) -> Verdict:
    """A warning of its own, beside what else was weak about it."""
    code += f"+{verdict.code}" if isinstance(verdict, Warned) else ""
    return warned(code, why, next_step, verdict.subject_sha256, verdict.evidence)


def read_whole_tree(
    store: ObjectStore, tree: str, submodules: Collection[str] = (), progress: Progress = _silent
) -> dict[str, object]:
    """Read and hash every object of a tree once; returns counts for the evidence.

    Raises:
        RefusedError: an object is missing or wrong, or the tree breaks a rule.
    """
    listing = list_tree(store, tree, submodules)
    blobs = listing.blobs()
    size = 0
    for done, entry in enumerate(blobs):
        if done % _TELL_EVERY == 0:
            progress(done, len(blobs), "of its files read")
        size += len(store.read(entry.id, "blob"))
    counts: dict[str, object] = {"entries": len(listing.entries), "links": len(listing.links), "bytes": size}
    return {**counts, "submodules": listing.submodules} if listing.submodules else counts


def judged(store: ObjectStore, wanted: Wanted, green: Green) -> Signed:
    """The very object that `green` was given for.

    Raises:
        RefusedError: the repository holds another object by now.
    """
    signed = find(store, wanted)
    if signed.sha256 != green.verdict.subject_sha256:
        raise RefusedError(
            "changed-since-verified", "the signed object is not the one that was judged", "run again"
        )
    return signed


def _evidence(signed: Signed) -> dict[str, object]:
    tag: dict[str, object] = {}
    if signed.tag is not None:
        name, tagger, tagged = signed.tag.name, signed.tag.tagger, signed.tag.epoch
        tag = {"tag": name, "tag_object": object_id("tag", signed.raw), "tagger": tagger, "tagged": tagged}
    return {
        **tag,
        "commit": signed.commit_id,
        "tree": signed.commit.tree,
        "committer": signed.commit.committer,
        "committed": signed.commit.epoch,
        "object_sha256": signed.sha256,
        "object_base64": base64.b64encode(signed.raw[:32768]).decode(),
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
