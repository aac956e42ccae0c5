"""rpm's own judgement of a package: `rpmkeys --checksig` with a private database that holds one key (rpmkeys(8)).

- The database is a new folder with the one certificate whose key made the signature; it is gone afterwards.
- No configuration of the machine or of a user takes part, every level of the check is on, and none is switched off.
- It runs within bounds, as root under the verifier's uid, and is fed the package through a pipe: what it was fed is
  hashed, and must be the file that is meant.
- Yes is exit code 0 and exactly the lines that must come of this package: its signature by this very key, and each
  of its digests. A no is a disagreement with gpg; any other answer is no answer.
- Where rpm is missing, it is red.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.tool import SAFE_PATH, Run, Tool
from sealwright_stages.verify.codes import RefusedError, shown
from sealwright_stages.verify.rpm_package import RpmPackage

_CONFIGURATION = Path("/usr/lib/rpm")
_ALGORITHMS: Mapping[int, str] = {1: "RSA", 3: "RSA", 19: "ECDSA", 22: "EdDSA"}
_HASHES: Mapping[int, str] = {8: "SHA256", 9: "SHA384", 10: "SHA512", 11: "SHA224"}
# rpm up to 4.18 gives 8 digits of the key's id, later ones 16, and rpm 6 the primary key's fingerprint.
_SIGNATURE = re.compile(
    r"Header (?:OpenPGP )?V4 ([A-Za-z]+)/([A-Z0-9]+) [Ss]ignature, "
    r"key (?:ID ([0-9a-f]{8}|[0-9a-f]{16})|fingerprint: ([0-9a-f]{40})): OK\Z"
)
_NEXT = "do not use the package; the two programs are of different minds about it"


@dataclass(frozen=True)
class RpmKeys(Tool):
    """The program: its name or path, the seconds that a run may take, and whom to run it as (for root only)."""

    program: str = "rpmkeys"

    def ask(self, package: RpmPackage, stream: IO[bytes], certificate: bytes) -> tuple[Run, Mapping[str, object]]:
        """Have it judge the package in `stream` by the armored `certificate`.

        Returns:
            Its run, which `judge_answer` judges, and the same as evidence.

        Raises:
            RefusedError: it is missing, dies, or does not take the certificate.
        """
        if shutil.which(self.program, path=SAFE_PATH) is None:
            raise RefusedError("verifier-missing", "rpmkeys is not there", "apt install rpm")
        with self.private({"key.asc": certificate}) as home:
            version = self._run(home, ["--version"]).stdout
            taken = self._run(home, ["--import", str(home / "key.asc")])
            _alive(taken.returncode)
            if taken.returncode != 0:
                raise RefusedError("verifiers-disagree", f"rpm does not take the key: {_said(taken)}", _NEXT)
            judged = self._run(home, ["--checksig", "--verbose", "-"], stream, package.size)
        return judged, {**_evidence(judged), "tool": shown(version.strip()), "tool_uid": self.uid}

    def _run(self, home: Path, words: Sequence[str], stream: IO[bytes] | bytes = b"", size: int = 0) -> Run:
        database = [f"--dbpath={home}", "--define=_pkgverify_level all", "--define=_pkgverify_flags 0x0"]
        files = [f"--rcfile={_CONFIGURATION / 'rpmrc'}", f"--macros={_CONFIGURATION / 'macros'}", "--noplugins"]
        try:
            return self.hold([*files, *database, *words], stdin=stream, size=size, max_output=1 << 20)
        except KeyringError as error:
            code = "verifier-missing" if "started" in error.what else "verifier-killed"
            raise RefusedError(code, f"{error.what}: {error.because}", error.next_step) from error


def judge_answer(run: Run, package: RpmPackage, keys: Collection[str]) -> None:
    """Judge what rpmkeys answered about a package.

    `keys` are the fingerprints of the key that signed, and of the primary key above it.

    Raises:
        RefusedError: it is not a yes, whole and in the known words, about this very file.
    """
    if run.input_sha256 != package.sha256:
        raise RefusedError("changed-since-verified", "rpm was fed another file than gpg", "run again")
    _alive(run.returncode)
    stderr, lines = run.stderr, run.stdout.decode("utf-8", "backslashreplace").splitlines()
    if run.returncode == 1:
        bad = [line.strip() for line in lines if line.startswith("    ") and not line.endswith(": OK")]
        why = shown("; ".join(bad) or stderr or b"it does not say why")
        raise RefusedError("verifiers-disagree", f"gpg accepts the signature, and rpm does not: {why}", _NEXT)
    head, *told = lines or [""]
    expected = [
        "Header SHA256 digest: OK",
        f"Payload {package.payload[0].upper()} digest: OK",
        *(f"{'Header ' if name == 'SHA1' else ''}{name} digest: OK" for name in package.legacy),
    ]
    rest = [line.removeprefix("    ") for line in told]
    signed = [line for line in rest if _is_signature(line, package, keys)]
    rest = [line for line in rest if line not in signed]
    if stderr or head != "-:" or len(signed) != 1 or sorted(rest) != sorted(expected):
        raise RefusedError(
            "verifier-confused",
            f"rpmkeys did not say what it always says: {shown('; '.join(told) or stderr)}",
            "run `sealwright doctor`; report this with the log",
        )


def _alive(returncode: int) -> None:
    if returncode not in (0, 1):
        raise RefusedError("verifier-killed", f"rpmkeys ended with {returncode}", "run again")


def _is_signature(line: str, package: RpmPackage, keys: Collection[str]) -> bool:
    match = _SIGNATURE.match(line)
    packet = package.signature
    return (
        match is not None
        and match[1] == _ALGORITHMS.get(packet.algorithm)
        and match[2] == _HASHES.get(packet.digest)
        and any(key.lower().endswith(match[3] or match[4]) for key in keys)
    )


def _said(run: Run) -> str:
    return shown(b" / ".join((run.stderr or run.stdout).strip().splitlines()) or b"it said nothing")


def _evidence(run: Run) -> dict[str, object]:
    return {
        "argv": [shown(word) for word in run.argv],
        "exit": run.returncode,
        "output": [shown(line) for line in run.stdout.splitlines()[:40]],
        "stderr": [shown(line) for line in run.stderr.splitlines()[-8:]],
        "data_sha256": run.input_sha256,
        "duration_ms": round(run.seconds * 1000),
    }
