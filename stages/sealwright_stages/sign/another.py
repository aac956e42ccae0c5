"""The second and the third person sign: an evidence folder alone, on a copy or in place, with no work folder.

- The folder is audited first, by the person's own keyring if there is one. That persons have not signed yet is the only
  thing that may be wrong with it.
- The signer's digest is that of the documents in the folder, or nobody is asked.
- Its key is of a person who may sign the release; who has signed already is not asked again.
- What was audited is what is signed: a folder that was written to meanwhile is not.
- The page in the folder is written anew once the signatures are.
- What was written is shown to gpg, gpgv, sqv and sha256sum, as `run` does: see `outside`.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import load_policy
from sealwright_stages.audit import Audit, as_part, audit
from sealwright_stages.audit_signatures import only_lacks, required
from sealwright_stages.errors import SealwrightError, SigningError
from sealwright_stages.finish import Check, digest_over
from sealwright_stages.manifest import Manifest, load
from sealwright_stages.ports import Proposal, Signer
from sealwright_stages.reviewer import Reviewer
from sealwright_stages.seal.evidence import stamps_of
from sealwright_stages.seal.pages import rewrite_page
from sealwright_stages.sign.outside import Said, asked_outside
from sealwright_stages.sign.papers import Papers, alone, sweep
from sealwright_stages.sign.provenance import sealed_log, statement
from sealwright_stages.sign.signing import Typed, owners, things_of
from sealwright_stages.state import State
from sealwright_stages.verdict import Status


@dataclass(frozen=True)
class Subject:
    """Evidence that may be signed: its audit and the state at its log's end, its manifest, what there is to sign."""

    audit: Audit
    state: State
    manifest: Manifest
    papers: Papers
    reviewer: Reviewer
    files: dict[str, tuple[int, ...]]

    @property
    def warned(self) -> tuple[str, ...]:
        """The items that passed with a warning, sorted."""
        return tuple(sorted(each.id for each in self.state.items.values() if each.status is Status.WARNED))


@dataclass(frozen=True)
class Question:
    """What a person is asked: the subject, what the signer says of it, who has signed already."""

    subject: Subject
    proposal: Proposal
    person: str
    signed: tuple[str, ...]


@dataclass(frozen=True)
class Signed:
    """How it ended: by whom it is signed, how many are needed, who else may; the good signatures; what others said; and
    how many builders must agree."""

    person: str
    new: bool
    persons: tuple[str, ...]
    threshold: int
    others: tuple[str, ...]
    checks: tuple[Check, ...]
    said: tuple[Said, ...]
    builders: int = 1

    @property
    def final(self) -> bool:
        """Whether as many have signed as must; where several builders must agree, one's evidence alone is no release."""
        return len(self.persons) >= self.threshold and self.builders == 1


def subject_of(evidence: Path, reviewer: Reviewer) -> tuple[Audit, Subject | None]:
    """The audit of an evidence folder, and what there is to sign if nothing is wrong but that persons have not signed.

    Raises:
        SigningError: its manifest or keyring can't be read, though the audit did; or somebody else signs it.
    """
    with alone(evidence):
        sweep(evidence)
    files = stamps_of(evidence)
    found = audit(evidence, as_part(evidence, reviewer))  # of several builders, each one's is signed
    wrong = [finding for finding in found.findings if finding.ok == "bad" and not only_lacks(finding)]
    if wrong or found.report is None:
        return found, None
    try:
        policy, manifest = load_policy(evidence / "policy"), load(evidence / "policy" / "release.toml")
        said = statement(found.state, manifest, sealed_log(evidence / "log"))
    except (KeyringError, OSError, ValueError, SealwrightError) as error:
        raise SigningError(str(evidence), str(error), "run `sealwright audit` on it") from error
    names = tuple(name for name in manifest.signers if name in policy.persons)
    papers = Papers(evidence, said, policy, names, found.state.last_t)
    return found, Subject(found, found.state, manifest, papers, reviewer, files)


