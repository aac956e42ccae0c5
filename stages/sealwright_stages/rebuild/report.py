"""What a rebuild says to a machine: one JSON object whose form is documented and stays (docs/reference/reproduce.md).

- A key that is there keeps its meaning; new ones may come. `format` counts up if one ever changes.
- There is no null: what isn't known is an empty text, -1 or an empty list.
- Nothing of this machine or of now is in it, but for a path where a reason names one: it can be published.
"""

from __future__ import annotations

from sealwright_stages.audit_report import told
from sealwright_stages.compare.difference import Change
from sealwright_stages.compare.facts import Product
from sealwright_stages.rebuild.detail import Detail
from sealwright_stages.rebuild.rebuild import Rebuilt
from sealwright_stages.rebuild.results import Found, Result
from sealwright_stages.rebuild.strangers import hosts

FORMAT = 1


def report(rebuilt: Rebuilt) -> dict[str, object]:
    """The whole result."""
    taken, found, ended = rebuilt.taken, rebuilt.results, rebuilt.ended
    audit, brought = taken.audit, taken.brought
    return {
        "format": FORMAT,
        "reproduced": found.same,
        "release": taken.manifest.name,
        "version": taken.manifest.version,
        "only": brought.only,
        "log_root": taken.root,
        "audit": {
            "passed": audit.passed,
            "provided": audit.provided,
            "bad": [told(finding) for finding in audit.findings if finding.ok == "bad"],
        },
        "by": {
            "own_keyring": brought.source_keyring is not None,
            "policy_sha256": taken.policy.sha256,
            "manifest_sha256": taken.manifest.sha256,
            "fetched_from": list(hosts(taken.manifest)),
            "waivers": [
                {"item": each.item, "code": each.code, "person": each.person, "reason": each.reason}
                for each in taken.accepted
            ],
            "theirs": taken.theirs.tool,
            "here": rebuilt.mine.tool,
        },
        "ended": {"what": ended.what, "because": ended.because, "next": ended.next_step},
        "counts": {found_.value: found.count(found_) for found_ in Found},
        "inputs": [_change(change) for change in found.inputs],
        "products": [_product(each, rebuilt) for each in found.products],
    }


def _change(change: Change) -> dict[str, object]:
    return {
        "section": change.section.value,
        "kind": change.kind,
        "component": change.component,
        "theirs_name": change.names[0],
        "here_name": change.names[1],
        "field": change.field,
        "theirs": change.before,
        "here": change.after,
    }


def _product(each: Result, rebuilt: Rebuilt) -> dict[str, object]:
    detail = rebuilt.details.get((each.component, each.name))
    return {
        "component": each.component,
        "name": each.name,
        "found": each.found.value,
        "theirs": _bytes(each.theirs),
        "here": _bytes(each.mine),
        "causes": [cause.value for cause in each.causes],
        "why": each.why,
        "next": each.next_step,
        "report": _detail(detail) if detail else {},
    }


def _detail(detail: Detail) -> dict[str, object]:
    words = {"file": detail.file, "tool": detail.report.tool, "version": detail.report.version}
    return {**words, "cut": detail.report.cut, "why_none": detail.report.why_none, "cure": detail.report.cure}


def _bytes(product: Product | None) -> dict[str, object]:
    return {"sha256": product.sha256 if product else "", "size": product.size if product else -1}
