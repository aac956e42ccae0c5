"""Made-up releases to compare: one in which no field is empty, and strategies that draw two that have much in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from sealwright_stages.compare.facts import Check, Component, Product, Release, Signature
from sealwright_stages.memory.facts import Fact, Kind
from support.stories import sha

GIT = "greeting/git/v1.0"
FETCH = "greeting/fetch/v1.0"
BUILD = "greeting/build"
ROOT = "environment debian:bookworm"
KEY, OTHER = "A" * 40, "B" * 40


def git(tag: str = "v1.0", key: str = KEY, **fields: Any) -> Check:
    """The check of a signed tag."""
    fact = Fact(Kind.TAG, "greeting", "https://example.org/greeting.git", tag, sha(tag), 100, 100)
    told = {"tag": tag, "commit": sha(tag)[:40], "tree": sha(tag)[24:], "threshold": "1"}
    by = frozenset({Signature("author", key)})
    made = Check("verify", "git", "passed", "ok", sha(tag), "", by, told, {}, (fact,))
    return replace(made, **fields)


def greeting(tag: Check | None = None, **fields: Any) -> Component:
    """A component with a tag, a fetch and a build."""
    tag = tag or git()
    name = f"greeting/git/{tag.told['tag']}"
    more = {FETCH: Check("get-sources", "git", "passed", "ok"), BUILD: Check("build", "build", "passed", "ok")}
    made = Component(
        declared={
            "": {"tag": "v1.0", "signers": '["author"]', "threshold": "1"},
            "build": {"commands": '["make"]', "limits.wall": "5m"},
            "file words-1.0.txt": {"url": "https://example.org/words-1.0.txt", "sha256": sha("words")},
        },
        checks={name: tag, **more},
        sources_sha256=sha("sources"),
        files=2,
        bytes=300,
        recipe="commands",
        environment="debian:bookworm",
        environment_sha256=sha("root"),
        epoch=1_700_000_000,
        needs_sha256=sha("needs"),
        products={"greeting-1.0.tar": Product(sha("product"), 300, "bit-identical to the one in the archive")},
        took={"get-sources": 20_000, "verify": 30_000, "build": 60_000},
        output=200_000,
    )
    return replace(made, **fields)


def root(**fields: Any) -> Component:
    """A build root of two packages."""
    packages = {"gcc:amd64": {"version": "12.2.0-14", "sha256": sha("gcc")}, "make:amd64": {"version": "4.3-4.1"}}
    told = {"mirror": "https://example.org/debian", "index date": "2026-11-01T10:00:00Z"}
    made = Check("verify", "apt", "passed", "ok", sha("root"), told=told, listed=packages)
    made = replace(made, signatures=frozenset({Signature("", OTHER)}))
    return Component(checks={f"{ROOT}/apt": replace(made, **fields)})


def release(**fields: Any) -> Release:
    """A release in which no field is empty."""
    person = {"openpgp": f'["{KEY}"]', "components": "[]", "not_after": "2027-01-31"}
    made = Release(
        name="example",
        version="1.0",
        tool="0.1.0",
        manifest_sha256=sha("manifest"),
        policy_sha256=sha("policy"),
        policy_signed=frozenset({"manager"}),
        remembers=frozenset({f"example-0.9 {sha('log')}"}),
        declared={"release": {"signers": '["manager"]', "threshold": "1"}, "policy": {"signers": '["manager"]'}},
        persons={"author": person, "manager": {**person, "openpgp": f'["{OTHER}"]'}},
        signatures=frozenset({Signature("manager", OTHER)}),
        components={"greeting": greeting(), ROOT: root()},
        took={"get-sources": 30_000, "build": 60_000},
    )
    return replace(made, **fields)


def with_greeting(component: Component, **fields: Any) -> Release:
    """The release with another greeting."""
    return release(components={"greeting": component, ROOT: root()}, **fields)


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Everything that differs from `value` in one place, with the name of the innermost field that was changed."""
    if isinstance(value, str):
        yield name, f"{value}x"
    elif isinstance(value, int):
        yield name, value + 10_000_000
    elif isinstance(value, Fact):
        yield name, replace(value, value=f"{value.value}x")
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            for deeper, other in leaves(getattr(value, field.name), f"{type(value).__name__}.{field.name}"):
                yield deeper, replace(value, **{field.name: other})
    elif isinstance(value, Mapping):
        yield from _of_mapping(value, name)
    elif isinstance(value, (frozenset, tuple)):
        yield from _of_members(value, name)
    else:
        raise AssertionError(f"{name}: nobody knows how to change a {type(value).__name__}")


def _of_mapping(value: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        yield name, {each: value[each] for each in value if each != key}
        yield name, {**value, f"{key}-new": inner}
        for deeper, other in leaves(inner, name):
            yield deeper, {**value, key: other}


def _of_members(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    for member in value:
        rest = [each for each in value if each != member]
        yield name, kind(rest)
        for deeper, other in leaves(member, name):
            yield deeper, kind([*rest, other])


_texts = st.sampled_from(["", "v1.0", "v1.1", "v2-rc1", '["author"]', '["author", "other"]', "2", "passed"])
_hashes = st.sampled_from(["", sha("one"), sha("two")])
_names = st.sampled_from(["a-1.0", "a-1.1", "a-b", "b", "greeting/git/v1", "greeting/git/v2", "policy"])
_numbers = st.sampled_from([0, 1, 9_000, 20_000, 200_000])
_parts = st.dictionaries(_names, st.dictionaries(_texts, _texts, max_size=3), max_size=3)
_signed = st.frozensets(
    st.builds(Signature, st.sampled_from(["", "author", "other"]), st.sampled_from([KEY, OTHER])), max_size=2
)
_facts = st.builds(
    Fact,
    st.sampled_from([*Kind]),
    st.sampled_from(["greeting", "hi"]),
    st.sampled_from(["https://example.org/x", ""]),
    _names,
    _hashes,
    st.sampled_from([None, 1, 2]),
)
_checks = st.builds(
    Check,
    st.sampled_from(["get-sources", "verify", "build"]),
    st.sampled_from(["git", "file"]),
    st.sampled_from(["passed", "warned", "failed", "pending"]),
    st.sampled_from(["", "ok", "nothing-new"]),
    _hashes,
    _texts,
    _signed,
    st.dictionaries(_texts, _texts, max_size=3),
    _parts,
    st.lists(_facts, max_size=2).map(tuple),
)
_components = st.builds(
    Component,
    _parts,
    st.dictionaries(_names, _checks, max_size=4),
    _hashes,
    _numbers,
    _numbers,
    _texts,
    _texts,
    _hashes,
    _numbers,
    _hashes,
    st.dictionaries(_names, st.builds(Product, _hashes, _numbers, _texts), max_size=3),
    st.dictionaries(st.sampled_from(["verify", "build"]), _numbers),
    _numbers,
)
RELEASES = st.builds(
    Release,
    st.sampled_from(["example", "other"]),
    st.sampled_from(["1.0", "1.1"]),
    _texts,
    _hashes,
    _hashes,
    st.sampled_from(["", "1", "2"]),
    st.frozensets(_names, max_size=2),
    st.frozensets(_names, max_size=2),
    st.none() | _parts,
    st.none() | _parts,
    _signed,
    st.dictionaries(st.sampled_from(["greeting", "hi", ROOT]), _components, max_size=3),
    st.dictionaries(st.sampled_from(["verify", "build"]), _numbers),
)