def sign_evidence(
    subject: Subject, signer: Signer, ask: Callable[[Question], Typed | None], person: str = ""
) -> Signed:
    """Let a signer sign it, and add what it gives; `person` is whose key it must be, if that is said.

    Raises:
        SigningError: refused, a no, not by whom it should be, or what came back does not verify: nothing was written.
    """
    with alone(subject.papers.folder):
        return _signed(subject, signer, ask, person)


def _signed(subject: Subject, signer: Signer, ask: Callable[[Question], Typed | None], person: str) -> Signed:
    papers, manifest = subject.papers, subject.manifest
    documents = papers.documents()
    proposal = signer.propose(manifest.release, documents, papers.folder / "log")
    if proposal.digest != digest_over(things_of(documents)):
        raise SigningError(
            "the signer's digest", "it is not that of what it was shown", "look at the signer, and its record"
        )
    who = _whose(subject, proposal, person)
    there = papers.signed_by()
    if who in there:
        return _with_page(subject, _ended(subject, who, new=False))
    typed = ask(Question(subject, proposal, who, tuple(sorted(there))))
    if typed is None:
        raise SigningError("nothing was signed", f"{who} said no", "sign again to sign")
    _untouched(subject)
    answer = papers.answer(signer.sign(proposal, typed.digest, typed.release))
    if answer.person != who:
        raise SigningError("nothing was written", f"{answer.person} signed it, not {who}", "look at the signer")
    _untouched(subject)
    with papers.written(answer.files):
        ended = _ended(subject, who, new=True)
    return _with_page(subject, ended)


def _with_page(subject: Subject, ended: Signed) -> Signed:
    """The page is written last: one from before the signatures is told by an audit, and made anew by the next who signs."""
    rewrite_page(subject.papers.folder, subject.manifest, subject.papers.policy, subject.state)
    return ended


def _ended(subject: Subject, who: str, *, new: bool) -> Signed:
    papers, reviewer, manifest = subject.papers, subject.reviewer, subject.manifest
    with papers.written({} if new else papers.tidied()):
        said = asked_outside(papers.folder, papers.policy, papers.names, products=not reviewer.without_products)
        persons, checks = papers.counted()
    # whom the reviewer does not know, or not so, is kept, and not counted; what the keyring leads to is the audit's word
    wants, _ = required(replace(reviewer, policy=subject.audit.policy), manifest, papers.policy)
    if wants is None:
        raise SigningError(str(reviewer.keyring), "nothing says who must sign it", "look at the keyring")
    if reviewer.keyring is not None:
        persons = papers.signed_by(wants.policy, wants.names)
    others = tuple(name for name in wants.names if name not in persons)
    return Signed(who, new, tuple(sorted(persons)), wants.threshold, others, checks, said, manifest.builders)


def _whose(subject: Subject, proposal: Proposal, wanted: str) -> str:
    """The one release signer whose key the signer has."""
    papers = subject.papers
    allowed = {person.name for person in papers.policy.release_signers(papers.names)}
    found = sorted(owners(papers.policy, proposal.keys) & allowed)
    may = f"who may sign it: {', '.join(sorted(allowed))}"
    if len(found) != 1:
        raise SigningError(
            "nothing was signed",
            f"the signer's key is of nobody who may sign this release; {may}",
            "name another key: --home DIR, --key FINGERPRINT",
        )
    if wanted and found[0] != wanted:
        raise SigningError(
            "nothing was signed",
            f"the signer's key is that of {found[0]}, not of {wanted}",
            "name another key, or another person",
        )
    return found[0]


def _untouched(subject: Subject) -> None:
    now = stamps_of(subject.papers.folder)
    if changed := sorted(name for name in now.keys() | subject.files if now.get(name) != subject.files.get(name)):
        because = f"{changed[0]} was changed after it was audited"
        raise SigningError("nothing was signed", because, "find out by whom, then sign again")


def command_for(folder: Path) -> str:
    """What the next person types."""
    return f"sealwright sign {shlex.quote(str(folder))} --home DIR"
