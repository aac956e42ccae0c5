"""`make bench-large`: a log of 10 GB (or as many as asked for), written and audited, with the peak memory of both."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from bench.bench_log import audit_vs_openssl, filled, overhead
from bench.report import Line

_GB = 10**9


def main(gigabytes: int = 10) -> int:
    """Measure in a temporary folder, which is deleted; gives the exit code."""
    size = gigabytes * _GB // (1 << 16) * (1 << 16)
    with tempfile.TemporaryDirectory(prefix="sealwright-bench-") as nest:
        free = shutil.disk_usage(nest).free
        print(
            f"A log of {gigabytes} GB in {nest}, of which {free / _GB:.0f} GB are free. It takes one to ten minutes."
        )
        if free < size * 1.1 + _GB:
            print(
                "error: there is too little space",
                "next: set TMPDIR to another disk, or ask for fewer GB",
                sep="\n",
            )
            return 1
        seconds, authority = filled(Path(nest), size)
        note = f"{size / seconds / 1e6:.0f} MB/s; memory: authority {authority >> 10} MiB"
        print(Line(f"append of {gigabytes} GB, durable", seconds, note=note), flush=True)
        audit = audit_vs_openssl(Path(nest), rounds=1)
        note = f"{size / audit.ours / 1e6:.0f} MB/s; memory: audit {audit.peak >> 10} MiB"
        print(Line(f"audit of {gigabytes} GB", audit.ours, audit.peer, "openssl dgst -sha256", note), flush=True)
        print(f"disk overhead {overhead(Path(nest), size):.2f} %; the files are deleted now")
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:2])))
