"""The way from a file to the truth, link by link: each holds, is broken, or was not reached.

- The links: the file, its line in SHA256SUMS, whose keys count, who signed and when, its record in the log, the proof that
  it is there, the sealed checkpoint, what went into it, what was warned of and waived, whether the gates were respected;
  and the folder itself.
- It is a yes if every link holds. Whatever an audit finds bad breaks a link; what belongs to none breaks `evidence`.
- A file that is none of the products says what it is instead, as far as that is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sealwright_appendlog.tree import ProofError
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import Policy
from sealwright_stages.audit import Audit
from sealwright_stages.audit_products import proof_of
from sealwright_stages.audit_signatures import required
from sealwright_stages.check.hashing import Hashed
from sealwright_stages.check.trust import FIRST, UNREAD, Trust
from sealwright_stages.errors import SigningError
from sealwright_stages.events import Stage
from sealwright_stages.findings import Finding
from sealwright_stages.join.sources import builders_of
from sealwright_stages.seal.evidence import published_path
from sealwright_stages.seal.proofs import proof_name
from sealwright_stages.sign.release_signatures import signatures_by, signed_pairs
from sealwright_stages.state import Item, Product, State

NAMES = ("file", "sums", "keys", "signed", "entry", "proof", "sealed", "inputs", "warnings", "gate", "evidence")
"""The links in their order; these names stay."""
_BY_RULE = {
    "sums": "sums", "signers": "signed", "policy-read": "keys", "policy-logged": "keys", "policy-signed": "keys",
    "policy-rotated": "keys", "log-whole": "sealed", "log-kept": "sealed", "log-ends": "sealed",
    "cosignatures": "sealed", "saved-checkpoint": "sealed", "proofs": "proof", "provenance": "inputs",
    "folder-plain": "evidence", "folder-listed": "evidence", "pages": "evidence", "evidence-read": "evidence",
    "products": "evidence", "builders": "signed", "joined": "evidence",
}  # fmt: skip


@dataclass(frozen=True)
class Link:
    """A link: `ok` is `good`, `bad` or `open` (not reached). `said` is for people; `next` is what to do if it is bad."""

    name: str
    ok: str
    said: str
    next: str = ""


@dataclass(frozen=True)
class Signer:
    """A person who has signed both sums: with which key (full primary fingerprint), and when, as the signature says."""

    person: str
    fingerprint: str
    signed: datetime


@dataclass(frozen=True)
class Answer:
    """What is known of one file. `kind` is `product`, `input` (a verified source), `other` or `unread`.

    `item` is the input that it is. `proof` is the C2SP tlog-proof of the first of `products`, empty under a no.
    """

    hashed: Hashed
    kind: str
    links: tuple[Link, ...]
    products: tuple[Product, ...] = ()
    item: Item | None = None
    proof: str = ""

    @property
    def yes(self) -> bool:
        """Whether every link holds."""
        return all(link.ok == "good" for link in self.links)

    @property
    def broken(self) -> list[Link]:
        """The links that do not hold."""
        return [link for link in self.links if link.ok == "bad"]


@dataclass(frozen=True)
class Way:
    """The evidence as it was audited, for any number of files; of a joined release, which was `named`, it is that of a
    builder who agrees. `by` is who signed which builder's evidence: of those who agree, or of the one."""

    evidence: Path
    named: Path
    trust: Trust
    audit: Audit
    by: Mapping[Path, tuple[Signer, ...]] = field(default_factory=dict)
    threshold: int = 0
    by_sha: Mapping[str, list[Product]] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """The state at the log's end."""
        return self.audit.state

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Who has signed, each once, whichever builder's it was."""
        found = {signer.person: signer for signers in self.by.values() for signer in signers}
        return tuple(found[name] for name in sorted(found))

    def bad(self, name: str) -> list[Finding]:
        """What of the audit breaks a link, the first record first."""
        found = [each for each in self.audit.findings if each.ok == "bad" and link_of(each) == name]
        return sorted(found, key=lambda each: each.n if each.n >= 0 else 1 << 60)


