"""The rules of build roots: what an item of one says of it, and which root a build was made in.

- A component has a root of its own in a Debian suite, or the one of its environment: a host, a tar, or a suite in a log
  of an older version, which has one root for all.
- A root is judged when the sources of all that is built in it stand.
- A base root's evidence holds the signed index itself, by the SHA-256 that it names, and the list of packages that it
  goes by is one that this index names.
- A component's root is of the base that stands, of the same index, and of what the manifest and its sources ask for.
- A root is the same for all items that tell the same of it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sealwright_stages.build_depends import read_from_tree
from sealwright_stages.declared import Declaration
from sealwright_stages.log.entries import Entry
from sealwright_stages.rules.story import Story, sha256_of
from sealwright_stages.state import Item, State

_VERSION = re.compile(r"[0-9A-Za-z.+~-]{0,40}\Z")
_TOOLS = ("apt", "dpkg", "mmdebstrap", "tar")


def own_roots(declared: Declaration) -> frozenset[str]:
    """The items of roots that a component has for itself."""
    return frozenset(
        f"{each.name}/environment"
        for each in declared.manifest.components
        if each.build is not None and each.build.environment.startswith("debian:")
    )


def one_for_all(state: State, declared: Declaration) -> bool:
    """Whether a log is of an older version, in which no component has a root of its own."""
    return not any(item in state.items for item in own_roots(declared))


def root_of(state: State, component: str, environment: str) -> Item | None:
    """The item of the root that a component is built in, if it has one."""
    group = state.components.get(f"environment {environment}")
    own = f"{component}/environment"
    if group is None:
        return None
    return state.items[own] if own in group.items else state.items[group.items[0]]


def judged_root(story: Story, item: Item, subject: str, found: Mapping[str, Any], entry: Entry) -> None:
    """A build root that is green."""
    packages = found.get("packages")
    names = (str(each).partition(" ")[0] for each in packages) if isinstance(packages, list) else ()
    story.roots[item.id] = frozenset(names)
    declared = story.declared
    if declared is None:
        return
    for component in declared.manifest.components:
        known = story.state.components.get(component.name)
        environment = component.build.environment if component.build else ""
        inside = root_of(story.state, component.name, environment) is item
        if inside and (known is None or not known.manifest_sha256):
            story.breaks("item-order", entry, f"{item.id} was judged before the sources of {component.name} stood")
    if item.kind == "apt" and not one_for_all(story.state, declared):
        for wrong in _told(story, declared, item, subject, found):
            story.breaks("root-evidence", entry, f"{item.id}: {wrong}")


def _told(
    story: Story, declared: Declaration, item: Item, subject: str, found: Mapping[str, Any]
) -> Iterator[str]:
    """What of a Debian root's evidence does not fit."""
    root = found.get("root")
    if not isinstance(root, dict):
        yield "its evidence does not say what its root was made of"
        return
    if wrong := list(_form(root, item, found)):
        yield from wrong  # and what has another form is looked into no further
        return
    name = item.id.removesuffix("/environment")
    if item.id == f"{item.component}/apt":
        if (root.get("packages"), root.get("build_depends"), root.get("base_sha256")) != ([], [], subject):
            yield "its evidence is not that of a base root"
        yield from _index(root, found)
        story.bases[item.component] = subject, root
        return
    base_sha256, base = story.bases.get(item.component, ("", {}))
    same = ("form", "suite", "architecture", "base", "inrelease_sha256", "index")
    standing = story.state.items.get(f"{item.component}/apt")
    if root.get("base_sha256") != base_sha256 or any(root.get(key) != base.get(key) for key in same):
        yield "its root was made of another base than the one that was judged"
    elif standing is None or standing.subject_sha256 != base_sha256:
        yield "its root was made before its base was judged"
    component = declared.component(name)
    build = component.build if component else None
    if build is None or root.get("packages") != sorted(set(build.packages)):
        yield "its root was made of other packages than the manifest asks for"
    depends = story.facts.get(name, {}).get("build_depends") or ""
    in_a_file = not depends and component is not None and read_from_tree(component)
    if not in_a_file and root.get("build_depends") != _fields(str(depends)):
        yield "its root was made of other build dependencies than its sources tell"
    told = {key: value for key, value in root.items() if key != "tools"}
    twin = story.twins.setdefault(repr(sorted(told.items())), (subject, found.get("packages")))
    if twin != (subject, found.get("packages")):
        yield "another item tells the same of another root"


def _form(root: Mapping[str, Any], item: Item, found: Mapping[str, Any]) -> Iterator[str]:
    index, tools = root.get("index"), root.get("tools")
    texts = [root.get("base"), root.get("packages"), root.get("build_depends")]
    right = (
        type(root.get("form")) is int
        and f"environment debian:{root.get('suite')}" == item.component
        and re.fullmatch(r"[a-z0-9-]{1,40}", str(root.get("architecture"))) is not None
        and all(isinstance(each, list) and all(isinstance(name, str) for name in each) for each in texts)
        and bool(root.get("base"))
        and all(sha256_of(str(root.get(key))) for key in ("base_sha256", "inrelease_sha256", "tree"))
        and isinstance(index, dict)
        and index.get("name") == f"main/binary-{root.get('architecture')}/Packages.xz"
        and sha256_of(str(index.get("sha256")))
        and type(index.get("size")) is int
        and isinstance(tools, dict)
        and set(tools) == set(_TOOLS)
        and all(isinstance(each, str) and _VERSION.match(each) for each in tools.values())
    )
    if not right:
        yield "its evidence does not say in full what its root was made of"
    if found.get("inrelease_sha256") != root.get("inrelease_sha256"):
        yield "its evidence names two signed indexes"


def _index(root: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Whether the signed index is in the evidence, and names the list of packages. Its signature is not checked here."""
    archive, index = found.get("archive"), root.get("index")
    try:
        document = base64.b64decode(str(found.get("inrelease_base64")), validate=True)
    except ValueError:
        document = b""
    sha256 = hashlib.sha256(document).hexdigest()
    named = archive.get("inrelease_sha256") if isinstance(archive, dict) else None
    if not sha256 == named == root.get("inrelease_sha256"):
        yield "the signed index in its evidence is another one"
    text = _signed_text(document)
    if not re.search(rf"^(Suite|Codename): {re.escape(str(root.get('suite')))}$".encode(), text, re.MULTILINE):
        yield "the signed index in its evidence is of another suite"
    if isinstance(index, dict):
        line = rf"^ {index.get('sha256')} +{index.get('size')} {re.escape(str(index.get('name')))}$"
        if not re.search(line.encode(), text, re.MULTILINE):
            yield "the signed index in its evidence does not name its list of packages"


def _signed_text(document: bytes) -> bytes:
    """What a signature in an InRelease would cover: nothing before it, no header, and nothing after."""
    head, _, rest = document.partition(b"\n\n")
    text, end, _ = rest.partition(b"\n-----BEGIN PGP SIGNATURE-----")
    return text if end and head.startswith(b"-----BEGIN PGP SIGNED MESSAGE-----\n") else b""


def _fields(depends: str) -> list[str]:
    """A relation field as a root's wish has it."""
    text = " ".join(depends.split()).strip(" ,")
    return [text] if text else []
