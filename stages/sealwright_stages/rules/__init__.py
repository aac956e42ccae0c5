"""The rules that an audit holds a release against, by their ids: the one list of them.

- A finding names the rule that it is about; an id that is not here can't be named.
- `docs/reference/audit-rules.md` says what stands here.
"""

from __future__ import annotations

from collections.abc import Mapping

RULES: Mapping[str, str] = {
    # the folder
    "folder-plain": "The folder holds plain files and folders, nothing else; and it can be read.",
    "folder-listed": "Every file is one that manifest and log name.",
    "pages": "`verify.py`, `HOW-TO-VERIFY.txt` and `index.html` are what this version writes for this log.",
    "evidence-read": "Nothing in the folder makes the audit itself fail.",
    # the log
    "log-whole": "Chain, segments, tree, times, seal and `SHA256SUMS` agree, and the log's key signed the root.",
    "log-kept": "Where the manifest names the log's authority, the log is one that it kept.",
    "log-ends": "Every stream of the last run ended clean; so did those of the runs before it, or it is told.",
    "cosignatures": "A cosignature of a witness that was named verifies.",
    "saved-checkpoint": "The log continues every checkpoint that was saved of it.",
    # the policy
    "policy-read": "Manifest and keyring in the evidence can be read, and declare something that a release can be.",
    "policy-logged": "Manifest, keyring and release are those that the log went by.",
    "policy-rotated": "A keyring of version 2 or later was led to by signed steps, each told in the log and there again.",
    "policy-signed": "Where the manifest wants the keyring itself signed, it is; and the log says so, of this list.",
    "memory": "Earlier releases were read where the manifest names some: before any item, of this release's name.",
    # what was signed
    "sums": "`SHA256SUMS` names the products of the log, all and no others, sorted.",
    "products": "The products have the bytes and sizes that the log says.",
    "proofs": "Each product's record is proved to be in the sealed log.",
    "signers": "As many of the persons who must, signed both sums; and not before the log was sealed.",
    "joined": "A joined release is what joining the builders in it gives, byte for byte, and nothing else.",
    "builders": "Where the manifest wants several builders, they agree; evidence of one alone is no release.",
    "provenance": "Each provenance says what the log says; one, at least, is signed by a person who counts.",
    "provenance-raw": "A raw Ed25519 signature of a provenance verifies, by a key of a person who signed it by OpenPGP.",
    "sbom": "`sbom.cdx.json` names what the log says that the products were made from.",
    "attestation": "Where the manifest asks for it, a TPM quoted the sealed checkpoint; by a key that was named, if any.",
    # the story: runs and stages
    "event-known": "Every event is of a known kind with its fields, and about what was declared.",
    "event-source": "Events stand on the stream `engine` and nothing else does; the authority's own words are its own.",
    "run-order": "Each event belongs to a run; a run begins once the one before it has ended, and says so.",
    "run-declared": "Each run goes by this manifest, keyring, release and version, and is official.",
    "declared": "The items declared are those of the manifest, each as it says, all before the first stage.",
    "stage-order": "Each run goes through the stages in their order, sources and verdicts first, and ends each.",
    "stage-ended": "A stage that ended says truly whether all its items are green.",
    "gate-agrees": "A gate says what the items say at that moment, after the stages before it, and once.",
    "gate-open": "A stage began, and a build, only while its gate was open and had been recorded open.",
    "sealed": "The log was sealed by a run that had begun to, with the gate before seal open, and said no more.",
    # items
    "item-order": "An item starts once what it waits for is there, from pending, and is reset only from another state.",
    "verdict-order": "A verdict is given while the item runs; red may come before.",
    "verdict-form": "Passed is `ok`; a warning is one that may be waived; what is green names the bytes it is about.",
    "verdict-evidence": "Nothing of verify is green without evidence, and evidence is what its verdict names.",
    "verdict-declared": "What is green is what the manifest asks for: digest, address, ref, signers, packages.",
    "waiver-named": "A waiver names a person and a reason, covers a standing warning, and is the manifest's if it has one.",
    "deletion": "What was deleted is told with a size and, if it had one, a SHA-256.",
    "promotion": "Sources are promoted once: after every item of them was declared and green, one of them verified.",
    # builds
    "sandbox-held": "A run that builds says that its sandbox held, if one before it in the log did, and it says so whole.",
    "root-evidence": "A build root's evidence says in full what it was made of, and that is what is asked for.",
    "build-declared": "A build has recipe, environment and limits of the manifest, an item that runs, a stream of its own.",
    "build-inputs": "It was built from the promoted sources, under their manifest, epoch and verified build root.",
    "build-needs": "All that it needs was built before; it saw the products of that, as they stand at the seal.",
    "build-ended": "A build's stream ended, as the build says it did, before it said so.",
    "build-figures": "What a build took is told whole: nothing is negative, and no peak is below what was seen on the way.",
    "product-of-build": "A product is of a build that ended well, by the manifest's patterns, collected once.",
    "products-judged": "A build is green for exactly the products that were collected, by SHA-256.",
    "product-compared": "A product is set beside what the verified index names, and the result is true.",
    "reference-judged": "Products are set beside the archive's packages; the verdict is what their digests say.",
    "second-build": "A second build followed the green first one, from the same, and varied what the manifest lets it.",
    "second-judged": "A second build is judged by its products beside those that stand, green for the same bytes alone.",
    # streams
    "stream-named": "Each stream is named by one event, and what an event names is there, whole, before it.",
}


def known(rule: str) -> str:
    """The id, if there is such a rule; KeyError for one that there is not."""
    if rule not in RULES:
        raise KeyError(f"{rule} is no rule of an audit")
    return rule
