"""What the manifest asks of an item of verify, and whether the evidence of its verdict says that it is what was judged.

- A pinned digest is the SHA-256 of the bytes that were judged, by whatever item.
- Address, tag, commit, package and suite are those of the manifest; an address that is a path of the builder's machine
  can't be compared, since a manifest's paths are relative to where it lay.
- What evidence tells of the bytes that it is about (a digest, the signed object, a list of files) fits the verdict.
- A commit and a tag object are those that the signed object itself names, or is.
- As many of the manifest's signers as it demands are named as those who signed.
- The packages of a build root are each named with version, architecture and SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sealwright_stages.declared import Declaration
from sealwright_stages.manifest import ComponentSpec
from sealwright_stages.manifest_git import GitSource
from sealwright_stages.rules.story import sha256_of
from sealwright_stages.state import Item
from sealwright_stages.verify.codes import shown

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]* [^ ]+ [a-z0-9-]+ [0-9a-f]{64}\Z")
_LISTED = ("archive", "package", "version", "files")
_CUT = 32768  # bytes of a signed object that are kept as evidence


@dataclass(frozen=True)
class Asked:
    """What is asked for; what is empty is not compared. `inside` are fields of the evidence, `archive`
    of its archive; `keys` are fields that it must have, whatever they say."""

    sha256: str = ""
    inside: tuple[tuple[str, str], ...] = ()
    archive: tuple[tuple[str, str], ...] = ()
    signers: tuple[str, ...] = ()
    threshold: int = 1
    packages: bool = False
    keys: tuple[str, ...] = ()


def as_asked(declared: Declaration, item: Item, subject: str, found: Mapping[str, Any]) -> str:
    """What of a green verdict is not what the manifest asks for; empty if all is."""
    asked = _asked(declared).get(item.id)
    if asked is None or not found:
        return ""
    if lacking := [key for key in asked.keys if key not in found]:
        return f"its evidence does not tell its {lacking[0]}"
    if wrong := _of_these_bytes(subject, found):
        return wrong
    if found.get("pinned", bool(asked.sha256)) is not bool(asked.sha256):
        return "its evidence says untruly whether the manifest pins its bytes"
    if asked.sha256 and subject != asked.sha256:
        return "it is green for other bytes than the ones that the manifest pins"
    archive = found.get("archive")
    for table, wanted in ((found, asked.inside), (archive if isinstance(archive, dict) else {}, asked.archive)):
        for key, value in wanted:
            if value and table.get(key) != value:
                return f"its evidence is of another {key} than the manifest's"
    return _signed(asked, found) or _packages(asked, found)


def _of_these_bytes(subject: str, found: Mapping[str, Any]) -> str:
    """Whether evidence that names the bytes it is about names those of the verdict."""
    for key in ("object_sha256", "found"):
        if found.get(key, subject) != subject:
            return f"its evidence names other bytes as {key}"
    files = found.get("files")
    if isinstance(files, dict) and subject not in files.values():
        return "its evidence does not name the file that was judged"
    raw = found.get("object_base64")
    if raw is not None:
        try:
            data = base64.b64decode(str(raw), validate=True)
        except ValueError:
            return "the signed object in its evidence can't be read"
        if len(data) < _CUT and hashlib.sha256(data).hexdigest() != subject:
            return "the signed object in its evidence is another one"
        if len(data) < _CUT and (wrong := _of_this_object(data, found)):
            return wrong
    archive = found.get("archive")
    if isinstance(archive, dict) and not _dated(archive):
        return "its evidence does not name the archive's signed index by date and SHA-256"
    return ""


def _of_this_object(data: bytes, found: Mapping[str, Any]) -> str:
    """Whether evidence names a git object, and what that names, as the signed object itself does."""
    kind, _, name = data.partition(b"\n")[0].decode("ascii", "replace").partition(" ")
    head = b"%s %d\0" % (b"tag" if kind == "object" else b"commit", len(data))
    own = hashlib.sha1(head + data, usedforsecurity=False).hexdigest()  # git's own name for it
    told = {"tag_object": own, "commit": name} if kind == "object" else {"commit": own, "tree": name}
    for key, value in told.items():
        if found.get(key) != value:
            return f"its evidence names another {key.replace('_', ' ')} than the signed object"
    return ""


def _dated(archive: Mapping[str, Any]) -> bool:
    until = archive.get("valid_until")
    try:
        date = datetime.fromisoformat(str(archive.get("date")))
        if until != "":
            datetime.fromisoformat(str(until))
    except ValueError:
        return False
    return date.tzinfo is not None and sha256_of(str(archive.get("inrelease_sha256")))


def _signed(asked: Asked, found: Mapping[str, Any]) -> str:
    if not asked.signers:
        return ""
    inner = found.get("signature")
    persons = found.get("persons", inner.get("persons") if isinstance(inner, dict) else None)
    if not isinstance(persons, list) or not all(isinstance(each, str) for each in persons):
        return "its evidence does not say who signed"
    threshold = found.get("threshold", inner.get("threshold") if isinstance(inner, dict) else None)
    if threshold is not None and threshold != asked.threshold:
        return "its evidence goes by another threshold than the manifest's"
    if not set(asked.signers).issuperset(persons):
        return "its evidence names a signer whom the manifest does not choose"
    return "" if len(set(persons)) >= asked.threshold else "fewer have signed than the manifest demands"


def _packages(asked: Asked, found: Mapping[str, Any]) -> str:
    packages = found.get("packages")
    if not asked.packages:
        return ""
    if not isinstance(packages, list) or not packages:
        return "its evidence names no packages"
    right = all(isinstance(each, str) and _PACKAGE.match(each) for each in packages)
    return "" if right else "its evidence names a package without version, architecture and SHA-256"


def _asked(declared: Declaration) -> Mapping[str, Asked]:
    known = declared.asked
    if not known:
        mirror = (declared.manifest.mirror or "").rstrip("/")
        for component in declared.manifest.components:
            known.update(_of(component, mirror))
            build = component.build
            if build is not None and build.environment.startswith("debian:"):
                told = (("suite", build.environment.removeprefix("debian:")), ("mirror", mirror))
                known[f"environment {build.environment}/apt"] = Asked(
                    archive=told, packages=True, keys=("archive",)
                )
                known[f"{component.name}/environment"] = Asked(packages=True, keys=("root",))
                known[f"{component.name}/reference"] = Asked(archive=told, keys=("archive", "compared"))
        for sha256, url in declared.manifest.tars.items():
            known[f"environment tar:{sha256}/tar"] = Asked(sha256, _url(url), keys=("pinned", "found"))
    return known


def _of(component: ComponentSpec, mirror: str) -> Iterator[tuple[str, Asked]]:
    """What is asked of a component's items, by their ids."""
    name = component.name
    if component.git:
        label = component.git.tag or component.git.commit or component.git.branch
        yield f"{name}/git/{label}", _git(component.git, component.signers, component.threshold)
    for each in component.submodules:
        yield f"{name}/submodule/{each.path}", _git(each.git, each.signers, each.threshold)
    for file in component.files:
        pinned, where, keys = file.sha256 or "", _url(file.url), ("pinned",)
        yield f"{name}/file/{file.name}", Asked(pinned, where, keys=(*keys, "found"))
        yield f"{name}/unpack/{file.name}", Asked(pinned, where, keys=keys)
        signed = Asked(pinned, where, (), file.signers, file.threshold, keys=keys)
        yield f"{name}/file-signature/{file.name}", signed
    for rpm in component.rpms:
        yield f"{name}/file/{rpm.name}", Asked(rpm.sha256 or "", _url(rpm.url))
        yield f"{name}/rpm/{rpm.name}", Asked(rpm.sha256 or "", _url(rpm.url), (), rpm.signers, rpm.threshold)
    for deb in component.debs:
        label = f"{deb.package}:{deb.architecture}" if deb.architecture else deb.package
        inside = (("version", deb.version or ""), ("package", label if deb.architecture else ""))
        yield (
            f"{name}/deb/{label}",
            Asked(inside=inside, archive=(("suite", deb.suite), ("mirror", mirror)), keys=_LISTED),
        )
    if component.dsc:
        where = (("suite", component.dsc.suite), ("mirror", mirror))
        yield (
            f"{name}/archive/{component.dsc.package}",
            Asked(inside=(("package", component.dsc.package),), archive=where, keys=_LISTED),
        )


def _git(git: GitSource, signers: tuple[str, ...], threshold: int) -> Asked:
    inside = (*_url(git.url), ("tag", git.tag or ""), ("commit", git.commit or ""))
    return Asked("", inside, (), signers, threshold, keys=("object_sha256", "committed"))


def _url(url: str) -> tuple[tuple[str, str], ...]:
    return (("url", shown(url, 1000)),) if "://" in url else ()
