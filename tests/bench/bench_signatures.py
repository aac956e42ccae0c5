"""What a signature costs through both checks, gpg's and ours, against `gpgv` alone on the same signatures."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.report import Line, timed
from sealwright_keyring.openpgp import Good, Keyring, Verdict
from sealwright_keyring.signer.gpg_sign import make_throwaway_key
from sealwright_stages.verify.verifier import keyring_of, verifier

SIGNATURES = 1000
_DISTINCT = 50
_THREADS = 2
_DATA = b"what was signed\n" * 30


def lines(folder: Path) -> Iterator[Line]:
    """Filling a keyring, taking it up again, and a thousand detached signatures by an Ed25519 key."""
    home = folder / "signatures"
    key = make_throwaway_key(home, "bench")
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet"]
    certificate = subprocess.run([*gpg, "--export", key], check=True, capture_output=True).stdout
    (folder / "trusted.gpg").write_bytes(certificate)
    (folder / "data").write_bytes(_DATA)
    signatures = []
    for number in range(_DISTINCT):
        made = subprocess.run([*gpg, "--detach-sign", "-u", key], input=_DATA, check=True, capture_output=True)
        (folder / f"{number}.sig").write_bytes(made.stdout)
        signatures.append(made.stdout)

    def filled() -> None:
        with Keyring.of([certificate], [key], gpg=verifier()):
            pass

    def taken_up() -> None:
        with keyring_of([certificate], [key]):
            pass

    filling = timed(lambda: [filled() for _ in range(10)]) / 10
    taken_up()
    again = timed(lambda: [taken_up() for _ in range(10)]) / 10
    yield Line("keyring taken up again", again, filling, "filling it")
    verdicts: list[Verdict] = []
    with keyring_of([certificate], [key]) as keyring, ThreadPoolExecutor(_THREADS) as pool:
        order = [signatures[number % _DISTINCT] for number in range(SIGNATURES)]
        ours = timed(lambda: verdicts.extend(pool.map(lambda each: keyring.verify_detached(each, _DATA), order)))
    with ThreadPoolExecutor(_THREADS) as pool:
        files = [folder / f"{number % _DISTINCT}.sig" for number in range(SIGNATURES)]
        peer = timed(lambda: list(pool.map(lambda each: _gpgv(folder, each), files)))
    odd = [verdict for verdict in verdicts if not isinstance(verdict, Good)]
    yield Line(
        f"{SIGNATURES} signatures through both checks, {_THREADS} at a time",
        ours,
        peer,
        "gpgv",
        f"PROBLEM: {odd[0]}" if odd else "",
    )


def _gpgv(folder: Path, signature: Path) -> None:
    argv = ["gpgv", "--keyring", str(folder / "trusted.gpg"), str(signature), str(folder / "data")]
    subprocess.run(argv, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True)
