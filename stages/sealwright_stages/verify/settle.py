"""One verdict out of those of all signatures over some bytes: by the chosen persons, counted by person.

- A signature file is green when each of its signatures counts, and enough distinct persons made them.
- A signature by a stranger beside a good one, or any bad one, makes it red.
- A signature made after its signer's key was to be replaced is weak.
- Where only weak signatures reach the threshold, it is yellow. Its code names each weakness of every person without a
  good signature, so that a waiver of one does not cover another.
- What was judged is named by the SHA-256 of the bytes that the verifier was fed; if that is not the SHA-256
  of the bytes that we mean, it is red.
- A keyring that can't be used, and a verifier that is missing, are red; never a reason to skip the check.
"""

from __future__ import annotations

from collections.abc import Sequence

from sealwright_keyring.threshold import count_persons, out_of_time, rotated
from sealwright_keyring.verdicts import Bad, Good, Weak
from sealwright_keyring.verdicts import Verdict as KeyVerdict
from sealwright_stages.ports import Trust
from sealwright_stages.verdict import Passed, Verdict, Warned
from sealwright_stages.verify.codes import failed, passed, warned

_ASK = "ask the signer, by a second channel, for a signature by a chosen key; never choose a key to make it fit"


def settle(found: Sequence[KeyVerdict], trust: Trust, what: str, subject: str) -> Verdict:
    """One verdict out of those of all signatures over the bytes with the SHA-256 `subject`."""
    found = rotated(found, trust.persons)
    evidence: dict[str, object] = {
        "signatures": [dict(each.evidence) for each in found],
        "threshold": trust.threshold,
    }
    for each in found:
        if isinstance(each, Bad):
            return failed(each.reason_code, f"{what}: {each.sentence}", each.next_step, subject, evidence)
        if each.evidence.get("data_sha256") != subject:
            return failed(
                "changed-since-verified",
                f"{what}: the verifier was fed other bytes than those that are meant",
                "run again; find out who writes there",
                subject,
                evidence,
            )
    good = count_persons([each for each in found if isinstance(each, Good)], trust.persons)
    either = count_persons(found, trust.persons)
    evidence["persons"] = sorted(either)
    if trust.threshold < 1 or len(either) < trust.threshold:
        late = "".join(f", outside of their time by {name}" for name in sorted(out_of_time(found, trust.persons)))
        return failed(
            "threshold-not-met",
            f"{what}: signed by {' and '.join(sorted(either)) or 'none of the chosen persons'}{late}, "
            f"and {trust.threshold} of {len(trust.persons)} must sign",
            _ASK,
            subject,
            evidence,
        )
    if len(good) >= trust.threshold:
        return passed(f"good signature by {' and '.join(sorted(good))}", subject, evidence)
    weak = [each for each in found if isinstance(each, Weak) and count_persons([each], trust.persons) - good]
    codes = dict.fromkeys(code for each in weak for code in each.reason_code.split("+"))
    sentences, (next_step, *_) = dict.fromkeys(each.sentence for each in weak), [each.next_step for each in weak]
    return warned("+".join(codes), f"{what}: {'; '.join(sentences)}", next_step, subject, evidence)


def renamed(verdict: Verdict, subject: str, evidence: dict[str, object]) -> Verdict:
    """The same verdict about another subject (the object that holds what was signed), with more evidence."""
    whole = {**evidence, "signature": dict(verdict.evidence)}
    if isinstance(verdict, Passed):
        return passed(verdict.reason, subject, whole)
    if isinstance(verdict, Warned):
        return warned(verdict.code, verdict.reason, verdict.next_step, subject, whole)
    return failed(verdict.code, verdict.reason, verdict.next_step, subject, whole)
