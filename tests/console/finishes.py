"""How far seal and sign of a made-up release are, in each way that a screen may have to show."""

from __future__ import annotations

from dataclasses import replace

from console.made_up import FINGERPRINT, THINGS, sha
from sealwright_stages.finish import Act, Check, Finish, Signer, Step
from sealwright_stages.verdict import Status

SECOND = "FEDCBA9876543210FEDCBA9876543210FEDCBA98"
_AT = "2026-03-02T12:46:{:02}Z"


def finish(*acts: Act, failed: str = "", running: bool = False, threshold: int = 1) -> Finish:
    """How far an engine is: these steps are done; the last one failed with its reason, or is under way."""
    told = {
        Act.POLICY: "manifest and keyring are those that the run began with",
        Act.PRODUCTS: "11 hashed again, 531,300 bytes: as the log says",
        Act.SEAL: "228 records and 99,000 bytes of output in 11 files",
        Act.ROOT: "computed here from 229 records, and it is the one that the log authority signed",
        Act.EVIDENCE: "/srv/releases/example-1.0.release/evidence",
        Act.SIGNER: "it has read the 3 documents",
        Act.ANSWER: "yes, with digits and name",
        Act.KEY: "the signer gave 3 signatures",
        Act.VERIFY: "what the signer gave is good, and is written",
        Act.COUNT: f"signed by manager-1: 1 of {threshold} needed",
    }
    steps = [Step(act, Status.PASSED, told[act], "", _AT.format(n), _AT.format(n)) for n, act in enumerate(acts)]
    if failed:
        steps[-1] = replace(steps[-1], status=Status.FAILED, said=failed, next_step="run again to sign")
    if running:
        said = "a person is asked" if acts[-1] is Act.ANSWER else ""
        steps[-1] = replace(steps[-1], status=Status.RUNNING, said=said, ended="")
    rooted = Act.ROOT in acts and not (running and acts[-1] is Act.ROOT)
    asked = Act.SIGNER in acts and not (running and acts[-1] is Act.SIGNER)
    files = ("SHA256SUMS", "log/SHA256SUMS")
    good = [Check(name, "manager-1", FINGERPRINT, _AT.format(8), "gpg (GnuPG) 2.2.40", "agrees") for name in files]
    return Finish(
        steps=tuple(steps),
        signers=(Signer("manager-1", (FINGERPRINT,)), Signer("manager-2", (SECOND,)))[:threshold],
        threshold=threshold,
        signed_files=files,
        checks=tuple(good) if Act.COUNT in acts else (),
        root=sha("root") if rooted else "",
        records=229 if rooted else 0,
        folder=told[Act.EVIDENCE] if Act.EVIDENCE in acts else "",
        where="ssh signer.example.org sealwright-signer serve --home release-home --record record.jsonl",
        asked=(FINGERPRINT,) if asked else (),
        things=THINGS if asked else (),
        seconds=23 if running else 0,
    )


SEALING = (Act.POLICY, Act.PRODUCTS, Act.SEAL, Act.ROOT, Act.EVIDENCE)
ASKING = (*SEALING, Act.SIGNER, Act.ANSWER)
AT_WORK = (*ASKING, Act.KEY)
SIGNED = (*AT_WORK, Act.VERIFY, Act.COUNT)


def asking() -> Finish:
    """The signer has read all, and a person is asked."""
    return finish(*ASKING, running=True)
