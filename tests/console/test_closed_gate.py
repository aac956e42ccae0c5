"""A closed gate as plain lines: what closes it with its next step, and the waivers that would open it."""

from __future__ import annotations

import tomllib

from sealwright_console.closed_gate import reasons, waivers
from sealwright_stages.events import Stage
from sealwright_stages.fold import fold
from sealwright_stages.gate import decide
from sealwright_stages.state import State
from support.stories import POLICY, begun, declared, entries_of, judged, sha

ODD = 'odd/"quoted"\\and\x1b[2J'


def told(**items: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The reasons and waivers of a release whose items end as given; pending ones don't."""
    events = [begun(), *(declared(f"{name}/x") for name in items)]
    events += [judged(f"{name}/x", verdict) for name, verdict in items.items() if verdict != "pending"]
    state = fold(entries_of(events))
    return closed(state)


def closed(state: State) -> tuple[list[tuple[str, str]], list[str]]:
    decision = decide(Stage.BUILD, state)
    return list(reasons(decision, state)), list(waivers(decision, state))


def test_what_failed_or_warns_stands_first_with_its_code_and_a_next_step_of_its_own() -> None:
    found, _ = told(a="pending", b="warned", c="failed", d="passed")
    assert [because.split(":")[0] for because, _ in found[:2]] == ["c", "b"]
    assert "[refused]: because of c/x" in found[0][0] and found[0][1] == "do this"
    assert "[expired-since]: warning not waived: because of b/x" in found[1][0]


def test_what_merely_waits_is_counted() -> None:
    found, _ = told(a="failed", **{f"w{n}": "pending" for n in range(9)})
    assert len(found) == 2
    assert found[1][0].startswith("not checked yet: w0: title of w0/x, w1:") and found[1][0].endswith("and 6 more")


def test_a_component_that_failed_is_not_told_again_as_missing() -> None:
    found, _ = told(a="failed")
    assert len(found) == 1
    found, _ = told(a="passed")
    assert found == [("a: sources: its verified sources are not in its folder", "run verify again")]


def test_a_warnings_waiver_is_shown_whole_but_for_who_and_why() -> None:
    _, lines = told(a="warned", b="failed")
    (waiver,) = tomllib.loads("\n".join(line for line in lines if not line.startswith("to accept")))["waiver"]
    assert waiver == {
        "item": "a/x",
        "code": "expired-since",
        "person": "",
        "reason": "",
        "sha256": sha("a/x"),
        "policy_sha256": POLICY,
    }


def test_an_odd_name_stays_one_value() -> None:
    state = fold(entries_of([begun(), declared(ODD), judged(ODD, "warned")]))
    lines = closed(state)[1]
    assert tomllib.loads("\n".join(lines[3:]))["waiver"][0]["item"] == ODD
