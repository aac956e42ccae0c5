"""What an audit could not look at, and how it could be: never left out in silence.

- What a reviewer could bring is named with the option that brings it.
- What an evidence folder can't hold (sources, build roots, earlier releases, the hands that typed) is named as that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sealwright_appendlog.audit import LogReport
from sealwright_stages.findings import Finding, advice, unchecked
from sealwright_stages.manifest import Manifest
from sealwright_stages.reviewer import Reviewer
from sealwright_stages.state import State


def not_checked(state: State, manifest: Manifest, reviewer: Reviewer, report: LogReport) -> Iterator[Finding]:
    """Each thing that a yes does not cover."""
    if not report.cosigned:
        told = "no witness cosigned it that you named: nobody else says that this is the only log of this release"
        yield unchecked("witness", f"{told}; --witness VKEY")
    if not report.continued:
        told = "no checkpoint that you saved earlier was compared with it; --checkpoint FILE"
        yield unchecked("checkpoint", told)
    if not report.has_newest:
        yield unchecked("witness", "log/checkpoint is missing, where cosignatures would stand")
    if report.missing_tiles:
        yield unchecked("tiles", f"{report.missing_tiles} tiles are missing; they can be made from the index")
    components = [c for c in state.components.values() if c.manifest_sha256]
    if components:
        told = f"the sources of {len(components)} components are not in the folder: the log has their SHA-256"
        yield unchecked("sources", f"{told}, and nobody built from them again here")
    yield from _sandbox(state)
    yield from _roots(state)
    if state.memory:
        told = f"{len(state.memory)} earlier releases are not in the folder: that they were read is the log's word"
        yield unchecked("memory", told)
    typed = [w for w in state.waivers if (w.item, w.code, w.item_sha256) not in _waived(manifest)]
    if typed:
        told = f"{len(typed)} waivers were typed at the console: who sat there is the console's word"
        yield unchecked("waivers", told)
    if not report.cosigned:
        yield unchecked("times", "when it all happened is the word of the log's own clock, and of the signers'")


def _sandbox(state: State) -> Iterator[Finding]:
    if not any(component.built_with or component.build_started for component in state.components.values()):
        return
    if state.held is None:
        yield unchecked("sandbox", "the log does not say that ways out of the builder's sandbox were tried")
    else:
        told = f"that {state.held.tried} ways out were tried and held at {state.held.at} is the builder's word"
        yield unchecked("sandbox", told)


def _roots(state: State) -> Iterator[Finding]:
    names = sorted({c.environment for c in state.components.values() if c.environment})
    for name in names:
        if name == "host":
            yield unchecked("build root", "host: it was the builder's own /usr, for which nothing vouches")
        elif name.startswith("tar:"):
            yield unchecked(
                "build root", f"{name}: its tar is not in the folder; nothing vouches for it but the pin"
            )
        else:
            told = (
                "no root was made again, and the signature of its index not checked: both are in the evidence of its "
                "items, with every package by SHA-256"
            )
            yield unchecked("build root", f"{name}: {told}")


def _waived(manifest: Manifest) -> set[tuple[str, str, str]]:
    return {(w.item, w.code, w.item_sha256) for w in manifest.waivers}


def root_packages(manifest: Manifest, roots: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """Packages that a build asks for, and that no package of its root is called; a virtual one has another name."""
    for component in manifest.components:
        build = component.build
        ids = (f"{component.name}/environment", f"environment {build.environment}/apt") if build else ()
        names = next((roots[each] for each in ids if each in roots), None)
        if build is None or names is None or build.environment.startswith("tar:"):
            continue
        if lacking := sorted(set(build.packages) - set(names)):
            told = f"{component.name} asks for {', '.join(lacking)}, and its root has no package of that name"
            yield advice("build root", told, "build-inputs")
