"""What `check --json` says of a file: one JSON object whose form is documented and stays (docs/reference/check.md)."""

from __future__ import annotations

from sealwright_stages.audit_report import told
from sealwright_stages.check.pins import Pin
from sealwright_stages.check.way import Answer, Way, inputs_of, persons_of, warned
from sealwright_stages.seal.evidence import published_path
from sealwright_stages.state import Item

FORMAT = 2


def report(way: Way, answer: Answer) -> dict[str, object]:
    """All that is known of a file."""
    state, log, trust = way.state, way.audit.report, way.trust
    component = answer.products[0].component if answer.products else ""
    return {
        "format": FORMAT,
        "file": str(answer.hashed.path),
        "sha256": answer.hashed.sha256,
        "size": answer.hashed.size,
        "verdict": "yes" if answer.yes else "no",
        "passed": answer.yes,
        "provided": way.audit.provided,
        "kind": answer.kind,
        "release": state.release,
        "version": state.version,
        "products": [
            {"path": published_path(each), "record": each.n, "size": each.size} for each in answer.products
        ],
        "input": _item(answer.item) if answer.item else {},
        "links": [
            {"link": each.name, "ok": each.ok, "said": each.said, "next": each.next} for each in answer.links
        ],
        "keys": {
            "by": trust.how,
            "offered": pinned(trust.offered),
            "pinned": pinned(trust.pin),
        },
        "threshold": way.threshold,
        "signers": [
            {
                "person": each.person,
                "fingerprint": each.fingerprint,
                "signed": f"{each.signed:%Y-%m-%dT%H:%M:%SZ}",
            }
            for each in way.signers
        ],
        "log": {
            "origin": log.checkpoint.origin if log else "",
            "records": log.records if log else 0,
            "root": log.checkpoint.root.hex() if log else "",
            "vkey": log.vkey if log else "",
            "sealed": state.last_t if log else "",
            "cosigned": [each.witness.name for each in log.cosigned] if log else [],
        },
        "proof": answer.proof,
        "inputs": [_item(each) for each in inputs_of(state, component)] if log else [],
        "warnings": [_item(each) for each in warned(state)] if log else [],
        "not_checked": [
            {"what": "products", "detail": others(way, answer)},
            *(
                {"what": each.what, "detail": each.detail}
                for each in way.audit.findings
                if each.ok == "unchecked" and each.what != "products"
            ),
        ],
        "findings": [told(each) for each in way.audit.findings if each.ok != "unchecked"],
    }


def others(way: Way, answer: Answer) -> str:
    """What of the products was not looked at."""
    count = len(way.state.products) - len(answer.products)
    return f"the {count} other products of the release were not looked at"


def _item(item: Item) -> dict[str, object]:
    waiver = item.waiver
    return {
        "item": item.id,
        "component": item.component,
        "title": item.title,
        "status": str(item.status),
        "code": item.code,
        "sha256": item.subject_sha256,
        "persons": persons_of(item),
        "waived_by": waiver.person if waiver else "",
        "waived_because": waiver.reason if waiver else "",
    }


def pinned(pin: Pin | None) -> dict[str, object]:
    """A pin, or what could be one."""
    if pin is None:
        return {}
    return {
        "threshold": pin.threshold,
        "persons": {name: list(keys) for name, keys in pin.persons.items()},
        "policy_sha256": pin.policy_sha256,
        "policy_version": pin.policy_version,
        "on": pin.pinned,
        "from": pin.source,
    }
