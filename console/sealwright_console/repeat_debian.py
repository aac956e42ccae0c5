"""Commands that repeat what Debian's signed indexes say: of source packages, of stock packages, of built ones, of roots.

- Each begins with the suite's InRelease and its signature by the archive, and goes down to the bytes of a file.
- Once the archive has moved on, its index names newer files, and such a command ends with 1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sealwright_console.repeat_case import HEX, Case, Repeat, plain, table, text
from sealwright_console.repeat_shell import UntoldError, boxed, fetched, quoted, same

_NUMBER = re.compile(r"[0-9]+-[0-9]+\Z")
_ARCHITECTURE = re.compile(r"_([a-z0-9]+)\.deb\Z")
_MOVED = "Once the archive has moved on, its index names newer files"


def fetch(case: Case) -> Repeat:
    """The files of a package, fetched once more by their names in the archive."""
    stock = case.item.id.startswith(f"{case.item.component}/fetch-deb/")
    judged = case.beside("deb" if stock else "archive")
    mirror, files = str(table(judged, "archive").get("mirror") or ""), table(judged, "files")
    folder = str(case.evidence.get("path" if stock else "directory") or "")
    if stock:
        folder = folder.rpartition("/")[0]
    if not mirror or not folder or not files:
        raise UntoldError
    steps: list[str] = []
    for number, (name, sha256) in enumerate(files.items()):
        steps.append(fetched(f"{mirror}/{folder}/{plain(str(name))}", f"file{number}"))
        steps.append(same(f'"$T/file{number}"', text(sha256, HEX)))
    good = "a line for each file: the archive still has it, with the bytes that were judged"
    return Repeat(boxed(*steps), f"{good}. {_MOVED}")


def archive(case: Case) -> Repeat:
    """From the signed index of a suite down to the files: of a source package, or a .deb."""
    stock = case.item.id.removeprefix(f"{case.item.component}/").startswith("deb/")
    files = table(case.evidence, "files")
    place = "main/source/Sources.xz"
    if stock:
        place = _packages(str(case.evidence.get("package") or "").rpartition(":")[2])
    if not files:
        raise UntoldError
    steps = _index(case, place)
    for name, sha256 in files.items():
        digest = text(sha256, HEX)
        steps.append(_named(digest))
        if case.stands:
            steps.append(same(case.judged("files" if stock else "dsc", str(name)), digest))
    good = (
        "gpgv says Good signature by the archive; then a line for each digest, in the signed index and of the file"
    )
    return Repeat(boxed(*steps), f"{good}. {_MOVED}")


def reference(case: Case) -> Repeat:
    """From the signed index of a suite down to the packages that were built."""
    compared = table(case.evidence, "compared")
    found = {str(name): row for name, row in compared.items() if isinstance(row, Mapping)}
    steps: list[str] = []
    for name, row in found.items():
        result = row.get("result")
        if result in ("identical", "differs"):
            digest = text(row.get("published"), HEX)
            steps += [_named(digest), same(case.product(name), digest)]
        elif result == "absent":
            steps.append(_named(f"/{plain(name)}"))
    architectures = {match[1] for match in map(_ARCHITECTURE.search, found) if match} - {"all"}
    if not steps or len(architectures) > 1:
        raise UntoldError
    steps = [*_index(case, _packages(*architectures or ("all",))), *steps]
    good = "gpgv says Good signature by the archive; then a line for each package, in the signed index and of the product"
    return Repeat(
        boxed(*steps), f"{good}; one that differs, or that the archive has not, ends it with 1. {_MOVED}"
    )


def uploader(case: Case) -> Repeat:
    """The .dsc, by the keyring of those who may upload."""
    files = table(case.beside("archive"), "files")
    (dsc,) = [str(name) for name in files if str(name).endswith(".dsc")] or [""]
    keyring = str(case.evidence.get("uploaders") or "")
    if not keyring.startswith("/"):
        raise UntoldError
    key = f", using {case.evidence['key']}" if case.evidence.get("key") else ""
    command = f"gpgv --keyring {quoted(keyring)} {case.judged('dsc', dsc)}"
    return Repeat(command, f"gpgv says Good signature{key}, and ends with 0")


def root(case: Case) -> Repeat:
    """The signed index of a build root, out of the log."""
    name = case.item.evidence_stream.removeprefix("evidence/")
    if case.places.log is None or not _NUMBER.match(name) or "inrelease_base64" not in case.evidence:
        raise UntoldError
    index = table(case.evidence, "index") if isinstance(case.evidence.get("index"), Mapping) else {}
    made = case.evidence.get("root")
    told = made.get("index") if isinstance(made, Mapping) else None
    digest = told.get("sha256") if isinstance(told, Mapping) else index.get("sha256")
    stream = quoted(str(case.places.log / "data" / "evidence" / name))
    take = "import base64, json, sys; sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)['inrelease_base64']))"
    steps = [f'cat {stream}/*.log | python3 -I -c {quoted(take)} > "$T/InRelease"', _judged(case)]
    if isinstance(digest, str):
        steps.append(f'grep -F {text(digest, HEX)} "$T/Release"')
    return Repeat(boxed(*steps), "gpgv says Good signature by the archive, then the line of the list of packages")


def _packages(architecture: str) -> str:
    """Where the list of binary packages lies, as a word of the shell."""
    folder = "$(dpkg --print-architecture)" if architecture == "all" else plain(architecture)
    return f"main/binary-{folder}/Packages.xz"


def _index(case: Case, place: str) -> list[str]:
    """The steps that bring an index to `$T/index.xz`, as the archive has signed it."""
    told = table(case.evidence, "archive")
    mirror, suite = str(told.get("mirror") or ""), str(told.get("suite") or "")
    if not mirror or not suite or not mirror.startswith(("http:", "https:", "file:")):
        raise UntoldError
    at = quoted(f"{mirror}/dists/{suite}")
    words = f'"{place}"' if "$(" in place else quoted(place)
    return [
        f'curl -qgfsSL -o "$T/InRelease" -- {at}/InRelease',
        _judged(case),
        f'curl -qgfsSL -o "$T/index.xz" -- {at}/{words}',
        'grep -F "$(sha256sum < "$T/index.xz" | cut -c 1-64)" "$T/Release"',
    ]


def _judged(case: Case) -> str:
    keys = quoted(str(case.places.archive))
    return f'gpgv --homedir "$T" --keyring {keys} -o "$T/Release" "$T/InRelease"'


def _named(what: str) -> str:
    """The step that looks for a digest or a name in the index."""
    return f'xz -dc "$T/index.xz" | grep -F -- {quoted(what)}'
