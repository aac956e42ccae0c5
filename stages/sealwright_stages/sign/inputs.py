"""What a release was made from: every verified input with its digests, out of log and manifest.

- A pure function of both: no clock, no disk but the log's own evidence, and one order.
- Something that several items judged is one input, and names them all. Something without a digest is none.
- A build root is made of packages, which are inputs too; so is the signed index that vouches for them.
- What a build root or a component is made of is told as edges, so that what many share is told once.
- A text from outside is taken as it stands in the log; a field that has not the form that this program gives it is left
  out, since whether evidence is right is another rule's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import cast
from urllib.parse import quote

from sealwright_stages.events import Stage
from sealwright_stages.manifest import Manifest
from sealwright_stages.manifest_git import GitSource
from sealwright_stages.needed import seen_by
from sealwright_stages.sign import purl
from sealwright_stages.state import Item, State, published_path

Evidence = Mapping[str, object]
EvidenceOf = Callable[[Item], Evidence]
"""The evidence of an item's verdict, which hashes as that says."""


@dataclass(frozen=True)
class Input:
    """One input: what names it here, and nothing else; what it is, its digests by algorithm (hex), where it is from.

    `kind` is one of git, file, package, source, root, index, keyring, host, policy. `items` judged it.
    """

    ref: str
    kind: str
    digest: Mapping[str, str]
    uri: str = ""
    purl: str = ""
    name: str = ""
    version: str = ""
    items: tuple[str, ...] = ()


@dataclass
class Inputs:
    """All inputs by their names, in the order of the log; `parts`: what a component (by `component:NAME`) or an input is
    made of, by the names of inputs and products."""

    all: dict[str, Input] = field(default_factory=dict)
    parts: dict[str, dict[str, None]] = field(default_factory=dict)
    _roots: dict[str, str] = field(default_factory=dict)

    def add(self, made: Input, whole: str) -> str:
        """Take an input in, as a part of `whole` (nothing: of the release); gives the name under which it stands."""
        found = self.all.get(made.ref)
        if found is not None and (found.digest.get("sha256"), found.uri) != (made.digest.get("sha256"), made.uri):
            made = replace(made, ref=f"{made.ref}#{made.digest.get('sha256', '')}")
            found = self.all.get(made.ref)
        if found is None:
            self.all[made.ref] = made
        elif new := tuple(each for each in made.items if each not in found.items):
            self.all[made.ref] = replace(found, items=(*found.items, *new))
        if whole:
            self.edge(whole, made.ref)
        return made.ref

    def edge(self, whole: str, part: str) -> None:
        """Say that `part` is a part of `whole`."""
        self.parts.setdefault(whole, {})[part] = None


def of_component(name: str) -> str:
    """How a component is named among the parts."""
    return f"component:{name}"


def inputs_of(state: State, manifest: Manifest, evidence_of: EvidenceOf) -> Inputs:
    """The inputs of the release that `state` tells.

    Raises:
        LogError, OSError, ValueError: evidence can't be read, or does not hash as its verdict says.
    """
    found = Inputs()
    _policy(found, state)
    gits = dict(_gits(manifest))
    for item in state.items.values():
        if item.stage is Stage.VERIFY and item.subject_sha256:
            _item(found, item, gits, state, evidence_of)
    for name, component in state.components.items():
        whole = of_component(name)
        if root := found._roots.get(component.environment_sha256):
            found.edge(whole, root)
        elif component.environment and component.environment_sha256:
            host = Input(
                f"environment {component.environment}",
                "host",
                {"sha256": component.environment_sha256},
                name=f"environment {component.environment}",
            )
            found.add(host, whole)
    _needs(found, state, manifest)
    return found


def _policy(found: Inputs, state: State) -> None:
    for name, sha256 in (("policy/release.toml", state.manifest_sha256), ("policy", state.policy_sha256)):
        if sha256:
            found.add(Input(name, "policy", {"sha256": sha256}, name=name), "")
    if state.policy_signed is not None:
        name = "policy/SHA256SUMS"
        found.add(Input(name, "policy", {"sha256": state.policy_signed.sums_sha256}, name=name), "")


