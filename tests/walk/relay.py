"""The real signer behind a relay that waits where it is told: `relay.py HOLDS HOME POLICY`.

A FIFO called `before-<op>` or `after-<op>` in HOLDS makes it wait, before it hands that request on or before it hands
the answer back, until somebody writes into the FIFO or its own stdin ends. Where it waits, `<name>.reached` appears.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Carry requests and answers, a line each."""
    holds, home, policy = (Path(word) for word in sys.argv[1:])
    argv = [sys.executable, "-I", "-m", "sealwright_keyring.signer.cli", "serve"]
    argv += ["--home", str(home), "--record", str(holds.parent / "record.jsonl"), "--policy", str(policy)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as signer:
        assert signer.stdin and signer.stdout
        for line in sys.stdin.buffer:
            operation = json.loads(line)["op"]
            wait(holds, f"before-{operation}")
            signer.stdin.write(line)
            signer.stdin.flush()
            answer = signer.stdout.readline()
            wait(holds, f"after-{operation}")
            sys.stdout.buffer.write(answer)
            sys.stdout.buffer.flush()
        signer.stdin.close()
        return signer.wait()


def wait(holds: Path, place: str) -> None:
    """Wait at `place`, if we are to."""
    if (holds / place).exists():
        (holds / f"{place}.reached").touch()
        fifo = os.open(holds / place, os.O_RDONLY | os.O_NONBLOCK)
        watch = select.poll()
        watch.register(fifo, select.POLLIN)
        watch.register(0, 0)  # its end is always told
        watch.poll()
        os.close(fifo)


if __name__ == "__main__":
    sys.exit(main())
