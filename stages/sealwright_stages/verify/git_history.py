"""Whether a commit descends from its component's trust root, by the history's own bytes.

- The commit that the signature leads to must be the trust root, or have it among its ancestors.
- Every commit on the way is hashed again, and only its own parent headers say where it goes on.
- Newer commits are looked at first, so that an honest history ends early; dates decide nothing else: the answer is
  no only when every ancestor was read.
- A history of more than five million commits is refused, and its memory is a name of 20 bytes for each commit.
- It tells how far it is, and stops when it is asked to.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Mapping

from sealwright_stages.ports import Progress
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.git_objects import parse_ancestry
from sealwright_stages.verify.git_store import ObjectStore

MOST_COMMITS = 5_000_000
_LIMIT = 16 << 20  # an old commit's message may be long
_TELL_EVERY = 1000


def check_descent(
    store: ObjectStore, commit: str, root: str, progress: Progress, most: int = MOST_COMMITS
) -> Mapping[str, object]:
    """Walk from `commit` back to `root` (both 40 hex digits); returns evidence: how many commits were read.

    Raises:
        RefusedError: it does not descend from it, is not shown to, or the history is damaged.
    """
    begun = time.monotonic()
    read = _walk(store, commit, root, progress, most)
    took = round((time.monotonic() - begun) * 1000)
    return {"trust_root": root, "history_read": read, "history_ms": took}


def _walk(store: ObjectStore, commit: str, root: str, progress: Progress, most: int) -> int:
    """How many commits were read until `root` was found."""
    if commit == root:
        return 0
    wanted = bytes.fromhex(root)
    start = bytes.fromhex(commit)
    seen = {start}
    # A commit's own date is known only once it is read: until then its child's stands for it.
    ahead = [(0, start)]
    read = 0
    while ahead:
        _, name = heapq.heappop(ahead)
        parents, committed = parse_ancestry(store.read(name.hex(), "commit", _LIMIT))
        read += 1
        if read % _TELL_EVERY == 0:
            progress(0, 0, f"{read} commits of its history read")
        for parent in map(bytes.fromhex, parents):
            if parent == wanted:
                return read
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(ahead, (-committed, parent))
        if len(seen) > most:
            raise RefusedError(
                "history-elsewhere",
                f"{root} was not found among the newest {most} commits of its history",
                "declare a newer commit of this component as its trust_root",
            )
    raise RefusedError(
        "history-elsewhere",
        f"commit {commit} does not descend from the trust root {root}: all {read} commits before it were read",
        "the tag may be of another project or of a fork: compare the address with trust_root, and ask upstream",
    )
