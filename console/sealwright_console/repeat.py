"""The command that repeats a check by hand, made from a verdict's evidence and the places of a release.

- Nothing here runs anything or looks at a disk: evidence and paths in, a command out.
- A command works in a folder of its own, which it removes, and ends with 0 only if the check is passed.
- Only keys that the evidence names are asked, out of the keyring's folder, by full fingerprint.
- What was judged is taken from the work folder; what is not there any more is fetched anew from its address.
- Nothing is unpacked whose unpacking was refused.
- Where the evidence does not tell enough, there is no command, rather than one that checks something else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from sealwright_console import repeat_debian
from sealwright_console.repeat_case import HEX, Case, Evidence, Places, Repeat, places_of, reader, table, text
from sealwright_console.repeat_shell import UntoldError, boxed, fetched, quoted, same, wrapped
from sealwright_stages.state import Item
from sealwright_stages.unpack.names import archive_kind, decompressor, uncompressed_name, unpacked_name
from sealwright_stages.verdict import Status

__all__ = ["Places", "Repeat", "places_of", "quoted", "repeat", "signatures", "wrapped"]

_WHOLE_OBJECT = 32768  # bytes of a git object that evidence holds at most; one as long may be cut
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}\Z")


def repeat(item: Item, evidence: Evidence, places: Places, others: Callable[[str], Evidence]) -> Repeat | None:
    """The command for `item`, or None; `others` gives the evidence of the item with that id, empty if there is none."""
    make = _KINDS.get(item.kind)
    if make is None:
        return None
    try:
        return make(Case(item, evidence, places, others))
    except UntoldError:
        return None


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


def _digest(case: Case) -> Repeat:
    wanted = text(case.evidence.get("wanted"), HEX)
    steps, path = case.source("files", case.name, case.url)
    command = boxed(*steps, same(path, wanted)) if steps else same(path, wanted)
    return Repeat(command, f"it prints {wanted} and ends with 0; another file prints nothing, and ends with 1")


def _file_signature(case: Case) -> Repeat:
    found = signatures(case.evidence)
    steps, path = _signed(case)
    beside = case.beside("fetch").get("signatures")
    urls = (
        [str(each.get("url", "")) for each in beside if isinstance(each, Mapping)]
        if isinstance(beside, list)
        else []
    )
    kinds = [str(each.get("kind")) for each in found]
    if not urls or not found or len(set(kinds)) != 1:
        raise UntoldError
    for number, url in enumerate(urls):
        steps.append(fetched(url, f"signature{number}"))
    judge = {"openpgp": _by_gpgv, "ssh": _by_ssh, "minisign": _by_minisign}.get(kinds[0])
    if judge is None:
        raise UntoldError
    made, good = judge(
        case, _keys_of(found, kinds[0]), path, [f'"$T/signature{number}"' for number in range(len(urls))]
    )
    return Repeat(boxed(*steps, *made), good)


def _signed(case: Case) -> tuple[list[str], str]:
    """The steps that bring the bytes that were signed: a file's, or those inside of it, which lie there uncompressed."""
    if not case.uncompressed:
        return case.source("files", case.name, case.url)
    if case.stands:
        return [], case.judged("files", uncompressed_name(case.name))
    return [fetched(case.url, "file"), f'{reader(case.name)} -dc < "$T/file" > "$T/inside"'], '"$T/inside"'


def _file_fetch(case: Case) -> Repeat:
    """The file, fetched once more, beside what was judged; without that, by its pinned digest."""
    url = str(case.evidence.get("url") or "")
    if case.stands and case.uncompressed:
        inside = (
            f'{reader(case.name)} -dc < "$T/file" | cmp - {case.judged("files", uncompressed_name(case.name))}'
        )
        command = boxed(fetched(url, "file"), inside)
    elif case.stands:
        command = boxed(fetched(url, "file"), f'cmp "$T/file" {case.judged("files", case.name)}')
    else:
        command = boxed(fetched(url, "file"), same('"$T/file"', text(case.beside("file").get("wanted"), HEX)))
        return Repeat(command, "it prints the pinned digest and ends with 0: the address serves that file")
    return Repeat(command, "it says nothing and ends with 0: the address still serves the bytes that were judged")


def _unpack(case: Case) -> Repeat:
    """The archive, unpacked once more, beside what was unpacked; one that was refused is never unpacked."""
    if case.item.status is not Status.PASSED:
        raise UntoldError
    kind = archive_kind(case.name)
    if not kind:
        raise UntoldError
    tree, path = case.judged("unpacked", unpacked_name(case.name)), case.judged("files", case.name)
    if case.uncompressed:
        path = case.judged("files", uncompressed_name(case.name))
    if kind == "zip":
        take = f'unzip -q -d "$T/tree" {path}'
    elif decompressor(case.name) and not case.uncompressed:
        take = f'{reader(case.name)} -dc < {path} | tar --no-same-owner -C "$T/tree" -xf -'
    else:
        take = f'tar --no-same-owner -C "$T/tree" -xf - < {path}'
    command = boxed('mkdir "$T/tree"', take, f'diff -r --no-dereference "$T/tree" {tree}')
    return Repeat(command, "diff says nothing and ends with 0: the same names with the same bytes")


def _by_gpgv(case: Case, keys: list[str], path: str, files: list[str]) -> tuple[list[str], str]:
    checks = [f'gpgv --homedir "$T" --keyring "$T/signer" {file} {path}' for file in files]
    return [*case.keyring(keys), *checks], _good_by(keys)


