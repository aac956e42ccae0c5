"""The JUnit report: the rules of its module, and the form that readers of such files expect."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from console import made_up
from console.test_batch import HOSTILE
from sealwright_console.junit import report, require_place, write_report
from sealwright_console.sanitise import ACTIVE
from sealwright_stages.errors import MachineError, ManifestError
from sealwright_stages.events import Stage
from sealwright_stages.fold import fold
from sealwright_stages.state import Component, Item, State
from sealwright_stages.verdict import Status, Waiver

STOPPED = ("the run was stopped", "it was interrupted", "run again to resume")
# junit-10.xsd of Jenkins' xUnit plug-in: what may stand in each element, and which attributes it has.
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"testcase"},
    "testcase": {"skipped", "error", "failure", "system-out"},
}
MUST = {"testsuites": set(), "testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}}
MAY = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
    "testcase": {"name", "time", "classname"},
    **{each: {"type", "message"} for each in ("failure", "error", "skipped")},
}


def read(data: bytes) -> ET.Element:
    """The report as a reader sees it; it must have the form and count right."""
    top = ET.fromstring(data)  # noqa: S314 - our own, and in a test
    assert top.tag == "testsuites"
    for element in top.iter():
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set()), element.tag
        assert MUST.get(element.tag, set()) <= set(element.attrib) <= MAY.get(element.tag, set()), element.attrib
        if element.tag in ("testsuites", "testsuite"):
            cases = list(element.iter("testcase"))
            assert int(element.attrib["tests"]) == len(cases)
            for kind, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
                if count in element.attrib:
                    assert int(element.attrib[count]) == sum(case.find(kind) is not None for case in cases)
    return top


def case(top: ET.Element, item: str) -> ET.Element:
    return next(each for each in top.iter("testcase") if each.attrib["name"].endswith(f"({item})"))


def test_a_suite_for_each_component_and_one_for_the_run() -> None:
    state = fold(made_up.building().entries)
    top = read(report(state, 0, ("done", "", "")))
    assert [suite.attrib["name"] for suite in top] == [*state.components, "sealwright"]
    assert len(list(top.iter("testcase"))) == len(state.items) + 1


def test_red_is_a_failure_with_its_code_its_reason_and_what_to_do() -> None:
    top = read(report(fold(made_up.troubled().entries), 1, STOPPED))
    failure = case(top, "xen/grub-0.97.tar.gz").find("failure")
    assert failure is not None and failure.attrib["type"] == "digest-mismatch"
    assert failure.attrib["message"] == "failed: the served file is not the pinned one"
    assert "next: compare with another mirror" in (failure.text or "")


def test_a_warning_fails_until_it_is_waived_and_then_system_out_tells_by_whom() -> None:
    top = read(report(fold(made_up.troubled().entries), 1, STOPPED))
    assert case(top, "kde-desktop/signature of the tag").find("failure") is not None
    top = read(report(fold(made_up.green().entries), 0, STOPPED))
    waived = case(top, "kde-desktop/signature of the tag")
    assert waived.find("failure") is None
    assert "waived by release-manager-1: extension seen" in waived.findtext("system-out", "")


def test_what_was_not_checked_is_skipped_with_its_reason() -> None:
    top = read(report(fold(made_up.troubled().entries), 130, STOPPED))
    skipped = case(top, "xen/build").find("skipped")
    assert skipped is not None and skipped.attrib["message"] == "not checked: its turn never came"
    cut = case(top, "lvm2/source has arrived").find("skipped")
    assert cut is not None and cut.attrib["message"] == "not checked: via tor"


def test_the_run_fails_where_it_ended_otherwise_than_asked_whatever_the_items_say() -> None:
    state = fold(made_up.sealed().entries)
    run = list(read(report(state, 5, ("the signer refused", "it said no", "ask it")))[-1].iter("testcase"))[-1]
    error = run.find("error")
    assert error is not None and error.attrib == {"type": "exit 5", "message": "the signer refused"}
    assert (error.text or "").splitlines()[1:] == ["because: it said no", "next: ask it"]
    assert read(report(state, 0, ("done", "", ""))).find(".//error") is None


@pytest.mark.parametrize("status", list(Status))
def test_no_text_of_an_item_brings_what_xml_can_not_hold(status: Status) -> None:
    bad = HOSTILE + "\x00\ufffe\udc9b]]><failure/>&"
    state = State(release=bad, version=bad)
    state.components[bad] = Component(bad, items=(bad,))
    waivers = [None, Waiver(bad, bad, bad, bad, "", "")]
    for waiver in waivers if status is Status.WARNED else waivers[:1]:
        state.items[bad] = Item(
            bad, bad, Stage.VERIFY, bad, bad, status, bad, bad, bad, note=bad, waiver=waiver, began=bad
        )
        data = report(state, 1, (bad, bad, bad))
        top = read(data)
        assert not ACTIVE.search(data.decode().replace("\n", ""))
        for told in ("␀", "<U+FFFE>", "]]><failure/>&"):
            assert told in top.attrib["name"]


def test_it_is_written_over_the_one_before_and_only_over_a_file(tmp_path: Path) -> None:
    place = tmp_path / "report.xml"
    place.write_text("old")
    require_place(place)
    write_report(place, State(), 3, STOPPED)
    assert read(place.read_bytes()).attrib["name"] == "no release was begun"
    assert [each.name for each in tmp_path.iterdir()] == ["report.xml"]
    for bad in (tmp_path, tmp_path / "none" / "x.xml", Path("/dev/null")):
        with pytest.raises(ManifestError):
            require_place(bad)
    (tmp_path / "link").symlink_to(place)
    with pytest.raises(ManifestError):
        require_place(tmp_path / "link")


def test_a_disk_that_is_full_leaves_no_half_report(tmp_path: Path) -> None:
    with pytest.raises(MachineError):
        write_report(tmp_path / "none" / "x.xml", State(), 0, STOPPED)
