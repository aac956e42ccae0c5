"""What is told of a build besides its log: the provenance and the SBOM, against the official schemas and other readers."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.statement_pb2 import Statement
from packageurl import PackageURL

from audit.forge import Forger, Step, says, told
from audit.rich import CATDOC, COMMIT, DSC, FILE, NOTES, PACKAGES, ROOT, TAG_OBJECT, TREE, rich, sha
from sealwright_stages import events as ev
from sealwright_stages.audit import Reviewer, audit
from sealwright_stages.events import Stage
from sealwright_stages.manifest import load
from sealwright_stages.sign import purl
from sealwright_stages.sign.dsse import opened
from sealwright_stages.sign.inputs import Inputs, inputs_of
from sealwright_stages.sign.provenance import sealed_log
from sealwright_stages.state import Component, Item, State
from support.release_folder import HEAD

PROVENANCE = "provenance.manager-a.dsse.json"
SBOM = "sbom.cdx.json"


@pytest.fixture
def evidence(forger: Forger) -> Path:
    """Of the rich release."""
    rich(forger)
    return forger.evidence()


def statement(evidence: Path) -> dict[str, Any]:
    payload, _ = opened((evidence / PROVENANCE).read_bytes())
    found: dict[str, Any] = json.loads(payload)
    return found


def definition(evidence: Path) -> dict[str, Any]:
    found: dict[str, Any] = statement(evidence)["predicate"]["buildDefinition"]
    return found


# The provenance


def test_it_is_what_the_official_schemas_of_statement_and_provenance_know(evidence: Path) -> None:
    told = statement(evidence)
    ParseDict(told, Statement())  # raises over a field that it does not know
    known = Provenance()
    ParseDict(told["predicate"], known)
    assert len(known.build_definition.resolved_dependencies) == len(definition(evidence)["resolvedDependencies"])
    metadata = known.run_details.metadata
    assert metadata.finished_on.ToNanoseconds() > metadata.started_on.ToNanoseconds() > 0


def test_it_is_canonical_json_and_the_same_log_gives_the_same_bytes(forger: Forger, evidence: Path) -> None:
    payload, _ = opened((evidence / PROVENANCE).read_bytes())
    assert json.dumps(json.loads(payload), sort_keys=True, separators=(",", ":")).encode() == payload
    again = says(told(evidence / "log"), forger.declared()[0].manifest, evidence / "log")
    assert (again.statement, again.sbom) == (payload, (evidence / SBOM).read_bytes())


def test_every_verified_input_is_named_once_with_its_digest(evidence: Path) -> None:
    found = definition(evidence)["resolvedDependencies"]
    names = [each["name"] for each in found]
    assert len(set(names)) == len(names) and all(each["digest"] for each in found)
    digests = {each["digest"]["sha256"] for each in found}
    policy = {hashlib.sha256((evidence / "policy" / "release.toml").read_bytes()).hexdigest()}
    roots = {ROOT, sha("root of catdoc"), sha("root of xen"), *(line.split(" ")[3] for line in PACKAGES)}
    assert digests >= {FILE, NOTES, DSC, sha("list"), *roots, *policy}
    judged = {item for each in found for item in each.get("annotations", {}).get("items", [each["name"]])}
    state = told(evidence / "log")
    assert judged >= {item.id for item in state.items.values() if item.stage is Stage.VERIFY}


def test_a_git_input_is_named_by_its_ref_and_all_its_objects(evidence: Path) -> None:
    (git,) = (each for each in definition(evidence)["resolvedDependencies"] if each["name"] == "xen/git/v1")
    assert git["uri"] == "git+https://example.org/xen.git@refs/tags/v1"
    of = {name: git["digest"][name] for name in ("gitCommit", "gitTag", "gitTree")}
    assert of == {"gitCommit": COMMIT, "gitTag": TAG_OBJECT, "gitTree": TREE} and len(git["digest"]) == 4


def test_the_products_that_a_build_saw_are_inputs_and_say_whose_build_it_was(evidence: Path) -> None:
    seen = [e for e in definition(evidence)["resolvedDependencies"] if e["name"].startswith("products/")]
    assert {each["name"] for each in seen} == {f"products/catdoc/{name}" for name in CATDOC}
    assert all(each["annotations"] == {"neededBy": ["xen"]} for each in seen)


def test_the_internal_parameters_say_what_a_signer_shows(evidence: Path) -> None:
    inner = definition(evidence)["internalParameters"]
    sealed = sealed_log(evidence / "log").checkpoint
    log = {"origin": sealed.origin, "size": sealed.size, "root": sealed.root.hex()}
    assert inner["log"] == log and set(inner) == {"components", "items", "warned", "waivers", "log"}
    assert (inner["components"], inner["items"]) == (2, len(told(evidence / "log").items))
    assert inner["warned"] == sorted(each["item"] for each in inner["waivers"])
    first = [each["item"] for each in inner["waivers"]][:2]  # in the order of the log, and not of the items
    assert first == ["xen/file-signature/tallow.tar.gz", "catdoc/uploader/catdoc"]


def test_another_key_of_a_log_is_another_builder(forger: Forger, evidence: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    forger.key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    mine, theirs = (statement(each)["predicate"]["runDetails"] for each in (evidence, forger.evidence()))
    assert mine["builder"]["id"] != theirs["builder"]["id"]
    assert mine["byproducts"][0]["digest"]["sha256"] == hashlib.sha256((evidence / SBOM).read_bytes()).hexdigest()


def test_nothing_is_told_out_of_a_log_that_breaks_rule_after_rule(forger: Forger) -> None:
    """Else each of its items could name one large stream as its evidence."""

    def again(steps: list[Step]) -> list[Step]:
        return [*steps[:-1], *[ev.ItemStarted("xen/git/v1")] * 30, steps[-1]]

    found = audit(forger.evidence(again), Reviewer(forger.folder / "keyring", ("manager-a",))).findings
    (told,) = [finding for finding in found if finding.what in ("provenance", SBOM)]
    assert told.ok == "unchecked" and sum(finding.ok == "bad" for finding in found) >= 20


# The SBOM


def test_the_sbom_is_what_the_official_schema_and_its_library_read(evidence: Path) -> None:
    text = (evidence / SBOM).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library about what it will read otherwise some day
        read = Bom.from_json(json.loads(text))  # type: ignore[attr-defined]
        read.validate()
    assert read.metadata.component is not None and read.metadata.component.name == "example"
    refs = {str(each.bom_ref) for each in read.components}
    assert len(refs) == len(read.components) == len(json.loads(text)["components"])


def test_the_sbom_names_the_inputs_of_the_provenance_with_the_same_digests(evidence: Path) -> None:
    listed = {each["bom-ref"]: each for each in json.loads((evidence / SBOM).read_bytes())["components"]}
    for each in definition(evidence)["resolvedDependencies"]:
        if not each["name"].startswith("products/"):
            assert listed.pop(each["name"])["hashes"] == [{"alg": "SHA-256", "content": each["digest"]["sha256"]}]
    assert set(listed) == {"component:notes", "component:catdoc", "component:xen"}
    assert b"licen" not in (evidence / SBOM).read_bytes()


def test_from_each_product_the_inputs_of_its_component_are_reached(evidence: Path) -> None:
    edges = {e["ref"]: e["dependsOn"] for e in json.loads((evidence / SBOM).read_bytes())["dependencies"]}
    (component,) = edges["products/xen/xen.tar"]
    assert edges[component] == sorted(edges[component])
    assert {"xen/git/v1", "xen/tallow.tar.gz", "xen/environment", "products/catdoc/notes.txt"} <= set(
        edges[component]
    )
    assert {"gcc 12.2 amd64", "environment debian:bookworm/apt"} <= set(edges["xen/environment"])
    assert "catdoc/catdoc.dsc" in edges["component:catdoc"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data.replace(b'"12.2"', b'"12.3"'),
        lambda data: data + b"\n",
        lambda data: json.dumps(json.loads(data)).encode(),
        lambda data: b"",
    ],
    ids=["version", "one-more", "form", "empty"],
)
def test_an_sbom_that_says_something_else_is_a_no(
    forger: Forger, evidence: Path, harm: Callable[[bytes], bytes]
) -> None:
    reviewer = Reviewer(forger.folder / "keyring", ("manager-a",))
    assert audit(evidence, reviewer).passed
    (evidence / SBOM).write_bytes(harm((evidence / SBOM).read_bytes()))
    assert [f.rule for f in audit(evidence, reviewer).findings if f.ok == "bad"] == ["sbom"]
    (evidence / SBOM).unlink()
    assert [f.rule for f in audit(evidence, reviewer).findings if f.ok == "bad"] == ["sbom"]


# Inputs of every kind

SUBMODULE = """[[component]]
name = "grub"
git = "/srv/grub 2"
branch = "stable/1"
signed = "commit"
signers = ["release-key-a"]
[[component.submodule]]
path = "lib/gnulib"
git = "https://github.com/example/GnuLib.git"
commit = "cccccccccccccccccccccccccccccccccccccccc"
signers = ["release-key-a"]
[component.build]
environment = "host"
recipe = "commands"
commands = ["make"]
products = ["*.tar"]
"""
ARCHIVE = {
    "mirror": "file:///srv/debian/",
    "suite": "trixie",
    "date": "2026",
    "inrelease_sha256": sha("InRelease"),
}
GIT = {"url": "/srv/grub 2", "commit": "b" * 40}
ITEMS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "grub/git/stable/1": ("git-commit", GIT),
    "grub/submodule/lib/gnulib": ("git-commit", {"url": "https://github.com/example/GnuLib.git", "commit": "c" * 40}),
    "grub/rpm/dwz-1.rpm": ("rpm", {"url": "https://example.org/dwz-1.rpm", "version": "1-2"}),
    "grub/file/dwz-1.rpm": ("digest", {"url": "https://example.org/dwz-1.rpm"}),
    "grub/deb/xz-utils:amd64": (
        "archive",
        {
            "archive": ARCHIVE,
            "package": "xz-utils:amd64",
            "version": "5.8.1+really~1",
            "path": "pool/main/x/xz_5.8.1+really_amd64.deb",
            "files": {"xz_5.8.1+really_amd64.deb": sha("grub/deb/xz-utils:amd64")},
        },
    ),
    "grub/archive/hello": (
        "archive",
        {"archive": ARCHIVE, "package": "hello", "version": "1:2-3", "files": {"h.dsc": sha("h"), "h.tar": sha("t")}},
    ),
    "grub/uploader/hello": ("uploader", {"uploaders": "/srv/k.gpg", "uploaders_sha256": sha("ring"), "uploaders_package": "k 1"}),
    "environment tar:1/tar": ("digest", {"url": "https://example.org/root.tar", "found": "x"}),
    "grub/environment": ("apt", {"packages": ["gcc 1 amd64 " + sha("gcc"), "odd", 7]}),
    "lamp/environment": ("apt", {}),
    "grub/file/odd": ("digest", {"url": 7, "version": []}),
    "grub/git/odder": ("git-tag", {"commit": {}, "tag": None}),
}  # fmt: skip
SUBJECTS = {"lamp/environment": sha("grub/environment"), "grub/archive/hello": sha("h"), "grub/uploader/hello": sha("h"), "grub/file/dwz-1.rpm": sha("grub/rpm/dwz-1.rpm")}  # fmt: skip


@pytest.fixture
def inputs(forger: Forger) -> Inputs:
    """Those of a release that has every kind."""
    forger.manifest.write_text(HEAD + SUBMODULE)
    state = State(manifest_sha256=sha("manifest"), policy_sha256=sha("policy"))
    for name, (kind, _) in ITEMS.items():
        component = "environment tar:1" if "environment" in name else "grub"
        subject = SUBJECTS.get(name, sha(name))
        state.items[name] = Item(name, component, Stage.VERIFY, kind, name, subject_sha256=subject)
    fetched = state.items["grub/fetch/hello"] = Item("grub/fetch/hello", "grub", Stage.GET_SOURCES, "fetch", "")
    state.components["grub"] = Component("grub", environment="host", environment_sha256=sha("host"))
    directory = {fetched.id: {"directory": "pool/main/h/hello"}}
    of: Mapping[str, Mapping[str, object]] = {name: told for name, (_, told) in ITEMS.items()} | directory
    return inputs_of(state, load(forger.manifest), lambda item: of[item.id])


PURLS = {
    "grub/git/stable/1": "",
    "grub/submodule/lib/gnulib": "pkg:github/example/gnulib@" + "c" * 40,
    "grub/xz_5.8.1+really_amd64.deb": "pkg:deb/debian/xz-utils@5.8.1%2Breally~1?arch=amd64",
    "grub/h.dsc": "pkg:deb/debian/hello@1:2-3?arch=source",
    "grub/h.tar": "",
    "environment host": "",
}


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("grub/git/stable/1", "git+file:///srv/grub%202@refs/heads/stable/1"),
        ("grub/submodule/lib/gnulib", "git+https://github.com/example/GnuLib.git@" + "c" * 40),
        ("grub/dwz-1.rpm", "https://example.org/dwz-1.rpm"),
        ("grub/xz_5.8.1+really_amd64.deb", "file:///srv/debian/pool/main/x/xz_5.8.1%2Breally_amd64.deb"),
        ("grub/h.dsc", "file:///srv/debian/pool/main/h/hello/h.dsc"),
        ("grub/h.tar", "file:///srv/debian/pool/main/h/hello/h.tar"),
        ("keyring of uploaders", "file:///srv/k.gpg"),
        ("file:///srv/debian/dists/trixie/InRelease", "file:///srv/debian/dists/trixie/InRelease"),
        ("environment tar:1/tar", "https://example.org/root.tar"),
        ("environment host", ""),
        ("grub/odd", ""),
        ("grub/git/odder", ""),
    ],
)
def test_an_input_of_each_kind_is_named_by_where_it_is_from(inputs: Inputs, name: str, uri: str) -> None:
    found = inputs.all[name]
    assert found.uri == uri and len(found.digest["sha256"]) == 64
    assert found.purl == PURLS.get(name, found.purl)
    if found.purl:
        assert PackageURL.from_string(found.purl).to_string() == found.purl


def test_what_several_items_judged_is_one_input_and_names_them_all(inputs: Inputs) -> None:
    assert inputs.all["grub/dwz-1.rpm"].items == ("grub/rpm/dwz-1.rpm", "grub/file/dwz-1.rpm")
    assert inputs.all["grub/h.dsc"].items == ("grub/archive/hello", "grub/uploader/hello")
    assert inputs.all["grub/environment"].items == ("grub/environment", "lamp/environment")
    assert list(inputs.parts["grub/environment"]) == ["gcc 1 amd64"] and "lamp/environment" not in inputs.all


def test_two_things_of_one_name_are_two_inputs(inputs: Inputs) -> None:
    from dataclasses import replace

    other = replace(inputs.all["grub/h.tar"], digest={"sha256": sha("another")})
    assert inputs.add(other, "") == f"grub/h.tar#{sha('another')}"
    assert inputs.add(other, "") == f"grub/h.tar#{sha('another')}" and inputs.all["grub/h.tar"].digest[
        "sha256"
    ] == sha("t")


@pytest.mark.parametrize(
    "made",
    [
        purl.debian("libstdc++6", "1:4.0~rc1+b2", "amd64"),
        purl.repository("https://github.com/Example/Repo.git/", "v1.0 β", "c" * 40),
        purl.repository("ssh://example.org:22/a b/c#d?e.git", "", "c" * 40),
        purl.repository("https://example.org/", "", "c" * 40),
        purl.file("https://example.org/a+b%20c@1.tar.gz", "a" * 64),
    ],
)
def test_package_urls_are_in_the_librarys_own_form(made: str) -> None:
    assert PackageURL.from_string(made).to_string() == made
