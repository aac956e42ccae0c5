"""Each demand of `check.js` is needed: without it, a forgery that is aimed at it gets another word than no."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from audit.forge import Forger
from page.forged import Forgery, forgeries, made
from sealwright_stages.seal import pages
from support.small_release import Key

SEAL = Path(pages.__file__).parent
NODE = shutil.which("node")
RAISES = {
    "is not in this page`);", "checkpoint.sealed is no checkpoint", "log.vkey is no verifier key",
    "and no record of the log collected it", ".asc holds no signature`",
}  # fmt: skip
"""Demands that only say it in words: without them the next step fails, which is a no, too."""
pytestmark = [pytest.mark.slow, pytest.mark.skipif(NODE is None, reason="no node here")]


def test_whoever_has_every_key_can_leave_out_nothing(
    evidence: Path, forger: Forger, keys: tuple[Key, Key]
) -> None:
    page = (evidence / "index.html").read_bytes()
    stranger = Forger(forger.folder, keys[1:])
    forged = {"": made(forger, page, Forgery()), "long": made(forger, page, Forgery(short=True))}
    forged |= {name: made(forger, page, each) for name, each in forgeries(stranger)}
    asked = {
        "scripts": str(SEAL / "page"),
        "library": str(SEAL / "vendor/openpgp.min.js"),
        "forged": forged,
    }
    done = subprocess.run([str(NODE), Path(__file__).parent / "demands.js"], input=json.dumps(asked), check=True,
                          capture_output=True, text=True, timeout=600)  # fmt: skip
    told = json.loads(done.stdout)
    whole = told["whole"]
    assert whole.pop("")[0] == whole.pop("long")[0] == "yes"
    assert not {name: word for name, (word, _) in whole.items() if word != "no"}
    idle = {demand for demand, noticed in told["without"].items() if not noticed}
    assert {next((each for each in RAISES if each in demand), demand) for demand in idle} == RAISES
    print(f"{len(whole)} forgeries, {len(told['without'])} demands")
