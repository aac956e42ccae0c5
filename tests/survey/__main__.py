"""`make survey`: the real world, judged, and counted by reason code. Needs a network; nothing here asserts anything.

`python -m survey tarballs [N]`, `python -m survey packages [N]`: of the machine's own Debian archive.
`python -m survey tags GIT_DIR KEY_FILE...`: of a bare clone that lies on this machine.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from survey.debian import archive, packages, tarballs
from survey.tags import tags
from survey.tally import Tally

_SHOWN = 25  # names by reason code


def main(words: list[str]) -> int:
    """Run one survey and print its counts; 2 for words that name none."""
    with tempfile.TemporaryDirectory(prefix="sealwright-survey-") as folder:
        match words:
            case ["tarballs", *rest]:
                tally: Tally = tarballs(archive("bookworm"), Path(folder), int(rest[0]) if rest else 40)
            case ["packages", *rest]:
                tally = packages(archive("bookworm"), Path(folder), int(rest[0]) if rest else 100)
            case ["tags", repository, *keys] if keys:
                tally = tags(Path(repository), [Path(each) for each in keys])
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    print("\n".join(tally.lines(_SHOWN)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
