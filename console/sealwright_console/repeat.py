"""The command that repeats a check by hand, made from a verdict's evidence and the places of a release.

- Nothing here runs anything or looks at a disk: evidence and paths in, a command out.
- Every word from outside is quoted for a POSIX shell; what is not printable ASCII stands as an escape of bash and zsh,
  so that what is shown is what is copied, and what is copied can't do anything else than what is shown.
- A command works in a folder of its own, which it removes, and ends with 0 only if the check is passed.
- Only keys that the evidence names are asked, out of the keyring's folder, by full fingerprint.
- What was judged is taken from the work folder; what is not there any more is fetched anew from its address.
- Where the evidence does not tell enough, there is no command, rather than one that checks something else.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.state import Item
from sealwright_stages.verdict import Status

Evidence = Mapping[str, object]

ARCHIVE_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_WHOLE_OBJECT = 32768  # bytes of a git object that evidence holds at most; one as long may be cut
_HEX = re.compile(r"[0-9a-f]{40,64}\Z")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}\Z")
_NUMBER = re.compile(r"[0-9]+-[0-9]+\Z")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}\Z")
_READERS = {".gz": "gzip", ".tgz": "gzip", ".xz": "xz", ".bz2": "bzip2", ".zst": "zstd"}
_INDEX = {"archive": "main/source", "deb": "main/binary"}


@dataclass(frozen=True)
class Places:
    """Where the things of a release lie; None for what is not there, or not known.

    `keys` is the keyring's folder with the keys, `archive` the file with the keys of the Debian archive.
    """

    sources: Path | None = None
    products: Path | None = None
    keys: Path | None = None
    log: Path | None = None
    archive: Path = ARCHIVE_KEYRING


def places_of(work: Path, keys: Path | None) -> Places:
    """The places of a work folder."""
    root = work.absolute()
    return Places(root / "sources", root / "products", keys.absolute() if keys else None, root / "log")


@dataclass(frozen=True)
class Repeat:
    """A command of one or more lines, and what a good answer looks like."""

    command: str
    good: str


class _UntoldError(Exception):
    """The evidence does not say enough."""


def repeat(item: Item, evidence: Evidence, places: Places, others: Callable[[str], Evidence]) -> Repeat | None:
    """The command for `item`, or None; `others` gives the evidence of the item with that id, empty if there is none."""
    make = _KINDS.get(item.kind)
    if make is None:
        return None
    try:
        return make(_Case(item, evidence, places, others))
    except _UntoldError:
        return None


def quoted(word: str) -> str:
    """A word for a shell: plain if it can be, else in quotes; what is not printable ASCII as bytes in `$'...'`."""
    if word.isascii() and word.isprintable():
        return shlex.quote(word)
    data = word.encode("utf-8", "surrogateescape")
    if 0 in data:
        raise _UntoldError
    plain = (chr(byte) if 0x20 <= byte < 0x7F and byte not in b"'\\" else f"\\x{byte:02x}" for byte in data)
    return f"$'{''.join(plain)}'"


@dataclass(frozen=True)
class _Case:
    item: Item
    evidence: Evidence
    places: Places
    others: Callable[[str], Evidence]

    @property
    def name(self) -> str:
        """The last part of the item's id."""
        return self.item.id.removeprefix(f"{self.item.component}/").partition("/")[2]

    def source(self, folder: str, name: str, url: str = "") -> tuple[list[str], str]:
        """The steps that bring a file, and the word that names it then."""
        if self.places.sources is not None and self.item.status is not Status.FAILED:
            return [], quoted(str(self.places.sources / _plain(self.item.component) / folder / _plain(name)))
        return [fetched(url, "file")], '"$T/file"'

    @property
    def url(self) -> str:
        """Where the item's file came from."""
        of_fetch = self.others(f"{self.item.component}/fetch/{self.name}").get("url")
        return str(of_fetch or self.evidence.get("url") or "")

    def keyring(self, keys: list[str], form: str = "") -> list[str]:
        """The steps that make `$T/signer` of just these OpenPGP keys."""
        if not keys or not all(_FINGERPRINT.match(key) for key in keys):
            raise _UntoldError
        gpg = 'gpg --homedir "$T" --batch --quiet --no-autostart'
        export = f'{gpg} {form}--export {" ".join(keys)} > "$T/signer"'
        return [f"{gpg} --import {self.keys}/*.asc", export]

    @property
    def keys(self) -> str:
        """The folder of the keys; where it is not known, the shell asks for it."""
        if self.places.keys is None:
            return '"${KEYS:?set it to the folder keys of your keyring}"'
        return quoted(str(self.places.keys))


