"""`make survey`: the real world, judged, and counted by reason code. Needs a network; nothing here asserts anything.

`python -m survey tarballs [N]`, `python -m survey packages [N]`: of the machine's own Debian archive.
`python -m survey tags GIT_DIR KEY_FILE...`: of a bare clone that lies on this machine.
`python -m survey rebuilds [--uploaders-of SUITE] [--jobs N] [--wall TIME] [--work DIR] NAME...`: builds source packages.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from survey.debian import archive, packages, tarballs
from survey.rebuilds import HEADING, How, rebuilds
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
            case ["rebuilds", *rest] if rest:
                return _rebuilds(rest, Path(folder))
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    print("\n".join(tally.lines(_SHOWN)), flush=True)
    return 0


def _rebuilds(words: list[str], folder: Path) -> int:
    """Print a row for each package as it ends."""
    reader = argparse.ArgumentParser(prog="survey rebuilds")
    reader.add_argument("--uploaders-of", metavar="SUITE", help="take the uploaders' keyring of a newer suite")
    reader.add_argument(
        "--put-back", action="store_true", help="see whether older gcc and glibc texts are the reason"
    )
    reader.add_argument("--jobs", type=int, default=1)
    reader.add_argument("--wall", default="1h", help="what a build may take")
    reader.add_argument("--work", type=Path, default=folder, help="where logs and products stay")
    reader.add_argument("names", nargs="+", metavar="NAME")
    asked = reader.parse_args(words)
    print(HEADING, flush=True)
    how = How(asked.work.absolute(), asked.wall, asked.put_back)
    for each in rebuilds(asked.names, how, asked.uploaders_of, asked.jobs):
        print(each.row(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