def link_of(finding: Finding) -> str:
    """The link that a bad finding breaks."""
    if finding.what in {"rules", "memory"}:
        return "gate"
    return _BY_RULE.get(finding.rule, "evidence")


def way_through(evidence: Path, trust: Trust, audit: Audit, named: Path | None = None) -> Way:
    """The way through evidence that was audited by that trust; `named` is the joined release that it is of."""
    by, threshold = _signers(builders_of(named) or [evidence] if named else [evidence], trust, audit)
    by_sha: dict[str, list[Product]] = {}
    for product in audit.state.products.values():
        by_sha.setdefault(product.sha256, []).append(product)
    return Way(evidence, named or evidence, trust, audit, by, threshold, by_sha)


def _signers(places: Sequence[Path], trust: Trust, audit: Audit) -> tuple[dict[Path, tuple[Signer, ...]], int]:
    """Who of those who count has signed both sums of a builder, for people to read; what counts is the audit's finding."""
    if trust.manifest is None or trust.own is None or audit.report is None:
        return {}, 0
    try:
        wants, _ = required(replace(trust.reviewer, policy=audit.policy), trust.manifest, trust.own)
        if wants is None:
            return {}, 0
        by: dict[Path, tuple[Signer, ...]] = {}
        for place in places:
            pairs = [_first(signature, data, wants.policy, wants.names) for signature, data in signed_pairs(place)]
            both = set.intersection(*(set(each) for each in pairs))
            by[place] = tuple(pairs[0][name] for name in sorted(both))
    except (SigningError, KeyringError, OSError):
        return {}, 0
    return by, wants.threshold


def _first(signature: bytes, data: bytes, policy: Policy, names: Sequence[str]) -> dict[str, Signer]:
    found: dict[str, Signer] = {}
    for name, each in signatures_by(signature, data, policy, names):
        if name not in found or each.created < found[name].signed:
            found[name] = Signer(name, each.fingerprint, each.created)
    return found


def answer(way: Way, hashed: Hashed) -> Answer:
    """What is known of a file."""
    if hashed.trouble:
        link = Link("file", "bad", hashed.trouble, "name a file that can be read, and is no longer written to")
        return Answer(hashed, "unread", (link, *_open(NAMES[1:-1])))
    same = sorted(way.by_sha.get(hashed.sha256, ()), key=lambda p: (p.name != hashed.path.name, published_path(p)))
    whole = way.audit.report is not None
    if not same:
        item = _input(way.state, hashed.sha256) if whole else None
        told = Link("sums", "bad", _no_product(way, hashed, item), _elsewhere(item))
        if not whole:
            told = Link("sums", "open", "")
        links = [_file(hashed), told, _keys(way), *_of_evidence(way)]
        return Answer(hashed, "input" if item else "other", tuple(links), item=item)
    proof, told = _proof(way, same[0])
    links = [_file(hashed), _sums(way, same, hashed), _keys(way), _signed(way), _entry(way, same[0]), told]
    links += [_sealed(way), _inputs(way, same[0]), _warnings(way), _gate(way), *_evidence(way)]
    found = Answer(hashed, "product", tuple(links), tuple(same))
    return Answer(hashed, "product", found.links, found.products, proof=proof if found.yes else "")


def _of_evidence(way: Way) -> Iterator[Link]:
    """What is wrong with the evidence, where the file is no product: that is told, too."""
    for link in (_signed(way), _sealed(way), _gate(way), *_evidence(way)):
        if link.ok == "bad":
            yield link
    for name in ("sums", "proof", "inputs"):
        if found := way.bad(name):
            yield _broken(name, found)


def _open(names: Sequence[str]) -> list[Link]:
    return [Link(name, "open", "") for name in names]


def _file(hashed: Hashed) -> Link:
    return Link("file", "good", hashed.sha256)


_AGAIN = "fetch the evidence again, whole; if it says the same, use nothing of it"
_JOIN = "get the joined release, or the others' evidence and join it: sealwright join EVIDENCE..."
_NEXT = {
    "signed": "ask the persons named, by a second channel; until they have signed, use nothing of it",
    "inputs": "ask who ran this release; until then use nothing of it",
    "gate": "the log itself tells what must not be: use nothing of it, and ask who ran this release",
}


