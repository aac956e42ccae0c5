"""What a signature costs at the signer, beside `gpg --detach-sign` alone: from the request to the answer, no prompt.

A signing is three signatures, each made by gpg, verified in a clean home, and all of it on the record, synced.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from bench.report import Line, timed
from sealwright_keyring.signer.gpg_sign import make_throwaway_key, own_agent
from support.proposals import Shown
from support.signing import line, typed

_TIMES = 9
_SIGNATURES = 3
_MANY = 2000


def lines(folder: Path) -> Iterator[Line]:
    """A signature of a signer's process, and what a proposal of many products costs beside a small one."""
    folder.mkdir()
    home = folder / "home"
    key = make_throwaway_key(home, "bench")
    shown = Shown(folder / "log")
    products = {f"products/c{number % 50}/p{number}": f"{number:064x}" for number in range(_MANY)}
    many = Shown(folder / "many", products=products, origin="log.example.org/many/1")
    with own_agent(home), _signer(home, folder / "record") as ask:
        ask(shown.proposal())
        offers = [ask(shown.proposal())]
        signing = shortest(lambda: _signed(ask, offers, shown)) / _SIGNATURES
        peer = shortest(lambda: _gpg(home, key, shown.documents()[0][2]))
        yield Line("a signature at the signer, verified and recorded", signing, peer, "gpg --detach-sign")
        small, large = shown.proposal(), many.proposal()
        few = shortest(lambda: ask(small))
        yield Line(f"a proposal of {_MANY} products", shortest(lambda: ask(large)), few, "of one product")


def shortest(work: Any) -> float:
    """Seconds of the shortest of some runs: what else the machine does makes none shorter."""
    return min(timed(work) for _ in range(_TIMES))


def _signed(ask: Any, offers: list[dict[str, Any]], shown: Shown) -> None:
    answer = ask(typed(offers.pop()))
    assert answer["ok"] is True, answer
    offers.append(ask(shown.proposal()))


def _gpg(home: Path, key: str, data: bytes) -> None:
    argv = ["gpg", "--homedir", str(home), "--batch", "--armor", "--detach-sign", "-u", key]
    subprocess.run(argv, input=data, env={"PATH": os.environ["PATH"]}, check=True, capture_output=True)


@contextlib.contextmanager
def _signer(home: Path, record: Path) -> Iterator[Any]:
    argv = [sys.executable, "-m", "sealwright_keyring.signer.cli", "serve"]
    argv += ["--home", str(home), "--record", str(record)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin and child.stdout
        stdin: IO[bytes] = child.stdin
        stdout: IO[bytes] = child.stdout

        def ask(request: Any) -> Any:
            stdin.write(line(request))
            stdin.flush()
            return json.loads(stdout.readline())

        yield ask
