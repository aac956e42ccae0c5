"""The gpg of the checks: under whom it runs, and that each of them asks for it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sealwright_stages.verify.verifier
from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.identity import Identities, is_ephemeral, verifier_uid
from sealwright_stages.verdict import Passed
from sealwright_stages.verify.signatures import judge_signature
from sealwright_stages.verify.trusted_gpg import require_gpg
from sealwright_stages.verify.verifier import verifier
from verify.workbench import Keys

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="a uid of its own needs root")
_KINDS = {
    "KeyringFolder",
    "certificate_from_keyring_file",
    "verify_ssh",
    "verify_minisign",
    "Keyring.of",
    "detached.verdicts_of",
    "follow",
    "rotate",
    "_open().of",
}


@as_root
def test_as_root_it_runs_under_a_uid_that_nobody_else_has() -> None:
    uid = verifier_uid()
    assert uid is not None and is_ephemeral(uid) and uid == verifier_uid()
    others = Identities.choose()
    try:
        assert uid not in {others.log, others.signer, others.fetcher, *others.builders}
    finally:
        others.release()
    ask = "from sealwright_stages.sandbox.identity import verifier_uid; print(verifier_uid())"
    theirs = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=30, check=True)
    assert int(theirs.stdout) != uid


@as_root
def test_bytes_from_outside_are_never_parsed_as_root(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    verdict = judge_signature(keys.sign("s1", b"data"), b"data", keys.trust("s1"), "x")
    assert isinstance(verdict, Passed)
    (signature,) = verdict.evidence["signatures"]  # type: ignore[misc]
    assert signature["tool_uid"] == verifier().uid


def test_every_check_asks_for_it() -> None:
    packages = Path(sealwright_stages.__file__).parent, Path(sealwright_stages.__file__).parents[2] / "console"
    asked = shared = 0
    for path in (path for package in packages for path in package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in _KINDS:
                words = [ast.unparse(each) for each in (*node.args, *(k.value for k in node.keywords))]
                assert any(word.endswith("verifier()") or word.startswith("tools(") for word in words), (
                    f"{path}:{node.lineno}"
                )
                asked += 1
            shared += isinstance(node, ast.Call) and ast.unparse(node.func) == "keyring_of"
    assert asked >= 4 and shared >= 4


def test_no_run_begins_with_a_gpg_that_can_be_made_to_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    require_gpg()
    old = tmp_path / "gpg"
    old.write_text("#!/bin/sh\necho 'gpg (GnuPG) 2.2.35'\n")
    old.chmod(0o755)
    monkeypatch.setattr(sealwright_stages.verify.trusted_gpg, "SAFE_PATH", str(tmp_path))
    with pytest.raises(MachineError) as refused:
        require_gpg()
    assert "CVE-2022-34903" in refused.value.because
    old.write_text("#!/bin/sh\necho hello\n")
    with pytest.raises(MachineError, match="no signature can be checked"):
        require_gpg()
    old.unlink()
    with pytest.raises(MachineError, match="no signature can be checked"):
        require_gpg()