def _broken(name: str, found: Sequence[Finding]) -> Link:
    """A link that the audit's findings break."""
    more = f" (and {len(found) - 1} more: sealwright audit)" if len(found) > 1 else ""
    return Link(name, "bad", f"{found[0].detail}{more}", _NEXT.get(name, _AGAIN))


def _input(state: State, sha256: str) -> Item | None:
    """The verified source that has these bytes."""
    items = (item for item in state.items.values() if item.stage is Stage.VERIFY and item.green)
    return next((item for item in items if item.subject_sha256 == sha256), None)


def _no_product(way: Way, hashed: Hashed, item: Item | None) -> str:
    release = f"{way.state.release} {way.state.version}"
    if item is not None:
        return f"it is an input of {release}, verified for {item.component} ({item.title}), and no product"
    named = [p for p in way.state.products.values() if p.name == hashed.path.name]
    if not hashed.size:
        return "the file is empty, and no product is"
    if named and hashed.size < named[0].size:
        return f"it has {hashed.size} bytes, and the product {named[0].name} has {named[0].size}: it was cut off"
    if named:
        return f"it has other bytes than the product {named[0].name} of {release}"
    return f"no product of {release} has these bytes"


def _elsewhere(item: Item | None) -> str:
    if item is not None:
        return "to use the release, get one of its products; `grep products/ SHA256SUMS` lists them"
    return "don't use it; get the file again from where the release was published"


def _sums(way: Way, same: Sequence[Product], hashed: Hashed) -> Link:
    if found := way.bad("sums"):
        return _broken("sums", found)
    if way.audit.report is None:
        return Link("sums", "open", "")
    told = ", ".join(published_path(product) for product in same)
    other = hashed.path.name not in {product.name for product in same}
    return Link("sums", "good", f"{told} in SHA256SUMS{', under that name' if other else ''}")


def _keys(way: Way) -> Link:
    """Whose keys count."""
    trust = way.trust
    if found := way.bad("keys"):
        return _broken("keys", found)
    pin, offered = trust.pin, trust.offered
    if trust.how == UNREAD or offered is None:
        return Link("keys", "bad", trust.because, _AGAIN)
    if trust.ok:
        return Link("keys", "good", _whose(trust))
    if trust.how == FIRST:
        told = f"nobody's word yet: {offered.name} is not pinned, and these keys lie in the folder itself"
        return Link("keys", "bad", told, "compare the full fingerprints with what you got elsewhere; then --pin")
    assert pin is not None  # noqa: S101 - other than what?
    told = f"{trust.because}. Pinned on {pin.pinned[:10]} from {pin.source}"
    return Link("keys", "bad", told, "ask the persons by a second channel what changed; if it is right: --repin")


def _whose(trust: Trust) -> str:
    if trust.how == "keyring":
        return f"your keyring {trust.reviewer.keyring}"
    if trust.how == "given" or trust.pin is None:
        return "the fingerprints that you gave"
    if trust.how == "followed":
        return f"pinned on {trust.pin.pinned[:10]}; signed steps lead from there to this keyring"
    another = trust.offered is not None and trust.offered.policy_sha256 != trust.pin.policy_sha256
    more = "; the keyring has changed elsewhere" if another else ""
    return f"pinned on {trust.pin.pinned[:10]}{more}"


def _signed(way: Way) -> Link:
    if found := way.bad("signed"):
        alone = all(each.rule == "builders" for each in found) and way.named == way.evidence
        return replace(_broken("signed", found), next=_JOIN) if alone else _broken("signed", found)
    if way.audit.report is None or not way.signers:
        return Link("signed", "open", "")
    names = ", ".join(signer.person for signer in way.signers)
    return Link("signed", "good", f"{len(way.signers)} of {way.threshold} needed: {names}")


def _entry(way: Way, product: Product) -> Link:
    if way.audit.report is None:
        return Link("entry", "open", "")
    return Link(
        "entry",
        "good",
        f"record {product.n} of {way.audit.report.records} in the log, sealed {way.state.last_t[:19]}Z",
    )


