"""What an item's evidence says of the thing that it judged, as fields that can be compared. Pure.

- What was judged counts, and who signed it. How it was judged (arguments, status lines, tools, milliseconds, which of
  two clocks) differs from run to run and says nothing about the thing: `IGNORED` names each such field, with the reason.
- Evidence that has another form than this program gives it tells nothing, and is no error: the audit judges it.
- A field that is in neither list is a defect: a test holds real evidence against both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import cast

from sealwright_stages.compare.facts import Parts, Signature, Texts

Evidence = Mapping[str, object]

TOLD = {
    "tag": "tag",
    "tag_object": "tag object",
    "commit": "commit",
    "tree": "tree",
    "trust_root": "trust root",
    "package": "package",
    "version": "version",
    "nevra": "nevra",
    "header_sha256": "header sha256",
    "payload": "payload",
    "path": "path",
    "size": "size",
    "bytes": "bytes",
    "entries": "entries",
    "links": "links",
    "members": "members",
    "files": "files",
    "tree_sha256": "tree sha256",
    "pinned": "pinned",
    "threshold": "threshold",
    "uploaders_package": "uploaders",
    "uploaders_sha256": "uploaders sha256",
    "rights_sha256": "rights sha256",
    "submodule": "submodule",
    "archive.mirror": "mirror",
    "archive.suite": "suite",
    "archive.date": "index date",
    "archive.valid_until": "index valid until",
    "archive.inrelease_sha256": "index sha256",
    "root.form": "form",
    "root.architecture": "architecture",
    "root.base_sha256": "base sha256",
    "root.tree": "tree digest",
    "uncompressed.uncompressed_sha256": "uncompressed sha256",
    "uncompressed.uncompressed_size": "uncompressed size",
}
"""The fields of evidence that are compared, and what they are called."""

_MANIFEST = "the manifest says it, and is compared as it is written; here it is resolved against a folder"
_HOW = "how it was checked, by what and how fast, and not what was checked"
_ELSEWHERE = "another field says the same"
_SIGNED = "who signed is compared, by person and key, and what was signed"
IGNORED = {
    "url": _MANIFEST,
    "uploaders": _MANIFEST,
    "argv": _HOW,
    "exit": _HOW,
    "status": _HOW,
    "stderr": _HOW,
    "tool": _HOW,
    "tool_uid": _HOW,
    "duration_ms": _HOW,
    "history_ms": _HOW,
    "history_read": _HOW,
    "cached": _HOW,
    "limited_by": _HOW,
    "broken_connections": _HOW,
    "reader": _HOW,
    "rpmkeys": _HOW,
    "sequoia": _HOW,
    "second_check": _HOW,
    "memory": "what it was held against: the release names the earlier ones that it remembers",
    "tagger": "a part of the tag object",
    "tagged": "a part of the tag object",
    "committer": "a part of the commit",
    "committed": "a part of the commit",
    "object_base64": "the object's SHA-256 is the check's subject",
    "object_sha256": "it is the check's subject",
    "object": _ELSEWHERE,
    "ref": _ELSEWHERE,
    "submodules": "each submodule has a check of its own",
    "wanted": "the manifest's pin",
    "found": "it is the check's subject",
    "data_sha256": _ELSEWHERE,
    "date": _ELSEWHERE,
    "suite": _ELSEWHERE,
    "inrelease_sha256": _ELSEWHERE,
    "index": "the index's SHA-256 says which one it was",
    "products": "products are compared by themselves",
    "compared": "products are compared by themselves, and the index's SHA-256 says with what they were",
    "report": _HOW,
    "kind": _SIGNED,
    "key": _SIGNED,
    "persons": _SIGNED,
    "signature": _SIGNED,
    "signatures": _SIGNED,
    "issuers": _SIGNED,
    "chosen": _SIGNED,
    "keyring_sha256": _SIGNED,
    "packet_sha256": _SIGNED,
    "signature_sha256": _SIGNED,
    "signed_at": _SIGNED,
    "namespace": _SIGNED,
    "digest": _SIGNED,
    "algorithm": _SIGNED,
    "twice": "whether a component is reproduced is the check's verdict",
    "varied": _HOW,
    "kept": _HOW,
    "packages": "they are compared one by one",
    "root": "what is not one of these stands in the manifest, the sources, or the archive's fields",
    "inrelease_base64": "its SHA-256 says which one it was",
    "archive": "its fields are compared one by one",
    "uncompressed": "its digest and size are compared",
}
"""The fields of evidence that are not compared, and why."""


def told_of(evidence: Evidence) -> Texts:
    """The compared fields of evidence, by what they are called; what is empty is left out."""
    found: dict[str, str] = {}
    for path, name in TOLD.items():
        table, _, key = path.rpartition(".")
        where = evidence.get(table) if table else evidence
        value = where.get(key) if isinstance(where, Mapping) else None
        if isinstance(value, (str, int)) and value != "":
            found[name] = text_of(value).replace("+00:00", "Z") if name.startswith("index ") else text_of(value)
    return found


def listed_of(evidence: Evidence) -> Parts:
    """The files or packages that evidence names one by one."""
    files, packages = evidence.get("files"), evidence.get("packages")
    if isinstance(files, Mapping):
        return {str(name): {"sha256": str(value)} for name, value in files.items()}
    if isinstance(packages, list):
        return dict(_package(line) for line in packages if isinstance(line, str) and line.count(" ") == 3)
    return {}


def _package(line: str) -> tuple[str, Texts]:
    name, version, architecture, sha256 = line.split(" ")
    return f"{name}:{architecture}", {"version": version, "sha256": sha256}


def signatures_of(evidence: Evidence, owners: Mapping[str, Signature]) -> frozenset[Signature]:
    """Whose signatures evidence tells of; `owners` says whose a key is, subkeys included."""
    return frozenset(owners.get(key, Signature("", key)) for key in _keys(evidence))


def _keys(evidence: Evidence) -> Iterator[str]:
    key, several, index = evidence.get("key"), evidence.get("signatures"), evidence.get("index")
    if isinstance(key, str):
        yield key
    for each in several if isinstance(several, list) else ():
        if isinstance(each, Mapping) and isinstance(each.get("key"), str):
            yield each["key"]
    for inner in (evidence.get("signature"), index):
        if isinstance(inner, Mapping):
            yield from _keys(cast(Evidence, inner))


def text_of(value: object) -> str:
    """A value as text: a text is itself, anything else JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