def _gits(manifest: Manifest) -> Iterator[tuple[str, GitSource]]:
    """Each repository of the manifest, by the id of its item."""
    for component in manifest.components:
        if git := component.git:
            yield f"{component.name}/git/{git.tag or git.commit or git.branch}", git
        for each in component.submodules:
            yield f"{component.name}/submodule/{each.path}", each.git


def _item(found: Inputs, item: Item, gits: Mapping[str, GitSource], state: State, evidence_of: EvidenceOf) -> None:
    whole = of_component(item.component)
    if item.kind in ("git-tag", "git-commit"):
        found.add(_git(item, evidence_of(item), gits.get(item.id)), whole)
    elif item.component.startswith("environment "):
        _root(found, item, evidence_of)
    elif item.kind == "archive":
        _archive(found, item, state, evidence_of, whole)
    elif item.kind == "uploader":
        _uploader(found, item, evidence_of(item), whole)
    else:
        found.add(_file(item, evidence_of(item)), whole)


def _git(item: Item, evidence: Evidence, wanted: GitSource | None) -> Input:
    url, commit, tag = _uri(_text(evidence, "url")), _text(evidence, "commit"), _text(evidence, "tag")
    ref = commit
    if tag or (wanted is not None and wanted.branch):
        ref = f"refs/tags/{tag}" if tag else f"refs/heads/{wanted.branch if wanted else ''}"
    digest = {
        "gitCommit": commit,
        "gitTag": _text(evidence, "tag_object"),
        "gitTree": _text(evidence, "tree"),
        "sha256": item.subject_sha256,
    }
    return Input(
        item.id,
        "git",
        {name: value for name, value in digest.items() if value},
        uri=f"git+{url}@{quote(ref, safe='/+~')}" if url and ref else "",
        purl=purl.repository(url, tag, commit) if url and commit and "file:" not in url[:5] else "",
        name=item.id,
        version=tag or commit,
        items=(item.id,),
    )


def _file(item: Item, evidence: Evidence) -> Input:
    """A file with a digest or a signature, an archive that was unpacked, an RPM: the file as it came."""
    url = _uri(_text(evidence, "url"))
    name = item.id.rpartition("/")[2]
    return Input(
        f"{item.component}/{name}",
        "file",
        {"sha256": item.subject_sha256},
        uri=url,
        purl=purl.file(url, item.subject_sha256) if url.startswith("http") else "",
        name=f"{item.component}/{name}",
        version=_text(evidence, "version"),
        items=(item.id,),
    )


def _archive(found: Inputs, item: Item, state: State, evidence_of: EvidenceOf, whole: str) -> None:
    """A Debian source package, file by file, or one package; and the index that vouches for it."""
    evidence = evidence_of(item)
    mirror = _index(found, evidence, whole)
    name, _, architecture = _text(evidence, "package").partition(":")
    version = _text(evidence, "version")
    path = _text(evidence, "path")
    single = bool(path)
    if not single:
        fetched = state.items.get(f"{item.component}/fetch/{name}")
        path = _text(evidence_of(fetched), "directory") if fetched is not None else ""
    package = purl.debian(name, version, architecture or "source") if name and version else ""
    for file, sha256 in _table(evidence, "files").items():
        inner = f"{item.component}/{file}"
        place = path if single else f"{path}/{file}"
        made = Input(
            inner,
            "package" if single else "source",
            {"sha256": str(sha256)},
            uri=f"{mirror}/{quote(place)}" if mirror and path else "",
            purl=package if single or file.endswith(".dsc") else "",
            name=inner,
            version=version,
            items=(item.id,),
        )
        found.add(made, whole)