def fetched(url: str, name: str) -> str:
    """The step that brings what is at `url` to `$T/name`."""
    if not url or url.endswith("...") or url.startswith("-"):  # it was cut when it was logged
        raise _UntoldError
    tool = "cp" if url.startswith("/") else "curl -fsSL"
    return f'cp -- {quoted(url)} "$T/{name}"' if tool == "cp" else f'{tool} -o "$T/{name}" -- {quoted(url)}'


def _boxed(*steps: str) -> str:
    lines = ["(T=$(mktemp -d) && trap 'rm -rf \"$T\"' EXIT", *steps]
    return " &&\n ".join(lines) + ")"


def _plain(name: str) -> str:
    if not name or "/" in name or name in (".", ".."):
        raise _UntoldError
    return name


def _text(value: object, form: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not form.match(value):
        raise _UntoldError
    return value


def _table(evidence: Evidence, key: str) -> Evidence:
    value = evidence.get(key)
    if not isinstance(value, Mapping):
        raise _UntoldError
    return value


def same(path: str, sha256: str) -> str:
    """The step that hashes a file and compares."""
    return f"sha256sum < {path} | grep -x '{sha256}  -'"


def signatures(evidence: Evidence) -> list[Evidence]:
    """What evidence says of each signature, wherever in it that stands."""
    inner = evidence.get("signature")
    found = evidence.get("signatures")
    if found is None and isinstance(inner, Mapping):
        found = inner.get("signatures")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _keys_of(found: list[Evidence], kind: str) -> list[str]:
    """The keys that made the signatures of this kind; where none is named, those that might have."""
    keys: list[str] = []
    for each in found:
        if each.get("kind") == kind:
            chosen = each.get("chosen")
            named = each.get("key")
            keys += [str(named)] if named else [str(key) for key in chosen] if isinstance(chosen, list) else []
    return list(dict.fromkeys(keys))


def _digest(case: _Case) -> Repeat:
    wanted = _text(case.evidence.get("wanted"), _HEX)
    steps, path = case.source("files", case.name, case.url)
    command = _boxed(*steps, same(path, wanted)) if steps else same(path, wanted)
    return Repeat(command, f"it prints {wanted} and ends with 0; another file prints nothing, and ends with 1")


def _file_signature(case: _Case) -> Repeat:
    found = signatures(case.evidence)
    steps, path = case.source("files", case.name, case.url)
    if "uncompressed" in case.evidence:
        reader = _READERS.get(Path(case.name).suffix)
        if reader is None:
            raise _UntoldError
        steps.append(f'{reader} -dc < {path} > "$T/inside"')
        path = '"$T/inside"'
    beside = case.others(f"{case.item.component}/fetch/{case.name}").get("signatures")
    urls = (
        [str(each.get("url", "")) for each in beside if isinstance(each, Mapping)]
        if isinstance(beside, list)
        else []
    )
    kinds = [str(each.get("kind")) for each in found]
    if not urls or not found or len(set(kinds)) != 1:
        raise _UntoldError
    for number, url in enumerate(urls):
        steps.append(fetched(url, f"signature{number}"))
    judge = {"openpgp": _by_gpgv, "ssh": _by_ssh, "minisign": _by_minisign}.get(kinds[0])
    if judge is None:
        raise _UntoldError
    made, good = judge(
        case, _keys_of(found, kinds[0]), path, [f'"$T/signature{number}"' for number in range(len(urls))]
    )
    return Repeat(_boxed(*steps, *made), good)


def _by_gpgv(case: _Case, keys: list[str], path: str, files: list[str]) -> tuple[list[str], str]:
    checks = [f'gpgv --homedir "$T" --keyring "$T/signer" {file} {path}' for file in files]
    return [*case.keyring(keys), *checks], _good_by(keys)


def _good_by(keys: list[str]) -> str:
    return f"gpgv says Good signature, using {' and '.join(keys)}, and ends with 0"


def _by_ssh(case: _Case, keys: list[str], path: str, files: list[str]) -> tuple[list[str], str]:
    checks = [f'ssh-keygen -Y verify -f "$T/allowed" -I signer -n file -s {file} < {path}' for file in files]
    return [*_allowed(case, keys), *checks], f'ssh-keygen says Good "file" signature with {" and ".join(keys)}'


def _allowed(case: _Case, keys: list[str]) -> list[str]:
    """The step that writes `$T/allowed`, with those keys of the keyring that have these fingerprints."""
    if not keys or not all(re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", key) for key in keys):
        raise _UntoldError
    named = " ".join(f"-e ' {key} '" for key in keys)
    look = f'ssh-keygen -lf "$k" 2> /dev/null | grep -qF {named}'
    take = 'echo "signer $(head -n 1 "$k")" >> "$T/allowed"'
    return [f'{{ for k in {case.keys}/*.pub; do {look} && {take}; done; test -s "$T/allowed"; }}']


def _by_minisign(case: _Case, keys: list[str], path: str, files: list[str]) -> tuple[list[str], str]:
    if len(keys) != 1 or not re.fullmatch(r"minisign:[0-9a-f]{64}", keys[0]):
        raise _UntoldError
    key = keys[0].partition(":")[2]
    is_it = f'tail -n 1 "$k" | base64 -d 2> /dev/null | tail -c 32 | sha256sum | grep -q {key}'
    find = f'{{ for k in {case.keys}/*.pub; do {is_it} && cp "$k" "$T/signer"; done; test -s "$T/signer"; }}'
    checks = [f'minisign -V -p "$T/signer" -x {file} -m {path}' for file in files]
    return [find, *checks], "minisign says Signature and comment signature verified, and ends with 0"


def _git(case: _Case) -> Repeat:
    kind = "tag" if case.item.kind == "git-tag" else "commit"
    object_id = _text(case.evidence.get("tag_object" if kind == "tag" else "commit"), _HEX)
    raw = _text(case.evidence.get("object_base64"), _BASE64)
    if len(raw) >= _WHOLE_OBJECT * 4 // 3:
        raise _UntoldError
    found = signatures(case.evidence)
    kinds = {str(each.get("kind")) for each in found}
    git = 'git -C "$T/git"'
    put = f"printf %s {raw} | base64 -d | {git} hash-object -t {kind} -w --stdin --literally | grep -x {object_id}"
    begin = ['git init --quiet --bare "$T/git"', put]
    if kinds == {"openpgp"}:
        keys = _keys_of(found, "openpgp")
        alone = (
            'mkdir -m 700 "$T/one" && gpg --homedir "$T/one" --batch --quiet --no-autostart --import "$T/signer"'
        )
        check = f'GNUPGHOME="$T/one" {git} -c gpg.program=gpg verify-{kind} --raw {object_id}'
        good = f"it prints {object_id}, then GOODSIG and VALIDSIG with {' and '.join(keys)}, and ends with 0"
        return Repeat(_boxed(*begin, *case.keyring(keys), alone, check), good)
    if kinds == {"ssh"}:
        keys = _keys_of(found, "ssh")
        options = '-c gpg.ssh.program=ssh-keygen -c gpg.ssh.allowedSignersFile="$T/allowed"'
        check = f"{git} {options} verify-{kind} {object_id}"
        good = f'it prints {object_id}, then Good "git" signature with {" and ".join(keys)}, and ends with 0'
        return Repeat(_boxed(*begin, *_allowed(case, keys), check), good)
    raise _UntoldError


def _git_fetch(case: _Case) -> Repeat:
    object_id = _text(case.evidence.get("object"), _HEX)
    url, ref = str(case.evidence.get("url") or ""), str(case.evidence.get("ref") or "")
    if not url or url.endswith("...") or not ref:
        raise _UntoldError
    command = f"git ls-remote -- {quoted(url)} {quoted(ref)} | cut -f 1 | grep -x {object_id}"
    return Repeat(command, f"it prints {object_id}: the server still names the object that arrived")


def _rpm(case: _Case) -> Repeat:
    keys = _keys_of(signatures(case.evidence), "openpgp")
    steps, path = case.source("files", case.name, case.url)
    rpm = "rpmkeys --dbpath=\"$T/rpm\" --define='_pkgverify_level all'"
    check = f"{rpm} --checksig --verbose - < {path}"
    made = [*case.keyring(keys, "--armor "), 'mkdir "$T/rpm"', f'{rpm} --import "$T/signer"', check]
    if case.item.status is not Status.FAILED:  # the signature does not cover all of the file, and the verdict does
        steps.append(same(path, _text(case.item.subject_sha256, _HEX)))
    good = "the file's SHA-256, then lines that all end in OK, one of them the signature's; and it ends with 0"
    return Repeat(_boxed(*steps, *made), good)


def _archive(case: _Case) -> Repeat:
    """From the signed index of a suite down to the files: of a source package, or a .deb."""
    part = "deb" if case.item.id.removeprefix(f"{case.item.component}/").startswith("deb/") else "archive"
    told = _table(case.evidence, "archive")
    files = _table(case.evidence, "files")
    mirror, suite = str(told.get("mirror") or ""), str(told.get("suite") or "")
    folder, index = _INDEX[part], "Sources.xz"
    if part == "deb":
        architecture = str(case.evidence.get("package") or "").rpartition(":")[2]
        index = "Packages.xz"
        folder += "-$(dpkg --print-architecture)" if architecture == "all" else f"-{_plain(architecture)}"
    if not mirror or not suite or not files:
        raise _UntoldError
    at = quoted(f"{mirror}/dists/{suite}")
    place = f'"{folder}/{index}"' if "$(" in folder else quoted(f"{folder}/{index}")
    steps = [
        f'curl -fsSL -o "$T/InRelease" -- {at}/InRelease',
        f'gpgv --homedir "$T" --keyring {quoted(str(case.places.archive))} -o "$T/Release" "$T/InRelease"',
        f'curl -fsSL -o "$T/index.xz" -- {at}/{place}',
        'grep -F "$(sha256sum < "$T/index.xz" | cut -c 1-64)" "$T/Release"',
    ]
    for name, sha256 in files.items():
        digest = _text(sha256, _HEX)
        steps.append(f'xz -dc "$T/index.xz" | grep -F {digest}')
        if case.places.sources is not None and case.item.status is not Status.FAILED:
            _, path = case.source("files" if part == "deb" else "dsc", str(name))
            steps.append(same(path, digest))
    good = (
        "gpgv says Good signature by the archive; then a line for each digest, in the signed index and of the file"
    )
    return Repeat(_boxed(*steps), f"{good}. Once the archive has moved on, its index names newer files")


def _uploader(case: _Case) -> Repeat:
    files = _table(case.others(f"{case.item.component}/archive/{case.name}"), "files")
    (dsc,) = [str(name) for name in files if str(name).endswith(".dsc")] or [""]
    keyring = str(case.evidence.get("uploaders") or "")
    if not keyring.startswith("/") or case.places.sources is None or case.item.status is Status.FAILED:
        raise _UntoldError
    _, path = case.source("dsc", dsc)
    key = f", using {case.evidence['key']}" if case.evidence.get("key") else ""
    command = f"gpgv --keyring {quoted(keyring)} {path}"
    return Repeat(command, f"gpgv says Good signature{key}, and ends with 0")


def _build(case: _Case) -> Repeat:
    products = _table(case.evidence, "products")
    if case.places.products is None or not products:
        raise _UntoldError
    folder = case.places.products / _plain(case.item.component)
    checks = [
        same(quoted(str(folder / _plain(str(name)))), _text(sha256, _HEX)) for name, sha256 in products.items()
    ]
    return Repeat(" &&\n".join(checks), "a line for each product: its bytes are those that the log names")


def _root(case: _Case) -> Repeat:
    """The signed index of a build root, out of the log."""
    name = case.item.evidence_stream.removeprefix("evidence/")
    if case.places.log is None or not _NUMBER.match(name) or "inrelease_base64" not in case.evidence:
        raise _UntoldError
    index = _table(case.evidence, "index") if isinstance(case.evidence.get("index"), Mapping) else {}
    root = case.evidence.get("root")
    told = root.get("index") if isinstance(root, Mapping) else None
    digest = told.get("sha256") if isinstance(told, Mapping) else index.get("sha256")
    stream = quoted(str(case.places.log / "data" / "evidence" / name))
    take = "import base64, json, sys; sys.stdout.buffer.write(base64.b64decode(json.load(sys.stdin)['inrelease_base64']))"
    steps = [
        f'cat {stream}/*.log | python3 -I -c {quoted(take)} > "$T/InRelease"',
        f'gpgv --homedir "$T" --keyring {quoted(str(case.places.archive))} -o "$T/Release" "$T/InRelease"',
    ]
    if isinstance(digest, str):
        steps.append(f'grep -F {_text(digest, _HEX)} "$T/Release"')
    return Repeat(_boxed(*steps), "gpgv says Good signature by the archive, then the line of the list of packages")


_KINDS: Mapping[str, Callable[[_Case], Repeat]] = {
    "digest": _digest,
    "file-signature": _file_signature,
    "git-tag": _git,
    "git-commit": _git,
    "git": _git_fetch,
    "rpm": _rpm,
    "archive": _archive,
    "uploader": _uploader,
    "build": _build,
    "apt": _root,
}
