"""Whether the gpg of this machine can be trusted with a question: no run begins with one that a signature can make lie."""

from __future__ import annotations

import shutil

from sealwright_keyring.gpg_fixes import Fix, changelog_of, missing_fixes
from sealwright_keyring.tool import SAFE_PATH
from sealwright_stages import process
from sealwright_stages.errors import MachineError

_SECONDS = 20.0


def fixes(program: str = "gpg") -> tuple[str, tuple[Fix, ...]]:
    """The version of the gpg that checks will run, and the fixes that it lacks.

    Raises:
        MachineError: there is none, or it does not say its version.
    """
    path = shutil.which(program, path=SAFE_PATH)
    if path is None:
        raise MachineError("no signature can be checked", f"{program} is missing", "install gnupg")
    done = process.run([path, "--version"], timeout=_SECONDS)
    first = done.stdout.decode("utf-8", "replace").partition("\n")[0]
    if done.returncode != 0 or not first.startswith("gpg (GnuPG"):
        raise MachineError("no signature can be checked", f"{path}: {done.complaint()}", "install gnupg again")
    version = first.rpartition(" ")[2]
    return version, missing_fixes(version, changelog_of(path))


def require_gpg() -> None:
    """Refuse a gpg whose word can't be taken.

    Raises:
        MachineError: it is missing, or lacks a fix that is needed.
    """
    version, missing = fixes()
    for fix in missing:
        if fix.needed:
            raise MachineError(
                f"gpg {version} is not asked",
                f"{fix.name}: {fix.hole}",
                "install a gnupg with that fix, run again",
            )