def _proof(way: Way, product: Product) -> tuple[str, Link]:
    if found := way.bad("proof"):
        return "", _broken("proof", found)
    if way.audit.report is None:
        return "", Link("proof", "open", "")
    try:
        text, told = proof_of(way.evidence, product)
    except (OSError, ProofError, ValueError) as error:
        return "", Link("proof", "bad", f"log/proofs/{proof_name(product)}: {error}", _AGAIN)
    hashes = told.partition(": ")[2].partition(" lead")[0]
    return text, Link("proof", "good", f"{hashes} lead from it to the sealed root")


def _sealed(way: Way) -> Link:
    if found := way.bad("sealed"):
        return _broken("sealed", found)
    report = way.audit.report
    if report is None:
        return Link("sealed", "open", "")
    cosigned = ", ".join(each.witness.name for each in report.cosigned)
    more = f", cosigned by {cosigned}" if cosigned else ""
    return Link("sealed", "good", f"{report.checkpoint.root.hex()}{more}")


def inputs_of(state: State, component: str) -> list[Item]:
    """What was verified for a component."""
    known = state.components.get(component)
    items = [state.items[name] for name in (known.items if known else ())]
    return [item for item in items if item.stage is Stage.VERIFY]


def persons_of(item: Item) -> list[str]:
    """Who signed an input, as its evidence in the log says, if that stands in the event."""
    try:
        table: Any = json.loads(item.evidence) if item.evidence else {}
    except (ValueError, RecursionError):
        return []
    found = table.get("persons") if isinstance(table, dict) else None
    if found is None and isinstance(table, dict) and isinstance(table.get("signature"), dict):
        found = table["signature"].get("persons")
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _inputs(way: Way, product: Product) -> Link:
    if found := way.bad("inputs"):
        return _broken("inputs", found)
    if way.audit.report is None:
        return Link("inputs", "open", "")
    items = inputs_of(way.state, product.component)
    if red := [item for item in items if not item.green]:
        return Link("inputs", "bad", f"{red[0].title} is {red[0].status}", _NEXT["inputs"])
    persons = sorted({person for item in items for person in persons_of(item)})
    by = f", signed by {', '.join(persons)}" if persons else ""
    count = f"{len(items)} input{'s' if len(items) != 1 else ''}"
    return Link("inputs", "good", f"{count} of {product.component} verified{by}")


def warned(state: State) -> list[Item]:
    """What stands as warned in the whole release; all of it is waived where the gates were respected."""
    return [item for item in state.items.values() if item.status == "warned"]


def _warnings(way: Way) -> Link:
    if way.audit.report is None:
        return Link("warnings", "open", "")
    items = warned(way.state)
    if naked := [item for item in items if item.waiver is None]:
        return Link("warnings", "bad", f"{naked[0].id} is warned of, and nobody waived it", _NEXT["gate"])
    if not items:
        return Link("warnings", "good", "none in this release")
    waivers = [f"{item.id}: {item.code}, by {item.waiver.person}" for item in items if item.waiver]
    more = f"; and {len(waivers) - 1} more" if len(waivers) > 1 else ""
    return Link("warnings", "good", f"{len(items)}, each waived by name: {waivers[0]}{more}")


def _gate(way: Way) -> Link:
    if found := way.bad("gate"):
        return _broken("gate", found)
    if way.audit.report is None:
        return Link("gate", "open", "")
    state = way.state
    shut = [
        gate for stage in (Stage.BUILD, Stage.SEAL) if (gate := state.gates.get(stage)) is None or not gate.open
    ]
    if shut:
        return Link("gate", "bad", "a gate is not on record as open", _NEXT["gate"])
    runs = f"{state.runs} run{'s' if state.runs != 1 else ''}"
    return Link("gate", "good", f"respected in {runs}: nothing red or pending passed it")


def _evidence(way: Way) -> Iterator[Link]:
    """The folder itself, told only if something is wrong with it; the log's replay has found all else."""
    if found := way.bad("evidence"):
        yield _broken("evidence", found)
    elif not way.audit.passed and not any(map(way.bad, NAMES)):
        yield Link("evidence", "bad", "the audit says no", _AGAIN)