def _uploader(found: Inputs, item: Item, evidence: Evidence, whole: str) -> None:
    """The keyring that a `.dsc` was judged by; the `.dsc` itself is one of the archive's files."""
    for each in (found.all[ref] for ref in found.parts.get(whole, ())):
        if each.digest.get("sha256") == item.subject_sha256:
            found.all[each.ref] = replace(each, items=(*each.items, item.id))
    for kind in ("uploaders", "rights"):
        if sha256 := _text(evidence, f"{kind}_sha256"):
            package = _text(evidence, "uploaders_package") if kind == "uploaders" else ""
            path = _uri(_text(evidence, kind))
            name = f"keyring of {kind}"
            found.add(Input(name, "keyring", {"sha256": sha256}, uri=path, name=name, version=package), whole)


def _index(found: Inputs, evidence: Evidence, whole: str) -> str:
    """The signed index of a suite; gives the address of its archive."""
    told = _table(evidence, "archive")
    mirror = _uri(_text(told, "mirror")).rstrip("/")
    suite, sha256 = _text(told, "suite"), _text(told, "inrelease_sha256")
    if mirror and suite and sha256:
        uri = f"{mirror}/dists/{quote(suite)}/InRelease"
        found.add(
            Input(
                uri,
                "index",
                {"sha256": sha256},
                uri=uri,
                name=f"InRelease of {suite}",
                version=_text(told, "date"),
            ),
            whole,
        )
    return mirror


def _root(found: Inputs, item: Item, evidence_of: EvidenceOf) -> None:
    """A build root: a tar, or one made of packages, each of which is an input too."""
    if known := found._roots.get(item.subject_sha256):
        found.add(replace(found.all[known], items=(item.id,)), "")
        return
    evidence = evidence_of(item)
    url = _uri(_text(evidence, "url"))
    made = Input(item.id, "root", {"sha256": item.subject_sha256}, uri=url, name=item.id, items=(item.id,))
    root = found._roots[item.subject_sha256] = found.add(made, "")
    mirror = _index(found, evidence, root)
    told = _table(evidence, "root")
    listed, suite = _table(told, "index"), _text(told, "suite")
    if (name := _text(listed, "name")) and (sha256 := _text(listed, "sha256")):
        uri = f"{mirror}/dists/{quote(suite)}/{quote(name)}" if mirror and suite else ""
        ref = f"{suite}/{name}"
        if (known_ref := found.all.get(ref)) is None or known_ref.digest["sha256"] != sha256:
            found.add(Input(ref, "index", {"sha256": sha256}, uri=uri, name=ref), root)
        else:
            found.edge(root, ref)
    base = _text(told, "base_sha256")
    if base in found._roots and found._roots[base] != root:
        found.edge(root, found._roots[base])
    packages = evidence.get("packages")
    for line in packages if isinstance(packages, list) else ():
        parts = line.split(" ") if isinstance(line, str) else ()
        if len(parts) == 4:
            package = purl.debian(*parts[:3])
            names = " ".join(parts[:3])
            found.add(
                Input(names, "package", {"sha256": parts[3]}, purl=package, name=parts[0], version=parts[1]), root
            )


def _needs(found: Inputs, state: State, manifest: Manifest) -> None:
    """The products of others that a component's build saw."""
    made: dict[str, list[str]] = {}
    for product in state.products.values():
        made.setdefault(product.component, []).append(published_path(product))
    for name, needs in seen_by(manifest.components).items():
        for need in needs:
            for product_path in made.get(need, ()):
                found.edge(of_component(name), product_path)


def _uri(place: str) -> str:
    """An address as a URI; a path of the builder's machine is one of the scheme file."""
    if not place:
        return ""
    scheme, colon, rest = place.partition("://")
    if colon:
        return f"{scheme}://{quote(rest, safe='/:@!$&+,;=~*()%?#[]')}"
    return "file://" + quote(place, safe="/+~")


def _text(table: Evidence, key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""


def _table(table: Evidence, key: str) -> Evidence:
    value = table.get(key)
    return cast(Evidence, value) if isinstance(value, Mapping) else {}