def _good_by(keys: list[str]) -> str:
    return f"gpgv says Good signature, using {' and '.join(keys)}, and ends with 0"


def _by_ssh(case: Case, keys: list[str], path: str, files: list[str]) -> tuple[list[str], str]:
    checks = [f'ssh-keygen -Y verify -f "$T/allowed" -I signer -n file -s {file} < {path}' for file in files]
    return [*_allowed(case, keys), *checks], f'ssh-keygen says Good "file" signature with {" and ".join(keys)}'


def _allowed(case: Case, keys: list[str]) -> list[str]:
    """The step that writes `$T/allowed`, with those keys of the keyring that have these fingerprints."""
    if not keys or not all(re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", key) for key in keys):
        raise UntoldError
    named = " ".join(f"-e ' {key} '" for key in keys)
    look = f'ssh-keygen -lf "$k" 2> /dev/null | grep -qF {named}'
    take = 'echo "signer $(head -n 1 "$k")" >> "$T/allowed"'
    return [f'{{ for k in {case.keys}/*.pub; do {look} && {take}; done; test -s "$T/allowed"; }}']


def _by_minisign(case: Case, keys: list[str], path: str, files: list[str]) -> tuple[list[str], str]:
    if len(keys) != 1 or not re.fullmatch(r"minisign:[0-9a-f]{64}", keys[0]):
        raise UntoldError
    key = keys[0].partition(":")[2]
    is_it = f'tail -n 1 "$k" | base64 -d 2> /dev/null | tail -c 32 | sha256sum | grep -q {key}'
    find = f'{{ for k in {case.keys}/*.pub; do {is_it} && cp "$k" "$T/signer"; done; test -s "$T/signer"; }}'
    checks = [f'minisign -V -p "$T/signer" -x {file} -m {path}' for file in files]
    return [find, *checks], "minisign says Signature and comment signature verified, and ends with 0"


def _git(case: Case) -> Repeat:
    kind = "tag" if case.item.kind == "git-tag" else "commit"
    object_id = text(case.evidence.get("tag_object" if kind == "tag" else "commit"), HEX)
    raw = text(case.evidence.get("object_base64"), _BASE64)
    if len(raw) >= _WHOLE_OBJECT * 4 // 3:
        raise UntoldError
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
        return Repeat(boxed(*begin, *case.keyring(keys), alone, check), good)
    if kinds == {"ssh"}:
        keys = _keys_of(found, "ssh")
        options = '-c gpg.ssh.program=ssh-keygen -c gpg.ssh.allowedSignersFile="$T/allowed"'
        check = f"{git} {options} verify-{kind} {object_id}"
        good = f'it prints {object_id}, then Good "git" signature with {" and ".join(keys)}, and ends with 0'
        return Repeat(boxed(*begin, *_allowed(case, keys), check), good)
    raise UntoldError


def _git_fetch(case: Case) -> Repeat:
    object_id = text(case.evidence.get("object"), HEX)
    url, ref = str(case.evidence.get("url") or ""), str(case.evidence.get("ref") or "")
    if not url or url.endswith("...") or not ref:
        raise UntoldError
    command = f"git ls-remote -- {quoted(url)} {quoted(ref)} | cut -f 1 | grep -x {object_id}"
    return Repeat(command, f"it prints {object_id}: the server still names the object that arrived")


def _rpm(case: Case) -> Repeat:
    keys = _keys_of(signatures(case.evidence), "openpgp")
    steps, path = case.source("files", case.name, case.url)
    rpm = "rpmkeys --dbpath=\"$T/rpm\" --define='_pkgverify_level all'"
    check = f"{rpm} --checksig --verbose - < {path}"
    made = [*case.keyring(keys, "--armor "), 'mkdir "$T/rpm"', f'{rpm} --import "$T/signer"', check]
    if case.item.status is not Status.FAILED:  # the signature does not cover all of the file, and the verdict does
        steps.append(same(path, text(case.item.subject_sha256, HEX)))
    good = "the file's SHA-256, then lines that all end in OK, one of them the signature's; and it ends with 0"
    return Repeat(boxed(*steps, *made), good)


def _build(case: Case) -> Repeat:
    products = table(case.evidence, "products")
    checks = [same(case.product(str(name)), text(sha256, HEX)) for name, sha256 in products.items()]
    if not checks:
        raise UntoldError
    return Repeat(" &&\n".join(checks), "a line for each product: its bytes are those that the log names")


def _reproduce(case: Case) -> Repeat:
    """The products beside what the second build gave, as the log has it: that build's own are gone."""
    checks: list[str] = []
    for name, row in table(case.evidence, "twice").items():
        second = row.get("second_sha256") if isinstance(row, Mapping) else None
        checks.append(same(case.product(str(name)), text(second, HEX)))
    if not checks:
        raise UntoldError
    good = "a line for each product: the second build gave the same bytes; one that differs ends it with 1"
    more = "`sealwright reproduce EVIDENCE_DIR` builds it anew, once the release is sealed"
    return Repeat(" &&\n".join(checks), f"{good}. {more}")


_KINDS: Mapping[str, Callable[[Case], Repeat]] = {
    "digest": _digest,
    "file-signature": _file_signature,
    "git-tag": _git,
    "git-commit": _git,
    "git": _git_fetch,
    "rpm": _rpm,
    "file": _file_fetch,
    "fetch": repeat_debian.fetch,
    "unpack": _unpack,
    "archive": repeat_debian.archive,
    "uploader": repeat_debian.uploader,
    "build": _build,
    "reproduce": _reproduce,
    "reference": repeat_debian.reference,
    "apt": repeat_debian.root,
}
